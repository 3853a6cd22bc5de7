"""Parts of a fitted estimator as plain values and tensors, and back: targets, sources, history."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._networks.networks import Network
from .._tasks.primary import Bins, Classes
from .._training.history import FOUND, History
from ..labels._kmeans import KMeansSource
from ..labels._sources import HumanSource
from .json_values import NotPlainError, decode, encode, field

BINS = ("shape", "mean", "scale", "direction", "edges")


# Targets


def targets_to_plain(targets: Classes | Bins) -> dict[str, Any]:
    """Classes by their names, bins by what makes them from numbers."""
    if isinstance(targets, Bins):
        return {name: encode(getattr(targets, name)) for name in BINS}
    try:
        return {"names": encode(targets.names)}
    except NotPlainError as error:
        raise ValueError(
            f"Classes of dtype {targets.names.dtype} can't be saved: {error}; fit with text or "
            "numbers."
        ) from error


def targets_from_plain(stored: dict[str, Any], kind: type, name: str) -> Classes | Bins:
    """Classes or bins, checked; `name` is the estimator that errors name."""
    if stored.keys() != ({"names"} if kind is Classes else set(BINS)):
        raise ValueError(f"its targets are not those of a {name}")
    values = {key: decode(value) for key, value in stored.items()}
    if kind is Classes:
        classes = values["names"]
        one_row = isinstance(classes, np.ndarray) and classes.ndim == 1
        if not one_row or not np.array_equal(np.unique(classes), classes):
            raise ValueError("its classes are no sorted array of distinct labels")
        # Several of each: scikit-learn warns of targets that hardly ever repeat.
        return Classes(np.repeat(classes, 3), classes, name)
    bins = object.__new__(Bins)
    bins.name, bins.shape = name, values["shape"]
    if type(bins.shape) is not tuple or len(bins.shape) > 1:
        raise ValueError("its targets are neither numbers nor rows of numbers")
    n = bins.shape or (1,)
    bins.mean, bins.scale = finite(values["mean"], n), positive(values["scale"], n)
    bins.direction = finite(values["direction"], n)
    bins.edges = finite(values["edges"], np.shape(values["edges"])[:1])
    if (np.diff(bins.edges) <= 0).any():
        raise ValueError("its bins are not in order")
    bins.names = np.arange(len(bins.edges) + 1)
    return bins


# Where auxiliary labels come from


def source_to_parts(source: Any) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What a source knows beyond ``psi``: labels of "human", encoder and centres of "kmeans"."""
    if isinstance(source, HumanSource):
        return {"known": encode(source.known)}, {}
    if not isinstance(source, KMeansSource):
        return {}, {}
    assert source.encoder is not None
    assert source.feature_scaling is not None
    mean, scale = source.feature_scaling
    arrays = {"feature_mean": mean, "feature_scale": scale}
    arrays.update({f"centres.{i}": centres for i, centres in source.centres.items()})
    tensors = {f"source.{name}": torch.as_tensor(array) for name, array in arrays.items()}
    return {}, {**tensors, **network_tensors("encoder", source.encoder)}


def restore_source(source: Any, stored: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Give a fresh source what it knew; its encoder comes later. Takes its tensors out."""
    if stored.keys() != ({"known"} if isinstance(source, HumanSource) else set()):
        raise ValueError("its auxiliary labels have another source than it says")
    if isinstance(source, HumanSource):
        source.known = decode(stored["known"])
        rows = type(source.known) is list and all(np.ndim(known) == 1 for known in source.known)
        if not rows or [max(1, len(k)) for k in source.known] != source.psi.tolist():
            raise ValueError("its finer labels don't fit its psi")
    if isinstance(source, KMeansSource):
        arrays = {name: t.numpy() for name, t in take_out("source", tensors).items()}
        mean = arrays.pop("feature_mean", np.empty(0))
        scale = arrays.pop("feature_scale", np.empty(0))
        source.feature_scaling = finite(mean, np.shape(mean)[:1]), positive(scale, mean.shape)
        for i, psi in enumerate(source.psi.tolist()):
            centres = arrays.pop(f"centres.{i}", None)  # none, if no sample was seen yet
            if centres is None:
                continue
            if not 1 <= len(centres) <= psi:
                raise ValueError(f"class number {i} has {len(centres)} centres, but psi is {psi}")
            source.centres[i] = finite(centres, (len(centres), len(mean)))
        if arrays:
            raise ValueError(f"its centres {sorted(arrays)} are of no class")


# History


def history_to_plain(history: History) -> dict[str, Any]:
    """Rows as JSON objects, and what was found beside them."""
    rows = [{name: encode(value) for name, value in row.items()} for row in history]
    return {"rows": rows, **{name: encode(getattr(history, name)) for name in FOUND}}


def history_from_plain(stored: dict[str, Any]) -> History:
    """Rows of numbers and arrays of numbers."""
    rows = field(stored, "rows", list)
    if not rows or any(type(row) is not dict for row in rows):
        raise ValueError("its history has no rows")
    history = History([{name: decode(value) for name, value in row.items()} for row in rows])
    numbers = (int, float, np.number, np.ndarray)
    if not all(
        isinstance(value, numbers) and np.asarray(value).dtype.kind in "iuf"
        for row in history
        for value in row.values()
    ):
        raise ValueError("its history holds what is no number")
    for name in FOUND:
        setattr(history, name, _found(stored, name))
    return history


def _found(stored: dict[str, Any], name: str) -> Any:
    value = decode(field(stored, name, dict, None))
    if value is not None and type(value) is not dict:
        raise ValueError(f"{name!r} of its history is no dictionary")
    return value


# Tensors and arrays


def network_tensors(name: str, network: Any) -> dict[str, Tensor]:
    """A network's weights and buffers, with its name before theirs."""
    state = network.state_dict()
    for key, value in state.items():
        if not isinstance(value, Tensor):
            raise ValueError(f"{key!r} in the state of the {name} is no tensor and can't be saved.")
    return {f"{name}.{key}": value.detach().cpu() for key, value in state.items()}


def take_out(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of one part, which are no longer among the others."""
    prefix = f"{name}."
    mine = [key for key in tensors if key.startswith(prefix)]
    return {key.removeprefix(prefix): tensors.pop(key) for key in mine}


def has_layout(network: Network) -> bool:
    """Whether a network takes images in the layout that is faster for convolutions."""
    return bool(getattr(network.trunk, "channels_last", False))


def finite(array: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """A float64 array of that shape whose values are all finite."""
    good = isinstance(array, np.ndarray) and array.dtype == np.float64 and array.shape == shape
    if not good or not np.isfinite(array).all():
        raise ValueError(f"an array in it is not of {shape} finite numbers")
    return array


def positive(array: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The same, and all above zero: by these is divided."""
    if (finite(array, shape) <= 0).any():
        raise ValueError("a scale in it is not positive")
    return np.asarray(array)
