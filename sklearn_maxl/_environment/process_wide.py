"""Settings that torch keeps for the whole process, changed for the time of a block."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

Value = TypeVar("Value")


class ProcessWide(Generic[Value]):
    """A setting that blocks in several threads may change at the same time.

    It is put back when the last block ends, unless the program has changed it meanwhile.

    Parameters
    ----------
    read : callable
        Gives the setting's value.
    change : callable
        Gives it another one.
    """

    def __init__(self, read: Callable[[], Value], change: Callable[[Value], object]):
        self._read, self._change = read, change
        self._lock = threading.Lock()
        self._before: list[Value] = []  # what to put back; one entry for each running block

    @contextmanager
    def at(self, value: Value) -> Iterator[None]:
        """Run a block with another value."""
        with self._lock:
            outside = self._before[0] if self._before else self._read()
            self._change(value)  # first: it may refuse the value
            self._ours = value
            self._before.append(outside)
        try:
            yield
        finally:
            with self._lock:
                outside = self._before.pop()
                if not self._before and self._read() == self._ours:
                    self._change(outside)
