"""``lr="auto"`` for a classifier of tables: the rate with which a fit does best on held-out rows.

Many noisy columns want a low rate, many classes a high one, and a table does not say which
it needs before networks are trained on it. Tried is the single task: it costs least, and
with any `auxiliary` an estimator gets the same rate, so that what differs between two of
them is the auxiliary task's doing.
"""

import math
import warnings
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from .._data.samples import Samples
from .net import logger
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
        return settings, None
    # Trials are not the user's fit: no callbacks, no log lines, no epochs in a progress bar.
    trial = replace(settings, labels=None, views=None, generator=None, callbacks=None, verbose=0)
    right: dict[float, list[NDArray[np.bool_]]] = {lr: [] for lr in CANDIDATES}
    folds = held_out_folds(y, stream(plan.start, 2))
    for i, (rest, held) in enumerate(folds):
        own = make_plan(trial, plan.arrays.take(rest), plan.targets, plan.start)
        samples = Samples.from_arrays(plan.arrays.take(held), settings.device)
        for lr in CANDIDATES:
            with task.training(f"trial of lr={lr}, fold {i + 1}", 0):
                net = run(replace(trial, lr=lr), own).net
            right[lr].append(net.outputs_on(samples).argmax(1).numpy() == y[held])
    weight, rows = plan.arrays.weight, np.concatenate([held for _, held in folds])
    lr, scores = choice(
        {lr: np.concatenate(parts) for lr, parts in right.items()},
        np.ones(len(rows)) if weight is None else weight[rows],
    )
    if settings.verbose:
        logger.info("lr=%g chosen, by the held-out accuracies %s", lr, scores)
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
