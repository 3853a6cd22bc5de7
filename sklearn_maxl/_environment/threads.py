"""How many cores torch uses for one fit, whatever the program around it has set.

Sums over several threads are rounded differently, so a result that is to be the
same in the main process, in a joblib worker and in a thread needs a number of
threads of its own. torch keeps that number for the whole process: it is put back
when the last block that asked for one ends.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_LOCK = threading.Lock()
_before: list[int] = []  # what to put back; one entry for each block that is running


@contextmanager
def torch_threads(n: int | None) -> Iterator[None]:
    """Run a block on `n` torch threads; None leaves the number as it is."""
    if n is None:
        yield
        return
    with _LOCK:
        _before.append(_before[0] if _before else torch.get_num_threads())
        torch.set_num_threads(n)
    try:
        yield
    finally:
        with _LOCK:
            outside = _before.pop()
            if not _before:
                torch.set_num_threads(outside)
