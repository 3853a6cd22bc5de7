"""Where classes are coarse: do finer labels help if the auxiliary head predicts as well?

    SKLEARN_MAXL_DATA=folder python -m benchmarks.studies.coarse_classes

The classes of a table are put together into two coarse ones, by whether their number is even. The
true classes are then finer labels; arms that are given them show what there is to be won, labels
drawn at random what there is to be lost. A fit is asked in three ways: its primary head, at the
temperature that trials have found; its auxiliary head; and the mean of both in log-probabilities.
In the last arm the package decides, as `Human` has it. The tables are in docs/learned.rst.
"""

from itertools import product
from typing import Any

import numpy as np
from scipy.special import log_softmax

from benchmarks.evidence.arms import Fit
from benchmarks.evidence.fits import fitted_scores
from benchmarks.evidence.rivals import Reading, as_it_predicts
from benchmarks.evidence.sets import TUNED_ON, Split, split
from benchmarks.studies.study import study
from sklearn_maxl import MAXLClassifier
from sklearn_maxl.labels import Human, Learned

SETS = [
    *((name, 200) for name in ("vehicle", "segmentation", "mfeat-factors")),  # for tuning
    *((name, 1000) for name in ("segmentation", "mfeat-factors")),
    *(
        (name, n)
        for n in (200, 1000)
        for name in ("digits", "letter", "pendigits", "satimage")
        if (name, n) != ("digits", 1000)  # which has too few rows
    ),
]
FOUND = Learned(every=1, meta_scale="inverse_lr", information_weight=0.1)
ARMS: dict[str, Any] = {
    "no auxiliary labels": None,
    "evenly spread": "uniform",
    "learned": "maxl",
    "learned, information_weight=0.1": FOUND,
    "k-means": "kmeans",
    "drawn at random": "random",
    "the true classes": Human(predicts=False),
    "the true classes, by default": Human(),
}


def auxiliary_head(clf: MAXLClassifier, X: np.ndarray) -> np.ndarray:
    """The mass of each class's block of auxiliary classes."""
    starts = np.cumsum(clf.psi_) - clf.psi_
    return np.add.reduceat(clf.predict_auxiliary(X), starts, axis=1)


def both_heads(clf: MAXLClassifier, X: np.ndarray) -> np.ndarray:
    """The mean of both heads, in log-probabilities."""
    tiny = np.finfo(np.float32).tiny
    logs = [np.log(head(clf, X).clip(tiny)) for head in (as_it_predicts, auxiliary_head)]
    return np.exp(log_softmax(np.mean(logs, axis=0), axis=1))


HEADS: dict[str, Reading] = {
    "primary": as_it_predicts,
    "auxiliary": auxiliary_head,
    "both": both_heads,
}


def coarse(name: str, n: int, seed: int) -> Split:
    """Rows with classes by whether their number is even; of a table for tuning, those for that."""
    data = split(name, n, seed, "validation" if name in TUNED_ON else "test")
    return Split(data.X, data.y % 2, data.X_test, data.y_test % 2, finer=data.y)


def run(name: str, n: int, arm: str, seed: int) -> Any:
    labels = ARMS[arm]
    readings: dict[str, Reading] = HEADS
    if labels is None or getattr(labels, "predicts", False):
        readings = {"primary" if labels is None else "default": as_it_predicts}
    fit = Fit({"auxiliary": labels}, readings)
    return fitted_scores(coarse(name, n, seed), fit, {}, seed)


def main() -> None:
    keys = ["data_set", "n", "arm", "seed"]
    values = ["head", "accuracy", "log_loss", "calibration_error", "seconds", "version"]
    runs = [
        (name, n, arm, 160 + seed if name in TUNED_ON else seed)
        for seed, (name, n), arm in product(range(6), SETS, ARMS)
    ]
    study("coarse_classes", keys, values, runs, run)


if __name__ == "__main__":
    main()
