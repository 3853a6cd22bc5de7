"""What a training needs to know, resolved once.

Every "auto" has a value here, or is one of the few that held-out samples decide: `undecided`.

`Settings` stands between scikit-learn's face and the training. A parameter that needs no
translation is a field of the same name here, and nothing else. A trial on the side is
``dataclasses.replace(settings, lr=0.001)``.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import torch
from sklearn.base import BaseEstimator

from .._data.augment import Augment, resolve_augment
from .._data.batches import BatchRule, batch_size_for, batch_sizes
from .._environment.devices import check_precision, resolve_device
from .._environment.private_sklearn import check_parameters
from .._maths.step import Recipe
from .._networks.trunk import Frame, Scaling
from .._tasks.auxiliary import Psi
from .._tasks.views import VIEWS, Views
from ..backbones import Backbone, Build, ConvNet, Members, builder, is_of_user, with_members
from ..labels import NAMED as LABELS
from ..labels import Labels, Learned
from ..optimizers import Adam, AdamW, MakeOptimizer, make_optimizer
from .schedules import SCHEDULES, Schedule
from .skorch_callbacks import Entry
from .steps import PRECISIONS, Step

EVERY_KIND = BatchRule()


@dataclass(frozen=True)
class Defaults:
    """What "auto" is for one kind of samples and targets.

    From `many` training samples on, `of_many` takes the place of all of it. Trials have
    `members_in_trials` members at most, or as many as the fit, and are made with the epochs
    divided by each of `shorter`, too.
    """

    backbone: object
    optimizer: MakeOptimizer
    lr: float
    label_smoothing: float = 0.0
    views: str | None = None
    has_trials: bool = False
    members_in_trials: int | None = None
    shorter: tuple[int, ...] = (3,)
    batches: BatchRule = EVERY_KIND
    epochs: int = 100
    least_steps: int = 0
    most_steps: int | None = None
    of_many: "Defaults | None" = None
    many: int = 0

    def for_samples(self, n_samples: int) -> "Defaults":
        """Those for so many samples."""
        if self.of_many is None or n_samples < self.many:
            return self
        return self.of_many.for_samples(n_samples)

    def max_epochs(self, n_samples: int, batch_size: int | BatchRule) -> int:
        """Epochs for so many samples: few samples get more of them, and very many fewer."""
        if not n_samples:
            return self.epochs
        steps = len(batch_sizes(n_samples, batch_size_for(n_samples, batch_size)))
        epochs = max(self.epochs, -(-self.least_steps // steps))
        return epochs if self.most_steps is None else max(1, min(epochs, self.most_steps // steps))


# Chosen on the data sets for tuning (`python -m benchmarks.evidence tune`, and for the network of
# tables `python -m benchmarks.studies.defaults_of_tables`). The weight decay is the one with the
# best probabilities: networks see few rows many times and grow surer than they should. Numbers
# have the network that was best for them (`python -m benchmarks.studies.regression_of_tables`) and,
# for images and signals, Adam's usual rate.
OF_FEW_ROWS = Defaults(
    Members(),
    AdamW(weight_decay=0.1),
    0.015,
    label_smoothing=0.1,
    has_trials=True,
    batches=BatchRule(part=8, least=64, most=256),
    epochs=20,
    least_steps=96,
    most_steps=4000,
)
OF_500_ROWS = replace(
    OF_FEW_ROWS,
    backbone=Members(dropout=0.2, periodic=True),
    label_smoothing=0.0,
    epochs=32,
    members_in_trials=4,
)
OF_2000_ROWS = replace(OF_500_ROWS, backbone=Members(dropout=0.1, periodic=True))
NUMBERS_OF_FEW_ROWS = replace(
    OF_FEW_ROWS,
    backbone=Members(dropout=0.1, periodic=True),
    label_smoothing=0.0,
    members_in_trials=4,
    shorter=(3, 9),
    epochs=60,
    least_steps=240,
)
DEFAULTS: dict[tuple[str, str], Defaults] = {
    ("table", "classes"): replace(
        OF_FEW_ROWS, of_many=replace(OF_500_ROWS, of_many=OF_2000_ROWS, many=2000), many=500
    ),
    ("table", "numbers"): replace(
        NUMBERS_OF_FEW_ROWS,
        of_many=replace(NUMBERS_OF_FEW_ROWS, backbone=Members(dropout=0.0, periodic=True)),
        many=500,
    ),
    ("signal", "classes"): Defaults(ConvNet(), Adam(), 0.003),
    ("signal", "numbers"): Defaults(ConvNet(), Adam(), 0.001),
    ("image", "classes"): Defaults(ConvNet(), Adam(), 0.003, views="rotations"),
    ("image", "numbers"): Defaults(ConvNet(), Adam(), 0.001),
    ("other", "classes"): Defaults(None, Adam(), 0.003),
    ("other", "numbers"): Defaults(None, Adam(), 0.001),
}
KINDS = {1: "table", 2: "signal", 3: "image"}  # by the dimensions of a sample


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one training.

    Attributes
    ----------
    input_shape : tuple of int
        Shape of one sample.
    n_samples : int
        In the training set that this was resolved for; 0 where none was at hand.
    backbone, of_trials, single, generator : callable
        Makers of the trunks. Where `backbone` makes several members, `of_trials` may make fewer
        of them, and `single` makes one network, for all that needs one; both are the same
        everywhere else. `generator` is None unless labels are learned.
    user_code : frozenset of str
        Which of them run a user's own code.
    labels : Labels or None
        Where auxiliary labels come from.
    psi : int, sequence of int or mapping of class to int
    views : Views or None
        None without an auxiliary task, too.
    recipe : Recipe
        The numbers of the method.
    batch_size : int or BatchRule
        See `batch_size_of`.
    schedule : callable
        Part of the training that is over -> factor of the learning rates.
    undecided : tuple of str
        What held-out trials still have to decide, answered by `trials.QUESTIONS`.
    shorter : tuple of int
        What the epochs are divided by for the other lengths that trials try.
    is_trial : bool
        Whether this is one of those trials. Nothing cuts a trial short: it would be compared
        with whole ones.
    step_class : type
        Makes the object that takes the steps.
    max_epochs, optimizer, ...
        As in `MAXLClassifier`.
    """

    input_shape: tuple[int, ...]
    n_samples: int
    backbone: Build
    of_trials: Build
    single: Build
    generator: Build | None
    user_code: frozenset[str]
    labels: Labels | None
    psi: Psi
    views: Views | None
    recipe: Recipe
    optimizer: MakeOptimizer
    lr: float
    temperature: float
    schedule: Schedule
    augment: Augment | None
    batch_size: int | BatchRule
    max_epochs: int
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    tol: float
    device: torch.device
    precision: str
    n_threads: int | None
    callbacks: list[Entry] | None
    verbose: int
    undecided: tuple[str, ...] = ()
    shorter: tuple[int, ...] = ()
    is_trial: bool = False
    step_class: type[Step] = Step

    @property
    def learned(self) -> Learned | None:
        """The settings of the label generator; None unless labels are learned."""
        return self.labels if isinstance(self.labels, Learned) else None

    def of_trial(self, **changes: Any) -> Self:
        """The settings of a trial: with changes, without callbacks and without log lines."""
        trial = {"is_trial": True, "backbone": self.of_trials, "temperature": 1.0}
        quiet = {"callbacks": None, "verbose": 0}
        return replace(self, **{**trial, **quiet, **changes})

    def batch_size_of(self, n_samples: int) -> int:
        """Samples in a batch of a training set of so many."""
        return batch_size_for(n_samples, self.batch_size)

    def frame(self, name: str, scaling: Scaling) -> Frame:
        """What a network of this training is made from: "backbone", "single" or "generator"."""
        told = "generator" if name == "generator" else "backbone"  # the parameter of the estimator
        return Frame(getattr(self, name), self.input_shape, scaling, told, name in self.user_code)

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self  # it never changes, and what callbacks hold (open files) can't be copied


