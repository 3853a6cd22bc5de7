"""How many cores torch uses for one fit, whatever the program around it has set.

Sums over several threads are rounded differently, so a result that is to be the
same in the main process, in a joblib worker and in a thread needs a number of
threads of its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .process_wide import ProcessWide

_THREADS = ProcessWide(torch.get_num_threads, torch.set_num_threads)


@contextmanager
def torch_threads(n: int | None) -> Iterator[None]:
    """Run a block on `n` torch threads; None leaves the number as it is."""
    if n is None:
        yield
        return
    with _THREADS.at(n):
        yield
