"""Arms side by side, from the rows of the report: paired differences over seeds."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from benchmarks.common.rows import Rows, grouped, results
from benchmarks.evidence.arms import SMALL_TABLES

DEFAULT, BEST = "maxl (default)", "best single"

Key = tuple[str, int]


@cache
def rows_of_arms() -> dict[tuple[str, ...], Rows]:
    """The rows by data set, size and arm."""
    return grouped(results("evidence"), "data_set", "n", "arm")


def values(key: Key, arm: str, column: str = "accuracy") -> dict[int, float]:
    """A column of an arm's rows, by seed."""
    name, n = key
    rows = rows_of_arms().get((name, str(n), arm), [])
    return {int(r["seed"]): float(r[column]) for r in rows}


def scores(key: Key, arm: str) -> np.ndarray:
    """Accuracies of an arm."""
    return np.array(list(values(key, arm).values()))


def difference(key: Key, arm: str, reference: str, *others: str) -> np.ndarray:
    """Paired differences of two arms, over the seeds that both and the others have."""
    a, b = values(key, arm), values(key, reference)
    shared = a.keys() & b.keys()
    for other in others:
        shared &= values(key, other).keys()
    return np.array([a[seed] - b[seed] for seed in sorted(shared)])


def mean(key: Key, arm: str, column: str = "accuracy") -> float:
    return float(np.mean(list(values(key, arm, column).values())))


def there(keys: Sequence[Key], *arms: str) -> list[Key]:
    """The sets that have rows of all these arms, two seeds at least."""
    return [k for k in keys if all(len(values(k, arm)) > 1 for arm in arms)]


def means(differences: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of each data set."""
    return np.array([d.mean() for d in differences])


def title(key: Key) -> str:
    return f"{key[0]}, {key[1]:,}"


def small_tables() -> list[Key]:
    """The tables on which the defaults and the best plain network were compared."""
    return there(SMALL_TABLES, DEFAULT, BEST)


def guard_and_default(key: Key) -> tuple[np.ndarray, np.ndarray]:
    """Differences to the best plain network with and without a guard, on the same seeds."""
    return difference(key, "guard", BEST, DEFAULT), difference(key, DEFAULT, BEST, "guard")
