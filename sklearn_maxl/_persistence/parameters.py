"""An estimator's parameters as plain values, and back.

Backbones of this package are stored as their name and parameters. Everything else
that is no plain value (functions, modules, callbacks, a generator of random numbers) is
left out: its name is stored, so that whoever loads the file is told.
"""

from typing import Any

from ..backbones import NAMED
from .json_values import NotPlainError, decode, encode, field

SPECS: dict[str, Any] = {spec.__name__: spec for spec in NAMED.values()}

# The parameters that make networks.
NETWORKS = ("backbone", "generator")

# Layers of a backbone, cores: more would only be there to exhaust the reader.
MAX_ENTRIES = 1000
MAX_THREADS = 1024


def parameters_to_plain(estimator: Any) -> tuple[dict[str, Any], list[str]]:
    """Parameters by name, and the names of those that are no plain values.

    `device` belongs to the machine, and whoever loads the file chooses it.
    """
    stored, left_out = {}, []
    for name, value in estimator.get_params(deep=False).items():
        try:
            if name != "device":
                stored[name] = _spec_to_plain(value) if name in NETWORKS else encode(value)
        except NotPlainError:
            left_out.append(name)
    return stored, left_out


def parameters_from_plain(
    cls: Any, header: dict[str, Any], given: dict[str, Any], needed: tuple[str, ...]
) -> tuple[dict[str, Any], list[str]]:
    """Parameters by name, and the names of those that the file lacks and nobody gave."""
    stored, left_out = field(header, "parameters", dict), field(header, "not_stored", list)
    known = set(cls._get_param_names())
    if any(type(name) is not str or name not in known for name in [*stored, *left_out]):
        unknown = [name for name in [*stored, *left_out] if name not in known]
        raise ValueError(
            f"{cls.__name__} has no parameters {unknown[:3]}; a newer sklearn_maxl may"
        )
    parameters = {
        name: _spec_from_plain(value) if name in NETWORKS else decode(value)
        for name, value in stored.items()
    }
    parameters.update({name: value for name, value in given.items() if value is not None})
    missing = [name for name in left_out if name not in parameters]
    for name in needed:
        if name in missing or (name == "backbone" and name not in parameters):
            raise ValueError(
                f"its {name} is a network of your own, which a file can't hold; pass the one that "
                f"was fitted: {cls.__name__}.load(path, {name}=...)"
            )
    threads = parameters.get("n_threads")
    if isinstance(threads, int) and threads > MAX_THREADS:
        raise ValueError(f"n_threads={threads} is more than {MAX_THREADS}")
    return parameters, missing


def is_own(estimator: Any, name: str) -> bool:
    """Whether the trunk of a network is the user's own, and none of this package."""
    value = getattr(estimator, name)
    if value is None:  # a generator like the backbone
        value = estimator.backbone
    return type(value) not in (str, *SPECS.values())


def _spec_to_plain(value: Any) -> Any:
    """A name, or a backbone of this package as its class's name and its parameters."""
    if value is None or type(value) is str:
        return value
    kind = type(value).__name__
    if SPECS.get(kind) is not type(value):
        raise NotPlainError(f"a {kind} is no backbone of sklearn_maxl")
    return {kind: {name: encode(v) for name, v in value.get_params(deep=False).items()}}


def _spec_from_plain(stored: Any) -> Any:
    if stored is None or type(stored) is str:
        return stored
    kind = next(iter(stored)) if type(stored) is dict and len(stored) == 1 else None
    if kind not in SPECS or type(stored[kind]) is not dict:
        raise ValueError("its backbone or generator is none of sklearn_maxl")
    parameters = {name: decode(value) for name, value in stored[kind].items()}
    if parameters.keys() != SPECS[kind]().get_params(deep=False).keys():
        raise ValueError(f"its parameters are not those of {kind}")
    if any(hasattr(v, "__len__") and len(v) > MAX_ENTRIES for v in parameters.values()):
        raise ValueError(f"its {kind} has more than {MAX_ENTRIES} layers")
    return SPECS[kind](**parameters)
