"""Checks of the backbones' parameters."""

from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np


def positive_ints(name: str, values: object) -> list[int]:
    """A sequence of positive integers as a list."""
    if (
        not isinstance(values, Sequence | np.ndarray)
        or len(values) == 0
        or any(not isinstance(v, Integral) or v < 1 for v in values)
    ):
        raise ValueError(f"{name} must be a sequence of positive integers, got {values!r}.")
    return [int(v) for v in values]


def positive_int(name: str, value: object) -> int:
    """A positive integer."""
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}.")
    return int(value)


def scaled(channels: int, width: object) -> int:
    """Channels times a width factor, rounded, and at least one."""
    if not isinstance(width, Real) or not 0 < float(width) < np.inf:
        raise ValueError(f"width must be a positive number, got {width!r}.")
    return max(1, round(channels * float(width)))


def image_shape(name: str, input_shape: tuple[int, ...], least: int) -> tuple[int, int, int]:
    """The shape of an image with sides of at least so many pixels."""
    if len(input_shape) != 3:
        raise ValueError(
            f"{name} takes images of shape (n, channels, height, width), but a sample has shape "
            f"{input_shape}; use MLP for tables, ConvNet for signals."
        )
    channels, height, width = input_shape
    if min(height, width) < least:
        raise ValueError(
            f"{name} needs images of at least {least} x {least} pixels, but they are {height} x "
            f"{width}; use ConvNet, or enlarge them."
        )
    return channels, height, width
