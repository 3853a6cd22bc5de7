"""Fits of several arms that differ in nothing else: the same folds, the same seeds."""

import copy
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    check_cv,
)
from sklearn.utils.multiclass import type_of_target

from .._environment.private_sklearn import safe_indexing
from .._environment.threads import torch_threads
from .._estimators.base import BaseMAXL
from ..labels import NAMED

Arms = dict[Any, dict[str, Any]]
Track = Callable[[Iterator[Any], int], Iterable[Any]]
"""Passes on what a run yields, and tells somebody about it; the number is how many come."""


# Settings of `auxiliary` that need nothing but samples and classes.
ARMS = [name for name, labels in NAMED.items() if not labels.needs_auxiliary_labels]

# Arms


def prefix_of_maxl(estimator: Any) -> str:
    """What stands before the names of the MAXL estimator's parameters, such as "step__"."""
    if isinstance(estimator, type) or not hasattr(estimator, "get_params"):
        raise TypeError(
            "estimator must be a MAXLClassifier, a MAXLRegressor or a pipeline with one, "
            f"got {estimator!r}."
        )
    if isinstance(estimator, BaseMAXL):
        return ""
    inside = [k for k, v in estimator.get_params().items() if isinstance(v, BaseMAXL)]
    if len(inside) != 1:
        raise ValueError(
            f"estimator must hold one MAXLClassifier or MAXLRegressor, as the last step of a "
            f"pipeline for instance; {type(estimator).__name__} holds "
            + (f"{len(inside)}: {', '.join(inside)}." if inside else "none.")
        )
    return f"{inside[0]}__"


def resolve_arms(estimator: Any, arms: Any) -> Arms:
    """The parameters of each arm, with their full names in the estimator."""
    prefix = prefix_of_maxl(estimator)
    if isinstance(arms, Mapping):
        resolved = {n: _full_names(estimator, prefix, n, params) for n, params in arms.items()}
    else:
        if isinstance(arms, str) or not isinstance(arms, Iterable):
            raise TypeError(
                f'arms must be a sequence such as ("maxl", None), or a dict, got {arms!r}.'
            )
        names = list(arms)
        for name in names:
            _check_name(name)
        if len(set(names)) < len(names):
            raise ValueError(f"arms must differ, got {names}.")
        resolved = {name: {f"{prefix}auxiliary": name} for name in names}
    if len(resolved) < 2:
        raise ValueError(f"arms must hold at least two to compare, got {list(resolved)}.")
    return resolved


def _check_name(name: Any) -> None:
    if name == "human":
        raise ValueError(
            'arms can\'t hold "human": its labels are your own and are given to fit; '
            "compare it in a loop of your own."
        )
    if name is not None and name not in ARMS:
        known = ", ".join(f'"{arm}"' for arm in ARMS)
        raise ValueError(f"arms holds {name!r}, which is none of {known} and None.")


def _full_names(estimator: Any, prefix: str, name: Any, params: Any) -> dict[str, Any]:
    """An arm's parameters: the MAXL estimator's own, or of the whole pipeline."""
    if not isinstance(params, Mapping):
        raise TypeError(
            f"arms as a dict maps a name to parameters, {{name: {{parameter: value}}}}; "
            f"arm {name!r} has {params!r}."
        )
    own = (estimator.get_params()[prefix[:-2]] if prefix else estimator).get_params(deep=False)
    full = {(prefix if k.split("__")[0] in own else "") + k: v for k, v in params.items()}
    try:
        clone(estimator).set_params(**copy.deepcopy(full))
    except ValueError as error:
        raise ValueError(f"arms: {name!r} can't be set: {error}") from error
    return full


def resolve_reference(arms: Arms, reference: Any) -> Any:
    """The name of the arm that the others are compared to."""
    if reference in arms:
        return reference
    if reference is None:
        single = [n for n, p in arms.items() for k in p if _is_auxiliary(k) and p[k] is None]
        if len(single) == 1:
            return single[0]
        raise ValueError(
            "reference=None is the single task, auxiliary=None, which is not among arms "
            f"{list(arms)}: add None to arms, or name one of them as reference."
        )
    raise ValueError(f"reference={reference!r} is not among arms {list(arms)}.")


def _is_auxiliary(name: str) -> bool:
    return name == "auxiliary" or name.endswith("__auxiliary")


def auxiliary_of(params: dict[str, Any]) -> Any:
    """The setting of `auxiliary` if that is all that an arm sets, else `...`."""
    if len(params) == 1 and _is_auxiliary(next(iter(params))):
        return next(iter(params.values()))
    return ...


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
    estimator: Any,
    X: Any,
    y: Any,
    cv: Any,
    n_seeds: Any,
    groups: Any,
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
    changes = hasattr(splitter, "random_state") and getattr(splitter, "shuffle", True)
    high = 2**31 - 1
    split_seeds = rng.randint(high, size=n_seeds)
    seeds = []
    for number, split_seed in enumerate(split_seeds):
        if changes:
            splitter = copy.copy(splitter)
            splitter.random_state = int(split_seed)
        pairs = list(splitter.split(X, y, groups))
        if len(pairs) < 2:
            raise ValueError(f"cv must give at least 2 folds, got {len(pairs)}.")
        training = rng.randint(high, size=len(pairs))
        seeds.append(
            [
                Split(number, fold, train, test, int(training[fold]))
                for fold, (train, test) in enumerate(pairs)
            ]
        )
    return seeds, bool(changes)


def _splitter(cv: Any, classification: bool, groups: Any) -> Any:
    if cv is None or isinstance(cv, bool | float | str):
        raise ValueError(f"cv must be a number of folds, a splitter or a list, got {cv!r}.")
    if isinstance(cv, Integral):
        if cv < 2:
            raise ValueError(f"cv must be at least 2 folds, got {cv}.")
        if groups is None:
            return (StratifiedKFold if classification else KFold)(int(cv), shuffle=True)
        return (StratifiedGroupKFold if classification else GroupKFold)(int(cv), shuffle=True)
    return check_cv(cv)


def _check_class_sizes(y: Any, n_folds: int) -> None:
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
    warnings: tuple[tuple[type[Warning], str], ...]


def run_all(
    estimator: Any,
    X: Any,
    y: Any,
    arms: Arms,
    seeds: list[list[Split]],
    scorer: Any,
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
        for category, message in outcome.warnings:
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
    estimator: Any,
    X: Any,
    y: Any,
    arm: int,
    params: dict[str, Any],
    split: Split,
    scorer: Any,
) -> Outcome:
    model = clone(estimator).set_params(**copy.deepcopy(params))
    random = [n for n in model.get_params() if n.rsplit("__", 1)[-1] == "random_state"]
    model.set_params(**dict.fromkeys(random, split.training_seed))
    X_train, X_test = (safe_indexing(X, part) for part in (split.train, split.test))
    y_train, y_test = (safe_indexing(y, part) for part in (split.train, split.test))
    with torch_threads(1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.perf_counter()
        model.fit(X_train, y_train)
        seconds = time.perf_counter() - start
        score = float(scorer(model, X_test, y_test))
    kinds = {w.category: str(w.message) for w in caught}  # one of each kind
    return Outcome(arm, split.seed, split.fold, score, seconds, tuple(kinds.items()))
