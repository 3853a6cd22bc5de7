"""Checks of arrays and labels, in scikit-learn's own words where it has some."""

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, compute_sample_weight
from sklearn.utils.validation import validate_data

from .._data.on_disk import KEPT, OnDisk, is_memory_mapped, parts
from .._environment.memory import total_memory
from .._environment.private_sklearn import check_sample_weight
from .contents import contents, refuse_gaps_and_dates, refuse_lazy, refuse_what_is_no_number

# Differences of such numbers are still finite in float64.
LARGEST = 1e300


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
    networks take float32 after they have standardised their input. Sparse matrices become
    dense. ``n_features_in_`` is the number of values in a sample. Where the estimator's
    ``input_shape`` is given, rows of a table become samples of that shape. Memory-mapped arrays
    are checked part by part, and not copied.

    Returns
    -------
    X : array of shape (n, *input_shape), or OnDisk
    y : array of shape (n,), only if it was given
    """
    samples, *rest = _validated(estimator, _readable(X, estimator), y, reset, y_checks)
    if sparse.issparse(samples):
        samples = _dense(samples)
    for values, name in zip([samples, *rest], ["X", "y"], strict=False):
        if isinstance(values, np.ndarray) and values.dtype == np.float64:
            _refuse_huge(values, name)
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
    return (samples, *rest) if rest else samples


def _readable(X: Any, estimator: BaseEstimator) -> Any:
    """Samples as an array, a table or a sparse matrix of numbers."""
    if X is None:
        raise ValueError("X is None; pass an array of samples.")
    _refuse_data_set(X)
    X = _as_array(X, "X")
    if sparse.issparse(X):
        _refuse_too_large(X)
        X = X.tocsr()
    else:
        refuse_what_is_no_number(X, type(estimator).__name__)
    return X


def _validated(
    estimator: BaseEstimator, X: Any, y: Any, reset: bool, y_checks: dict[str, bool]
) -> tuple[Any, ...]:
    """`X`, and `y` where there is one or has to be, as scikit-learn validates them."""
    targets: dict[str, Any] = {}
    if reset or y is not None:
        y = checked_targets(y, numbers=y_checks.get("y_numeric", False))
        refuse_what_is_no_column(y)
        targets = {"y": y, **y_checks}
    mapped, table = is_memory_mapped(X), len(X.shape) <= 2
    in_memory: dict[str, Any] = {
        "dtype": KEPT,
        "order": "C",
        "force_writeable": True,  # torch shares memory, and warns where it may not write
    }
    validated = validate_data(
        estimator,
        X,
        **targets,
        reset=reset,
        accept_sparse=True,
        allow_nd=not table,
        ensure_2d=table,
        **({"dtype": None, "ensure_all_finite": False} if mapped else in_memory),
    )
    samples, *rest = validated if targets else (validated,)
    return (_checked_on_disk(samples, estimator) if mapped else samples), *rest


def _checked_on_disk(X: np.ndarray, estimator: BaseEstimator) -> OnDisk:
    """Samples that stay in their file, after one look at all of them."""
    samples = OnDisk(X)
    if X.dtype.kind == "f":
        for part in parts(samples):
            values = check_array(
                samples[part],
                dtype=KEPT,
                ensure_2d=False,
                allow_nd=True,
                estimator=estimator,
                input_name="X",
            )
            if values.dtype == np.float64:
                _refuse_huge(values, "X")
    return samples


def _checked_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """`input_shape` as a tuple."""
    whole = all(np.issubdtype(type(n), np.integer) and n > 0 for n in shape)
    if not shape or not whole:
        raise ValueError(
            "input_shape must be the shape of one sample, positive integers such as "
            f"(channels, height, width), got {shape!r}."
        )
    return tuple(map(int, shape))


def _in_shape(samples: np.ndarray | OnDisk, shape: tuple[int, ...]) -> np.ndarray | OnDisk:
    """Rows of a table as samples of a shape; what has that shape is left as it is."""
    if samples.ndim == 2 and samples.shape[1] == math.prod(shape):
        if isinstance(samples, OnDisk):
            return samples.in_shape(shape)
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
            "folds: X, y = map(np.stack, zip(*dataset)) or, for data larger than memory, X, y = "
            "sklearn_maxl.memory_maps.from_dataset(dataset, folder)."
        )


def checked_targets(y: Any, name: str = "y", numbers: bool = False) -> Any:
    """Targets, or weights, as an array; refused where values are missing or are dates.

    With `numbers`, text is refused too.
    """
    y = _as_array(y, name)
    if y is None:
        return None
    if numbers:
        _refuse_text(y)
    refuse_gaps_and_dates(y, name)
    return y


def refuse_no_targets(estimator: BaseEstimator, y: Any) -> None:
    """Refuse a `y` that is None, in scikit-learn's words, where one is needed."""
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but the target y "
            "is None."
        )


