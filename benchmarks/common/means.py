"""Means and their standard errors."""

import numpy as np


def standard_error(values: np.ndarray) -> float:
    """Standard error of the mean; NaN for a single value."""
    return values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan


def mean_and_error(values: np.ndarray, factor: float = 100, sign: str = "", digits: int = 2) -> str:
    """Mean and standard error, in points by default; nothing where there is no value."""
    if not len(values):
        return ""
    error = factor * standard_error(values)
    return f"{factor * values.mean():{sign}.{digits}f} ± {error:.{digits}f}"
