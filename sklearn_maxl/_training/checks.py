"""What can go wrong in a training, said with its cure."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from .settings import Settings

NETWORKS = {"module_": "the network", "generator_": "the label generator"}

# Of numbers that are usually near 1.
UNUSUAL = 100


class DivergedError(ValueError):
    """A loss or a weight is not finite any more."""


def check_not_diverged(
    epoch: int,
    means: Mapping[str, float],
    states: Mapping[str, Mapping[str, Tensor]],
    settings: Settings,
) -> None:
    """Refuse to go on with what no further epoch can mend."""
    losses = [name for name, mean in means.items() if not np.isfinite(mean)]
    finite = {
        name: torch.stack([t.isfinite().all() for t in state.values()]).all()
        for name, state in states.items()
    }
    weights = [f"a weight of {NETWORKS[name]}" for name, whole in finite.items() if not whole]
    if losses or weights:
        raise DivergedError(
            f"Training diverged in epoch {epoch}: not finite are {', '.join(losses + weights)}. "
            f"Lower {_to_lower(settings)}."
        )


def _to_lower(settings: Settings) -> str:
    """The parameters that may be why: what is unusually large, and the learning rates."""
    recipe, learned = settings.recipe, settings.learned
    named = {"auxiliary_weight": recipe.auxiliary_weight, "focal_gamma": recipe.focal_gamma}
    if learned is not None:
        own = {**learned.regularisers, "weight_range": learned.weight_range}
        if recipe.meta_scale is not None:
            own["meta_scale"] = recipe.meta_scale
        named |= {f"{name} of Learned": value for name, value in own.items()}
    found = {name: value for name, value in named.items() if value > UNUSUAL}
    found["lr"] = settings.lr
    if learned is not None:
        found["the lr of Learned"] = learned.lr
    *first, last = (f"{name} (now {value:g})" for name, value in found.items())
    return f"{', '.join(first)} or {last}" if first else last


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
