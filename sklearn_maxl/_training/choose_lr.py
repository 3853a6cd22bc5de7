"""``lr="auto"`` for a classifier of tables: the rate with which a fit does best on held-out rows.

Many noisy columns want a low rate, many classes a high one, and a table does not say which
it needs before networks are trained on it. Tried is the single task: it costs least, and
with any `auxiliary` an estimator gets the same rate, so that what differs between two of
them is the auxiliary task's doing.
"""

import math
import warnings
from dataclasses import replace
from itertools import count, islice

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from .._data.samples import Samples
from .log import logger
from .plan import Plan, make_plan, stream
from .progress import Task
from .runs import run
from .settings import Settings

CANDIDATES = (0.01, 0.003, 0.001)
N_FOLDS = 5
ENOUGH = 300  # rows that are predicted, at least: with many, fewer of the folds are held out
MARGIN = 0.5  # standard errors that a lower rate has to be better by

# Parameters of an estimator that no trial depends on: all of the auxiliary task, and what only
# watches. Estimators that differ in nothing else find the same rate; any other parameter counts.
WITHOUT_EFFECT = frozenset(
    {"auxiliary", "psi", "auxiliary_weight", "views", "callbacks", "verbose"}
)


def n_held_out(n: int) -> int:
    """How many of the folds of so many rows are held out, one after the other."""
    return min(N_FOLDS, max(1, math.ceil(ENOUGH * N_FOLDS / n)))


def trainings(settings: Settings, n: int) -> list[int]:
    """Epochs that each training of the choice reports to a progress bar: none."""
    return [0] * (len(CANDIDATES) * n_held_out(n))


def choose_lr(
    settings: Settings, plan: Plan, task: Task
) -> tuple[Settings, dict[float, float] | None]:
    """The settings with the rate to take, and the accuracy of each on held-out rows.

    In each fold all rates start with the same weights and see the same batches.
    """
    y = plan.arrays.y
    if np.bincount(y).max() < N_FOLDS:
        if settings.verbose:
            logger.info("lr=%g taken: no class has the %d rows for trials", settings.lr, N_FOLDS)
        return settings, None
    weight = np.ones(len(y)) if plan.arrays.weight is None else plan.arrays.weight
    trial = settings.of_trial(labels=None, views=None, generator=None)
    right: dict[float, list[NDArray[np.bool_]]] = {lr: [] for lr in CANDIDATES}
    folds = held_out_folds(y, stream(plan.seed, 2))
    n_trials, numbers = len(folds) * len(CANDIDATES), count(1)
    for i, (rest, held) in enumerate(folds, start=1):
        own = make_plan(trial, plan.arrays.take(rest), plan.targets, plan.seed)
        samples = Samples.from_arrays(plan.arrays.take(held), settings.device)
        for lr in CANDIDATES:
            name = f"trial {next(numbers)} of {n_trials}: lr={lr:g}, fold {i}"
            with task.training(name, 0):
                net = run(replace(trial, lr=lr), own).net
            right[lr].append(net.outputs_on(samples).argmax(1).numpy() == y[held])
            if settings.verbose:
                accuracy = np.average(right[lr][-1], weights=weight[held])
                logger.info("%s, held-out accuracy %.4f", name, accuracy)
    lr, scores = choice(
        {lr: np.concatenate(parts) for lr, parts in right.items()},
        weight[np.concatenate([held for _, held in folds])],
    )
    if settings.verbose:
        found = ", ".join(f"{score:.4f} with {lr:g}" for lr, score in scores.items())
        logger.info("lr=%g chosen; held-out accuracy: %s", lr, found)
    return replace(settings, lr=lr), scores


def held_out_folds(
    y: NDArray[np.int64], rng: np.random.RandomState
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows to train on and rows to predict, for each fold that is held out."""
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=rng)
    with warnings.catch_warnings():
        # A class of few rows is in some of the folds only, for all rates alike.
        warnings.filterwarnings("ignore", "The least populated class")
        return list(islice(folds.split(y, y), n_held_out(len(y))))


def choice(
    right: dict[float, NDArray[np.bool_]], weight: NDArray[np.float64]
) -> tuple[float, dict[float, float]]:
    """The highest rate that is as good as the best, and the accuracies.

    As good is what is worse by no more than `MARGIN` standard errors of the difference on
    the same rows, as McNemar's test (1947) has it.
    """
    scores = {lr: float(np.average(r, weights=weight)) for lr, r in right.items()}
    best = right[max(scores, key=scores.__getitem__)]
    for lr in CANDIDATES:
        d = weight * (best.astype(float) - right[lr])
        if d.sum() <= MARGIN * np.linalg.norm(d):
            break
    return lr, scores
