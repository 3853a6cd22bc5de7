"""What tells a fit from every other: its data, its parameters, and what it runs on.

Two fits with the same fingerprint are the same fit, bit for bit, wherever they stand in a
program. Values are looked at, not their places in memory: another process finds the same.
"""

import hashlib
import json
from functools import partial
from importlib.metadata import version
from types import CodeType, FunctionType, MethodType
from typing import Any

import joblib
import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from .._data.on_disk import OnDisk, parts
from .._environment.ranks import ALONE, Ranks
from .._training.call import Call
from .._training.logbook import KeepsLogbook
from .._training.settings import Settings
from .json_values import NotPlainError, Plain, encode

# What no bit of a fit depends on, and what is told under another name.
ELSEWHERE = {"callbacks", "device", "n_threads", "random_state", "verbose", "warm_start"}

# Other versions of these may round otherwise, or draw other random numbers.
PACKAGES = ("sklearn_maxl", "torch", "numpy", "scikit-learn")


def fingerprint(call: Call) -> Plain:
    """A text for every part of a fit, by the name that its user knows."""
    estimator, arrays, targets, settings = call.estimator, call.arrays, call.targets, call.settings
    told: Plain = {
        "X": digest_of_samples(arrays.X),
        "y": digest((arrays.y, arrays.target, sorted(targets.state().items()))),
        "sample_weight": digest(arrays.weight),
        "auxiliary_labels": digest(arrays.auxiliary_labels),
        "random_state": str(call.seed if call.is_repeatable else None),
        "estimator": as_text([type(estimator), settings.step_class]),
        "callbacks": as_text([one for one in map(_told, settings.callbacks or ()) if one]),
    }
    for name, value in estimator.get_params(deep=False).items():
        if name not in ELSEWHERE:
            told[name] = as_text(value)
    return told


def surroundings(settings: Settings, ranks: Ranks = ALONE) -> Plain:
    """What a fit runs on, as far as bits depend on it."""
    threads = torch.get_num_threads() if settings.n_threads is None else settings.n_threads
    packages = {name: version(name) for name in PACKAGES}
    device, count = settings.device.type, str(ranks.count)
    return {**packages, "device": device, "n_threads": str(threads), "ranks": count}


def short(parts: Plain) -> str:
    """A name for a fingerprint."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def digest_of_samples(X: np.ndarray | OnDisk) -> str:
    """A checksum of samples, the same in memory and on disk."""
    found = hashlib.sha1(str((X.dtype.str, X.shape)).encode(), usedforsecurity=False)
    for part in parts(X):
        found.update(np.ascontiguousarray(X[part]).data)
    return found.hexdigest()


def digest(values: object) -> str:
    """A checksum of arrays, the same for those that joblib maps from a file into a worker."""
    return str(joblib.hash(values, hash_name="sha1", coerce_mmap=True))


def as_text(value: object) -> str:
    """A value as text; long ones by their checksum."""
    text = json.dumps(described(value), sort_keys=True)
    return text if len(text) <= 80 else hashlib.sha256(text.encode()).hexdigest()


def described(value: Any) -> object:
    """A value as JSON, so that another value of any kind is described otherwise.

    Functions are told by their code, modules by their weights, and objects of other classes by
    their plain attributes.
    """
    if isinstance(value, type):
        return _name_of(value)
    if isinstance(value, BaseEstimator):
        return [_name_of(type(value)), described(value.get_params(deep=False))]
    if isinstance(value, nn.Module):
        return [_name_of(type(value)), str(value), described(dict(value.state_dict()))]
    if isinstance(value, Tensor):
        return [str(value.dtype), digest(value.detach().cpu().float().numpy())]
    if isinstance(value, np.ndarray):
        return digest(value)
    if isinstance(value, FunctionType):
        return [_name_of(value), _code(value)]
    if isinstance(value, MethodType):
        return [described(value.__func__), described(value.__self__)]
    if isinstance(value, partial):
        return ["partial", *map(described, (value.func, value.args, value.keywords))]
    if isinstance(value, CodeType):
        return [value.co_code.hex(), list(value.co_names), described(value.co_consts)]
    if isinstance(value, list | tuple | set | frozenset):
        own = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        return [type(value).__name__, *map(described, own)]
    if isinstance(value, dict):
        return {str(described(k)): described(v) for k, v in value.items()}
    try:
        return encode(value)
    except NotPlainError:
        return [_name_of(type(value)), _plain_attributes(value)]


def _told(entry: Any) -> object:
    """What a callback is, None for the one that keeps the logbook: it changes no bit."""
    callback = entry[1] if isinstance(entry, tuple) else entry
    if isinstance(callback, KeepsLogbook):
        return None
    return callback if isinstance(callback, type) else [type(callback), _plain_attributes(callback)]


def _plain_attributes(value: object) -> Plain:
    """Attributes that are numbers, text or functions; fitted ones are left out."""
    found: Plain = {}
    for name, attribute in vars(value).items() if hasattr(value, "__dict__") else ():
        plain = attribute is None or isinstance(
            attribute, bool | int | float | str | FunctionType | type | partial
        )
        if plain and not name.endswith("_"):
            found[name] = described(attribute)
    return found


def _code(function: FunctionType) -> object:
    """What a function does: its code, and the values that it brings along."""
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    return described([function.__code__, function.__defaults__, function.__kwdefaults__, cells])


def _name_of(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"
