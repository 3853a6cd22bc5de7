"""Checked input of a fit as arrays, and what is found from arrays alone."""

from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .on_disk import OnDisk, parts

# Types of what stands for a missing value, apart from NaN: Python's, and those of pandas.
GAPS = ("NoneType", "NAType", "NaTType")


def is_gap(value: object) -> bool:
    """Whether a value stands for a missing one."""
    if type(value).__name__ in GAPS:
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def rows_at(
    values: np.ndarray | OnDisk | None, index: NDArray[np.int64]
) -> np.ndarray | OnDisk | None:
    """The rows at `index`: a copy, or their positions where they are on disk."""
    if values is None:
        return None
    return values.take(index) if isinstance(values, OnDisk) else values[index]


def largest(X: np.ndarray | OnDisk) -> np.ndarray:
    """The largest size of the numbers of each column, or channel."""
    axes = (0, *range(2, X.ndim))
    of_parts = (np.maximum(x.max(axes), -x.min(axes)) for x in (X[part] for part in parts(X)))
    return reduce(np.maximum, of_parts)


def large_or_small(X: np.ndarray | OnDisk) -> NDArray[np.int64]:
    """Powers of two to divide columns (or channels) by before their squares are taken.

    0 nearly everywhere: the columns that need another one hold numbers whose squares are too
    large or too small for float64. A power of two costs no digit.
    """
    exponent = np.zeros(X.shape[1], np.int64)
    if X.dtype == np.float64:  # squares of other types fit into float64
        exponent = np.frexp(largest(X))[1].astype(np.int64)
        exponent[np.abs(exponent) < 400] = 0
    return exponent


def mean_one(weight: NDArray[np.float64]) -> NDArray[np.float32]:
    """Weights scaled to have mean 1; only their ratios matter."""
    return (weight / weight.mean()).astype(np.float32)


class Arrays(NamedTuple):
    """Checked input of a fit, one row a sample.

    `X` may stay on disk; `y` are classes by number, or bins of the `target` (n, m) in
    regression; `auxiliary_labels` are those that were given to `fit`.
    """

    X: np.ndarray | OnDisk
    y: NDArray[np.int64]
    weight: NDArray[np.float64] | None = None
    auxiliary_labels: np.ndarray | None = None
    target: NDArray[np.float32] | None = None

    def take(self, index: NDArray[np.int64]) -> "Arrays":
        """The rows at `index`; no copy if that is all of them, in order, nor of what is on disk."""
        if np.array_equal(index, np.arange(len(self.y))):
            return self
        return Arrays(*(rows_at(values, index) for values in self))  # type: ignore[arg-type]

    def without_zero_weights(self) -> "Arrays":
        """The rows that count: a sample of weight 0 (in float32) is the same as none."""
        if self.weight is None:
            return self
        return self.take(np.flatnonzero(mean_one(self.weight)))


def scaling_shape(input_shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a mean of samples: one number for each feature, or for each channel."""
    return input_shape[:1] + (1,) * (len(input_shape) - 1)


def moments(
    X: np.ndarray | OnDisk, weight: NDArray[np.float64] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation per feature (tables) or per channel (everything else).

    Computed in float64, in two passes over parts of `X` so that an image data set
    in uint8 is never copied whole, and one on disk never read whole.

    Returns
    -------
    mean, scale : arrays of shape (d,), float64, or (channels, 1, ...), float32
        `scale` is 1 where a feature is constant. Both are float64 where float32 would lose
        digits.
    """
    shape = scaling_shape(X.shape[1:])
    w = np.ones(len(X)) if weight is None else weight
    total = w.sum() * np.prod(X.shape[2:])
    size = large_or_small(X)

    def scaled(part: slice) -> NDArray[np.float64]:
        values = X[part].astype(np.float64)
        return np.ldexp(values, -size.reshape(shape)) if size.any() else values

    def summed(values: NDArray[np.float64], part: slice) -> NDArray[np.float64]:
        per_sample = values.reshape(*values.shape[:2], -1).sum(2)
        return w[part] @ per_sample

    mean = sum(summed(scaled(p), p) for p in parts(X)) / total
    centre = mean.reshape(shape)
    variance = sum(summed((scaled(p) - centre) ** 2, p) for p in parts(X)) / total
    deviation = np.sqrt(variance)
    # Rounding leaves a constant feature with a deviation of a few units of its type.
    eps = np.finfo(X.dtype if X.dtype.kind == "f" else np.float32).eps
    scale = np.ldexp(deviation, size)
    scale[(deviation <= 10 * eps * np.abs(mean)) | (scale == 0)] = 1.0
    centre, scale = np.ldexp(mean, size).reshape(shape), scale.reshape(shape)
    narrow = X.ndim > 2 and scale.min() > 1e-30 and max(scale.max(), np.abs(centre).max()) < 1e30
    dtype = np.float32 if narrow else np.float64
    return centre.astype(dtype), scale.astype(dtype)


def holdout_split(
    y: NDArray[np.int64], fraction: float, rng: np.random.RandomState
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices to keep and to hold out, stratified: `fraction` of each class, at least one sample.

    A class of a single sample stays whole in the part that is kept.
    """
    held = []
    for i in np.unique(y):
        own = rng.permutation(np.flatnonzero(y == i))
        n_held = min(len(own) - 1, max(1, round(fraction * len(own))))
        held.append(own[:n_held])
    out = np.sort(np.concatenate(held))
    if len(out) == 0:
        raise ValueError(
            "No sample can be held out, because every class has a single one; use "
            "early_stopping=False, a number for psi, and meta_batch='same'."
        )
    return np.setdiff1d(np.arange(len(y)), out), out
