"""Fits of several arms on the same folds with the same seeds."""

import copy
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.model_selection import (
    BaseCrossValidator,
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    check_cv,
)
from sklearn.utils.multiclass import type_of_target

from .._environment.private_sklearn import safe_indexing
from .._environment.threads import torch_threads
from ._arms import Arms

Scorer = Callable[[BaseEstimator, ArrayLike, ArrayLike], float]


# Folds


@dataclass(frozen=True)
class Split:
    """A fold of a seed."""

    seed: int
    fold: int
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    training_seed: int


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
    high = 2**31 - 1
    seeds = []
    for number, split_seed in enumerate(rng.randint(high, size=int(n_seeds))):
        if folds_change:
            splitter = copy.copy(splitter)
            splitter.random_state = int(split_seed)
        pairs = list(splitter.split(X, y, groups))
        if len(pairs) < 2:
            raise ValueError(f"cv must give at least 2 folds, got {len(pairs)}.")
        training = rng.randint(high, size=len(pairs))
        folds = enumerate(zip(pairs, training.tolist(), strict=True))
        seeds.append([Split(number, i, train, test, seed) for i, ((train, test), seed) in folds])
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
    return check_cv(cv)


def _check_class_sizes(y: ArrayLike, n_folds: int) -> None:
    names, counts = np.unique(np.asarray(y), return_counts=True)
    if counts.min() < n_folds:
        name = names[counts.argmin()]
        raise ValueError(
            f"y has {counts.min()} sample{'s' if counts.min() > 1 else ''} of class {name}, fewer "
            f"than the {n_folds} folds of cv: take fewer folds, or leave that class out."
        )


# Fits


@dataclass(frozen=True)
class Outcome:
    """What one fit gave, and which it was."""

    arm: int
    seed: int
    fold: int
    score: float
    seconds: float
    warnings: dict[type[Warning], str]
    """One of each kind."""


Track = Callable[[Iterator[Outcome], int], Iterable[Outcome]]
"""Passes on what a run yields, and tells somebody about it; the number is how many come."""


def run_all(
    estimator: BaseEstimator,
    X: ArrayLike,
    y: ArrayLike,
    arms: Arms,
    seeds: list[list[Split]],
    scorer: Scorer,
    n_jobs: int | None,
    track: Track,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores and seconds of every fit, of shape (arms, seeds, folds).

    The arms of a split stand next to each other, so that whatever else the machine is
    doing slows all of them down.
    """
    tasks = [
        delayed(_run_one)(estimator, X, y, number, params, split, scorer)
        for splits in seeds
        for split in splits
        for number, params in enumerate(arms.values())
    ]
    shape = (len(arms), len(seeds), len(seeds[0]))
    scores, seconds = np.empty(shape), np.empty(shape)
    said: dict[tuple[int, type[Warning]], list[str]] = {}
    outcomes = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(tasks)
    for outcome in track(outcomes, len(tasks)):
        place = outcome.arm, outcome.seed, outcome.fold
        scores[place], seconds[place] = outcome.score, outcome.seconds
        for category, message in outcome.warnings.items():
            said.setdefault((outcome.arm, category), []).append(message)
    for (arm, category), messages in sorted(said.items(), key=lambda item: item[0][0]):
        warnings.warn(
            f"{messages[0]} (Said by {len(messages)} of {scores[0].size} fits of arm "
            f"{list(arms)[arm]!r}, the others not always with the same figures.)",
            category,
            stacklevel=4,
        )
    if not np.isfinite(scores).all():
        raise ValueError("scoring gave a value that is not finite; arms can't be compared by it.")
    return scores, seconds


def _run_one(
    estimator: BaseEstimator,
    X: ArrayLike,
    y: ArrayLike,
    arm: int,
    params: dict[str, object],
    split: Split,
    scorer: Scorer,
) -> Outcome:
    model = clone(estimator).set_params(**copy.deepcopy(params))
    random_states = [n for n in model.get_params() if n.rsplit("__", 1)[-1] == "random_state"]
    model.set_params(**dict.fromkeys(random_states, split.training_seed))
    X_train, X_test = (safe_indexing(X, part) for part in (split.train, split.test))
    y_train, y_test = (safe_indexing(y, part) for part in (split.train, split.test))
    with torch_threads(1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.perf_counter()
        model.fit(X_train, y_train)
        seconds = time.perf_counter() - start
        score = float(scorer(model, X_test, y_test))
    kinds = {w.category: str(w.message) for w in caught}
    return Outcome(arm, split.seed, split.fold, score, seconds, kinds)
