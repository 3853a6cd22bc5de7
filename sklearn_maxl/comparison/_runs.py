"""One search and one fit of a comparison, as a process does them."""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from .._environment.interrupts import pass_interrupts_on
from .._environment.private_sklearn import safe_indexing
from .._environment.threads import torch_threads
from ._arms import Arms, label_of, with_params
from ._learning_rates import chosen_lr, set_lr
from ._scoring import Score
from ._splits import Split

Warned = dict[type[Warning], str]
"""One message of each kind."""


@dataclass(frozen=True)
class Found:
    """What a search for the learning rate gave, and which it was."""

    arms: tuple[int, ...]
    """Those that it is for."""
    split: Split
    lr: float | None
    """None where a fit would not look for one."""
    seconds: float
    warnings: Warned

    def __str__(self) -> str:
        rate = "no rate to find" if self.lr is None else f"lr={self.lr:g}"
        return f"{self.split}: {rate}, {self.seconds:.1f} s"


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
    """What all searches and fits share."""

    estimator: BaseEstimator
    X: ArrayLike
    y: ArrayLike
    arms: Arms
    score: Score

    def search(self, arms: tuple[int, ...], split: Split) -> Found:
        """Look for the learning rate of some arms in a split."""
        model = self._model(arms[0], split)
        X, y = self._samples(split.train)
        with _alone() as warned:
            start = time.perf_counter()
            lr = chosen_lr(model, X, y)
            seconds = time.perf_counter() - start
        return Found(arms, split, lr, seconds, warned)

    def fit(self, arm: int, split: Split, lr: float | None) -> Outcome:
        """Train an arm in a split, with the learning rate that was found, and score it."""
        model = self._model(arm, split)
        if lr is not None:
            set_lr(model, lr)
        (X, y), held_out = self._samples(split.train), self._samples(split.test)
        name = label_of(list(self.arms)[arm])
        with _alone() as warned:
            start = time.perf_counter()
            model.fit(X, y)
            seconds = time.perf_counter() - start
            score = self.score.of(model, *held_out, f"arm {name!r}, {split}")
        return Outcome(arm, name, split, score, seconds, warned)

    def _model(self, arm: int, split: Split) -> BaseEstimator:
        model = with_params(self.estimator, list(self.arms.values())[arm])
        random_states = [n for n in model.get_params() if n.rsplit("__", 1)[-1] == "random_state"]
        return model.set_params(**dict.fromkeys(random_states, split.training_seed))

    def _samples(self, rows: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        return safe_indexing(self.X, rows), safe_indexing(self.y, rows)


@contextmanager
def _alone() -> Iterator[Warned]:
    """One thread, warnings collected, and half a training is none."""
    warned: Warned = {}
    with pass_interrupts_on(), torch_threads(1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield warned
        warned.update({w.category: str(w.message) for w in caught})
