"""The scores of a fitted peer."""

from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, roc_auc_score

from benchmarks.evidence import fits


def scores(clf: Any, X: np.ndarray, y: np.ndarray) -> tuple[float, float, float, float]:
    """Accuracy of what it predicts; log-loss, ROC AUC and calibration error of probabilities.

    Classes are whole numbers from 0; one that it has not seen has the probability 0.
    """
    known = np.asarray(clf.classes_, dtype=int)
    probabilities = np.zeros((len(X), max(known.max(), y.max()) + 1))
    probabilities[:, known] = clf.predict_proba(X)
    probabilities = fits.normalised(probabilities)
    _, loss, gap = fits.scores(y, probabilities)
    accuracy = accuracy_score(y, np.ravel(clf.predict(X)))  # CatBoost's have a second axis
    return round(accuracy, 6), loss, area(y, probabilities), gap


def area(y: np.ndarray, probabilities: np.ndarray) -> float:
    """ROC AUC, the mean of each class against the others; NaN where y lacks a class."""
    n_classes = probabilities.shape[1]
    if len(np.unique(y)) < n_classes:
        return float("nan")
    if n_classes == 2:
        return round(float(roc_auc_score(y, probabilities[:, 1])), 6)
    return round(float(roc_auc_score(y, probabilities, multi_class="ovr")), 6)
