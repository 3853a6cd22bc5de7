"""Names of scikit-learn that it spells with an underscore, used in this file only."""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.base import _fit_context as fit_context
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    StrOptions,
)
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

__all__ = [
    "DiagramWithFit",
    "HasMethods",
    "Interval",
    "ParameterChecks",
    "StrOptions",
    "check_parameters",
    "check_sample_weight",
    "fit_context",
    "safe_indexing",
]

LARGEST = float(np.finfo(np.float32).max)


def check_parameters(estimator: BaseEstimator) -> None:
    """Check an estimator's parameters against its constraints, if it has any, as fit does."""
    if hasattr(estimator, "_parameter_constraints"):
        _refuse_what_torch_has_not(estimator)
        BaseEstimator._validate_params(estimator)


def _refuse_what_torch_has_not(estimator: BaseEstimator) -> None:
    """Refuse numbers that scikit-learn takes or fails at, and that torch has no type for."""
    parameters: dict[str, Any] = estimator.get_params(deep=False)
    for name, value in parameters.items():
        if isinstance(value, (int, np.integer)):
            wrong, wanted = abs(int(value)) >= 2**63, "a whole number below 2**63, or a float"
        elif isinstance(value, (float, np.floating)):
            wrong, wanted = (
                LARGEST < abs(float(value)) < np.inf,
                f"a number of float32, up to {LARGEST:g}",
            )
        else:
            wrong, wanted = isinstance(value, Real), "an int or a float"
        if wrong:
            raise InvalidParameterError(
                f"The {name!r} parameter of {type(estimator).__name__} must be {wanted}. "
                f"Got {value!r} instead."
            )


class ParameterChecks:
    """Lets `fit` check parameters by `check_parameters`."""

    def _validate_params(self) -> None:
        check_parameters(self)


class DiagramWithFit:
    """Puts something above the fitted attributes in scikit-learn's diagram of an estimator.

    The diagram of a pipeline or a search shows it, too. Below scikit-learn 1.9 a diagram has no
    fitted attributes, and nobody calls this.
    """

    def _fit_as_html(self) -> str:
        """What to put there."""
        raise NotImplementedError

    def _get_fitted_attr_html(self, doc_link: str = "") -> Any:
        attributes = super()._get_fitted_attr_html(doc_link)  # type: ignore[misc]
        theirs = attributes._html_repr
        attributes._html_repr = lambda: self._fit_as_html() + theirs()
        return attributes
