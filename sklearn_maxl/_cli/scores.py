"""Whether a score can be used, found out before the fits."""

import warnings

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import get_scorer, get_scorer_names

from .._environment.similar_names import did_you_mean
from .sentences import TableError, one_line

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
