"""Ctrl-C at any moment of a fit or a search: what is raised, kept, and left changed.

    python -m benchmarks.reliability.interrupts [--moments 50] [--seed 0]

So many moments of each case and way; what has a row in results/reliability_interrupts.csv is not
tried again. docs/interrupts.rst shows the rows. Exits with 1 if any moment fell, and prints it. All
with 50 take about five minutes of an idle core.
"""

import argparse
import copy
import random
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.common.resume import resume
from benchmarks.common.rows import RESULTS, numbers
from benchmarks.reliability.moments import PACKAGE, Sent, at_line, at_time, changed, process_state
from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl.backbones import MLP, ConvNet
from sklearn_maxl.comparison import compare
from sklearn_maxl.labels import Learned

X, Y = (a[::3] for a in load_iris(return_X_y=True))
IMAGES, DIGIT = (a[:40] for a in load_digits(return_X_y=True))
IMAGES = IMAGES.reshape(-1, 1, 8, 8).astype(np.uint8)
TINY = MLP((4,))
EXACT = Learned(every=1)
SMALL = {"lr": 0.01, "psi": 2, "batch_size": 50, "max_epochs": 3, "random_state": 0}
CLASSIFIER = MAXLClassifier(TINY, auxiliary=EXACT, temperature=1, **SMALL)

ENDS = 200  # lines at either end, where a call has not begun to wait or does not wait any more

# Optimizer steps that may follow: of the step within which the signal comes, of both networks or
# of the two lengths that trials try.
STEPS_OF_ONE = 2


