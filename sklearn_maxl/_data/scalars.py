"""Numbers that batches report, kept on their device until somebody reads them."""

from typing import Self

import torch
from torch import Tensor


class Scalars:
    """Numbers one after the other, in one tensor.

    As tensors of their own they would lie between the large tensors of each batch. Those are
    freed, but the memory around what is kept can often not be used again, and a process
    grows with every batch.
    """

    def __init__(self) -> None:
        self._values = torch.empty(0)
        self._n = 0

    @classmethod
    def of(cls, values: Tensor) -> Self:
        """Those of a tensor of shape (n,)."""
        scalars = cls()
        scalars._values, scalars._n = values, len(values)
        return scalars

    def append(self, value: Tensor) -> None:
        """Keep a tensor of one number; those of one object have one type and device."""
        if self._n == 0:
            self._values = value.new_empty(128)
        elif self._n == len(self._values):
            self._values = torch.cat([self._values, torch.empty_like(self._values)])
        self._values[self._n] = value
        self._n += 1

    def __len__(self) -> int:
        return self._n

    def all(self) -> Tensor:
        """All of them, shape (n,)."""
        return self._values[: self._n]
