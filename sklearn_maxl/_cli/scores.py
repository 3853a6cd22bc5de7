"""Scores: whether one can be used, and those of held-out or new rows."""

import warnings

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import get_scorer, get_scorer_names, mean_absolute_error, r2_score

from .._environment.similar_names import did_you_mean
from .record import Score
from .sentences import TableError, one_line, percent

USUAL = {
    "classification": "accuracy, balanced_accuracy, f1_macro, roc_auc_ovr, neg_log_loss",
    "regression": "r2, neg_mean_absolute_error, neg_root_mean_squared_error",
}


def check_score(name: str, y: np.ndarray, task: str) -> None:
    """Raise a `TableError` if there is no such score, or not for this target."""
    names = get_scorer_names()
    if name not in names:
        hint = did_you_mean(name, names) or f" Some are {USUAL[task]}."
        raise TableError(f"--scoring: there is no score {name!r}.{hint}")
    dummy = DummyClassifier() if task == "classification" else DummyRegressor()
    rows = np.zeros((len(y), 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            get_scorer(name)(dummy.fit(rows, y), rows, y)
        except (ValueError, TypeError, AttributeError) as error:
            raise TableError(f"--scoring {name} {_why_not(name, task, error)}") from error


def _why_not(name: str, task: str, error: Exception) -> str:
    if task == "regression":
        return f"is not for numbers such as these: {one_line(error)} Some are {USUAL[task]}."
    for other in (f"{name}_macro", f"{name}_ovr"):
        if other in get_scorer_names():
            return f"is not for classes such as these; try {other}."
    return f"is not for classes such as these. Some are {USUAL[task]}."


def score_of(y: np.ndarray, predicted: np.ndarray, trained_on: np.ndarray, task: str) -> Score:
    """How well rows were predicted, beside the best single answer of the training rows."""
    if task == "classification":
        share = float((y == predicted).mean())
        names, counts = np.unique(trained_on, return_counts=True)
        usual = float((y == names[counts.argmax()]).mean())
        return Score(len(y), share, float(np.sqrt(share * (1 - share) / len(y))), usual)
    r2 = float(r2_score(y, predicted)) if len(y) > 1 and np.ptp(y) > 0 else 0.0
    usual = float(np.abs(y - trained_on.mean()).mean())
    return Score(len(y), r2, float(mean_absolute_error(y, predicted)), usual)


def quality(score: Score, task: str) -> str:
    """A score in words."""
    if task == "classification":
        return f"accuracy {percent(score.value)} ± {100 * score.error:.1f}"
    return f"R2 {score.value:.3f}, mean absolute error {score.error:.4g}"


def held_out(score: Score | None, task: str) -> str:
    """The score of rows that were held out, beside the best single answer."""
    if score is None:
        return "none, for there are too few rows to hold some out"
    usual = f"{score.baseline:.4g}"
    if task == "classification":
        usual = percent(score.baseline)
    answer = "the most frequent class" if task == "classification" else "the mean"
    return f"{quality(score, task)} on {score.rows:,} rows (always {answer}: {usual})"