def resolve(
    parameters: Mapping[str, Any],
    input_shape: tuple[int, ...],
    regression: bool,
    n_samples: int = 0,
    *,
    planned: bool = True,
    step_class: type[Step] = Step,
) -> Settings:
    """Settings from the parameters of an estimator: the one place that answers every "auto".

    ================= ==================================================================
    parameter         what "auto" is
    ================= ==================================================================
    `backbone`        `DEFAULTS`, by the shape of a sample and the kind of targets; for the
                      rows of tables by their number, too
    `optimizer`       the same
    `views`           the same
    `lr`              the same
    `label_smoothing` the same, by the number of rows; 0 where training has no planned end
    `temperature`     1; to classify the rows of tables by the primary head, a fit then finds
                      it on held-out rows (`trials`)
    `auxiliary`       "maxl", until a fit tries three sources on held-out samples (`trials`)
    `psi`             5, until a fit tries four numbers on held-out samples (`trials`)
    `schedule`        "cosine" where the end of training is planned, else "constant"
    `batch_size`      by the number of samples (`BatchRule`)
    `max_epochs`      100; for the rows of tables by their number (`Defaults.max_epochs`),
                      and a fit then tries fewer, too (`Defaults.shorter`)
    `device`          the current accelerator where there is one, else the CPU
    ================= ==================================================================

    Parameters
    ----------
    parameters : dict
        `get_params` of an estimator, checked one by one already.
    input_shape : tuple of int
        Shape of one sample.
    regression : bool
        Whether numbers are predicted.
    n_samples : int
        In the training set; 0 where none is at hand.
    planned : bool
        Whether it is known how many epochs there will be, as in `fit`.
    step_class : type
        Another step than the method's own.

    Returns
    -------
    Settings
    """
    kind = KINDS.get(len(input_shape), "other")
    auto = DEFAULTS[kind, "numbers" if regression else "classes"].for_samples(n_samples)
    labels = make_labels(parameters["auxiliary"])
    learned = labels if isinstance(labels, Learned) else None
    for holder in (labels, parameters["optimizer"], learned and learned.optimizer):
        if isinstance(holder, BaseEstimator):
            check_parameters(holder)
    for name in ("augment", "schedule"):
        if isinstance(parameters[name], BaseEstimator):  # which may be called, but otherwise
            raise ValueError(f"{name} is {parameters[name]!r}, which is not for that.")
    undecided = []
    lr, psi, schedule = (parameters[name] for name in ("lr", "psi", "schedule"))
    temperature = parameters.get("temperature", 1.0)  # a regressor has none
    if isinstance(lr, str):
        lr = auto.lr
    if isinstance(temperature, str):
        temperature = 1.0
        # Trials are those of the primary head.
        if planned and auto.has_trials and not (labels is not None and labels.predicts):
            undecided.append("temperature")
    if isinstance(parameters["auxiliary"], str) and parameters["auxiliary"] == "auto" and planned:
        undecided.append("auxiliary")
    if isinstance(psi, str):
        psi = 5
        if planned and labels is not None and labels.numbered_by_psi:
            undecided.append("psi")
    if isinstance(schedule, str):
        unplanned = {"auto": "cosine" if planned else "constant"}
        schedule = SCHEDULES[unplanned.get(schedule, schedule)]
    own = {"backbone": _or_auto(parameters["backbone"], auto.backbone)}
    own["single"] = with_members(own["backbone"], 1)
    own["of_trials"] = own["backbone"]
    if auto.members_in_trials is not None:
        own["of_trials"] = with_members(own["backbone"], auto.members_in_trials)
    if learned is not None:
        given = learned.generator
        own["generator"] = (
            own["single"] if given is None else with_members(_or_auto(given, auto.backbone), 1)
        )
    trunks = {name: _trunk(value, name, input_shape) for name, value in own.items()}
    for name in ("of_trials", "single"):
        if own[name] is own["backbone"]:
            trunks[name] = trunks["backbone"]
    device, precision = resolve_device(parameters["device"]), parameters["precision"]
    check_precision(precision, PRECISIONS[precision], device)
    asked = parameters["optimizer"]
    batch_size = parameters["batch_size"]
    batch_size = auto.batches if isinstance(batch_size, str) else int(batch_size)
    max_epochs = parameters["max_epochs"]
    if isinstance(max_epochs, str):
        max_epochs = auto.max_epochs(n_samples, batch_size)
        if planned and auto.has_trials:
            undecided.append("max_epochs")
    answers = {
        "input_shape": input_shape,
        "n_samples": n_samples,
        "backbone": trunks["backbone"],
        "of_trials": trunks["of_trials"],
        "single": trunks["single"],
        "generator": trunks.get("generator"),
        "user_code": frozenset(name for name, value in own.items() if is_of_user(value)),
        "labels": labels,
        "psi": psi,
        "views": None if labels is None else _views(parameters.get("views"), auto, input_shape),
        "recipe": _recipe(parameters, learned, auto.label_smoothing if planned else 0.0),
        "optimizer": auto.optimizer if asked == "auto" else make_optimizer(asked),
        "lr": lr,
        "temperature": float(temperature),
        "schedule": schedule,
        "augment": resolve_augment(parameters["augment"], input_shape),
        "batch_size": batch_size,
        "max_epochs": max_epochs,
        "device": device,
        "undecided": tuple(undecided),
        "shorter": auto.shorter,
        "step_class": step_class,
    }
    same = {f.name for f in fields(Settings)} & parameters.keys() - answers.keys()
    return Settings(**answers, **{name: parameters[name] for name in same})


