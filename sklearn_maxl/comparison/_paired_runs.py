"""Fits of several arms on the same folds with the same seeds."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from numpy.typing import NDArray

from ._progress import Progress
from ._runs import Experiment, Found, Outcome
from ._shared_trials import shared_searches
from ._splits import Split
from ._warned import Warned

Done = Found | Outcome
Track = Callable[[Iterator[Done], Progress], Iterable[Done]]
"""Passes on what is done, and tells somebody about it."""


@dataclass
class Results:
    """What came of all searches and fits: arrays of shape (arms, seeds, folds)."""

    scores: NDArray[np.float64]
    seconds: NDArray[np.float64]
    """Of a fit, without the trials before it."""
    search_seconds: NDArray[np.float64]
    """Of the trials, the same for all arms that they were for; 0 where there were none."""
    warned: dict[tuple[int, type[Warning]], dict[tuple[int, int], str]] = field(
        default_factory=dict
    )
    """By arm and kind, the message of each seed and fold."""

    def add(self, done: Done) -> None:
        """Put something in its place."""
        seed, fold = done.split.seed, done.split.fold
        if isinstance(done, Found):
            if done.found:
                self.search_seconds[list(done.arms), seed, fold] = done.seconds
            for arm in done.arms:
                self._keep(arm, seed, fold, done.warnings)
            return
        self.scores[done.arm, seed, fold] = done.score
        self.seconds[done.arm, seed, fold] = done.seconds
        self._keep(done.arm, seed, fold, done.warnings)

    def _keep(self, arm: int, seed: int, fold: int, warned: Warned) -> None:
        for category, message in warned.items():
            self.warned.setdefault((arm, category), {})[seed, fold] = message

    def warn(self, names: list[object], stacklevel: int) -> None:
        """Say what the fits said, once for each arm and kind."""
        for (arm, category), messages in sorted(self.warned.items(), key=lambda item: item[0][0]):
            warnings.warn(
                f"{next(iter(messages.values()))} (Said by {len(messages)} of "
                f"{self.scores[0].size} fits of arm {names[arm]!r}, the others not always with "
                "the same figures.)",
                category,
                stacklevel=stacklevel + 1,
            )


def run_all(
    experiment: Experiment, seeds: list[list[Split]], n_jobs: int | None, track: Track
) -> Results:
    """Train every arm and every baseline in every split."""
    searches = shared_searches(experiment.estimator, experiment.arms)
    splits = [split for folds in seeds for split in folds]
    n_arms = len(experiment.names)
    jobs = effective_n_jobs(n_jobs)
    progress = Progress(len(searches) * len(splits), n_arms * len(splits), jobs)
    results = Results(*np.zeros((3, n_arms, len(seeds), len(seeds[0]))))

    def counted() -> Iterator[Done]:
        # With searches, as many splits at a time as keep all processes busy: what is wrong with
        # an arm or a score then shows before everything is searched for.
        at_a_time = jobs if searches else len(splits)
        for start in range(0, len(splits), at_a_time):
            for done in _run(experiment, splits[start : start + at_a_time], searches, n_jobs):
                progress.count(done)
                yield done

    for done in track(counted(), progress):
        results.add(done)
    results.warn(experiment.names, stacklevel=4)
    return results


def _run(
    experiment: Experiment,
    splits: list[Split],
    searches: list[tuple[int, ...]],
    n_jobs: int | None,
) -> Iterator[Done]:
    """All searches of some splits, then all fits, in the order in which they end.

    The arms of a split stand next to each other, so that whatever else the machine is
    doing slows all of them down.
    """
    parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    values: dict[tuple[int, int, int], dict[str, float]] = {}
    for found in parallel(delayed(experiment.search)(a, s) for s in splits for a in searches):
        for arm in found.arms:
            values[arm, found.split.seed, found.split.fold] = found.found
        yield found
    yield from parallel(
        delayed(experiment.fit)(arm, s, values.get((arm, s.seed, s.fold), {}))
        for s in splits
        for arm in range(len(experiment.names))
    )
