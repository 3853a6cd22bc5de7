"""Arms side by side, from the rows of the report: paired differences over seeds."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from benchmarks.common.rows import Rows, grouped, results
from benchmarks.evidence.arms import TUNED_IMAGES
from benchmarks.evidence.sets import TUNED_ON

DEFAULT, BEST = "maxl (default)", "best single"

Key = tuple[str, int]


@cache
def rows_of_arms(file: str = "evidence") -> dict[tuple[str, ...], Rows]:
    """The rows by data set, size and arm."""
    return grouped(results(file), "data_set", "n", "arm")


def values(
    key: Key, arm: str, column: str = "accuracy", file: str = "evidence"
) -> dict[int, float]:
    """A column of an arm's rows, by seed."""
    name, n = key
    rows = rows_of_arms(file).get((name, str(n), arm), [])
    return {int(r["seed"]): float(r[column]) for r in rows}


def scores(key: Key, arm: str) -> np.ndarray:
    """Accuracies of an arm."""
    return np.array(list(values(key, arm).values()))


def difference(
    key: Key, arm: str, reference: str, column: str = "accuracy", file: str = "evidence"
) -> np.ndarray:
    """Paired differences of two arms, over the seeds that both have."""
    a, b = values(key, arm, column, file), values(key, reference, column, file)
    return np.array([a[seed] - b[seed] for seed in sorted(a.keys() & b.keys())])


def mean(key: Key, arm: str, column: str = "accuracy") -> float:
    return float(np.mean(list(values(key, arm, column).values())))


def there(keys: Sequence[Key], *arms: str) -> list[Key]:
    """The sets that have rows of all these arms, two seeds at least."""
    return [k for k in keys if all(len(values(k, arm)) > 1 for arm in arms)]


def means(differences: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of each data set."""
    return np.array([d.mean() for d in differences])


# What readers call a set, where it is not the name of its rows.
TITLES = {
    "cifar100-20": "CIFAR-100 in 20 classes",
    "fashion-mnist": "Fashion-MNIST",
    "digits-images": "digits as images",
    "turned-digits-digit": "turned digits, which digit",
    "turned-digits-turn": "turned digits, which turn",
}


def title(key: Key) -> str:
    """A set and its number of training samples."""
    name, n = key
    return f"{TITLES.get(name, name)}, {n:,}"


def tuned_on(key: Key) -> bool:
    """Whether defaults were chosen on this set, with other samples."""
    return key[0] in TUNED_ON or key in TUNED_IMAGES


def marked(key: Key) -> str:
    """The title, and whether defaults were chosen on the set."""
    return title(key) + (" (tuned on)" if tuned_on(key) else "")
