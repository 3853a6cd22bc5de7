"""Checks of arrays that come from a file, whose writer nobody knows."""

import numpy as np
from numpy.typing import NDArray


def finite(array: object, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """A float64 array of that shape whose values are all finite."""
    fits = isinstance(array, np.ndarray) and array.dtype == np.float64 and array.shape == shape
    found = np.asarray(array)
    if not fits or not np.isfinite(found).all():
        raise ValueError(f"an array in it is not of {shape} finite numbers")
    return found


def positive(array: object, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The same, and all above zero: by these is divided."""
    numbers = finite(array, shape)
    if (numbers <= 0).any():
        raise ValueError("a scale in it is not positive")
    return numbers
