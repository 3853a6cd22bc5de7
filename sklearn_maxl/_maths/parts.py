"""A batch that is cut into parts, each worked on by a process of its own.

Losses are means over the whole batch. What a process computes is what its part adds to them, so
that sums over all processes are those of the whole batch. Which processes there are, and how they
reach each other, is not known here: who has a part of a batch passes a function that gives sums.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

# The sums of tensors over all processes, each as it was laid out.
Totals = Callable[[Sequence[Tensor]], list[Tensor]]


class Part(NamedTuple):
    """How many rows of a batch count here, and how many the whole batch has."""

    rows: int
    of: int


def whole(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The sums where one process has the whole batch: what it has."""
    return list(tensors)


def of_whole(mean: Tensor, part: Part | None) -> Tensor:
    """What the mean over a part adds to the mean over the whole batch."""
    return mean if part is None else mean * (part.rows / part.of)


def along(total: Totals, more: Tensor) -> tuple[Totals, Callable[[], Tensor]]:
    """The same function, and the sum of one tensor more that goes along in the same message."""
    found: list[Tensor] = []

    def both(tensors: Sequence[Tensor]) -> list[Tensor]:
        *sums, last = total([*tensors, more])
        found[:] = [last]
        return sums

    return both, lambda: found[0]


def summed(total: Totals, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Sums over all processes, by name."""
    return dict(zip(tensors, total(list(tensors.values())), strict=True))


# The two below are for derivatives that run through sums. Each process differentiates by what is
# its own: the sum moves with it one to one, and what all processes derive from the sum adds up.


def with_values(
    total: Totals, tensors: Mapping[str, Tensor], sums: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Sums over all processes, known already, with the derivatives of what is summed here."""
    if total is whole:
        return dict(tensors)
    known = [sums[name] for name in tensors]
    found = _WithValues.apply(known, *tensors.values())  # type: ignore[no-untyped-call]
    return dict(zip(tensors, found, strict=True))


def summed_backwards(total: Totals, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors; what is derived from them is summed over all processes."""
    if total is whole:
        return dict(tensors)
    found = _Backwards.apply(total, *tensors.values())  # type: ignore[no-untyped-call]
    return dict(zip(tensors, found, strict=True))


class _WithValues(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: list[Tensor], *tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(v.detach().clone() for v in values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return None, *gradients


class _Backwards(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, total: Totals, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.total = total
        return tuple(t.view_as(t) for t in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return None, *ctx.total(gradients)
