"""An estimator's parameters as plain values, and back.

Parameter holders of this package (backbones, sources of auxiliary labels, optimizers) are
stored as their name and parameters. Everything else that is no plain value (functions,
modules, callbacks, a generator of random numbers) is left out: its name is stored, so that
whoever loads the file is told.
"""

from collections.abc import Mapping, Sized
from numbers import Real

from sklearn.base import BaseEstimator

from .. import backbones, labels, optimizers
from .json_values import NotPlainError, Plain, decode, encode, field, short

HOLDERS: dict[str, type[BaseEstimator]] = {
    cls.__name__: cls
    for table in (backbones.NAMED, labels.NAMED, optimizers.NAMED)
    for cls in table.values()
}

# More would only be there to exhaust the reader: layers of a backbone, and numbers of anything.
MAX_ENTRIES = 1000
MOST = {"n_threads": 512}


def parameters_to_plain(estimator: BaseEstimator) -> tuple[Plain, list[str]]:
    """Parameters by name, and the names of those that are no plain values.

    `device` belongs to the machine, and whoever loads the file chooses it. The parameter
    `every` of a holder `auxiliary` has the name ``auxiliary__every``.
    """
    stored: Plain = {}
    left_out: list[str] = []
    for name, value in estimator.get_params(deep=False).items():
        if name == "device":
            continue
        try:
            stored[name], inner = value_to_plain(value)
            left_out += [f"{name}__{key}" for key in inner]
        except NotPlainError:
            left_out.append(name)
    return stored, left_out


def value_to_plain(value: object) -> tuple[object, list[str]]:
    """A value or a holder, and the names of the holder's parameters that are no plain values."""
    if HOLDERS.get(type(value).__name__) is not type(value):
        return {"value": encode(value)}, []
    stored, left_out = parameters_to_plain(value)
    return {"holder": type(value).__name__, "parameters": stored}, left_out


def value_from_plain(stored: object, left_out: list[str]) -> object:
    """Undo `value_to_plain`; parameters that were left out have their defaults."""
    if type(stored) is not dict:
        raise ValueError(f"a parameter in its header is stored as {short(stored)}")
    if stored.keys() == {"value"}:
        return decode(stored["value"])
    name = field(stored, "holder", str)
    if name not in HOLDERS:
        raise ValueError(f"there is no {name[:60]} in sklearn_maxl")
    if stored.keys() != {"holder", "parameters"}:
        raise ValueError(f"its {name} is not stored as its parameters")
    cls, inner = HOLDERS[name], field(stored, "parameters", dict)
    known = set(cls().get_params(deep=False))
    if inner.keys() | {n for n in left_out if "__" not in n} != known:
        raise ValueError(f"its parameters are not those of {name}")
    values = {key: value_from_plain(v, _inner(left_out, key)) for key, v in inner.items()}
    if any(_length(v) > MAX_ENTRIES for v in values.values()):
        raise ValueError(f"its {name} has more than {MAX_ENTRIES} layers")
    return cls(**values)


def _length(value: object) -> int:
    """Entries of what has some; 0 for a number, that of an array too."""
    has_some = isinstance(value, Sized) and getattr(value, "shape", None) != ()
    return len(value) if has_some else 0  # type: ignore[arg-type]


def parameters_from_plain(
    cls: type[BaseEstimator], header: Plain, given: Mapping[str, object]
) -> tuple[dict[str, object], list[str]]:
    """Parameters by name, and the names of those that the file lacks and nobody gave.

    Parameters
    ----------
    cls : type
        Of the estimator.
    header : dict
        Of the file.
    given : dict
        What `load` was given: ``backbone``, ``auxiliary``, and the generator as
        ``auxiliary__generator``; None where it was not.
    """
    stored, left_out = field(header, "parameters", dict), not_stored(header)
    known = set(cls._get_param_names())
    unknown = [name for name in [*stored, *left_out] if name.split("__")[0] not in known]
    if unknown:
        raise ValueError(
            f"{cls.__name__} has no parameters {unknown[:3]}; a newer sklearn_maxl may"
        )
    parameters = {
        name: value_from_plain(value, _inner(left_out, name)) for name, value in stored.items()
    }
    parameters.update({k: v for k, v in given.items() if "__" not in k and v is not None})
    for name, most in MOST.items():
        value = parameters.get(name)
        if isinstance(value, Real) and float(value) > most:  # of Python or of NumPy
            raise ValueError(f"{name}={value} is more than {most}")
    missing = [name for name in left_out if given.get(name) is None]
    return parameters, missing


def not_stored(header: Plain) -> list[str]:
    """Names of what is no plain value."""
    names: list[str] = field(header, "not_stored", list)
    return names


def _inner(left_out: list[str], name: str) -> list[str]:
    """The names of a holder's parameters, of those of an estimator."""
    prefix = f"{name}__"
    return [n.removeprefix(prefix) for n in left_out if n.startswith(prefix)]
