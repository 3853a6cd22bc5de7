"""Samples in a memory-mapped file, read when they are asked for: no copy of them all is made."""

import math
import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._environment.interrupts import let_through

# Types of inputs that are kept; others become float64, as scikit-learn has it.
KEPT = (np.float64, np.float32, np.uint8)

# Values that are looked at together where all samples are gone through.
VALUES_OF_PART = 2**20


def is_memory_mapped(array: object) -> bool:
    """Whether an array's numbers lie in a file that is mapped into memory."""
    numbers = isinstance(array, np.ndarray) and array.dtype.kind in "biuf"
    while isinstance(array, np.ndarray):
        array = array.base
    return numbers and isinstance(array, mmap.mmap)


class OnDisk:
    """Rows of a memory-mapped array, one a sample; every access reads a copy of some.

    It has what an array has, as far as training asks for it. Numbers come in the type that
    scikit-learn makes of them, in C order. To read everything, ``np.asarray`` it.

    Parameters
    ----------
    array : array of shape (n, ...)
        Memory-mapped, of any layout.
    rows : array of shape (m,), default=None
        Positions of the rows that count; None stands for all.
    sample_shape : tuple of int, default=None
        What a row is made into; None leaves it as it is.
    """

    def __init__(
        self,
        array: np.ndarray,
        rows: NDArray[np.int64] | None = None,
        sample_shape: tuple[int, ...] | None = None,
    ):
        self._array, self._rows = np.asarray(array), rows
        n = len(array) if rows is None else len(rows)
        self.shape = (n, *(array.shape[1:] if sample_shape is None else sample_shape))
        self.dtype = np.dtype(array.dtype if array.dtype in KEPT else np.float64)

    @property
    def ndim(self) -> int:
        """Axes, that of the samples included."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that all rows take as they are read."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        """Some rows, by number, slice or positions; another index reads all of them first."""
        if isinstance(key, tuple):
            return np.asarray(self)[key]
        rows = key if self._rows is None else self._rows[key]
        found = self._array[rows]
        # Indexed by positions, it is a copy already.
        own = np.array(found, self.dtype, order="C", copy=None if found.base is None else True)
        return own.reshape(*own.shape[: found.ndim + 1 - self._array.ndim], *self.shape[1:])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(self.dtype if dtype is None else dtype, copy=False)

    def take(self, index: NDArray[np.int64]) -> "OnDisk":
        """The rows at `index`, which stay where they are."""
        rows = index if self._rows is None else self._rows[index]
        return OnDisk(self._array, rows, self.shape[1:])

    def in_shape(self, sample_shape: tuple[int, ...]) -> "OnDisk":
        """The same rows as samples of another shape, of as many values."""
        return OnDisk(self._array, self._rows, sample_shape)


def parts(X: np.ndarray | OnDisk) -> Iterator[slice]:
    """Samples that are looked at together, so that not all have to be in memory."""
    rows = max(1, VALUES_OF_PART // max(1, math.prod(X.shape[1:])))
    for start in range(0, len(X), rows):
        let_through()
        yield slice(start, start + rows)
