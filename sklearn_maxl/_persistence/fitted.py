"""What a fit leaves behind, as the header and the tensors of a file, and back.

What a header says is looked up in tables of this package: there is no import path and
no pickle. Networks are made by the same code as in a fit, once it is known that the
file has weights of that size.
"""

import copy
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .._data.arrays import Arrays, scaling_shape
from .._networks.rebuilt import check_finite, check_share, has_layout, rebuilt
from .._networks.trunk import Network, Scaling
from .._tasks.auxiliary import resolve_psi
from .._tasks.primary import Bins, Classes, Targets
from .._training.fitted import Fitted
from .._training.history import History
from .._training.net import MAXLNet
from .._training.runs import label_input, make_net
from .._training.settings import Settings, resolve
from ..labels import Labels, Learned, restored_copy
from .entries import MAX_VALUES, Checked
from .json_values import NotPlainError, Plain, decode, encode
from .parameters import not_stored, value_from_plain, value_to_plain

FLOATS = (torch.float32, torch.float64)


# To a file


def fitted_to_parts(fitted: Fitted) -> tuple[Plain, dict[str, Tensor]]:
    """Header and tensors."""
    net, labels = fitted.net, fitted.labels
    tensors: dict[str, Tensor] = {}
    networks: dict[str, Network] = {"module": net.module_}
    if net.has_generator_:
        networks["generator"] = net.generator_
    for name, network in networks.items():
        tensors.update(_tensors_of(name, network))
    header: Plain = {
        "device": torch.device(net.device).type,
        "targets": _state_to_plain(fitted.targets.state()),
        "input_shape": list(fitted.settings.input_shape),
        "channels_last": {name: has_layout(network) for name, network in networks.items()},
        "history": _state_to_plain(fitted.history.state()),
        "lr": float(fitted.settings.lr),
        "n_samples": fitted.settings.n_samples,
        "max_epochs": int(fitted.settings.max_epochs),
        "n_steps": net.n_steps_,
        "n_generator_steps": net.n_generator_steps_,
        "n_scheduled": net.rates_.epoch,
        "plan_seed": fitted.seed,
        # Another stream than the one that trained, and the same one in every load.
        "seed": copy.deepcopy(net.random_state).randint(2**31 - 1),
        "labels": None,
    }
    if labels is not None and fitted.settings.labels is not None:
        header["labels"], arrays = labels_to_plain(fitted.settings.labels, labels)
        tensors.update({f"labels.{name}": torch.as_tensor(a) for name, a in arrays.items()})
    return header, tensors


def labels_to_plain(holder: Labels, labels: Labels) -> tuple[Plain, dict[str, np.ndarray]]:
    """A source of labels without its arrays, and its arrays of numbers."""
    try:
        kind, left_out = value_to_plain(holder)
    except NotPlainError:  # of the user's making
        kind, left_out = None, []
    state = labels.state()
    arrays = {
        k: v for k, v in state.items() if isinstance(v, np.ndarray) and v.dtype.kind in "fiub"
    }
    values = {k: v for k, v in state.items() if k not in arrays}
    try:
        stored = _state_to_plain(values)
    except NotPlainError as error:
        raise ValueError(
            f"the state of {type(labels).__name__} can't be saved: {error}; give it a method state "
            "that returns numbers, text and arrays"
        ) from error
    psi = labels.psi_.tolist()
    return {"kind": kind, "not_stored": left_out, "psi": psi, "state": stored}, arrays


def _state_to_plain(state: Mapping[str, object]) -> Plain:
    return {name: encode(value) for name, value in state.items()}


def _tensors_of(name: str, network: nn.Module) -> dict[str, Tensor]:
    """A network's weights and buffers, with its name before theirs."""
    state = network.state_dict()
    for key, value in state.items():
        if not isinstance(value, Tensor):
            raise ValueError(f"{key!r} in the state of the {name} is no tensor and can't be saved.")
    return {f"{name}.{key}": value.detach().cpu() for key, value in state.items()}


# From a file


