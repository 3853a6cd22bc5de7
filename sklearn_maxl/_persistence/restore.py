"""From the header and the tensors of a file to a fitted estimator.

What a header says is looked up in tables of this package: there is no import path and
no pickle. Networks are made by the same code as in a fit, once it is known that the
file has weights of that size.
"""

import math
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from sklearn.base import is_classifier
from torch import Tensor

from .._data.data import Arrays
from .._environment.private_sklearn import check_parameters
from .._tasks.primary import Bins, Classes
from .._tasks.views import number_of
from .._training.guard import fell_back
from .._training.history import History
from .._training.net import MAXLNet
from .._training.runs import (
    Plan,
    Trained,
    block_sizes,
    describe_net,
    label_source,
    replaced,
    views_of,
)
from ..labels._sources import ARMS, blocks
from .json_values import field
from .networks import check_finite, rebuilt
from .parameters import NETWORKS, is_own, parameters_from_plain
from .parts import history_from_plain, restore_source, take_out, targets_from_plain

# Of one sample. A trial sample is made for networks of the caller's own.
MAX_VALUES = 2**26


def from_parts(
    cls: Any, header: dict[str, Any], tensors: dict[str, Tensor], device: Any, given: dict[str, Any]
) -> tuple[Any, list[str]]:
    """An estimator from header and tensors, and what its user should be warned of."""
    name = field(header, "estimator", str)
    if name != cls.__name__:
        raise ValueError(f"it holds a {name[:60]}; use {name[:60]}.load")
    check_finite(tensors)
    arm = field(header, "arm", str, None)
    if arm not in ARMS:
        raise ValueError(f"there is no auxiliary={arm!r}")
    needed = NETWORKS if arm == "maxl" else NETWORKS[:1]
    parameters, defaulted = parameters_from_plain(cls, header, given, needed)
    estimator = cls(**{**parameters, "device": device})
    check_parameters(estimator)
    history = history_from_plain(field(header, "history", dict))
    plan, source = _plan(estimator, header, tensors, arm, history)
    fitted = replaced(estimator, lr=_rate(header))
    net = describe_net(fitted, plan, arm, source, plan.rng)
    notes = _notes(header, defaulted, device, net.device)
    own = [parameter for parameter in NETWORKS if is_own(estimator, parameter)]
    _restore_networks(net, source, plan, header, tensors, own)
    _restore_progress(net, header, history)
    estimator.n_features_in_ = math.prod(plan.input_shape)
    _restore_names(estimator, field(header, "feature_names", list, None))
    if tensors:
        raise ValueError(f"it holds the unknown tensors {sorted(tensors)[:3]}")
    return estimator._keep(plan, Trained(net, source, arm)), notes


def _plan(
    estimator: Any,
    header: dict[str, Any],
    tensors: dict[str, Tensor],
    arm: str | None,
    history: History,
) -> tuple[Plan, Any]:
    """What networks are made from, without samples, and where the auxiliary labels come from."""
    shape = tuple(field(header, "input_shape", list))
    if not shape or any(type(n) is not int or n < 1 for n in shape):
        raise ValueError(f"a sample of shape {shape[:9]} is none")
    if math.prod(shape) > MAX_VALUES:
        raise ValueError(f"a sample of more than {MAX_VALUES} values is too large")
    kind = Classes if is_classifier(estimator) else Bins
    stored = field(header, "targets", dict)
    targets = targets_from_plain(stored, kind, type(estimator).__name__)
    n_classes = len(targets.names)
    arrays = Arrays(np.empty((0, *shape)), np.empty(0, np.int64), finer=np.empty(0))
    rng = np.random.RandomState(_count(header, "seed", 2**31))
    apart = arm is not None and fell_back(history)
    plan = Plan(arrays, {}, targets, _scaling(tensors), rng, rng, apart)
    psi = field(header, "psi", list, None)
    if (psi is None) != (arm is None):
        raise ValueError(f"auxiliary={arm!r} does not fit psi={psi if psi is None else psi[:9]}")
    if psi is None:
        return plan, None
    views = views_of(estimator, plan)
    _check_psi(psi, n_classes, number_of(views), tensors)
    source = label_source(estimator, plan, arm, np.array(psi) if arm != "human" else None)
    source.psi = np.array(psi, dtype=np.int64)
    restore_source(source, field(header, "source", dict), tensors)
    mask = torch.as_tensor(blocks(block_sizes(source.psi, views)))
    for key in ("module.blocks", "generator.blocks"):
        if key in tensors and not torch.equal(tensors[key], mask):
            raise ValueError(f"its tensor {key!r} does not fit its psi")
    return plan, source


def _check_psi(psi: list[Any], n_classes: int, n_views: int, tensors: dict[str, Tensor]) -> None:
    """Before a mask of that size is made: the file has to hold one."""
    mask = tensors.get("module.blocks")
    if any(type(k) is not int or k < 1 for k in psi) or len(psi) != n_classes:
        raise ValueError(f"its psi is not one number for each of {n_classes} classes")
    if mask is None or tuple(mask.shape) != (n_views * n_classes, n_views * sum(psi)):
        raise ValueError("its tensor 'module.blocks' does not fit its psi")


