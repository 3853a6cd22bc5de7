"""From settings and checked arrays to trained networks.

All trainings of one fit (its own, and the trials that decide settings) go through `run`:
from the same plan they start with the same weights and see the same batches.
"""

import copy
import logging
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from .._data.arrays import Arrays, holdout_split, moments
from .._data.batches import TrainingData
from .._data.samples import Samples
from .._networks.label_generator import make_label_generator
from .._networks.multi_task import make_multi_task_net
from .._networks.trunk import Scaling
from .._tasks.auxiliary import Hierarchy, Ints
from .._tasks.primary import Targets
from ..labels import Labels, LabelTask, fitted_copy
from .fitted import Fitted
from .net import MAXLNet, logger
from .progress import UNTOLD, Task
from .settings import Settings


@dataclass(frozen=True)
class Plan:
    """What a training works on, and what all trainings of a fit share.

    Attributes
    ----------
    arrays : Arrays
        All samples.
    parts : dict of str to Arrays
        "train" and, where they are held out, "validation" and "meta".
    targets : Classes or Bins
    scaling : tuple of arrays
        Mean and scale of the inputs.
    rng : RandomState
        Where the random numbers of every training start; each draws from a copy.
    start : RandomState
        Where the plan's own began, for another plan like it.
    """

    arrays: Arrays
    parts: dict[str, Arrays]
    targets: Targets
    scaling: Scaling
    rng: np.random.RandomState
    start: np.random.RandomState


def make_plan(
    settings: Settings, arrays: Arrays, targets: Targets, start: np.random.RandomState
) -> Plan:
    """Hold out what early stopping and the meta loss are taken on; find the scaling."""
    rng, parts = copy.deepcopy(start), {"train": arrays}
    learned = settings.learned
    meta = learned is not None and learned.meta_batch == "holdout"
    for name, wanted in (("validation", settings.early_stopping), ("meta", meta)):
        if wanted:
            parts["train"], parts[name] = hold_out(
                parts["train"], settings.validation_fraction, rng
            )
    scaling = moments(parts["train"].X, parts["train"].weight)
    return Plan(arrays, parts, targets, scaling, rng, start)


def hold_out(arrays: Arrays, fraction: float, rng: np.random.RandomState) -> tuple[Arrays, Arrays]:
    """What is kept, and a part of each class that is held out."""
    keep, held = holdout_split(arrays.y, fraction, rng)
    return arrays.take(keep), arrays.take(held)


def stream(start: np.random.RandomState, number: int) -> np.random.RandomState:
    """Random numbers of their own for one decision: not those that made another."""
    seeds = copy.deepcopy(start).randint(2**31 - 1, size=number + 1)
    return np.random.RandomState(seeds[number])


def run(settings: Settings, plan: Plan, epochs: int | None = None, task: Task = UNTOLD) -> Fitted:
    """Train fresh networks, for as many epochs as the settings say or as are given here."""
    fitted = fresh(settings, plan)
    train(fitted, plan, epochs or settings.max_epochs, task)
    return fitted


def fresh(settings: Settings, plan: Plan) -> Fitted:
    """Networks with fresh weights, and fitted labels."""
    labels = None
    if settings.labels is not None:
        labels = fitted_copy(settings.labels, label_task(settings, plan))
    net = make_net(settings, plan.targets, plan.scaling, labels, copy.deepcopy(plan.rng))
    return Fitted(settings, plan.targets, plan.scaling, labels, net.initialize())


def label_task(settings: Settings, plan: Plan) -> LabelTask:
    """What labels are told of a fit."""
    return LabelTask(
        classes=plan.targets.names,
        psi=settings.psi,
        rows=plan.arrays,
        frame=settings.frame("backbone", plan.scaling),
        device=str(settings.device),
        n_threads=settings.n_threads,
    )


