"""How many cores torch uses for one fit, whatever the program around it has set.

Sums over several threads are rounded differently, so a result that is to be the
same in the main process, in a joblib worker and in a thread needs a number of
threads of its own.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any

import torch

from .process_wide import ProcessWide

MAX_THREADS = 512  # far more than help; starting very many ends the process

_THREADS = ProcessWide(torch.get_num_threads, torch.set_num_threads)

# Whether this process has used several threads, and whether it is a fork of one that has:
# they are not in the fork, which would wait for them for ever.
_history = {"has used several": False, "is a fork": False}


def _forked() -> None:
    _history["is a fork"] = _history["has used several"]


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forked)


@contextmanager
def torch_threads(n: int | None) -> Iterator[None]:
    """Run a block on `n` torch threads; None leaves the number as it is."""
    _check(n)
    if n is None:
        yield
        return
    with _THREADS.at(int(n)):
        yield


def _check(n: Any) -> None:
    """Refuse a number that torch can't take, here or at all."""
    whole = isinstance(n, Integral) and not isinstance(n, bool)
    if n is not None and not (whole and 1 <= n <= MAX_THREADS):
        raise ValueError(
            f"n_threads must be None or a whole number from 1 to {MAX_THREADS}, got {n!r}."
        )
    if (torch.get_num_threads() if n is None else n) == 1:
        return
    if _history["is a fork"]:
        raise RuntimeError(
            f"n_threads={n} can't work in this process: it was forked from one that has used "
            "several threads of torch, which a fork waits for in vain. Use n_threads=1, or start "
            "processes by 'spawn' or 'forkserver', as joblib's loky does."
        )
    _history["has used several"] = True
