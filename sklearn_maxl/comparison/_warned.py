"""What the fits of each thread warn of, apart from each other.

Python keeps for the whole process who is told of warnings: of several `warnings.catch_warnings` at
the same time, in threads, one hears what another should, and who ends last leaves its ear behind.
"""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

Warned = dict[type[Warning], str]
"""One message of each kind."""

_LOCK = threading.Lock()
_OF_THREADS: dict[int, list[Warned]] = {}  # of every thread that has blocks, the innermost last
_OUTSIDE: list[warnings.catch_warnings] = []  # what the last block of all puts back


@contextmanager
def warnings_of_block() -> Iterator[Warned]:
    """Collect what this thread warns of in a block, and tell nobody else."""
    thread, warned = threading.get_ident(), Warned()
    with _LOCK:
        if not _OF_THREADS:
            _begin()
        _OF_THREADS.setdefault(thread, []).append(warned)
    try:
        yield warned
    finally:
        with _LOCK:
            _OF_THREADS[thread].pop()
            if not _OF_THREADS[thread]:
                del _OF_THREADS[thread]
            if not _OF_THREADS:
                _OUTSIDE.pop().__exit__(None, None, None)


def _begin() -> None:
    outside = warnings.catch_warnings()
    outside.__enter__()
    _OUTSIDE.append(outside)
    shown = warnings.showwarning

    def hear(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        blocks = _OF_THREADS.get(threading.get_ident())
        if blocks:
            blocks[-1][category] = str(message)
        else:
            shown(message, category, filename, lineno, file, line)

    warnings.simplefilter("always")
    warnings.showwarning = hear
