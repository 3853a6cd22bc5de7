"""From an estimator's parameters and checked arrays to trained networks.

All arms of one fit (the auxiliary task, the single task that guards it, the
trials that choose psi) run through `run`: from the same plan they start with
the same weights and see the same batches.
"""

import copy
import logging
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .. import backbones
from .._data.augment import resolve_augment
from .._data.data import Arrays, Samples, TrainingData, holdout_split, moments
from .._environment.devices import resolve_device
from .._maths.step import Recipe
from .._networks.networks import make_label_generator, make_multi_task_net
from .._tasks.primary import Bins
from .._tasks.views import Views, number_of, resolve_views
from ..labels._kmeans import KMeansSource
from ..labels._sources import PSI_SOURCES, HumanSource, block_starts, blocks
from .net import MAXLNet, logger
from .optimizers import resolve_lr, resolve_optimizer
from .progress import UNTOLD, Task
from .skorch_callbacks import own_copies


@dataclass(frozen=True)
class Plan:
    """What an arm trains on, and what all arms of a fit share.

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
        Where every arm's random numbers start; arms draw from copies.
    start : RandomState
        Where the plan's own began, for another plan like it.
    apart : bool
        Whether the auxiliary task is to leave the trunk to the primary one.
    """

    arrays: Arrays
    parts: dict[str, Arrays]
    targets: Any
    scaling: tuple[NDArray[Any], NDArray[Any]]
    rng: np.random.RandomState
    start: np.random.RandomState
    apart: bool = False

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.arrays.X.shape[1:])

    @property
    def regression(self) -> bool:
        """Whether numbers are predicted."""
        return isinstance(self.targets, Bins)


@dataclass(frozen=True)
class Trained:
    """One arm: the net, trained or about to be, and where its auxiliary labels come from."""

    net: MAXLNet
    source: Any
    arm: str | None

    @property
    def psi(self) -> NDArray[np.int64] | None:
        """Auxiliary classes of each class; None without an auxiliary task."""
        return None if self.source is None else self.source.psi


def make_plan(
    estimator: Any,
    arrays: Arrays,
    targets: Any,
    start: np.random.RandomState,
    apart: bool = False,
) -> Plan:
    """Hold out what early stopping and the meta loss are taken on; find the scaling."""
    rng, parts = copy.deepcopy(start), {"train": arrays}
    meta = not apart and estimator.auxiliary == "maxl" and estimator.meta_batch == "holdout"
    for name, wanted in (("validation", estimator.early_stopping), ("meta", meta)):
        if wanted:
            parts["train"], parts[name] = hold_out(
                parts["train"], estimator.validation_fraction, rng
            )
    scaling = moments(parts["train"].X, parts["train"].weight)
    return Plan(arrays, parts, targets, scaling, rng, start, apart)


def hold_out(arrays: Arrays, fraction: float, rng: np.random.RandomState) -> tuple[Arrays, Arrays]:
    """What is kept, and a part of each class that is held out."""
    keep, held = holdout_split(arrays.y, fraction, rng)
    return arrays.take(keep), arrays.take(held)


def stream(start: np.random.RandomState, number: int) -> np.random.RandomState:
    """Random numbers of their own for one decision: not those that made another."""
    seeds = copy.deepcopy(start).randint(2**31 - 1, size=number + 1)
    return np.random.RandomState(seeds[number])


def run(
    estimator: Any,
    plan: Plan,
    arm: str | None,
    psi: Any,
    epochs: int | None = None,
    task: Task = UNTOLD,
) -> Trained:
    """Train fresh networks, for as many epochs as the estimator says or as are given here."""
    rng = copy.deepcopy(plan.rng)
    source = label_source(estimator, plan, arm, psi)
    trained = Trained(make_net(estimator, plan, arm, source, rng), source, arm)
    train(estimator, plan, trained, epochs or estimator.max_epochs, task)
    return trained


def train(estimator: Any, plan: Plan, trained: Trained, epochs: int, task: Task = UNTOLD) -> None:
    """Train a net on the plan's samples, for some epochs more."""
    net, source = trained.net, trained.source
    # Labels draw from a stream of their own, so that they do not shift the batches.
    own = np.random.RandomState(copy.deepcopy(net.random_state).randint(2**31 - 1))
    labels = source and source.assign(plan.parts["train"], own)
    if labels is not None:
        labels = labels - block_starts(source.psi)[plan.parts["train"].y]
    device = torch.device(net.device)
    augment = resolve_augment(estimator.augment, plan.input_shape)
    prepare = net.module_.prepare
    # A table is prepared once. Images keep their type, which may be a quarter of the
    # size; what an augmentation sees is the user's own.
    once = prepare if len(plan.input_shape) == 1 and augment is None else None
    samples = {
        name: Samples.from_arrays(
            part,
            device,
            labels if name == "train" else None,
            None if name == "validation" else once,
        )
        for name, part in plan.parts.items()
    }
    prepare = prepare if once is None else None
    data = TrainingData(**samples, augment=augment, prepare=prepare, views=net.module_.views)

    def keep(fitted: Any) -> Any:
        now = copy.deepcopy(net)
        now.choose_head(data.train)
        return fitted._keep(plan, replace(trained, net=now))

    net.train_for(data, epochs, task.fitted_by(keep))


