"""One fit, and the scores of the arms that are read from it."""

import subprocess
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import log_loss

import sklearn_maxl
from benchmarks.evidence.arms import Fit, classifier
from benchmarks.evidence.rivals import as_it_predicts
from benchmarks.evidence.sets import Split


def scores(y: np.ndarray, probabilities: np.ndarray) -> tuple[float, float, float]:
    """Accuracy, log-loss, and the expected calibration error over 15 bins (Guo et al., 2017)."""
    probabilities = normalised(probabilities)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == y
    bins = np.minimum((15 * confidence).astype(int), 14)
    gaps = [float(abs((right[bins == b] - confidence[bins == b]).sum())) for b in range(15)]
    loss = log_loss(y, probabilities, labels=np.arange(probabilities.shape[1]))
    return round(float(right.mean()), 6), round(loss, 6), round(sum(gaps) / len(y), 6)


def normalised(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities that sum to 1 in float64: those read as float32 may sum to a little more."""
    probabilities = probabilities.astype(np.float64)
    return probabilities / probabilities.sum(1, keepdims=True)


def fitted_scores(data: Split, fit: Fit, shared: dict[str, Any], seed: int) -> list[tuple]:
    """Each arm of a fit: its name, scores, seconds.

    The seconds are the processor's, for the whole fit.
    """
    warnings.simplefilter("ignore")
    start = time.process_time()
    clf = classifier(fit.settings, shared, seed)
    clf.fit(data.X, data.y, auxiliary_labels=data.finer)
    seconds = round(time.process_time() - start, 2)
    return [
        (arm, *scores(data.y_test, reading(clf, data.X_test)), seconds, version())
        for arm, reading in fit.arms.items()
    ]


def settings_scores(
    data: Split, settings: dict[str, Any], shared: dict[str, Any], seed: int
) -> tuple:
    """The scores of settings of the estimator."""
    ((_, *found),) = fitted_scores(data, Fit(settings, {"": as_it_predicts}), shared, seed)
    return tuple(found)


def version() -> str:
    """Commit of the code; outside a git checkout, the version of the package.

    Rows that are being written don't make it another code.
    """
    here = Path(__file__).parents[1]
    try:
        commit = git("describe", "--always", "--abbrev=9", at=here)
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ":/",
                      ":(exclude,top)benchmarks/results", at=here)  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return sklearn_maxl.__version__
    return f"{commit}-dirty" if changed else commit


def git(*arguments: str, at: Path) -> str:
    """What git says."""
    command = ["git", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=at)
    return done.stdout.strip()