def fitted_from_parts(
    name: str,
    parameters: dict[str, Any],
    regression: bool,
    header: Checked,
    tensors: dict[str, Tensor],
    given: Mapping[str, object],
) -> Fitted:
    """What a fit has left behind; takes its tensors out of `tensors`.

    Parameters
    ----------
    name : str
        Of the estimator, for errors.
    parameters : dict
        Of the estimator.
    regression : bool
        Whether numbers are predicted.
    header, tensors
        Of the file.
    given : dict
        What `load` was given in place of what a file can't hold.
    """
    check_finite(tensors)
    shape = tuple(header["input_shape"])
    if math.prod(shape) > MAX_VALUES:
        raise ValueError(f"a sample of more than {MAX_VALUES} values is too large")
    kind = Bins if regression else Classes
    targets = kind.from_state(_state(header, "targets"), name)
    stored = header["labels"]
    holder = None if stored is None else _holder(stored, given, name)
    _check_networks(given, parameters, stored, name)
    settings = resolve({**parameters, "auxiliary": holder}, shape, regression, header["n_samples"])
    as_fitted = {name: header[name] for name in ("lr", "max_epochs")}
    settings = replace(settings, temperature=_temperature(tensors), undecided=(), **as_fitted)
    scaling = _scaling(tensors, shape)
    labels = None
    if stored is not None:
        psi = _checked_psi(stored, len(targets.names), settings, tensors)
        settings = replace(settings, psi=psi)
        labels = _labels(stored, settings, targets, scaling, tensors)
    rng = np.random.RandomState(header["seed"])
    check_share(tensors.get("module.primary_share"))
    net = make_net(settings, targets, scaling, labels, rng)
    _restore_networks(net, scaling, header, tensors)
    _restore_progress(net, header)
    return Fitted(settings, targets, scaling, labels, net, header["plan_seed"])


def _holder(stored: Checked, given: Mapping[str, object], name: str) -> Labels:
    """The source of labels that was fitted, as a holder of its parameters."""
    if stored.get("kind") is None:
        if given["auxiliary"] is None:
            raise ValueError(
                "its source of auxiliary labels is of your own making, which a file can't hold; "
                f"pass the one that was fitted: {name}.load(path, auxiliary=...)"
            )
        return given["auxiliary"]  # type: ignore[return-value]
    holder = value_from_plain(stored["kind"], not_stored(stored))
    if not isinstance(holder, Labels):
        raise ValueError("its auxiliary labels come from no source of labels")
    if isinstance(holder, Learned) and given["auxiliary__generator"] is not None:
        holder.generator = given["auxiliary__generator"]
    return holder


def _check_networks(
    given: Mapping[str, object], parameters: Plain, stored: Checked | None, name: str
) -> None:
    """Refuse to make another network than the one that the weights are of."""
    lacking = [] if "backbone" in parameters else ["backbone"]
    left_out = [] if stored is None else not_stored(stored)
    if "generator" in left_out and given["auxiliary__generator"] is None:
        lacking.append("generator")
    for network in lacking:
        raise ValueError(
            f"its {network} is a network of your own, which a file can't hold; pass the one that "
            f"was fitted: {name}.load(path, {network}=...)"
        )


def _checked_psi(
    stored: Checked, n_classes: int, settings: Settings, tensors: Mapping[str, Tensor]
) -> list[int]:
    """`psi`, before a mask of that size is made: the file has to hold one."""
    psi: list[int] = stored["psi"]
    if len(psi) != n_classes:
        raise ValueError(f"its psi is not one number for each of {n_classes} classes")
    n_views = 1 if settings.views is None else settings.views.n
    mask = tensors.get("module.mask")
    if mask is None or tuple(mask.shape) != (n_views * n_classes, n_views * sum(psi)):
        raise ValueError("its tensor 'module.mask' does not fit its psi")
    return psi


def _labels(
    stored: Checked,
    settings: Settings,
    targets: Targets,
    scaling: Scaling,
    tensors: dict[str, Tensor],
) -> Labels:
    """The source of labels with what it had learned."""
    shape = settings.input_shape
    rows = Arrays(np.empty((0, *shape)), np.empty(0, np.int64), None, np.empty(0))
    given = label_input(settings, targets, scaling, rows)
    assert settings.labels is not None
    state = state_of_labels(stored, _take_out("labels", tensors))
    labels = restored_copy(settings.labels, state, given)
    if not np.array_equal(labels.psi_, resolve_psi(settings.psi, targets.names)):
        raise ValueError("its auxiliary labels don't fit its psi")
    return labels


