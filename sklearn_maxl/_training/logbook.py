"""Where a fit writes down how far it is, so that one that was killed goes on.

The training knows no files. It asks the logbook what is known already, and tells it what is
new. Without a callback that keeps one nothing is known, nothing is written, and every result is
the same.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from skorch.callbacks import Callback

from .._environment.ranks import Ranks
from .early_stopping import BestState

if TYPE_CHECKING:
    from .call import Call
    from .fitted import Fitted
    from .net import MAXLNet

Outputs = NDArray[np.float32]


class Logbook:
    """A logbook that nobody keeps."""

    def seed(self, drawn: int) -> int:
        """The seed of the fit: the one that was drawn for it now, or the one that it had."""
        return drawn

    def trial(self, name: str, shape: tuple[int, ...], train: Callable[[], Outputs]) -> Outputs:
        """What a trial predicts, an array of a shape, known already or found by training."""
        return train()

    def start(self, fitted: "Fitted") -> None:
        """Give fresh labels what they had learned."""

    def restore(self, net: "MAXLNet", epochs: int) -> int:
        """Put a fresh net where it was; how many of the `epochs` are left."""
        return epochs

    def begin(self, net: "MAXLNet", best: BestState[Any] | None) -> None:
        """The epochs begin; early stopping gets what it had found."""

    def epoch(self, net: "MAXLNet", best: BestState[Any] | None, stop: bool) -> None:
        """An epoch has ended, after which nothing comes if `stop`."""


BLANK = Logbook()


class KeepsLogbook(Callback):
    """A callback that keeps the logbook of a fit."""

    def logbook(self, call: "Call", ranks: Ranks) -> AbstractContextManager[Logbook]:
        """The logbook, open for the time of the fit."""
        raise NotImplementedError


def keeper_among(callbacks: list[Any] | None) -> KeepsLogbook | None:
    """The one callback that keeps a logbook, if there is one."""
    # Entries that are none are refused where the net is made.
    given = [
        entry[-1] if isinstance(entry, tuple) and entry else entry for entry in callbacks or ()
    ]
    keepers = [callback for callback in given if isinstance(callback, KeepsLogbook)]
    if len(keepers) > 1:
        raise ValueError(
            f"callbacks has {len(keepers)} of {type(keepers[0]).__name__}, but a fit keeps one "
            "checkpoint; leave the others out."
        )
    return keepers[0] if keepers else None
