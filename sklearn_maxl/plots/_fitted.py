"""What displays ask of an estimator: that it is fitted, and the auxiliary labels of samples."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from .._estimators.base import BaseMAXL
from .._tasks.auxiliary import Hierarchy


def check_fitted(estimator: Any) -> None:
    """Refuse what is not one of this package's estimators, or not fitted."""
    if not isinstance(estimator, BaseMAXL):
        raise TypeError(
            f"estimator must be a MAXLClassifier or MAXLRegressor, got {type(estimator).__name__}; "
            "of a pipeline take the last step, pipeline[-1], of a search best_estimator_."
        )
    check_is_fitted(estimator, "_fitted")


def check_auxiliary(estimator: Any, display: str) -> None:
    """Refuse an estimator that was fitted without auxiliary labels."""
    check_fitted(estimator)
    if estimator._fitted.labels is None:
        raise ValueError(
            f"{display} shows auxiliary labels, but this estimator was fitted with "
            'auxiliary=None; fit one with auxiliary="maxl" or another source of labels.'
        )


def auxiliary_labels(
    estimator: Any, X: Any, y: Any, response_method: str = "auto"
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Soft auxiliary labels of samples, all mass in the block of their class, and the classes.

    `response_method` is as in `AuxiliaryUseDisplay.from_estimator`.

    Returns
    -------
    labels : array of shape (n, K)
    codes : array of shape (n,)
        Number of each sample's primary class, or bin.
    """
    allowed = ("auto", "generate_auxiliary_labels", "predict_auxiliary")
    if response_method not in allowed:
        raise ValueError(f"response_method must be one of {allowed}, got {response_method!r}.")
    if response_method == "auto":
        generated = hasattr(estimator, "generate_auxiliary_labels")
        response_method = allowed[1] if generated else allowed[2]
    _, codes = estimator._labelled(X, y)
    if response_method == "generate_auxiliary_labels":
        return estimator.generate_auxiliary_labels(X, y).astype(np.float64), codes
    # The auxiliary head knows no class; its share within the right one is what compares.
    predicted = estimator.predict_auxiliary(X).astype(np.float64)
    own = np.repeat(np.arange(len(estimator.psi_)), estimator.psi_) == codes[:, None]
    predicted = np.where(own, np.maximum(predicted, np.finfo(np.float64).tiny), 0.0)
    return predicted / predicted.sum(axis=1, keepdims=True), codes


def most_probable(
    labels: NDArray[np.float64], codes: NDArray[np.int64], psi: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Most probable auxiliary class of each sample, counted within its primary class."""
    return labels.argmax(axis=1) - Hierarchy(psi).block_starts[codes]


def class_names(estimator: Any) -> list[str]:
    """Names of the primary classes; in regression, of the bins."""
    names = estimator._fitted.targets.names.tolist()
    if hasattr(estimator, "classes_"):
        return [str(name) for name in names]
    return [f"bin {name}" for name in names]