def state_of_labels(stored: Checked, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """What a source of labels has learned, from `labels_to_plain`."""
    arrays = {name: _as_array(name, t) for name, t in tensors.items()}
    values = _state(stored, "state")
    if values.keys() & arrays.keys():
        raise ValueError("its auxiliary labels hold a value twice")
    return {**values, **arrays}


def _scaling(tensors: Mapping[str, Tensor], shape: tuple[int, ...]) -> Scaling:
    """Mean and scale of the inputs, which the networks hold."""
    names = ("mean", "scale")
    mean, scale = (tensors.get(f"module.standardize.{name}") for name in names)
    if mean is None or scale is None:
        raise ValueError("its standardisation is missing")
    for part in ("generator", "labels.encoder"):
        others = [tensors.get(f"{part}.standardize.{name}") for name in names]
        if any(
            o is not None and not torch.equal(o, t)
            for o, t in zip(others, (mean, scale), strict=True)
        ):
            raise ValueError("its networks standardise differently")
    for tensor in (mean, scale):
        if tuple(tensor.shape) != scaling_shape(shape) or tensor.dtype not in FLOATS:
            raise ValueError(f"its standardisation is not one for samples of shape {shape}")
    if mean.dtype != scale.dtype or not (scale > 0).all():
        raise ValueError("its standardisation is none")
    return mean.numpy(), scale.numpy()


def _restore_networks(
    net: MAXLNet, scaling: Scaling, header: Checked, tensors: dict[str, Tensor]
) -> None:
    """Make all networks, and hand them to the net in the place of what would make fresh ones."""
    layouts = header["channels_last"]
    makers = {"module": (net.module, "backbone"), "generator": (net.generator, "generator")}
    makers = {name: maker for name, maker in makers.items() if maker[0] is not None}
    if layouts.keys() != makers.keys():
        raise ValueError("it names other networks than auxiliary has")
    if net.hierarchy is not None:
        mask = torch.as_tensor(net.hierarchy.mask)
        for key in (f"{name}.mask" for name in makers):
            if key in tensors and not torch.equal(tensors[key], mask):
                raise ValueError(f"its tensor {key!r} does not fit its psi")
    made = {
        name: rebuilt(
            make,
            net.settings.frame(parameter, scaling),
            _take_out(name, tensors),
            name,
            layouts[name],
        )
        for name, (make, parameter) in makers.items()
    }
    # skorch takes networks for their makers, but only lets initialize set them.
    makers_of_fresh = {name: getattr(net, name) for name in ("module", "generator")}
    net.__dict__.update({"module": made["module"], "generator": made.get("generator")})
    net.initialize()
    net.__dict__.update(makers_of_fresh)


def _restore_progress(net: MAXLNet, header: Checked) -> None:
    """Put epochs and steps where they were; optimizers start anew."""
    net.epochs_ = History.from_state(_state(header, "history"))
    # Not by skorch's `record`, which copies the whole list each time.
    net.history.extend({"batches": [], **row} for row in net.epochs_)
    net.n_steps_, net.n_generator_steps_ = header["n_steps"], header["n_generator_steps"]
    net.rates_.epoch = header["n_scheduled"]


def _state(stored: Checked, name: str) -> dict[str, Any]:
    """What `_state_to_plain` made plain."""
    return {key: decode(value) for key, value in stored[name].items()}


def _as_array(name: str, tensor: Tensor) -> np.ndarray:
    """A tensor as an array, if NumPy has its type."""
    try:
        return tensor.numpy()
    except TypeError:
        raise ValueError(f"the tensor {name!r} of its labels is of {tensor.dtype}") from None


def _take_out(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of one part, which are no longer among the others."""
    prefix = f"{name}."
    mine = [key for key in tensors if key.startswith(prefix)]
    return {key.removeprefix(prefix): tensors.pop(key) for key in mine}


def _temperature(tensors: Mapping[str, Tensor]) -> float:
    """The temperature of the predictions, which the network holds."""
    temperature = tensors.get("module.temperature")
    # A little more than the parameter may be, because it was rounded to float32.
    if temperature is None or temperature.shape or not 1e-7 < temperature < 1e7:
        raise ValueError("its temperature is no number from 1e-6 to 1e6")
    return float(temperature)
