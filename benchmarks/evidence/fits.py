"""One fit of an arm, and its scores."""

import subprocess
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import log_loss

import sklearn_maxl
from benchmarks.evidence.arms import classifier
from benchmarks.evidence.rivals import Rival, predict_proba
from benchmarks.evidence.sets import Split


def scores(y: np.ndarray, probabilities: np.ndarray) -> tuple[float, float, float]:
    """Accuracy, log-loss, and the expected calibration error over 15 bins (Guo et al., 2017)."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == y
    bins = np.minimum((15 * confidence).astype(int), 14)
    gaps = [float(abs((right[bins == b] - confidence[bins == b]).sum())) for b in range(15)]
    loss = log_loss(y, probabilities, labels=np.arange(probabilities.shape[1]))
    return round(float(right.mean()), 6), round(loss, 6), round(sum(gaps) / len(y), 6)


def fitted_scores(
    data: Split,
    arm: dict[str, Any] | Rival,
    shared: dict[str, Any],
    seed: int,
    lr: float | str = "auto",
) -> tuple:
    """Scores and seconds of one arm, at the rate `lr` if it has none of its own."""
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    if isinstance(arm, Rival):
        probabilities = predict_proba(arm, data.X, data.y, data.X_test, seed, lr=lr, **shared)
        seconds = time.perf_counter() - start
    else:
        clf = classifier(arm if "preset" in arm else {"lr": lr, **arm}, shared, seed)
        clf.fit(data.X, data.y, auxiliary_labels=data.finer)
        seconds = time.perf_counter() - start
        probabilities = clf.predict_proba(data.X_test)
    return *scores(data.y_test, probabilities), round(seconds, 2), version()


def version() -> str:
    """Commit of the code; outside a git checkout, the version of the package."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=7"]
    try:
        here = Path(__file__).parent
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=here)
    except (OSError, subprocess.CalledProcessError):
        return sklearn_maxl.__version__
    return done.stdout.strip()