def make_net(
    settings: Settings,
    targets: Targets,
    scaling: Scaling,
    labels: Labels | None,
    rng: np.random.RandomState,
) -> MAXLNet:
    """The skorch net, which has not made its networks yet."""
    show_log(settings.verbose)
    hierarchy = None if labels is None else Hierarchy(labels.psi_, settings.views)
    frame = settings.frame("backbone", scaling)
    module = partial(make_multi_task_net, frame, targets.n_outputs, hierarchy)
    generator = None
    if settings.learned is not None and hierarchy is not None:
        generator = partial(
            make_label_generator,
            settings.frame("generator", scaling),
            hierarchy,
            settings.learned.weight_range,
        )
    return MAXLNet(
        module, generator=generator, hierarchy=hierarchy, settings=settings, random_state=rng
    )


def train(fitted: Fitted, plan: Plan, epochs: int, task: Task = UNTOLD) -> None:
    """Train a net on the plan's samples, for some epochs more."""
    net, labels, settings = fitted.net, fitted.labels, fitted.settings
    # Labels draw from a stream of their own, so that they do not shift the batches.
    own = np.random.RandomState(copy.deepcopy(net.random_state).randint(2**31 - 1))
    positions = None if labels is None else assigned(labels, plan.parts["train"], own)
    prepare = net.module_.prepare
    # A table is standardised once. Images are not: they keep their type, which may be a quarter
    # of the size. Nor is what `augment` changes, which gets the inputs that the user knows.
    once = prepare if len(settings.input_shape) == 1 and settings.augment is None else None
    samples = {
        name: Samples.from_arrays(
            part,
            settings.device,
            positions if name == "train" else None,
            None if name == "validation" else once,
        )
        for name, part in plan.parts.items()
    }
    data = TrainingData(
        **samples,
        augment=settings.augment,
        prepare=prepare if once is None else None,
        hierarchy=net.hierarchy,
    )

    def snapshot() -> Fitted:
        now = copy.deepcopy(net)
        now.choose_head(data.train)
        return replace(fitted, net=now)

    net.train_for(data, epochs, task.fitted_by(snapshot))


def assigned(labels: Labels, rows: Arrays, rng: np.random.RandomState) -> Ints | None:
    """Positions of the rows' labels; those of a user's own source may be wrong."""
    positions = labels.assign(rows, rng)
    if positions is None:
        return None
    found = np.asarray(positions)
    whole = found.shape == rows.y.shape and found.dtype.kind in "iu"
    if not whole or (found < 0).any() or (found >= labels.psi_[rows.y]).any():
        raise ValueError(
            f"{type(labels).__name__}.assign must give each of the {len(rows.y)} samples a whole "
            "number from 0 to psi_[y] - 1, the position of its label among those of its class."
        )
    return found.astype(np.int64)


def warm_start(fitted: Fitted, settings: Settings, arrays: Arrays, task: Task = UNTOLD) -> Fitted:
    """Train what was fitted for another `max_epochs`, with new settings.

    What was fitted is copied, so that a training that fails loses nothing.
    """
    net, labels = copy.deepcopy((fitted.net, fitted.labels))
    plan = make_plan(settings, arrays, fitted.targets, net.random_state)
    fresh = make_net(settings, fitted.targets, fitted.scaling, labels, plan.rng).initialize()
    fresh.take_over(net)
    more = replace(fitted, settings=settings, labels=labels, net=fresh)
    train(more, plan, settings.max_epochs, task)
    return more


def train_part(fitted: Fitted, arrays: Arrays, *, hold_rates: bool) -> Fitted:
    """Train what was fitted for one epoch on other samples, with the settings that it has."""
    net, labels = copy.deepcopy((fitted.net, fitted.labels))
    # There is no part to hold out, and nobody knows which epoch is the last.
    net.settings = replace(fitted.settings, early_stopping=False)
    if hold_rates:
        net.rates_.hold(net.optimizers())
    more = replace(fitted, settings=net.settings, labels=labels, net=net)
    train(more, make_plan(net.settings, arrays, fitted.targets, net.random_state), 1)
    return more


def show_log(verbose: int) -> None:
    """Make the lines of `verbose` visible where the program has set up no logging."""
    if verbose:
        logger.setLevel(logging.INFO)
        if not logger.hasHandlers():
            logger.addHandler(logging.StreamHandler())