def refuse_what_is_no_column(y: Any) -> None:
    """Refuse a `y` of other dimensions than targets have."""
    if y is not None and np.ndim(y) not in (1, 2):
        raise ValueError(
            "y must have a value, or a row of values, for each sample, but has shape "
            f"{np.shape(y)}; pass an array of shape (n_samples,)."
        )


def _refuse_text(y: ArrayLike) -> None:
    if "text" in contents(y) or np.asarray(y).dtype.kind in "SU":
        raise ValueError(
            "y must hold numbers, but holds text; convert it, or use MAXLClassifier for classes."
        )


def _refuse_too_large(X: Any) -> None:
    """Say so where a sparse matrix would fill the memory as a dense one."""
    n_bytes, memory = math.prod(X.shape) * max(4, X.dtype.itemsize), total_memory()
    if memory is not None and n_bytes > memory:
        raise ValueError(
            f"X is sparse and of shape {X.shape}; dense, as networks take it, it needs "
            f"{n_bytes / 2**30:.0f} GiB, and this machine has {memory / 2**30:.0f}. Make fewer "
            "columns, for instance with sklearn.decomposition.TruncatedSVD."
        )


def _dense(X: Any) -> np.ndarray:
    """A sparse matrix as an array, in float32 where that rounds nothing that matters.

    It does not where every column has zeros, as those of text and categories have: seven
    digits are enough for numbers beside zeros. They may not be enough for a column of time
    stamps.
    """
    stored = np.diff(X.tocsc().indptr)
    if X.dtype == np.float64 and stored.max() < X.shape[0]:
        with np.errstate(over="ignore"):
            rounded = X.astype(np.float32)
        if np.allclose(rounded.data, X.data, rtol=1e-6, atol=0):
            X = rounded
    return X.toarray(order="C")


def _refuse_huge(values: NDArray[np.float64], name: str) -> None:
    """Refuse numbers whose differences are too large for float64."""
    if values.size and max(values.max(), -values.min()) > LARGEST:
        largest = np.maximum(values.max(axis=0), -values.min(axis=0))
        raise ValueError(
            f"{name} holds numbers beyond {LARGEST:g}{_in_column(values, int(largest.argmax()))}, "
            f"too large to compute with; divide {name} by a constant, or take logarithms."
        )


def refuse_lost_numbers(
    values: np.ndarray, name: str, numbers: NDArray[np.int64] | None = None
) -> None:
    """Refuse a column whose largest numbers leave nothing of the differences of the others.

    Standardised numbers have the seven digits of float32. `numbers` are those of the columns;
    None stands for 0, 1, 2, ...
    """
    columns = values.reshape(len(values), -1).astype(np.float64)
    numbers = np.arange(columns.shape[1]) if numbers is None else numbers
    largest = np.abs(columns).max(axis=0)
    low, high = np.percentile(columns, [25, 75], axis=0)
    size = np.where(largest > 0, largest, 1.0)
    deviation = (columns / size).std(axis=0)
    lost = (high > low) & ((high - low) / size < 1e-6 * deviation)
    if lost.any():
        worst = int(np.where(lost, largest, 0).argmax())
        where = _in_column(values, numbers[worst])
        raise ValueError(
            f"{name} holds numbers as large as {largest[worst]:.3g}{where}, so far from the "
            f"others that float32 can't tell those apart; correct {name}, leave out these samples, "
            "or take logarithms."
        )


