"""`save` and `load` of a fitted estimator."""

import copy
import platform
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor

from .._training.net import MAXLNet
from . import container as _file
from .json_values import encode
from .parameters import NETWORKS, parameters_to_plain
from .parts import (
    has_layout,
    history_to_plain,
    network_tensors,
    source_to_parts,
    targets_to_plain,
)
from .restore import from_parts

PACKAGES = ("sklearn_maxl", "torch", "numpy", "scikit-learn", "skorch", "safetensors")


def save(estimator: Any, path: _file.FilePath) -> None:
    """Write a fitted estimator, once it is known that it comes back."""
    header, tensors = parts_of(estimator)
    given = {name: getattr(estimator, name) for name in NETWORKS if name in header["not_stored"]}
    try:
        other, _ = from_parts(type(estimator), header, dict(tensors), "cpu", given)
        _compare_fields(estimator.net_, other.net_)
    except ValueError as error:
        raise ValueError(
            "save can't make the fitted networks again from the parameters; if they were changed "
            f"since fit, put them back: {error}"
        ) from error
    _file.write(path, header, tensors)


def load(
    cls: type, path: _file.FilePath, device: Any, given: dict[str, Any]
) -> tuple[Any, list[str]]:
    """An estimator from a file, and what its user should be warned of."""
    with _file.read_aloud(path):
        header, tensors = _file.read(path)
        return from_parts(cls, header, tensors, device, given)


def parts_of(estimator: Any) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Header and tensors of a fitted estimator."""
    net, source = estimator.net_, estimator._source
    parameters, left_out = parameters_to_plain(estimator)
    source_values, tensors = source_to_parts(source)
    networks = {
        "module": net.module_,
        **({"generator": net.generator_} if net.has_generator_ else {}),
    }
    for name, network in networks.items():
        tensors.update(network_tensors(name, network))
    if getattr(source, "encoder", None) is not None:
        networks["encoder"] = source.encoder
    names = getattr(estimator, "feature_names_in_", None)
    header = {
        "estimator": type(estimator).__name__,
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
        "device": torch.device(net.device).type,
        "parameters": parameters,
        "not_stored": left_out,
        "arm": None if estimator._arm is None else str(estimator._arm),
        "psi": None if source is None else source.psi.tolist(),
        "targets": targets_to_plain(estimator._targets),
        "source": source_values,
        "input_shape": list(estimator.input_shape_),
        "feature_names": None if names is None else encode(names.tolist()),
        "channels_last": {name: has_layout(network) for name, network in networks.items()},
        "history": history_to_plain(estimator.history_),
        "lr": float(net.lr),
        "n_steps": net.n_steps_,
        "n_scheduled": net.rates_.epoch,
        # Another stream than the one that trained, and the same one in every load.
        "seed": copy.deepcopy(net.random_state).randint(2**31 - 1),
    }
    return header, tensors


def _compare_fields(net: MAXLNet, other: MAXLNet) -> None:
    """Compare what networks hold beside tensors: it comes from the parameters, too."""
    for name in ("module_", "generator_")[: 1 + net.has_generator_]:
        theirs = vars(getattr(other, name))
        for key, value in vars(getattr(net, name)).items():
            plain = isinstance(value, (bool, int, float, str, tuple)) and key != "training"
            if plain and not key.startswith("_") and theirs.get(key) != value:
                raise ValueError(f"{key} was {value} in fit and would be {theirs.get(key)}")