def label_source(estimator: Any, plan: Plan, arm: str | None, psi: Any) -> Any:
    """Where the auxiliary labels of an arm come from; None without an auxiliary task."""
    names = plan.targets.names
    if arm is None:
        return None
    if arm == "human":
        return HumanSource(plan.arrays, len(names))
    if arm == "kmeans":
        trunk = trunk_of(estimator.backbone, plan)
        return KMeansSource(
            psi,
            names,
            build=trunk,
            input_shape=plan.input_shape,
            scaling=plan.scaling,
            device=str(resolve_device(estimator.device)),
            n_threads=estimator.n_threads,
        )
    return PSI_SOURCES[arm](psi, names)


def make_net(
    estimator: Any, plan: Plan, arm: str | None, source: Any, rng: np.random.RandomState
) -> MAXLNet:
    """The skorch net with fresh weights: `net_` before training."""
    return describe_net(estimator, plan, arm, source, rng).initialize()


def describe_net(
    estimator: Any, plan: Plan, arm: str | None, source: Any, rng: np.random.RandomState
) -> MAXLNet:
    """The skorch net that has not made its networks yet."""
    show_log(estimator.verbose)
    learned = arm == "maxl"
    shape, scaling = plan.input_shape, plan.scaling
    regression = plan.regression
    views = None if source is None else views_of(estimator, plan)
    mask = None if source is None else blocks(block_sizes(source.psi, views))
    trunk = trunk_of(estimator.backbone, plan)
    module = partial(
        make_multi_task_net, trunk, shape, scaling, plan.targets.n_outputs, mask, views, plan.apart
    )
    other = estimator.backbone if estimator.generator is None else estimator.generator
    generator = partial(
        make_label_generator,
        trunk_of(other, plan, "generator"),
        shape,
        scaling,
        mask,
        estimator.auxiliary_weight_range,
    )
    return MAXLNet(
        module,
        generator=generator if learned else None,
        psi=None if source is None else source.psi,
        recipe=recipe(estimator),
        meta_gradient=estimator.meta_gradient,
        # Apart, the generator has no meta loss, and may not change how batches are drawn.
        meta_batch=estimator.meta_batch if learned and not plan.apart else "same",
        meta_every=estimator.meta_every,
        alternation="batch" if plan.apart else estimator.alternation,
        schedule="cosine" if estimator.schedule == "auto" else estimator.schedule,
        gradient_similarity_every=estimator.gradient_similarity_every,
        optimizer=resolve_optimizer(estimator.optimizer, shape, regression),
        lr=resolve_lr(estimator.lr, shape, regression),
        generator_optimizer=resolve_optimizer(estimator.generator_optimizer),
        generator_lr=estimator.generator_lr,
        train_batch_size=estimator.batch_size,
        max_epochs=estimator.max_epochs,
        early_stopping=estimator.early_stopping,
        n_iter_no_change=estimator.n_iter_no_change,
        tol=estimator.tol,
        device=str(resolve_device(estimator.device)),
        precision=estimator.precision,
        compile_step=estimator.compile,
        n_threads=estimator.n_threads,
        callbacks=own_copies(estimator.callbacks),
        verbose=estimator.verbose,
        random_state=rng,
    )


def trunk_of(backbone: Any, plan: Plan, name: str = "backbone") -> Any:
    """What makes the trunk of a network, ``input_shape -> torch.nn.Module``."""
    return backbones.builder(backbone, plan.input_shape, name, plan.regression)


def views_of(estimator: Any, plan: Plan) -> Views | None:
    """What the auxiliary task sees; None in regression, which has no classes to tell apart."""
    views = resolve_views(getattr(estimator, "views", None), plan.input_shape)
    return None if plan.apart else views


def block_sizes(psi: NDArray[np.int64], views: Views | None) -> NDArray[np.int64]:
    """Auxiliary classes of each pair of class and view."""
    return np.repeat(psi, number_of(views))


def recipe(estimator: Any) -> Recipe:
    """The numbers of the method."""
    return Recipe(
        focal_gamma=estimator.focal_gamma,
        auxiliary_weight=estimator.auxiliary_weight,
        entropy_weight=estimator.entropy_weight,
        information_weight=estimator.information_weight,
        meta_scale=None if estimator.meta_scale == "inverse_lr" else estimator.meta_scale,
        regression=getattr(estimator, "loss", "squared_error"),
    )


def replaced(estimator: Any, **parameters: Any) -> Any:
    """The same estimator with other parameters, for a run on the side."""
    other = copy.copy(estimator)
    vars(other).update(parameters)
    return other


def show_log(verbose: int) -> None:
    """Make the lines of `verbose` visible where the program has set up no logging."""
    if verbose:
        logger.setLevel(logging.INFO)
        if not logger.hasHandlers():
            logger.addHandler(logging.StreamHandler())