def _in_column(values: np.ndarray, number: int) -> str:
    """Where something stands in a table."""
    return f" in column {number}" if values.ndim == 2 else ""


def refuse_not_finite(
    outputs: np.ndarray, samples: np.ndarray | OnDisk, scaling: tuple[np.ndarray, np.ndarray]
) -> None:
    """Refuse samples for which a network has no answer, and say which value may be why."""
    finite = np.isfinite(outputs).reshape(len(outputs), -1).all(axis=1)
    if finite.all():
        return
    i, (mean, scale) = int(finite.argmin()), scaling
    with np.errstate(all="ignore"):
        distance = np.abs((samples[i].astype(np.float64) - mean) / scale)
    at = np.unravel_index(distance.argmax(), distance.shape)
    place = ", ".join(map(str, (i, *map(int, at))))
    raise ValueError(
        f"The network's output for sample {i} of X is not finite; of its values, X[{place}] = "
        f"{samples[i][at]:g} is the farthest from those of training. Correct it, or clip X to the "
        "range of the training samples."
    )


def combined_weight(
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
    given = checked_targets(sample_weight, "sample_weight")
    if given is not None and np.asarray(given).dtype.kind in "USO" and "text" in contents(given):
        raise ValueError("sample_weight must hold numbers, but holds text; convert it.")
    weight = _at_most_one(
        check_sample_weight(
            given,
            y,
            dtype=np.float64,
            ensure_non_negative=True,
        )
    )
    if classes is not None and isinstance(class_weight, dict):
        unknown = [key for key in class_weight if key not in classes.tolist()]
        values = [class_weight.get(c, 1.0) for c in classes.tolist()]
        numbers = all(isinstance(value, Real) for value in values)
        if unknown or not (numbers and np.isfinite(values).all() and min(values) >= 0):
            raise ValueError(
                "class_weight must map classes of y to finite weights that are not negative, got "
                f"{class_weight!r} for the classes {classes.tolist()}."
            )
        weight = weight * _at_most_one(np.asarray(values)[np.searchsorted(classes, y)])
    elif class_weight is not None:
        weight = weight * compute_sample_weight(class_weight, y)
    if not weight.any():
        raise ValueError("sample_weight and class_weight leave no sample: all weights are zero.")
    return weight


def _at_most_one(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights divided by a power of two, which costs no digit: their sum is finite."""
    return np.ldexp(weight.astype(np.float64), -np.frexp(weight.max())[1])


def shape_warning(shape: tuple[int, ...], convolves: bool, given: bool) -> str | None:
    """What to tell about samples that look like images with their sides in other places.

    Parameters
    ----------
    shape : tuple of int
        Of one sample.
    convolves : bool
        Whether a network reads two-dimensional samples as signals of several channels.
    given : bool
        Whether the shape is the parameter `input_shape`.
    """
    looks = f"X has samples of shape {shape}, which looks like "
    if len(shape) == 3 and shape[2] in (1, 3, 4) and min(shape[:2]) > 4:
        return looks + (
            "(height, width, channels); images are (channels, height, width): use "
            "X.transpose(0, 3, 1, 2)."
        )
    # Sides of pictures are alike; a signal has many more values than channels.
    if convolves and len(shape) == 2 and min(shape) >= 8 and max(shape) <= 1.5 * min(shape):
        cure = f"input_shape={(1, *shape)}" if given else "X[:, None]"
        return looks + (
            "(height, width), but is taken for a signal of (channels, length); images are "
            f"(channels, height, width): use {cure}."
        )
    return None


def _as_array(array: Any, name: str) -> Any:
    """An array of NumPy's for a torch tensor or a list; anything else as it is."""
    refuse_lazy(array, name)
    if isinstance(array, torch.Tensor):
        array = array.detach().cpu()
        return (array.float() if array.dtype == torch.bfloat16 else array).numpy()
    if array is None or hasattr(array, "shape"):
        return array
    try:
        # Not np.ndim: array-likes need not take part in NumPy's function protocol.
        return np.asarray(array)
    except ValueError as error:
        if "inhomogeneous" not in str(error):
            raise
        raise ValueError(
            f"{name} holds samples of different shapes; crop, pad or resize them to one shape, "
            "then np.stack them."
        ) from error
