"""Counted operations."""

from collections.abc import Callable
from typing import Any

from torch.utils.flop_counter import FlopCounterMode


def operations(function: Callable[[], Any]) -> int:
    """Floating-point operations of matrix products and convolutions; the rest is not counted."""
    with FlopCounterMode(display=False) as counter:
        function()
    return int(counter.get_total_flops())
