"""One search and one fit of a comparison, as a process does them."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone

from .._environment.interrupts import Held
from .._environment.private_sklearn import safe_indexing
from .._environment.threads import torch_threads
from ._arms import Arms, label_of, with_params
from ._scoring import Score
from ._shared_trials import found_by_trials, set_found
from ._splits import Split
from ._warned import Warned, warnings_of_block


@dataclass(frozen=True)
class Found:
    """What the trials of a split gave, and which it was."""

    arms: tuple[int, ...]
    """Those that it is for."""
    split: Split
    found: dict[str, float]
    """By parameter; empty where a fit would make no trials."""
    seconds: float
    warnings: Warned

    def __str__(self) -> str:
        found = ", ".join(f"{name}={value:g}" for name, value in self.found.items())
        return f"{self.split}: {found or 'nothing to find'}, {self.seconds:.1f} s"


@dataclass(frozen=True)
class Outcome:
    """What one fit gave, and which it was."""

    arm: int
    name: str
    split: Split
    score: float
    seconds: float
    warnings: Warned

    def __str__(self) -> str:
        return f"{self.name}, {self.split}: score {self.score:.4f}, {self.seconds:.1f} s"


@dataclass(frozen=True)
class Experiment:
    """What all searches and fits share. The baselines have the numbers after the arms."""

    estimator: BaseEstimator
    X: ArrayLike
    y: ArrayLike
    arms: Arms
    score: Score
    baselines: Mapping[str, BaseEstimator] = field(default_factory=dict)

    @property
    def names(self) -> list[object]:
        """Of the arms, then of the baselines."""
        return [*self.arms, *self.baselines]

    def search(self, arms: tuple[int, ...], split: Split) -> Found:
        """Make the trials of some arms in a split."""
        model = self._model(arms[0], split)
        X, y = self._samples(split.train)
        with _alone() as warned:
            start = time.perf_counter()
            found = found_by_trials(model, X, y)
            seconds = time.perf_counter() - start
        return Found(arms, split, found, seconds, warned)

    def fit(self, arm: int, split: Split, found: dict[str, float]) -> Outcome:
        """Train an arm in a split, with what trials found, and score it."""
        model = self._model(arm, split)
        if found:
            set_found(model, found)
        (X, y), held_out = self._samples(split.train), self._samples(split.test)
        name = label_of(self.names[arm])
        with _alone() as warned:
            start = time.perf_counter()
            model.fit(X, y)
            seconds = time.perf_counter() - start
            score = self.score.of(model, *held_out, f"arm {name!r}, {split}")
        return Outcome(arm, name, split, score, seconds, warned)

    def _model(self, arm: int, split: Split) -> BaseEstimator:
        if arm < len(self.arms):
            model = with_params(self.estimator, list(self.arms.values())[arm])
        else:
            model = clone(list(self.baselines.values())[arm - len(self.arms)])
        random_states = [n for n in model.get_params() if n.rsplit("__", 1)[-1] == "random_state"]
        return model.set_params(**dict.fromkeys(random_states, split.training_seed))

    def _samples(self, rows: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        return safe_indexing(self.X, rows), safe_indexing(self.y, rows)


@contextmanager
def _alone() -> Iterator[Warned]:
    """One thread, warnings collected; Ctrl-C waits until both can be put back."""
    with Held(), torch_threads(1), warnings_of_block() as warned:
        yield warned