def make_labels(auxiliary: str | Labels | None) -> Labels | None:
    """Turn the `auxiliary` parameter into a holder; that of "auto" is the first candidate."""
    if isinstance(auxiliary, str) and auxiliary == "auto":
        return Learned()  # until trials have decided
    if isinstance(auxiliary, type):
        raise ValueError(
            f"auxiliary is the class {auxiliary.__name__}; pass an object, {auxiliary.__name__}()."
        )
    if auxiliary is not None and not isinstance(auxiliary, str | Labels):
        raise ValueError(
            f"auxiliary is a {type(auxiliary).__name__}; base it on sklearn_maxl.labels.Labels, "
            "which has what training asks a source of labels for."
        )
    # A copy, so that what changes in the parameter later does not change a fit of before.
    return LABELS[auxiliary]() if isinstance(auxiliary, str) else copy.copy(auxiliary)


def _or_auto(backbone: Backbone, default: object) -> Any:
    """What is given, or the default where that is "auto"."""
    return default if isinstance(backbone, str) and backbone == "auto" else backbone


def _trunk(backbone: Backbone, name: str, input_shape: tuple[int, ...]) -> Build:
    name = "generator" if name == "generator" else "backbone"
    if backbone is None:
        raise ValueError(
            f"{name}='auto' knows tables (n, n_features), signals (n, channels, length) "
            "and images (n, channels, height, width), but X has samples of shape "
            f"{input_shape}; pass your own backbone."
        )
    return builder(backbone, name)


def _views(views: str | None, auto: Defaults, input_shape: tuple[int, ...]) -> Views | None:
    name = auto.views if views == "auto" else views
    return None if name is None else VIEWS[name](input_shape)


def _recipe(parameters: Mapping[str, Any], learned: Learned | None, smoothing: float) -> Recipe:
    asked = parameters.get("label_smoothing", 0.0)  # a regressor has none
    recipe = Recipe(
        focal_gamma=parameters["focal_gamma"],
        label_smoothing=smoothing if isinstance(asked, str) else asked,
        auxiliary_weight=parameters["auxiliary_weight"],
        regression=parameters.get("loss", "squared_error"),
    )
    if learned is None:
        return recipe
    scale = None if isinstance(learned.meta_scale, str) else learned.meta_scale
    return replace(recipe, regularisers=learned.regularisers, meta_scale=scale)
