"""One call of an estimator's `fit` or `partial_fit`."""

from dataclasses import dataclass, replace

from sklearn.base import BaseEstimator

from .._data.arrays import Arrays
from .._environment.ranks import Ranks
from .._tasks.primary import Targets
from .over_ranks import settings_of_rank
from .settings import Settings


@dataclass(frozen=True)
class Call:
    """All that the outcome of a training depends on.

    Attributes
    ----------
    estimator : BaseEstimator
    settings : Settings
        What its parameters come to.
    arrays : Arrays
        Checked samples and targets.
    targets : Targets
    seed : int
        Drawn for this call, or the same for every call with a ``random_state``.
    """

    estimator: BaseEstimator
    settings: Settings
    arrays: Arrays
    targets: Targets
    seed: int

    @property
    def is_repeatable(self) -> bool:
        """Whether the same call again would have the same seed."""
        return self.estimator.random_state is not None

    def on(self, ranks: Ranks, seed: int) -> "Call":
        """The same on one of several ranks, with the seed that all have."""
        return replace(self, settings=settings_of_rank(self.settings, ranks), seed=seed)
