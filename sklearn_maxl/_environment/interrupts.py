"""Ctrl-C between two steps, never within one.

Python calls its handlers of signals between any two instructions. One that raises, as that of
Ctrl-C does, may so leave a function that is just changing torch's modes, its threads or its
random state, and they stay changed for the rest of the program. Within a block of `Held` the
handlers wait for a call of `let_through`, which stands where nothing is half done, or for the
end of the block. Who presses Ctrl-C once more is not kept waiting.
"""

import signal
import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar
from types import FrameType
from typing import Self

Handler = Callable[[int, FrameType | None], object]

# What a program outside sends, or an alarm clock. Ctrl-C comes first: it waits the longest.
NAMES = ("SIGINT", "SIGTERM", "SIGALRM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGBREAK")
SIGNALS: list[int] = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]

# Python calls handlers in the main thread alone, so that these are of that thread.
_handlers: dict[int, Handler] = {}  # those that wait; none outside of all blocks
_came: list[int] = []  # signals that they have to be told of


def _comes(signum: int, frame: FrameType | None) -> None:
    """The handler of all signals within a block."""
    if signum in _came:  # the second time
        _came.remove(signum)
        _call(signum, frame)
    else:
        _came.append(signum)


def _call(signum: int, frame: FrameType | None) -> None:
    try:
        _handlers[signum](signum, frame)
    except BaseException as error:
        vars(error)["of_signal"] = True
        raise


def is_of_signal(error: BaseException) -> bool:
    """Whether a signal is behind an error, and not a callback that ends a training so."""
    return "of_signal" in vars(error)


def let_through() -> None:
    """Call the handlers of signals that came, where nothing is half done. They may raise."""
    while _came and threading.current_thread() is threading.main_thread():
        _call(_came.pop(0), sys._getframe(1))


class Held:
    """A block within which handlers of signals wait; blocks may stand within one another."""

    def __enter__(self) -> Self:
        main = threading.current_thread() is threading.main_thread()
        self._outermost = main and not _handlers
        self._postponed: KeyboardInterrupt | None = None
        if self._outermost:
            try:
                _hold()
            except BaseException:
                _put_back()
                raise
        self._token = _BLOCK.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _BLOCK.reset(self._token)
        try:
            if self._outermost:
                _end()
            else:
                let_through()
        finally:
            if self._postponed is not None:
                raise self._postponed

    def postpone(self, error: KeyboardInterrupt) -> None:
        """Raise it when the block ends, whatever else happens."""
        self._postponed = error


_BLOCK: ContextVar[Held | None] = ContextVar("block", default=None)


def raise_later(error: KeyboardInterrupt) -> None:
    """Raise an interruption when the innermost block ends; at once outside of all blocks."""
    block = _BLOCK.get()
    if block is None:
        raise error
    block.postpone(error)


def _hold() -> None:
    _came.clear()
    for signum in SIGNALS:
        handler = signal.getsignal(signum)
        if callable(handler):
            _handlers[signum] = handler
            signal.signal(signum, _comes)


def _end() -> None:
    try:
        _put_back()
    finally:
        _put_back()  # what a signal that is held no more has left undone
    came = _came.copy()
    _came.clear()
    _send(came)


def _put_back() -> None:
    for signum in reversed(list(_handlers)):
        if signal.getsignal(signum) is _comes:  # else the program has set another one meanwhile
            signal.signal(signum, _handlers[signum])
        del _handlers[signum]


def _send(signals: list[int]) -> None:
    """Send signals to this process, each also if the handler of one before raises."""
    if signals:
        try:
            signal.raise_signal(signals[0])
        finally:
            _send(signals[1:])
