"""What displays ask of an estimator; no other file of this folder looks inside one."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from .._estimators.base import BaseMAXL
from .._tasks.auxiliary import Hierarchy


def check_fitted(estimator: object) -> None:
    """Refuse what is not one of this package's estimators, or not fitted."""
    if not isinstance(estimator, BaseMAXL):
        raise TypeError(
            f"estimator must be a MAXLClassifier or MAXLRegressor, got {type(estimator).__name__}; "
            "of a pipeline take the last step, pipeline[-1], of a search best_estimator_."
        )
    check_is_fitted(estimator, "_fitted")


def check_auxiliary(estimator: BaseMAXL, display: str) -> None:
    """Refuse an estimator that was fitted without auxiliary labels."""
    check_fitted(estimator)
    if not has_auxiliary(estimator):
        raise ValueError(
            f"{display} shows auxiliary labels, but this estimator was fitted with "
            'auxiliary=None; fit one with auxiliary="maxl" or another source of labels.'
        )


def has_auxiliary(estimator: BaseMAXL) -> bool:
    """Whether a fitted estimator has an auxiliary task."""
    return estimator._fitted.labels is not None


def check_samples(
    estimator: BaseMAXL, X: ArrayLike, y: ArrayLike
) -> tuple[np.ndarray, NDArray[np.int64]]:
    """Samples as the networks take them, and the number of each one's primary class, or bin."""
    samples, codes = estimator._labelled(X, y)
    return np.asarray(samples), codes


def auxiliary_labels(
    estimator: BaseMAXL, X: ArrayLike, y: ArrayLike, response_method: str = "auto"
) -> list[NDArray[np.float64]]:
    """Soft auxiliary labels of samples.

    `response_method` is as in `AuxiliaryUseDisplay.from_estimator`.

    Returns
    -------
    list of array of shape (n, psi[i])
        For each primary class, what the samples' labels give to its auxiliary classes:
        0 for samples of another class, a distribution for its own.
    """
    allowed = ("auto", "generate_auxiliary_labels", "predict_auxiliary")
    if response_method not in allowed:
        raise ValueError(f"response_method must be one of {allowed}, got {response_method!r}.")
    if response_method == "auto":
        generated = hasattr(estimator, "generate_auxiliary_labels")
        response_method = allowed[1] if generated else allowed[2]
    if response_method == "generate_auxiliary_labels":
        labels = estimator.generate_auxiliary_labels(X, y).astype(np.float64)
    else:
        _, codes = check_samples(estimator, X, y)
        # The auxiliary head is not told the class: of what it predicts, the part within the
        # right class is made a distribution, which can be compared with generated labels.
        predicted = estimator.predict_auxiliary(X).astype(np.float64)
        positive = np.maximum(predicted, np.finfo(np.float64).tiny)
        labels = np.where(Hierarchy(estimator.psi_).mask[codes], positive, 0.0)
        labels /= labels.sum(axis=1, keepdims=True)
    return Hierarchy(estimator.psi_).by_class(labels)


def classes_of(estimator: BaseMAXL) -> list[object]:
    """The primary classes; in regression, the numbers of the bins."""
    return list(estimator._fitted.targets.names.tolist())


def class_names(estimator: BaseMAXL) -> list[str]:
    """Names of the primary classes; in regression, of the bins."""
    of_bins = "" if hasattr(estimator, "classes_") else "bin "
    return [f"{of_bins}{name}" for name in classes_of(estimator)]
