"""What a grid says of the peers: means and their errors, ranks, tests, times.

The error of a mean is the standard error over seeds. A seed has training and test rows of its
own, so the error has the choice of both in it; that of the tables is not in it, the ranks and
their test have that. Where a table has few more rows than a seed trains on, the training rows
of two seeds overlap, and the error is a little too small.
"""

from typing import NamedTuple

import numpy as np
from scipy.stats import friedmanchisquare

from benchmarks.evidence.statistics import average_ranks, critical_difference, p_value
from benchmarks.package import holm
from benchmarks.peers.grid import Grid
from benchmarks.peers.subjects import OURS

# What is compared, and whether more (1) or less (-1) of it is better.
BETTER = {"accuracy": 1, "log_loss": -1}
REFERENCES = ("LogisticRegression", "RandomForest", "maxl-none")
LEVEL = 0.05


def over_tables(grid: Grid, peer: str, column: str) -> np.ndarray:
    """The mean over tables of each seed."""
    return grid.of(peer, column).mean(0)


def minus_ours(grid: Grid, peer: str, column: str) -> np.ndarray:
    """The same of the differences to ours on the same rows."""
    return over_tables(grid, peer, column) - over_tables(grid, OURS, column)


class Ranks(NamedTuple):
    """Mean ranks over tables, 1 is the best; whether they differ at all, and from where on."""

    mean: dict[str, float]
    p: float
    """Friedman's test; NaN with two peers, for which there is none."""
    critical_difference: float
    """Nemenyi's: mean ranks farther apart differ significantly."""


def ranks(grid: Grid, column: str) -> Ranks:
    """Ranks of the means over seeds; what differs by rounding alone is equal."""
    means = (BETTER[column] * grid.values(column).mean(2)).round(9)
    mean = average_ranks(dict(zip(grid.peers, means, strict=True)))
    p = float(friedmanchisquare(*means).pvalue) if len(means) > 2 else float("nan")
    return Ranks(mean, p, critical_difference(*means.shape))


class Verdict(NamedTuple):
    """Ours against a reference on a table."""

    table: str
    differences: np.ndarray
    """Ours minus the reference, seed by seed."""
    p: float
    """Paired t-test over seeds, corrected for the number of tables."""
    sign: int
    """1 where ours is significantly better, -1 where it is worse, 0 where neither is known."""


def verdicts(grid: Grid, reference: str, column: str) -> list[Verdict]:
    """A paired test on each table; Holm's correction is over the tables of this size."""
    differences = grid.of(OURS, column) - grid.of(reference, column)
    corrected = holm([p_value(d) for d in differences])
    return [
        Verdict(table, d, float(p), int(BETTER[column] * np.sign(d.mean())) * int(p < LEVEL))
        for table, d, p in zip(grid.tables, differences, corrected, strict=True)
    ]


def times(grid: Grid, peer: str, reference: str = "MLPClassifier") -> float:
    """Median, over splits, of the processor's time of a fit in units of the reference's."""
    return float(np.median(grid.of(peer, "seconds") / grid.of(reference, "seconds")))
