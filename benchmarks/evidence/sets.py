"""The data sets of the evidence: a training part of a chosen size, and what scores are taken on.

Real data come from the folder in SKLEARN_MAXL_DATA (images as strips of WebP in ``.npz``
files, which need Pillow, and tables as arrays), the others from scikit-learn.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder

from benchmarks.common.images import cifar100, folder, halved, strips
from sklearn_maxl.backbones import ConvNet
from sklearn_maxl.datasets import fetch_cifar100_hierarchy

MAX_TEST = 5_000  # rows of a table that a score is taken on: more digits are not needed
FOLDS = 10  # seeds of the report with test samples of their own


@dataclass(frozen=True)
class Split:
    """Arrays of one run; `finer` are the human's auxiliary labels of the training samples.

    `others` are samples that are neither trained nor scored on, without their classes.
    """

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    finer: np.ndarray | None = None
    others: np.ndarray | None = None


def small(X: np.ndarray) -> np.ndarray:
    """Images of half the side, of whole numbers."""
    return halved(X).round().astype(np.uint8)


@lru_cache(maxsize=4)
def fashion(subset: str) -> tuple[np.ndarray, np.ndarray, None]:
    """Fashion-MNIST at 14 x 14."""
    X, labels = strips(f"fashion_mnist_{subset}")
    return small(X), labels["y"].astype(np.int64), None


@lru_cache(maxsize=4)
def cifar(subset: str, level: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """CIFAR-100 at 16 x 16, classes of a level; its 100 are the finer labels."""
    X, fine = cifar100(subset)
    data = fetch_cifar100_hierarchy(arrays=(X, fine), level=level, finer=100)
    return small(X), data.target, fine


@cache
def table(name: str) -> tuple[np.ndarray, np.ndarray, None]:
    """All rows of a table, categories one-hot; official splits are put together."""
    with np.load(folder() / "tabular" / f"{name}.npz") as file:
        fields = dict(file)
    if "X" in fields:
        X, y, types = fields["X"], fields["y"], fields["feature_types"]
        categorical = np.asarray(types).astype(str) == "categorical"
        numbers, categories = X[:, ~categorical], X[:, categorical]
    elif "X_num_train" in fields:
        numbers, categories, y = (
            np.concatenate([fields[f"{part}_{subset}"] for subset in ("train", "test")])
            for part in ("X_num", "X_cat", "y")
        )
    else:
        numbers, y = (
            np.concatenate([fields[f"{part}_{subset}"] for subset in ("train", "test")])
            for part in ("X", "y")
        )
        categories = numbers[:, :0]
    parts = [numbers.astype(np.float32)]
    if categories.shape[1]:
        parts.append(OneHotEncoder(sparse_output=False, dtype=np.float32).fit_transform(categories))
    return np.concatenate(parts, axis=1), np.unique(y, return_inverse=True)[1], None


@cache
def binned(name: str) -> tuple[np.ndarray, np.ndarray, None]:
    """A table whose numbers are categories: the quarter of its column that each is in."""
    X, y, _ = table(name)
    quarters = (X[:, None] > np.quantile(X, (0.25, 0.5, 0.75), axis=0)).sum(1)
    return np.eye(4, dtype=np.float32)[quarters].reshape(len(X), -1), y, None


@cache
def noisy(name: str) -> tuple[np.ndarray, np.ndarray, None]:
    """A table with a fifth of its rows, to train or to score on, in a class drawn at random."""
    X, y, _ = table(name)
    rng = np.random.RandomState(0)
    drawn = rng.randint(y.max() + 1, size=len(y))
    return X, np.where(rng.random_sample(len(y)) < 0.2, drawn, y), None


@cache
def columns(name: str) -> tuple[np.ndarray, np.ndarray, None]:
    """Images of 14 x 14 as rows: the means of squares of 2 x 2."""
    X, y, _ = whole(name, "train")
    return halved(X).reshape(len(X), -1).astype(np.float32), y, None


@cache
def bundled(name: str) -> tuple[np.ndarray, np.ndarray, None]:
    """A data set of scikit-learn."""
    loaders = {"digits": load_digits, "breast-cancer": load_breast_cancer, "wine": load_wine}
    X, y = loaders[name.removesuffix("-images")](return_X_y=True)
    return X.reshape(-1, 1, 8, 8) if name.endswith("-images") else X, y, None


@cache
def turned(label: str) -> tuple[np.ndarray, np.ndarray, None]:
    """The digits, each turned at random; the label is the "digit" or the "turn"."""
    X, y, _ = bundled("digits-images")
    turns = np.random.RandomState(0).randint(4, size=len(X))
    X = np.stack([np.rot90(x, k, (1, 2)) for x, k in zip(X, turns, strict=True)])
    return X, {"digit": y, "turn": turns}[label], None


HALF = {"backbone": ConvNet(width=0.5)}
TABLES = (
    *("adult", "churn", "credit-g", "letter", "mfeat-factors", "pendigits", "phoneme"),
    *("satimage", "segmentation", "splice", "vehicle"),
)
BUNDLED = ("breast-cancer", "digits", "wine")
TUNED_ON = ("vehicle", "segmentation", "phoneme", "mfeat-factors")
# The same with categories for numbers, and with noise in the classes.
OTHERWISE = [f"{name}, {kind}" for kind in ("binned", "noisy") for name in TUNED_ON]

# Name -> training samples, and the settings that all arms of the set share.
IMAGES: dict[tuple[str, int], dict[str, Any]] = {
    ("digits-images", 100): {},
    ("digits-images", 200): {},
    ("digits-images", 500): {},
    ("turned-digits-digit", 200): {},
    ("turned-digits-turn", 200): {},
    ("fashion-mnist", 500): HALF,
    ("fashion-mnist", 2000): {**HALF, "max_epochs": 30},
    ("fashion-mnist", 10000): {**HALF, "max_epochs": 30},
    ("cifar100-10", 2500): {**HALF, "max_epochs": 50},
    ("cifar100-20", 2500): {**HALF, "max_epochs": 50},
    ("cifar100-20", 10000): {**HALF, "max_epochs": 30},
}


def is_table(name: str) -> bool:
    """Whether the samples of a set are rows."""
    return name.partition(", ")[0] in (*TABLES, *BUNDLED)


def whole(name: str, subset: str) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """All samples of the "train" or "test" subset, the same where there is one only."""
    if name == "fashion-mnist":
        return fashion({"train": "train10k", "test": "test"}[subset])
    if name.startswith("cifar100"):
        return cifar(subset, int(name.removeprefix("cifar100-")))
    if name.startswith("turned-digits"):
        return turned(name.removeprefix("turned-digits-"))
    table_name, _, kind = name.partition(", ")
    if kind:
        return {"binned": binned, "noisy": noisy, "columns": columns}[kind](table_name)
    return table(name) if name in TABLES else bundled(name)


def has_test_set(name: str) -> bool:
    """Whether there is a test set that no split touches."""
    return name == "fashion-mnist" or name.startswith("cifar100")


def halves(n_rows: int) -> dict[str, np.ndarray]:
    """Rows of a set without a test set of its own: one half decides, the other is reported on."""
    order = np.random.RandomState(0).permutation(n_rows)
    return {"validation": np.sort(order[::2]), "test": np.sort(order[1::2])}


def own_tenth(n_rows: int, seed: int) -> np.ndarray:
    """The rows that a seed is scored on: no two of the seeds 0 to 9 share one."""
    order = np.random.RandomState(seed // FOLDS).permutation(n_rows)
    return np.sort(order[seed % FOLDS :: FOLDS])


def split(name: str, n: int, seed: int, part: str) -> Split:
    """Draw `n` training samples, and the samples to score on.

    `part` is "validation" for decisions and "test" for the report, and no sample is scored on in
    both: decisions never see an official test set and, where there is none, have one half of
    all rows, the report the other. Each of ten seeds of the report is scored on samples of its
    own, so a standard error over seeds is one over training draws and over test samples.
    Where a decision's half has fewer than 4/3 n rows, three quarters of it train.
    """
    X, y, finer = whole(name, "train")
    rows = np.arange(len(y)) if has_test_set(name) else halves(len(y))[part]
    labels = y if finer is None else finer
    if part == "validation":
        rows, rest = drawn(rows, min(n, 3 * len(rows) // 4), labels, seed)
        X_test, y_test, others = X[rest[:MAX_TEST]], y[rest[:MAX_TEST]], rest[MAX_TEST:]
    elif has_test_set(name):
        rows, others = drawn(rows, n, labels, seed)
        X_test, y_test, _ = whole(name, "test")
        mine = own_tenth(len(y_test), seed)
        X_test, y_test = X_test[mine], y_test[mine]
    else:
        mine = own_tenth(len(rows), seed)
        rest, rows = rows[mine], np.delete(rows, mine)
        X_test, y_test = X[rest[:MAX_TEST]], y[rest[:MAX_TEST]]
        rows, others = drawn(rows, min(n, len(rows)), labels, seed)
    finer = None if finer is None else finer[rows]
    return Split(X[rows], y[rows], X_test, y_test, finer, X[others])


def drawn(rows: np.ndarray, n: int, labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`n` of the rows, with the shares of the labels that all have, and the others."""
    if n == len(rows):
        return rows, rows[:0]
    chosen, rest = train_test_split(rows, train_size=n, stratify=labels[rows], random_state=seed)
    return chosen, rest


def shared_settings(name: str, n: int) -> dict[str, Any]:
    """Parameters that every arm of a set has."""
    return IMAGES.get((name, n), {})
