"""Whether Ctrl-C ends a training for good, or leaves what was learned until then."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_PASSED_ON = ContextVar("interrupts_are_passed_on", default=False)


def interrupts_are_passed_on() -> bool:
    """Whether a training must not keep what it learned before it was interrupted."""
    return _PASSED_ON.get()


@contextmanager
def pass_interrupts_on() -> Iterator[None]:
    """Let Ctrl-C end the block, for those to whom half a training is worth nothing."""
    token = _PASSED_ON.set(True)
    try:
        yield
    finally:
        _PASSED_ON.reset(token)
