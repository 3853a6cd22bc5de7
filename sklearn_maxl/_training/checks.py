"""What can go wrong in a training, said with its cure."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from .settings import Settings


class DivergedError(ValueError):
    """A loss or a weight is not finite any more."""


def check_not_diverged(
    epoch: int,
    means: Mapping[str, float],
    states: Mapping[str, Mapping[str, Tensor]],
    settings: Settings,
) -> None:
    """Refuse to go on with what no further epoch can mend."""
    weights = [t.isfinite().all() for state in states.values() for t in state.values()]
    if np.isfinite(list(means.values())).all() and torch.stack(weights).all():
        return
    learned = settings.learned
    of_generator = "" if learned is None else f" or the lr of Learned (now {learned.lr})"
    raise DivergedError(
        f"Training diverged in epoch {epoch}: a loss or weight is not finite. Lower lr (now "
        f"{settings.lr}){of_generator}."
    )


@contextmanager
def small_batch_explained(n: int, batch_size: object) -> Iterator[None]:
    """Tell what to do where batch normalisation refuses a batch of a single sample."""
    try:
        yield
    except ValueError as error:
        if n == 1 and "more than 1 value per channel" in str(error):
            raise ValueError(
                "Batch normalisation can't train on a batch of one sample; raise batch_size (now "
                f"{batch_size if isinstance(batch_size, int) else 'auto'}) or pass more samples."
            ) from error
        raise
