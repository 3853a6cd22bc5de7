"""Names that are short for parameter holders, such as ``auxiliary="maxl"`` for ``Learned()``."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sklearn.base import BaseEstimator


class Shorthand(NamedTuple):
    """The names that a parameter knows, and the public module that has the objects."""

    names: Mapping[str, type[BaseEstimator]]
    module: str


def refuse_inner_parameters(
    holder: BaseEstimator, params: Mapping[str, object], shorthands: Mapping[str, Shorthand]
) -> None:
    """Say what to pass where `set_params` is to reach inside a name, or inside None."""
    for name in params:
        outer, _, inner = name.partition("__")
        value = params.get(outer, getattr(holder, outer, None))
        if not inner or outer not in shorthands or not isinstance(value, str | None):
            continue
        names, module = shorthands[outer]
        kind = names.get(str(value)) or _with_parameter(inner, names.values())
        example = f"{kind.__name__}()" if kind else "an object"
        what = "is short for an object with its defaults" if value else "is no object"
        raise ValueError(
            f"{outer}={value!r} {what} and has no parameters to set; for {name}, pass "
            f"{outer}={example} from sklearn_maxl.{module}."
        )


def _with_parameter(name: str, kinds: Iterable[type[BaseEstimator]]) -> type[BaseEstimator] | None:
    """The first kind of object that has such a parameter."""
    own = name.split("__")[0]
    return next((kind for kind in kinds if own in kind().get_params(deep=False)), None)
