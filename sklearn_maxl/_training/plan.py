"""What a training works on: which samples are held out, and where random numbers start."""

import copy
from dataclasses import dataclass

import numpy as np

from .._data.arrays import Arrays, holdout_split, moments
from .._networks.trunk import Scaling
from .._tasks.primary import Targets
from .settings import Settings


@dataclass(frozen=True)
class Plan:
    """What a training works on, and what all trainings of a fit share.

    Attributes
    ----------
    arrays : Arrays
        All samples.
    parts : dict of str to Arrays
        "train" and, where they are held out, "validation" and "meta".
    targets : Classes or Bins
    scaling : tuple of arrays
        Mean and scale of the inputs.
    rng : RandomState
        Where the random numbers of every training start; each draws from a copy.
    seed : int
        What is held out follows from it alone, and what is decided before the trainings.
    """

    arrays: Arrays
    parts: dict[str, Arrays]
    targets: Targets
    scaling: Scaling
    rng: np.random.RandomState
    seed: int


def make_plan(
    settings: Settings,
    arrays: Arrays,
    targets: Targets,
    seed: int,
    rng: np.random.RandomState | None = None,
) -> Plan:
    """Hold out what early stopping and the meta loss are taken on; find the scaling.

    A training that goes on gives the `seed` of the first one, so that the same rows are held
    out again, and its own `rng`. Without that, a training's numbers come after those that
    were drawn for the parts.
    """
    own, parts = np.random.RandomState(seed), {"train": arrays}
    learned = settings.learned
    meta = learned is not None and learned.meta_batch == "holdout"
    for name, wanted in (("validation", settings.early_stopping), ("meta", meta)):
        if wanted:
            parts["train"], parts[name] = hold_out(
                parts["train"], settings.validation_fraction, own
            )
    scaling = moments(parts["train"].X, parts["train"].weight)
    rng = own if rng is None else copy.deepcopy(rng)
    return Plan(arrays, parts, targets, scaling, rng, seed)


def hold_out(arrays: Arrays, fraction: float, rng: np.random.RandomState) -> tuple[Arrays, Arrays]:
    """What is kept, and a part of each class that is held out."""
    keep, held = holdout_split(arrays.y, fraction, rng)
    return arrays.take(keep), arrays.take(held)


def stream(seed: int, number: int) -> np.random.RandomState:
    """Random numbers of their own for one decision: not those that made another."""
    seeds = np.random.RandomState(seed).randint(2**31 - 1, size=number + 1)
    return np.random.RandomState(seeds[number])
