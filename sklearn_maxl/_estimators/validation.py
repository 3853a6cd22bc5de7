"""Checks of arrays and labels, in scikit-learn's own words where it has some."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import compute_sample_weight
from sklearn.utils.validation import validate_data

from .._environment.private_sklearn import check_sample_weight


def validate_samples(
    estimator: BaseEstimator,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    reset: bool,
    **y_checks: bool,
) -> Any:
    """Turn `X` (and `y`, if the estimator is to be fitted) into arrays.

    float64, float32 and uint8 stay as they are, other types become float64; the
    networks take float32 after they have standardised their input.
    ``n_features_in_`` is the number of values in a sample. Where the estimator's
    ``input_shape`` is given, rows of a table become samples of that shape.

    Returns
    -------
    X : array of shape (n, *input_shape)
    y : array of shape (n,), only if it was given
    """
    _refuse_data_set(X)
    X, y = _from_torch(X), _from_torch(y)
    if y_checks.get("y_numeric"):
        _refuse_text(y)
    # Not np.ndim: array-likes need not take part in NumPy's function protocol.
    table = len(X.shape if hasattr(X, "shape") else np.asarray(X).shape) <= 2
    targets = {} if reset is False and y is None else {"y": y, **y_checks}
    try:
        validated = validate_data(
            estimator,
            X,
            **targets,
            reset=reset,
            dtype=[np.float64, np.float32, np.uint8],
            allow_nd=not table,
            ensure_2d=table,
            order="C",
            force_writeable=True,  # torch shares memory, and warns where it may not write
        )
    except ValueError as error:
        if "could not convert string to float" in str(error):
            raise ValueError(
                f"X holds text ({error}); encode categories first, for instance with "
                "sklearn.preprocessing.OneHotEncoder in a ColumnTransformer."
            ) from error
        raise
    samples = validated[0] if targets else validated
    if estimator.input_shape is not None:
        # Once fitted, what was fitted counts.
        shape = _checked_shape(estimator.input_shape) if reset else estimator.input_shape_
        samples = _in_shape(samples, shape)
    if 0 in samples.shape[1:]:
        raise ValueError(f"X has samples of shape {samples.shape[1:]}, which hold no value.")
    if reset:
        estimator.n_features_in_ = int(np.prod(samples.shape[1:]))
    elif samples.shape[1:] != estimator.input_shape_:
        raise ValueError(
            f"X has samples of shape {samples.shape[1:]}, but {type(estimator).__name__} is "
            f"expecting samples of shape {estimator.input_shape_} as input."
        )
    return (samples, *validated[1:]) if targets else samples


def _checked_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """`input_shape` as a tuple."""
    whole = all(np.issubdtype(type(n), np.integer) and n > 0 for n in shape)
    if not shape or not whole:
        raise ValueError(
            "input_shape must be the shape of one sample, positive integers such as "
            f"(channels, height, width), got {shape!r}."
        )
    return tuple(map(int, shape))


def _in_shape(samples: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Rows of a table as samples of a shape; what has that shape is left as it is."""
    if samples.ndim == 2 and samples.shape[1] == math.prod(shape):
        return samples.reshape(-1, *shape)
    if samples.shape[1:] != shape:
        got = f"{samples.shape[1]} columns" if samples.ndim == 2 else f"shape {samples.shape[1:]}"
        raise ValueError(
            f"input_shape={shape} asks for samples of that shape or rows of {math.prod(shape)} "
            f"values, but X has samples of {got}."
        )
    return samples


def _refuse_data_set(X: object) -> None:
    # skorch's SliceDataset is a sequence, which becomes an array.
    if isinstance(X, torch.utils.data.Dataset | torch.utils.data.DataLoader) and not (
        isinstance(X, Sequence)
    ):
        raise ValueError(
            f"X is a {type(X).__name__} of torch; pass arrays, which scikit-learn can cut into "
            "folds, such as X, y = map(np.stack, zip(*dataset))."
        )


def _refuse_text(y: ArrayLike) -> None:
    values = np.asarray(y)
    kinds = {type(value) for value in values.ravel()} if values.dtype.kind == "O" else set()
    if values.dtype.kind in "SU" or kinds & {str, bytes}:
        raise ValueError(
            "y must hold numbers, but holds text; convert it, or use MAXLClassifier for classes."
        )


def combined_weight(
    X: np.ndarray,
    y: np.ndarray,
    classes: np.ndarray | None,
    sample_weight: ArrayLike | None,
    class_weight: Mapping[Any, float] | str | None,
) -> NDArray[np.float64] | None:
    """Sample weights times class weights; None where there are neither.

    A regression has neither `classes` nor `class_weight`. A class that a dictionary
    leaves out has weight 1.

    Returns
    -------
    array of shape (n,) or None
        Not negative, not all zero.
    """
    if sample_weight is None and class_weight is None:
        return None
    weight = check_sample_weight(
        _from_torch(sample_weight), X, dtype=np.float64, ensure_non_negative=True
    )
    if classes is not None and isinstance(class_weight, dict):
        unknown = [key for key in class_weight if key not in classes.tolist()]
        values = [class_weight.get(c, 1.0) for c in classes.tolist()]
        if unknown or not (np.isfinite(values).all() and min(values) >= 0):
            raise ValueError(
                "class_weight must map classes of y to finite weights that are not negative, got "
                f"{class_weight!r} for the classes {classes.tolist()}."
            )
        weight = weight * np.asarray(values)[np.searchsorted(classes, y)]
    elif class_weight is not None:
        weight = weight * compute_sample_weight(class_weight, y)
    if not weight.any():
        raise ValueError("sample_weight and class_weight leave no sample: all weights are zero.")
    return weight


def looks_channels_last(shape: tuple[int, ...]) -> bool:
    """Whether images seem to be (height, width, channels)."""
    return len(shape) == 3 and shape[2] in (1, 3, 4) and min(shape[:2]) > 4


def _from_torch(array: Any) -> Any:
    if not isinstance(array, torch.Tensor):
        return array
    array = array.detach().cpu()
    return (array.float() if array.dtype == torch.bfloat16 else array).numpy()
