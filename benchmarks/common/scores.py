"""Scores of a fitted classifier, as the rows have them."""

from typing import Any

import numpy as np
from sklearn.metrics import log_loss


def accuracy_and_loss(clf: Any, X: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Accuracy and log-loss."""
    probabilities = clf.predict_proba(X)
    accuracy = float((clf.classes_[probabilities.argmax(1)] == y).mean())
    return round(accuracy, 6), round(log_loss(y, probabilities), 6)
