"""Samples as tensors: on the device, or where there is room."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._environment.devices import can_hold, free_memory, sent
from .._maths.step import Batch
from .arrays import Arrays, mean_one
from .on_disk import OnDisk

CPU = torch.device("cpu")

# Inputs as the networks take them: standardised, in their type and memory layout.
Prepare = Callable[[Tensor], Tensor]

# Samples that go through a network at once outside training, bounded by values
# so that large images do not fill the memory.
INFERENCE_VALUES = 2**19


def rows_at_once(shape: tuple[int, ...]) -> int:
    """How many samples of so many values go through a network at once outside training."""
    return max(1, INFERENCE_VALUES // max(1, math.prod(shape)))


@dataclass(frozen=True)
class Samples:
    """Tensors with one row a sample, as in `Batch`.

    They lie on `device`, where the batches go, or in the host's memory if there is too
    little room or `X` is of a type that the device has not. Batches then have such an `X`
    on the CPU, too: what prepares it brings it to the networks. An `X` on disk stays there,
    unless an accelerator has room for it; each batch is read from it.
    """

    X: Tensor | OnDisk
    y: Tensor
    weight: Tensor | None = None
    positions: Tensor | None = None
    target: Tensor | None = None
    device: torch.device = CPU

    @classmethod
    def from_arrays(
        cls,
        arrays: Arrays,
        device: torch.device,
        positions: NDArray[np.int64] | None = None,
        prepare: Prepare | None = None,
    ) -> "Samples":
        """Put arrays on the device; the weights are scaled to have mean 1.

        With `prepare`, `X` is what that makes of it, part by part.
        """
        weight = None if arrays.weight is None else mean_one(arrays.weight)
        X: Tensor | np.ndarray | OnDisk = arrays.X
        if prepare is None and isinstance(X, OnDisk) and not stays_on_disk(X, device):
            prepare = partial(sent, device=device)
        if prepare is not None:
            X = prepared(arrays.X, prepare)
        columns = (arrays.y, weight, positions, arrays.target)
        tensors = [None if a is None else torch.as_tensor(a) for a in columns]
        if isinstance(X, OnDisk):
            return cls(X, *tensors, device)  # type: ignore[arg-type,call-arg]
        tensors = [torch.as_tensor(X), *tensors]
        given = [t for t in tensors if t is not None]
        n_bytes = sum(t.nbytes for t in given if t.device != device)
        possible = all(can_hold(device, t.dtype) for t in given)
        home = device if possible and fits(n_bytes, device) else CPU
        moved = [None if t is None else t.to(home) for t in tensors]
        return cls(*moved, device)  # type: ignore[arg-type,call-arg]

    def __len__(self) -> int:
        return len(self.y)

    def without_inputs(self) -> Batch:
        """All samples as one batch, but for their inputs: for the loss of outputs."""
        nothing = torch.empty((len(self), 0), device=self.y.device)
        return Batch(nothing, self.y, self.weight, self.positions, self.target)

    def parts(self, size: int) -> Iterator[Tensor]:
        """The inputs of all samples, so many at a time."""
        return (torch.as_tensor(self.X[a : a + size]) for a in range(0, len(self), size))

    def evenly(self, n: int) -> "Samples":
        """At most `n` of the samples, evenly spaced."""
        index = torch.linspace(0, len(self) - 1, min(n, len(self))).long().to(self.y.device)
        X = self.X.take(index.numpy()) if isinstance(self.X, OnDisk) else self.X[index]
        columns = (self.y, self.weight, self.positions, self.target)
        return Samples(X, *(None if t is None else t[index] for t in columns), self.device)  # type: ignore[arg-type,call-arg]

    def two(self) -> Batch:
        """A batch of two rows, even of a single sample, to try a network out."""
        return self.batch(torch.tensor([0, len(self) - 1]).to(self.y.device))

    def batch(self, index: Tensor) -> Batch:
        """The samples at `index`, on the device."""
        columns = (self.X, self.y, self.weight, self.positions, self.target)
        return Batch(*(None if t is None else self._rows(t, index) for t in columns))  # type: ignore[arg-type]

    def _rows(self, column: Tensor | OnDisk, index: Tensor) -> Tensor:
        if isinstance(column, OnDisk):  # the index is on the CPU, as everything but a batch is
            rows = torch.from_numpy(column[index.numpy()])
        else:
            rows = column.index_select(0, index)
        return sent(rows, self.device) if can_hold(self.device, rows.dtype) else rows


def fits(n_bytes: int, device: torch.device) -> bool:
    """Whether data may fill the device's memory: half of what is free is for the networks."""
    free = free_memory(device)
    return free is None or n_bytes <= free / 2


def stays_on_disk(X: np.ndarray | OnDisk, device: torch.device) -> bool:
    """Whether inputs are read batch by batch: the host keeps none of those that are on disk."""
    if not isinstance(X, OnDisk):
        return False
    here = device.type == "cpu"
    return here or not can_hold(device, torch_type(X)) or not fits(X.nbytes, device)


def torch_type(X: np.ndarray | OnDisk) -> torch.dtype:
    """What torch calls the type of inputs."""
    return torch.from_numpy(np.empty(0, X.dtype)).dtype


def prepared(X: np.ndarray | OnDisk, prepare: Prepare) -> Tensor:
    """What `prepare` makes of all samples, in parts, on the device of the networks."""
    rows = rows_at_once(X.shape[1:])
    with torch.no_grad():
        parts = (torch.from_numpy(X[a : a + rows]) for a in range(0, len(X), rows))
        first = prepare(next(parts))
        whole = torch.empty((len(X), *first.shape[1:]), dtype=first.dtype, device=first.device)
        whole[: len(first)] = first
        for i, part in enumerate(parts, start=1):
            whole[i * rows : i * rows + len(part)] = prepare(part)
    return whole
