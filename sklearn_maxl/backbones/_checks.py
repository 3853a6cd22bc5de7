"""Checks of the backbones' parameters."""

from collections.abc import Sequence

import numpy as np

WHOLE = (int, np.integer)
NUMBER = (int, float, np.integer, np.floating)


def positive_ints(name: str, values: object) -> list[int]:
    """A sequence of positive integers as a list."""
    if (
        not isinstance(values, Sequence | np.ndarray)
        or getattr(values, "shape", None) == ()
        or len(values) == 0
        or any(not isinstance(v, WHOLE) or not 1 <= v < 2**31 for v in values)
    ):
        wanted = "a sequence of positive integers below 2**31"
        raise ValueError(f"{name} must be {wanted}, got {values!r}.")
    return [int(v) for v in values]


def positive_int(name: str, value: object) -> int:
    """A positive integer."""
    if not isinstance(value, WHOLE) or not 1 <= value < 2**31:
        raise ValueError(f"{name} must be a positive integer below 2**31, got {value!r}.")
    return int(value)


def probability(name: str, value: object) -> float:
    """A number from 0 to 1."""
    if not isinstance(value, NUMBER) or not 0 <= value <= 1:
        raise ValueError(f"{name} must be a number from 0 to 1, got {value!r}.")
    return float(value)


def flag(name: str, value: object) -> bool:
    """True or False."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False, got {value!r}.")
    return bool(value)


def scaled(channels: int, width: object) -> int:
    """Channels times a width factor, rounded, and at least one."""
    if not isinstance(width, NUMBER) or not 0 < width < 2**31:
        raise ValueError(f"width must be a positive number below 2**31, got {width!r}.")
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
