"""A fit with the defaults of small tables, and its parts, beside scikit-learn's default network."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from benchmarks.common.operations import operations
from benchmarks.speed.cases import Run
from benchmarks.speed.rows import Row, summarize
from benchmarks.speed.timing import timed
from sklearn_maxl import MAXLClassifier

BASE = "MLPClassifier()"
Data = tuple[np.ndarray, np.ndarray]


def defaults(run: Run) -> list[Row]:
    """Whole fits: all defaults, without trials, without labels, without either, one network."""
    rows = []
    for name, (X, y) in tables(run).items():
        default = ours(run.device, X, y)
        found = {"max_epochs": default.n_iter_, "temperature": default.temperature_}
        fit = partial(ours, run.device, X, y)
        methods: dict[str, Callable[[], Any]] = {
            BASE: partial(scikit_learn, X, y),
            "MAXLClassifier()": fit,
            "without trials": partial(fit, **found),
            "auxiliary=None": partial(fit, auxiliary=None),
            "auxiliary=None, without trials": partial(fit, auxiliary=None, **found),
            "a single network, the same": partial(fit, auxiliary=None, backbone="mlp", **found),
        }
        counts = {key: operations(call) for key, call in methods.items() if key != BASE}
        timers = {key: timed(call, run.device) for key, call in methods.items()}
        rows += summarize("defaults", run.device, name, BASE, run.time(timers, 9), "", counts)
    return rows


def ours(device: str, X: np.ndarray, y: np.ndarray, **settings: Any) -> MAXLClassifier:
    return MAXLClassifier(**settings, device=device, random_state=0).fit(X, y)


def scikit_learn(X: np.ndarray, y: np.ndarray) -> MLPClassifier:
    return MLPClassifier(random_state=0).fit(StandardScaler().fit_transform(X), y)


def tables(run: Run) -> dict[str, Data]:
    """Rows of scikit-learn's own tables."""
    digits, cancer = load_digits(return_X_y=True), load_breast_cancer(return_X_y=True)
    sizes = [(digits, "digits", 200), (cancer, "breast cancer", 200), (digits, "digits", 1000)]
    found = {}
    for (X, y), name, n in sizes[: run.size(None, 1)]:
        n = run.size(n, 60)
        found[f"{name}, {n:,} rows"] = (X[:n], y[:n])
    return found
