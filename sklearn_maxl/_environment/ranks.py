"""The processes that train one network together, and what they tell each other.

A program that has called `torch.distributed.init_process_group`, as one under ``torchrun`` does, is
one of several with numbers: the *ranks*. Its fits are then those of all ranks. A program that has
not is a rank by itself, `ALONE`, and nothing of `torch.distributed` is asked.

The one file that knows `torch.distributed`.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

Value = TypeVar("Value")

# The group that a process was forked with: its members are its parent and others, not itself.
_inherited: list[object] = []


class Ranks:
    """All ranks, as one of them sees them: here a process by itself."""

    number, count = 0, 1

    @property
    def several(self) -> bool:
        """Whether there are others."""
        return self.count > 1

    def rows(self, n: int) -> slice:
        """Which of `n` rows are this rank's: as many as those of any other, give or take one."""
        share, more = divmod(n, self.count)
        start = self.number * share + min(self.number, more)
        return slice(start, start + share + (self.number < more))

    def own_seed(self, seed: int) -> int:
        """A seed for what has to differ between ranks."""
        return seed

    def own_rng(self, rng: np.random.RandomState) -> np.random.RandomState:
        """Random numbers for what has to differ; `rng` is at the same place on all afterwards."""
        return rng

    def total(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Sums over all ranks, the same bits on each: one message for each type of numbers."""
        return list(tensors)

    def gathered(self, value: Value) -> list[Value]:
        """What each rank gives, in their order."""
        return [value]

    def of_first(self, make: Callable[[], Value]) -> Value:
        """What rank 0 makes, or the error that it ends with."""
        return make()

    @contextmanager
    def ending_together(self) -> Iterator[None]:
        """A block that every rank runs; where one fails, all do, and say which."""
        yield


ALONE = Ranks()


class SeveralRanks(Ranks):
    """The ranks of the program's process group."""

    def __init__(self) -> None:
        self.number, self.count = torch.distributed.get_rank(), torch.distributed.get_world_size()

    def own_seed(self, seed: int) -> int:
        return int(np.random.SeedSequence([seed, self.number]).generate_state(1)[0] >> 1)

    def own_rng(self, rng: np.random.RandomState) -> np.random.RandomState:
        return np.random.RandomState(self.own_seed(int(rng.randint(2**31 - 1))))

    def total(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        found: list[Tensor] = [torch.empty(0)] * len(tensors)
        for dtype in dict.fromkeys(t.dtype for t in tensors):
            mine = [i for i, t in enumerate(tensors) if t.dtype == dtype]
            bucket = torch.cat([tensors[i].detach().flatten() for i in mine])
            with self._reached(f"device={str(bucket.device)!r}"):
                torch.distributed.all_reduce(bucket)
            parts = bucket.split([tensors[i].numel() for i in mine])
            for i, part in zip(mine, parts, strict=True):
                found[i] = laid_out_as(tensors[i], part)
        return found

    def gathered(self, value: Value) -> list[Value]:
        found: list[Any] = [None] * self.count
        with self._reached():
            torch.distributed.all_gather_object(found, value)
        return found

    def of_first(self, make: Callable[[], Value]) -> Value:
        made: list[Any] = [None, None]
        if self.number == 0:
            try:
                made = [make(), None]
            except Exception as error:
                self._broadcast([None, told(error)])
                raise
        value, ended = self._broadcast(made)
        if ended is not None:
            raise RuntimeError(f"Rank 0 of {self.count} ended the fit of all: {ended}")
        return value

    @contextmanager
    def ending_together(self) -> Iterator[None]:
        mine: Exception | None = None
        try:
            yield
        except Exception as error:
            mine = error
        ended = self.gathered(None if mine is None else told(mine))
        if mine is not None:
            raise mine
        for number, text in enumerate(ended):
            if text is not None:
                raise RuntimeError(f"Rank {number} of {self.count} ended the fit of all: {text}")

    def _broadcast(self, values: list[Any]) -> list[Any]:
        with self._reached():
            torch.distributed.broadcast_object_list(values)
        return values

    @contextmanager
    def _reached(self, where: str = "the GPU that torch uses now") -> Iterator[None]:
        """Say what it means where the others are not reached."""
        try:
            yield
        except (RuntimeError, ValueError) as error:
            said = str(error).strip().splitlines()[0]
            if "No backend" in said or "no backend" in said:
                raise ValueError(
                    f"The process group has no way between ranks for {where}; initialise it with "
                    "init_process_group('gloo') for device='cpu', with 'nccl' for a GPU."
                ) from error
            raise RuntimeError(
                f"Rank {self.number} of {self.count} does not reach the other ranks any more: one "
                "has ended, or hangs for longer than the timeout of init_process_group; see what "
                f"it said last, and start all ranks again. torch says: {said}"
            ) from error


def laid_out_as(tensor: Tensor, values: Tensor) -> Tensor:
    """Values in the shape and the memory layout of a tensor: kernels rely on it."""
    values = values.view(tensor.shape)
    return values if tensor.is_contiguous() else torch.empty_like(tensor).copy_(values)


def told(error: Exception) -> str:
    """An error in words."""
    return f"{type(error).__name__}: {error}"


def ranks_of_program() -> Ranks:
    """The ranks of the program's process group; `ALONE` where it has none.

    Fits beside each other would mix their messages up. So a fit in a thread of its own, as in
    joblib's "threading" and in Dask's workers, is one process's, and so is one in a process that
    was forked by a rank. joblib's other workers have no group.
    """
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return ALONE
    in_thread = threading.current_thread() is not threading.main_thread()
    if in_thread or torch.distributed.group.WORLD in _inherited:
        return ALONE
    return SeveralRanks() if torch.distributed.get_world_size() > 1 else ALONE


def _forked() -> None:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        _inherited.append(torch.distributed.group.WORLD)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forked)