@dataclass(frozen=True)
class Case:
    """What is interrupted.

    Attributes
    ----------
    estimator : estimator
        What is trained, a clone each time.
    call : callable
        (estimator, X, y) -> the call that is interrupted.
    images : bool
        What data it is trained on.
    inside : bool
        Whether the estimator is cloned by the call, so that nothing of it can be looked at.
    """

    estimator: BaseEstimator
    call: Callable[[Any, Any, Any], object] = lambda estimator, X, y: estimator.fit(X, y)
    images: bool = False
    inside: bool = False

    @property
    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Samples and targets."""
        return (IMAGES, DIGIT) if self.images else (X, Y)


def with_parameters(**parameters: object) -> MAXLClassifier:
    """The small classifier with some parameters changed."""
    return clone(CLASSIFIER).set_params(**parameters)


FITS = {
    "fit": Case(CLASSIFIER),
    "early stopping, dropout": Case(
        with_parameters(early_stopping=True, backbone=MLP((4,), dropout=0.3))
    ),
    "double backward": Case(with_parameters(auxiliary__meta_gradient="double_backward")),
    "trials at once": Case(with_parameters(temperature="auto")),
    "trials in turn": Case(with_parameters(psi="auto", max_epochs=4)),
    "k-means": Case(with_parameters(auxiliary="kmeans")),
    "bfloat16": Case(with_parameters(precision="bfloat16")),
    "images with views": Case(MAXLClassifier(ConvNet((4,)), auxiliary=EXACT, **SMALL), images=True),
    "regression": Case(MAXLRegressor(TINY, auxiliary=EXACT, **SMALL)),
    "partial_fit": Case(
        CLASSIFIER, lambda estimator, X, y: estimator.partial_fit(X, y, classes=np.unique(y))
    ),
    "warm start": Case(with_parameters(warm_start=True)),
}
SEARCHES = {
    "cross_val_score": Case(
        make_pipeline(StandardScaler(), CLASSIFIER),
        lambda estimator, X, y: cross_val_score(estimator, X, y, cv=2),
        inside=True,
    ),
    "GridSearchCV": Case(
        with_parameters(max_epochs=2),
        lambda estimator, X, y: GridSearchCV(estimator, {"psi": [1, 2]}, cv=2, refit=False).fit(
            X, y
        ),
        inside=True,
    ),
    "compare": Case(
        with_parameters(max_epochs=2),
        lambda estimator, X, y: compare(estimator, X, y, arms=("uniform", None), cv=2, n_seeds=1),
        inside=True,
    ),
}
CASES = {**FITS, **SEARCHES}
WAYS = ("a line of the package", "a line of any code", "the clock")
FITTED = [True, False]  # whether the estimator is fitted before, in turn


class Tried:
    """A case at moments that are drawn, one after the other.

    Parameters
    ----------
    name : str
        Of a case.
    way : str
        One of `WAYS`: what the moments are drawn from, evenly.
    rng : random.Random
    """

    def __init__(self, name: str, way: str, rng: random.Random):
        self.case, self.way, self.rng = CASES[name], way, rng
        self.fitted = clone(self.case.estimator).fit(*self.case.data)
        self.expected = self.predictions(self.fitted)
        self.folder = "" if way == WAYS[1] else PACKAGE
        start = perf_counter()
        self.case.call(clone(self.case.estimator), *self.case.data)
        self.seconds = perf_counter() - start
        self.n_lines = self._at(0, Sent(), clone(self.case.estimator))

    def _at(self, moment: float, sent: Sent, estimator: BaseEstimator) -> int:
        def action() -> object:
            return self.case.call(estimator, *self.case.data)

        if isinstance(moment, int):
            return at_line(action, moment, sent, self.folder)
        at_time(action, moment, sent)
        return 0

    def predictions(self, estimator: Any) -> np.ndarray:
        """What a fitted estimator says of its samples."""
        return getattr(estimator, "predict_proba", estimator.predict)(self.case.data[0])

    def moment(self) -> float:
        """The number of a line, of the first and last ones more often than of others; or a time."""
        if self.way == WAYS[2]:
            return self.rng.uniform(1e-5, self.seconds)
        first = self.rng.randint(1, min(ENDS, self.n_lines))
        last = self.n_lines + 1 - first
        return self.rng.choice([first, last, *(self.rng.randint(1, self.n_lines) for _ in "1234")])

    def interrupted(self, moment: float) -> str:
        """What becomes of a moment: "kept", "as before", "ended before", or how it fell."""
        estimator = clone(self.case.estimator)
        if not self.case.inside and self.rng.choice(FITTED):
            estimator = copy.deepcopy(self.fitted)
        attributes, before = dict(vars(estimator)), process_state()
        with Sent() as sent:
            try:
                self._at(moment, sent, estimator)
                raised = "nothing"
            except BaseException as error:
                raised = type(error).__name__
        if not sent.yes and raised == "nothing":
            return "ended before"
        if raised != "KeyboardInterrupt":
            return f"fell: {raised} was raised"
        if left := changed(before):
            return f"fell: {', '.join(left)} changed"
        if sent.steps_after > STEPS_OF_ONE:
            return f"fell: {sent.steps_after} steps followed"
        return "raised" if self.case.inside else self._left_behind(estimator, attributes)

    def _left_behind(self, estimator: Any, before: dict[str, object]) -> str:
        now = vars(estimator)
        if now.keys() == before.keys() and all(now[name] is before[name] for name in now):
            return "as before"
        try:
            n, rows = estimator.n_iter_, len(estimator.history_)
            right = n == rows == len(estimator.net_.history) > 0
            right &= bool(np.isfinite(self.predictions(estimator)).all())
        except Exception as error:
            return f"fell: not usable, {type(error).__name__}"
        return "kept" if right else "fell: half fitted"

    def fits_as_ever(self) -> bool:
        """Whether another fit gives the bits that it gave before all interruptions."""
        again = clone(self.case.estimator).fit(*self.case.data)
        return np.array_equal(self.predictions(again), self.expected)


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings, one thread, and Ctrl-C is heard, which a process in the background ignores."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def count(name: str, way: str, n: int, seed: int) -> Counter[str]:
    """What becomes of so many moments; those that come too late are drawn anew."""
    tried, found = Tried(name, way, random.Random(f"{seed} {name} {way}")), Counter[str]()
    while found.total() < n:
        moment = tried.moment()
        became = tried.interrupted(moment)
        if became.startswith("fell"):
            print(f"{name}, {way} {moment}: {became}", flush=True)
        if became != "ended before":
            found[became] += 1
    if not tried.fits_as_ever():
        found["fell: the next fit differs"] += 1
    return found


def row(n: int, name: str, way: str, seed: int) -> tuple[int, ...]:
    """How many moments there were, and of each kind."""
    with quiet():
        found = count(name, way, n, seed)
    fell = sum(k for became, k in found.items() if became.startswith("fell"))
    return (found.total(), found["kept"], found["as before"], found["raised"], fell)


def run(n: int, seed: int) -> int:
    """All cases in all ways; the number of moments that fell."""
    rows = resume(
        RESULTS / "reliability_interrupts.csv",
        ("case", "way", "seed"),
        ("moments", "kept", "as_before", "raised", "fell"),
        [(name, way, seed) for name in CASES for way in WAYS],
        partial(row, n),
        n_jobs=1,
    )
    return int(numbers(rows, "fell").sum())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sys.exit(1 if run(given.moments, given.seed) else 0)
