"""From settings and checked arrays to trained networks.

All trainings of one fit (its own, and the trials that decide settings) go through `run`:
from the same plan they start with the same weights and see the same batches.
"""

import copy
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from .._data.arrays import Arrays
from .._data.batches import TrainingData
from .._data.samples import Samples, stays_on_disk
from .._environment.ranks import ALONE, Ranks
from .._networks.label_generator import make_label_generator
from .._networks.multi_task import make_multi_task_net
from .._networks.trunk import Scaling
from .._tasks.auxiliary import Hierarchy, Ints
from .._tasks.primary import Targets
from ..labels import LabelInput, Labels, fitted_copy
from .fitted import Fitted
from .history import ROWS_OF_STREAM
from .logbook import BLANK, Logbook
from .net import MAXLNet
from .plan import Plan, make_plan
from .progress import UNTOLD, Task
from .settings import Settings


def run(
    settings: Settings,
    plan: Plan,
    epochs: int | None = None,
    task: Task = UNTOLD,
    logbook: Logbook = BLANK,
    ranks: Ranks = ALONE,
) -> Fitted:
    """Train fresh networks, for as many epochs as the settings say or as are given here."""
    fitted = fresh(settings, plan)
    logbook.start(fitted)
    train(fitted, plan, epochs or settings.max_epochs, task, logbook, ranks)
    return fitted


def fresh(settings: Settings, plan: Plan) -> Fitted:
    """Networks with fresh weights, and fitted labels."""
    labels = None
    if settings.labels is not None:
        given = label_input(settings, plan.targets, plan.scaling, plan.arrays)
        labels = fitted_copy(settings.labels, given)
    net = make_net(settings, plan.targets, plan.scaling, labels, copy.deepcopy(plan.rng))
    net.initialize()
    net.module_.temperature.fill_(settings.temperature)
    return Fitted(settings, plan.targets, plan.scaling, labels, net, plan.seed)


def label_input(settings: Settings, targets: Targets, scaling: Scaling, rows: Arrays) -> LabelInput:
    """What a source of labels is given."""
    return LabelInput(
        classes=targets.names,
        psi=settings.psi,
        rows=rows,
        frame=settings.frame("single", scaling),
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
    hierarchy = None if labels is None else Hierarchy(labels.psi_, settings.views)
    frame = settings.frame("backbone", scaling)
    both_heads = labels is not None and labels.predicts and not targets.regression
    module = partial(
        make_multi_task_net, frame, targets.n_outputs, hierarchy, targets.regression, both_heads
    )
    generator = None
    if settings.learned is not None and hierarchy is not None:
        generator = partial(
            make_label_generator,
            settings.frame("generator", scaling),
            hierarchy,
            settings.learned.weight_range,
        )
    return MAXLNet(
        module,
        generator=generator,
        hierarchy=hierarchy,
        settings=settings,
        random_state=rng,
        # Of skorch's predict_proba: probabilities, or the (standardised) numbers as they are.
        predict_nonlinearity=None if targets.regression else "auto",
    )


def train(
    fitted: Fitted,
    plan: Plan,
    epochs: int,
    task: Task = UNTOLD,
    logbook: Logbook = BLANK,
    ranks: Ranks = ALONE,
) -> None:
    """Train a net on the plan's samples, for some epochs more, with all `ranks`."""
    net, data = fitted.net, training_data(fitted, plan, ranks)

    def snapshot() -> Fitted:
        now = copy.deepcopy(net)
        now.set_primary_share(data)
        return replace(fitted, net=now)

    net.train_for(data, epochs, task.fitted_by(snapshot), logbook)


def training_data(fitted: Fitted, plan: Plan, ranks: Ranks = ALONE) -> TrainingData:
    """The plan's samples with their labels, on the net's device."""
    net, labels, settings = fitted.net, fitted.labels, fitted.settings
    # Labels draw from a stream of their own, so that they do not shift the batches.
    own = np.random.RandomState(copy.deepcopy(net.random_state).randint(2**31 - 1))
    positions = None if labels is None else assigned(labels, plan.parts["train"], own)
    prepare = net.module_.prepare
    # A table is standardised once. Images are not: they keep their type, which may be a quarter
    # of the size. Nor is what `augment` changes, which gets the inputs that the user knows, nor
    # what is read from disk batch by batch.
    device, table = torch.device(net.device), len(settings.input_shape) == 1
    at_once = table and settings.augment is None and not stays_on_disk(plan.arrays.X, device)
    once = prepare if at_once else None
    samples = {
        name: Samples.from_arrays(
            part,
            device,
            positions if name == "train" else None,
            None if name == "validation" else once,
        )
        for name, part in plan.parts.items()
    }
    return TrainingData(
        **samples,
        augment=settings.augment,
        prepare=prepare if once is None else None,
        hierarchy=net.hierarchy,
        ranks=ranks,
    )


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


def warm_start(
    fitted: Fitted,
    settings: Settings,
    arrays: Arrays,
    task: Task = UNTOLD,
    ranks: Ranks = ALONE,
) -> Fitted:
    """Train what was fitted for another `max_epochs`, with new settings.

    What was fitted is copied, so that a training that fails loses nothing.
    """
    net, labels = copy.deepcopy((fitted.net, fitted.labels))
    plan = make_plan(settings, arrays, fitted.targets, fitted.seed, net.random_state)
    rng = copy.deepcopy(plan.rng)  # fresh weights are not used, nor the numbers that they draw
    fresh = make_net(settings, fitted.targets, fitted.scaling, labels, rng).initialize()
    fresh.random_state = plan.rng
    fresh.take_over(net)
    fresh.module_.temperature.fill_(settings.temperature)
    more = replace(fitted, settings=settings, labels=labels, net=fresh)
    train(more, plan, settings.max_epochs, task, ranks=ranks)
    return more


def train_part(fitted: Fitted, arrays: Arrays, *, hold_rates: bool, ranks: Ranks = ALONE) -> Fitted:
    """Train what was fitted for one epoch on other samples, with the settings that it has."""
    net, labels = copy.deepcopy((fitted.net, fitted.labels))
    # There is no part to hold out, and nobody knows which epoch is the last.
    net.settings = replace(fitted.settings, early_stopping=False)
    if hold_rates:
        net.rates_.hold(net.optimizers())
    net.keep_rows(ROWS_OF_STREAM - 1)
    more = replace(fitted, settings=net.settings, labels=labels, net=net)
    plan = make_plan(net.settings, arrays, fitted.targets, fitted.seed, net.random_state)
    train(more, plan, 1, ranks=ranks)
    return more
