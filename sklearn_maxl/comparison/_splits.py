"""The folds of every seed: which rows are trained on, and which are predicted."""

import copy
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, is_classifier
from sklearn.model_selection import (
    BaseCrossValidator,
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    check_cv,
)
from sklearn.utils.multiclass import type_of_target


@dataclass(frozen=True, eq=False)
class Split:
    """A fold of a seed."""

    seed: int
    fold: int
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    training_seed: int

    def __str__(self) -> str:
        return f"seed {self.seed}, fold {self.fold}"


def make_splits(
    estimator: BaseEstimator,
    X: ArrayLike,
    y: ArrayLike,
    cv: object,
    n_seeds: object,
    groups: ArrayLike | None,
    rng: np.random.RandomState,
) -> tuple[list[list[Split]], bool]:
    """The folds of every seed, and whether another seed gives other folds."""
    if isinstance(n_seeds, bool) or not isinstance(n_seeds, Integral) or n_seeds < 1:
        raise ValueError(f"n_seeds must be an int of at least 1, got {n_seeds!r}.")
    classification = is_classifier(estimator)
    if y is None:
        raise ValueError("compare requires y to be passed, but the target y is None.")
    if classification and type_of_target(y) not in ("binary", "multiclass"):
        raise ValueError(
            f"y must hold classes for {type(estimator).__name__}, but is {type_of_target(y)}; "
            "for numbers, compare a MAXLRegressor."
        )
    splitter = _splitter(cv, classification, groups)
    if isinstance(splitter, StratifiedKFold | StratifiedGroupKFold):
        _check_class_sizes(y, splitter.get_n_splits())
    folds_change = hasattr(splitter, "random_state") and getattr(splitter, "shuffle", True)
    high, n = 2**31 - 1, len(y)  # type: ignore[arg-type]
    seeds = []
    for number, split_seed in enumerate(rng.randint(high, size=int(n_seeds))):
        if folds_change:
            splitter = copy.copy(splitter)
            splitter.random_state = int(split_seed)
        pairs = [_rows(pair, n) for pair in splitter.split(X, y, groups)]
        if len(pairs) < 2:
            raise ValueError(f"cv must give at least 2 folds, got {len(pairs)}.")
        training = rng.randint(high, size=len(pairs))
        folds = enumerate(zip(pairs, training.tolist(), strict=True))
        seeds.append([Split(number, i, train, test, seed) for i, ((train, test), seed) in folds])
    if classification:
        _warn_of_unseen_classes(np.asarray(y), [split for splits in seeds for split in splits])
    return seeds, bool(folds_change)


def _splitter(cv: object, classification: bool, groups: ArrayLike | None) -> BaseCrossValidator:
    if cv is None or isinstance(cv, bool | float | str):
        raise ValueError(f"cv must be a number of folds, a splitter or a list, got {cv!r}.")
    if isinstance(cv, Integral):
        if cv < 2:
            raise ValueError(f"cv must be at least 2 folds, got {cv}.")
        if groups is None:
            return (StratifiedKFold if classification else KFold)(int(cv), shuffle=True)
        return (StratifiedGroupKFold if classification else GroupKFold)(int(cv), shuffle=True)
    if isinstance(cv, Iterable) and not hasattr(cv, "split"):
        cv = list(cv)
        if any(not isinstance(pair, tuple | list | np.ndarray) or len(pair) != 2 for pair in cv):
            raise ValueError(f"cv must give pairs (train, test), got {cv[0]!r} for instance.")
    return check_cv(cv)


def _check_class_sizes(y: ArrayLike, n_folds: int) -> None:
    names, counts = np.unique(np.asarray(y), return_counts=True)
    if counts.min() < n_folds:
        name = names[counts.argmin()]
        raise ValueError(
            f"y has {counts.min()} sample{'s' if counts.min() > 1 else ''} of class {name}, fewer "
            f"than the {n_folds} folds of cv: take fewer folds, or leave that class out."
        )


def _rows(pair: tuple[ArrayLike, ArrayLike], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Training and test rows by number, as cv gave them."""
    train, test = (np.asarray(part) for part in pair)
    train, test = (np.flatnonzero(p) if p.dtype == bool else p for p in (train, test))
    if not len(train) or not len(test):
        raise ValueError("cv gives a fold without training samples, or without test samples.")
    if max(train.max(), test.max()) >= n or min(train.min(), test.min()) < 0:
        raise ValueError(f"cv gives rows that are not from 0 to {n - 1}, those of X and y.")
    shared = len(np.intersect1d(train, test))
    if shared:
        raise ValueError(
            f"cv gives a fold that is tested on {shared} of its own training samples; "
            "train and test must have none in common."
        )
    return train, test


def _warn_of_unseen_classes(y: NDArray[np.generic], splits: Iterable[Split]) -> None:
    unseen = [bool(np.setdiff1d(y[split.test], y[split.train]).size) for split in splits]
    if any(unseen):
        warnings.warn(
            f"In {sum(unseen)} of {len(unseen)} splits there are test samples of a class that no "
            "training sample has, so that no arm can be right on them; take folds with all "
            "classes, such as those of cv=5 or StratifiedKFold.",
            stacklevel=5,
        )
