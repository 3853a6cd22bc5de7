"""Paired differences between two arms, and what repeated cross-validation says of them.

The scores of a cross-validation are not independent: their training sets overlap. The
ordinary t-test takes them for independent and finds differences where there are none.
Nadeau and Bengio ("Inference for the Generalization Error", Machine Learning 52, 2003)
put ``1/J + n_test/n_train`` for its ``1/J``, where J is the number of scores; Bouckaert
and Frank (PAKDD 2004) use that for repeated cross-validation, as is done here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

_ROUNDING = 1e-10  # a spread below this part of the largest value is rounding


@dataclass(frozen=True)
class PairedTest:
    """A mean difference with its error and test."""

    mean: float
    standard_error: float
    low: float
    """Lower end of the confidence interval."""
    high: float
    p: float
    """Two-sided. NaN where all differences are the same number but not 0."""
    wins: int
    ties: int
    losses: int


def variance_factor(n_train: ArrayLike, n_test: ArrayLike) -> float:
    """What the variance of single scores is multiplied by, to get that of their mean.

    The arguments have a value for each of the J scores; the sizes of folds can differ
    by one, so the mean of their ratio is taken.
    """
    train, test = np.asarray(n_train, dtype=float), np.asarray(n_test, dtype=float)
    return float(1 / train.size + (test / train).mean())


def standard_error(values: ArrayLike, n_train: ArrayLike, n_test: ArrayLike) -> float:
    """Standard error of the mean of cross-validated values."""
    values = np.asarray(values, dtype=float).ravel()
    if np.ptp(values) <= _ROUNDING * np.abs(values).max():
        return 0.0
    return float(np.sqrt(variance_factor(n_train, n_test) * values.var(ddof=1)))


def corrected_t_test(
    differences: ArrayLike, n_train: ArrayLike, n_test: ArrayLike, confidence: float = 0.95
) -> PairedTest:
    """Corrected resampled t-test of paired differences, with J - 1 degrees of freedom.

    Where there is no spread the test says nothing: p is 1 if all differences are 0, and
    NaN if they are another number. An infinite t would call two equal scores proof.
    """
    values = np.asarray(differences, dtype=float).ravel()
    mean, error = float(values.mean()), standard_error(values, n_train, n_test)
    freedom = values.size - 1
    if error > 0:
        p = float(2 * stats.t.sf(abs(mean) / error, freedom))
    else:
        p = float("nan") if values.any() else 1.0
    reach = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    tied = np.isclose(values, 0, atol=1e-12)
    return PairedTest(
        mean=mean,
        standard_error=error,
        low=mean - reach,
        high=mean + reach,
        p=p,
        wins=int((values[~tied] > 0).sum()),
        ties=int(tied.sum()),
        losses=int((values[~tied] < 0).sum()),
    )


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Holm's p-values: no more than one in twenty families has one below 0.05 by chance.

    The smallest is multiplied by their number, the next by one less, and so on; none
    becomes smaller than the one before. NaN stays NaN and counts as a test.
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)  # NaN last
    adjusted = p.copy()
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    return np.minimum(adjusted, 1)
