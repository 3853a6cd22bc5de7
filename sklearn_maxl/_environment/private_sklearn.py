"""Names of scikit-learn that it spells with an underscore, used in this file only."""

from sklearn.base import BaseEstimator
from sklearn.base import _fit_context as fit_context
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

__all__ = [
    "HasMethods",
    "Interval",
    "StrOptions",
    "check_parameters",
    "check_sample_weight",
    "fit_context",
    "safe_indexing",
]


def check_parameters(estimator: BaseEstimator) -> None:
    """Check an estimator's parameters against its constraints, if it has any, as fit does."""
    if hasattr(estimator, "_parameter_constraints"):
        estimator._validate_params()
