"""Paired comparisons over seeds and over data sets."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import rankdata, studentized_range, ttest_1samp, wilcoxon

from benchmarks.package import holm


def p_value(differences: np.ndarray) -> float:
    """Two-sided paired t-test; 1 where all differences are 0."""
    if len(differences) < 2 or not np.any(differences):
        return 1.0
    if np.ptp(differences) == 0:
        return 0.0
    return float(ttest_1samp(differences, 0).pvalue)


def wins_ties_losses(differences: Sequence[np.ndarray]) -> tuple[int, int, int]:
    """Data sets on which the corrected p-value is below 0.05, by sign, and the others."""
    p = holm([p_value(d) for d in differences])
    signs = np.array([np.sign(d.mean()) for d in differences]) * (p < 0.05)
    return int((signs > 0).sum()), int((signs == 0).sum()), int((signs < 0).sum())


def over_data_sets(means: Mapping[tuple[str, int], float]) -> float:
    """Wilcoxon's signed-rank test of the mean differences of the data sets.

    Sizes of one data set are not independent: their mean counts once.
    """
    of_set: dict[str, list[float]] = {}
    for (name, _), mean in means.items():
        of_set.setdefault(name, []).append(mean)
    each = np.array([np.mean(sizes) for sizes in of_set.values()])
    if len(each) < 2 or not np.any(each):
        return 1.0
    return float(wilcoxon(each).pvalue)


def p_text(p: float) -> str:
    """A p-value as a table says it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def average_ranks(scores: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Mean rank of each arm over the data sets; 1 is the best."""
    table = np.stack([-values for values in scores.values()], axis=1)
    return dict(zip(scores, rankdata(table, axis=1).mean(0), strict=True))


def critical_difference(n_arms: int, n_sets: int, level: float = 0.05) -> float:
    """Nemenyi's distance between average ranks (Demsar, JMLR 2006, section 3.2.2)."""
    q = studentized_range.ppf(1 - level, n_arms, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(n_arms * (n_arms + 1) / (6 * n_sets)))
