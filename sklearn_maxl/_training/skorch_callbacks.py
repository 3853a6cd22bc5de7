"""skorch's callbacks: a copy of each for one net, and what can't work here."""

import copy
from typing import TypeAlias

from skorch.callbacks import (
    BatchScoring,
    Callback,
    EpochScoring,
    InputShapeSetter,
    LRScheduler,
)

from .schedules import Schedule, constant

Entry: TypeAlias = Callback | tuple[str, Callback]


def own_copies(callbacks: list[Entry] | None) -> list[Entry] | None:
    """Callbacks for one net: they keep their state in themselves.

    What they were given (a writer, an open file) is shared, or it would stay empty.
    """
    if callbacks is None:
        return None
    for entry in callbacks:
        _check_entry(entry)
    return [
        (entry[0], copy.copy(entry[1])) if isinstance(entry, tuple) else copy.copy(entry)
        for entry in callbacks
    ]


def _check_entry(entry: object) -> None:
    """Refuse what skorch would not understand, here where it can be named."""
    name, callback = entry if isinstance(entry, tuple) and len(entry) == 2 else ("", entry)
    # skorch makes an object of a class, and takes None for a callback that is switched off.
    kind = callback if isinstance(callback, type) else type(callback)
    if not isinstance(name, str) or not (callback is None or issubclass(kind, Callback)):
        raise ValueError(
            "callbacks must hold objects of skorch.callbacks.Callback, or pairs of a name and such "
            f"an object, but holds {entry!r}."
        )


def check_callbacks(callbacks: list[tuple[str, Callback]], schedule: Schedule) -> None:
    """Refuse callbacks that would fail in the middle of training, or do nothing."""
    for _, callback in callbacks:
        reason = _why_not(callback, schedule)
        if reason:
            raise ValueError(f"callbacks: {type(callback).__name__} {reason}")


def _why_not(callback: Callback, schedule: Schedule) -> str | None:
    if isinstance(callback, LRScheduler) and schedule is not constant:
        name = getattr(schedule, "__name__", schedule)
        return f"needs schedule='constant'; schedule={name!r} sets the rates of every epoch."
    if isinstance(callback, BatchScoring):
        return "needs predictions of every batch, which are not kept; use EpochScoring."
    if isinstance(callback, EpochScoring) and not callable(callback.scoring):
        return (
            "can't score by name here; pass a function, such as "
            "lambda net, held_out, y=None: net.score_on(held_out)."
        )
    if isinstance(callback, InputShapeSetter):
        return "is not needed: the networks are made for the shape of X; leave it out."
    return None