def _scaling(tensors: dict[str, Tensor]) -> tuple[Any, Any]:
    """Mean and scale of the inputs, which the networks hold."""
    names = [f"module.standardize.{name}" for name in ("mean", "scale")]
    if not tensors.keys() >= set(names):
        raise ValueError("its standardisation is missing")
    mean, scale = (tensors[name] for name in names)
    for key in ("generator.standardize.", "encoder.standardize."):
        others = [tensors.get(key + name) for name in ("mean", "scale")]
        if any(
            o is not None and not torch.equal(o, t)
            for o, t in zip(others, (mean, scale), strict=True)
        ):
            raise ValueError("its networks standardise differently")
    if not (mean.is_floating_point() and scale.is_floating_point() and (scale > 0).all()):
        raise ValueError("its standardisation is none")
    return mean.numpy(), scale.numpy()


def _restore_networks(
    net: MAXLNet,
    source: Any,
    plan: Plan,
    header: dict[str, Any],
    tensors: dict[str, Tensor],
    own: list[str],
) -> None:
    """Make all networks, and hand them to the net in the place of what would make fresh ones."""
    layouts = field(header, "channels_last", dict)
    makers = {"module": (net.module, "backbone")}
    if net.has_generator_:
        makers["generator"] = (net.generator, "generator")
    if hasattr(source, "make_encoder"):
        makers["encoder"] = (lambda: source.make_encoder(0), "backbone")
    if layouts.keys() != makers.keys():
        raise ValueError("it names other networks than auxiliary has")
    made = {
        name: rebuilt(
            make,
            take_out(name, tensors),
            name,
            own=parameter in own,
            input_shape=plan.input_shape,
            channels_last=field(layouts, name, bool),
        )
        for name, (make, parameter) in makers.items()
    }
    if "encoder" in made:
        source.encoder = made["encoder"]
        if len(source.feature_scaling[0]) != source.encoder.n_features:
            raise ValueError("its centres are not of features of its encoder")
    # skorch takes networks for their makers, but only lets initialize set them.
    makers_of_fresh = {name: getattr(net, name) for name in ("module", "generator")}
    net.__dict__.update({"module": made["module"], "generator": made.get("generator")})
    net.initialize()
    net.__dict__.update(makers_of_fresh)


def _restore_progress(net: MAXLNet, header: dict[str, Any], history: History) -> None:
    """Put epochs and steps where they were; optimizers start anew."""
    net.epochs_ = history
    for row in net.epochs_:
        net.history.new_epoch()
        net.history.record("batches", [])
        for name, value in row.items():
            net.history.record(name, value)
    net.n_steps_ = _count(header, "n_steps", 2**63)
    net.rates_.epoch = _count(header, "n_scheduled", 2**63)


def _restore_names(estimator: Any, names: list[Any] | None) -> None:
    if names is None:
        return
    if len(names) != estimator.n_features_in_ or any(type(name) is not str for name in names):
        raise ValueError("its names of features are not one text for each")
    estimator.feature_names_in_ = np.array(names, dtype=object)


def _notes(header: dict[str, Any], defaulted: list[str], device: Any, found: str) -> list[str]:
    """What is other than it was."""
    notes = []
    if defaulted:
        notes.append(
            f"The file does not hold the parameters {', '.join(defaulted)}, which are no plain "
            "values: here they have their defaults. Set them before you train on; predictions do "
            "not depend on them."
        )
    before, now = field(header, "device", str), torch.device(found).type
    if before not in ("cpu", "cuda"):
        raise ValueError(f"there is no device {before[:60]!r}")
    if device == "auto" and before != now:
        notes.append(
            f"The estimator was fitted on {before!r} and is now on {now!r}, which device='auto' "
            f"finds here; pass device={now!r} to load if that is what you want."
        )
    versions = field(header, "versions", dict)
    theirs = field(versions, "sklearn_maxl", str)
    if theirs.split(".")[0] != version("sklearn_maxl").split(".")[0]:
        notes.append(
            f"The file was written by sklearn_maxl {theirs[:60]}, and this is "
            f"{version('sklearn_maxl')}: check that predictions are the same."
        )
    return notes


def _rate(header: dict[str, Any]) -> float:
    """The learning rate of the fit, which lr="auto" does not tell."""
    lr: float = field(header, "lr", float)
    if not 0 < lr < math.inf:
        raise ValueError(f"'lr' in its header is {lr}")
    return lr


def _count(header: dict[str, Any], name: str, below: int) -> int:
    """A number of something."""
    number: int = field(header, name, int)
    if not 0 <= number < below:
        raise ValueError(f"{name!r} in its header is {number}")
    return number
