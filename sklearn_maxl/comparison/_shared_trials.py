"""Epochs and temperature of a split, looked for once for all arms that would find the same.

A fit on a table first tries two numbers of epochs, without an auxiliary task. Arms that differ
in their auxiliary task alone would repeat that and find the same.
"""

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from .._estimators.base import BaseMAXL
from .._training.trials import OF_SINGLE_TASK, WITHOUT_EFFECT
from ._arms import Arms, with_params


def shared_searches(estimator: BaseEstimator, arms: Arms) -> list[tuple[int, ...]]:
    """The arms, by number, that each search is for.

    Arms that are in none of them look for themselves, or have nothing to look for.
    """
    groups: list[tuple[dict[str, object], list[int]]] = []
    for number, params in enumerate(arms.values()):
        model = with_params(estimator, params)
        name = network_name(model)
        if name is None or not _makes_trials(network_in(model, name)):
            continue
        matters = {k: value for k, value in params.items() if not _has_no_effect(k, name)}
        for others, numbers in groups:
            if _same(matters, others):
                numbers.append(number)
                break
        else:
            groups.append((matters, [number]))
    return [tuple(numbers) for _, numbers in groups]


def found_by_trials(model: BaseEstimator, X: ArrayLike, y: ArrayLike) -> dict[str, float]:
    """What the network would find in a fit of the model, up to which it is fitted."""
    name = network_name(model)
    assert name is not None
    search = _Search(network_in(model, name))
    if not name:
        return search.fit(X, y).found_
    model.set_params(**{name: search}).fit(X, y)
    return search.found_


def set_found(model: BaseEstimator, found: dict[str, float]) -> None:
    """Give the network what was found."""
    name = network_name(model)
    model.set_params(**{f"{name}__{key}" if name else key: v for key, v in found.items()})


class _Search(BaseEstimator):
    """Stands where the network does, and makes its trials without training it."""

    def __init__(self, network: BaseMAXL):
        self.network = network

    def fit(self, X: ArrayLike, y: ArrayLike) -> "_Search":
        self.found_ = self.network._found_by_trials(X, y)
        return self


def network_name(model: object) -> str | None:
    """Name of the parameter that is the network, "" for the model itself.

    None where `fit` does not simply train the network, once, on the rows that it is given: in
    a search or a calibration, and where somebody wrote another `fit`.
    """
    fit = getattr(type(model), "fit", None)
    if fit is BaseMAXL.fit:
        return ""
    if fit is not Pipeline.fit:
        return None
    step, last = model.steps[-1]  # type: ignore[attr-defined]
    inner = network_name(last)
    return inner if inner is None else f"{step}__{inner}".removesuffix("__")


def network_in(model: BaseEstimator, name: str) -> BaseMAXL:
    """The network by its name."""
    return model.get_params()[name] if name else model


def _makes_trials(network: BaseMAXL) -> bool:
    return any(isinstance(getattr(network, name, None), str) for name in OF_SINGLE_TASK)


def _has_no_effect(parameter: str, network: str) -> bool:
    """Whether the search does not depend on a parameter of the model."""
    own = parameter.removeprefix(f"{network}__") if network else parameter
    inside = not network or own != parameter
    return inside and own.split("__")[0] in WITHOUT_EFFECT


def _same(one: dict[str, object], other: dict[str, object]) -> bool:
    """Whether two arms surely set the same: plain values that are equal, or the same objects."""
    return one.keys() == other.keys() and all(
        value is other[name]
        or (
            isinstance(value, str | int | float)
            and type(value) is type(other[name])
            and value == other[name]
        )
        for name, value in one.items()
    )
