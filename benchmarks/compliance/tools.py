"""scikit-learn's tools around any classifier: each is one function that fails if it does.

A tool works if it runs and what comes out has learned the samples: three classes of
digits or of irises, which every classifier here learns by itself.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 (makes the next one)
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
    cross_validate,
    learning_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

LEARNED = 0.8
"""Accuracy on the training samples below which a tool does not work."""


class Case(NamedTuple):
    """A classifier to be cloned, a grid of two values for it, and samples."""

    clf: Any
    grid: dict[str, list[Any]]
    X: np.ndarray
    y: np.ndarray

    @property
    def images(self) -> bool:
        """Whether samples have more than one dimension."""
        return self.X.ndim > 2

    def scaler(self) -> Any:
        """A first step: scikit-learn's scalers take no images."""
        return FunctionTransformer(sixteenths) if self.images else StandardScaler()

    def learned(self, model: Any, X: Any = None) -> Any:
        """Fit, and fail if the classes were not learned."""
        X = self.X if X is None else X
        model = model.fit(X, self.y)
        predicted = np.asarray(model.predict(X))
        assert predicted.shape == self.y.shape, f"predict gave shape {predicted.shape}"
        accuracy = np.mean(predicted == self.y)
        assert accuracy > LEARNED, f"accuracy {accuracy:.2f} on the training samples"
        return model


class NotForImagesError(Exception):
    """A tool of tables."""


def sixteenths(X: np.ndarray) -> np.ndarray:
    """Digits between 0 and 1."""
    return X / 16


def table() -> tuple[np.ndarray, np.ndarray]:
    """Irises, standardised: (150, 4)."""
    X, y = load_iris(return_X_y=True)
    return (X - X.mean(0)) / X.std(0), y


def images() -> tuple[np.ndarray, np.ndarray]:
    """Digits of three classes: (90, 1, 8, 8)."""
    X, y = load_digits(n_class=3, return_X_y=True)
    return X[:90].reshape(-1, 1, 8, 8), y[:90]


def images_as_rows() -> tuple[np.ndarray, np.ndarray]:
    """The same digits as a table: (90, 64)."""
    X, y = images()
    return X.reshape(len(X), -1), y


def last_of_a_pipeline(case: Case) -> None:
    case.learned(make_pipeline(case.scaler(), case.clf))


def middle_of_a_pipeline(case: Case) -> None:
    case.learned(make_pipeline(case.scaler(), case.clf, LogisticRegression(max_iter=1000)))


def column_transformer(case: Case) -> None:
    _tables_only(case)
    frame = pd.DataFrame(case.X, columns=list("abcd"))
    frame["kind"] = np.array(["short", "medium", "long"])[np.digitize(case.X[:, 2], [-0.5, 0.5])]
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), ["a", "b", "d"]), ("text", OneHotEncoder(), ["kind"])],
        sparse_threshold=0,
    )
    case.learned(make_pipeline(columns, case.clf), frame)


def frames_with_names(case: Case) -> None:
    _tables_only(case)
    model = make_pipeline(StandardScaler(), case.clf).set_output(transform="pandas")
    last = case.learned(model, pd.DataFrame(case.X, columns=list("abcd")))[-1]
    assert list(last.feature_names_in_) == list("abcd")


def own_features_with_names(case: Case) -> None:
    features = clone(case.clf).set_output(transform="pandas").fit(case.X, case.y).transform(case.X)
    assert isinstance(features, pd.DataFrame)


def grid_search(case: Case) -> None:
    case.learned(GridSearchCV(case.clf, case.grid, cv=2, error_score="raise"))


def grid_search_in_two_processes(case: Case) -> None:
    case.learned(GridSearchCV(case.clf, case.grid, cv=2, error_score="raise", n_jobs=2))


def randomized_search(case: Case) -> None:
    case.learned(
        RandomizedSearchCV(case.clf, case.grid, n_iter=2, cv=2, random_state=0, error_score="raise")
    )


def halving_search(case: Case) -> None:
    case.learned(
        HalvingGridSearchCV(
            case.clf, case.grid, cv=2, factor=2, min_resources=len(case.y) // 2, random_state=0,
            error_score="raise",
        )
    )  # fmt: skip


def several_scorers(case: Case) -> None:
    names = ["accuracy", "f1_macro", "neg_log_loss", "roc_auc_ovr"]
    found = cross_validate(case.clf, case.X, case.y, cv=3, scoring=names, error_score="raise")
    assert min(found["test_roc_auc_ovr"]) > LEARNED


def calibrated(case: Case) -> None:
    case.learned(CalibratedClassifierCV(case.clf, cv=2, ensemble=False))


def voting(case: Case) -> None:
    case.learned(VotingClassifier([("a", case.clf), ("b", clone(case.clf))], voting="soft"))


def stacking(case: Case) -> None:
    case.learned(StackingClassifier([("a", case.clf), ("b", clone(case.clf))], cv=2))


def bagging(case: Case) -> None:
    case.learned(BaggingClassifier(case.clf, n_estimators=2, random_state=0))


def boosting(case: Case) -> None:
    case.learned(AdaBoostClassifier(case.clf, n_estimators=2, random_state=0))


def one_against_rest(case: Case) -> None:
    case.learned(OneVsRestClassifier(case.clf))


def importance(case: Case) -> None:
    fitted = clone(case.clf).fit(case.X, case.y)
    found = permutation_importance(fitted, case.X, case.y, n_repeats=2, random_state=0)
    assert found.importances_mean.max() > 0


def curve(case: Case) -> None:
    learning_curve(
        case.clf, case.X, case.y, cv=2, train_sizes=[0.5, 1.0], shuffle=True, random_state=0,
        error_score="raise",
    )  # fmt: skip


def threshold(case: Case) -> None:
    rare = case._replace(y=(case.y == 2).astype(case.y.dtype))
    rare.learned(TunedThresholdClassifierCV(case.clf, scoring="f1", cv=2))


def text_labels(case: Case) -> None:
    named = case._replace(y=np.array(["u", "v", "w"])[case.y])
    named.learned(clone(case.clf))


def routed_weights(case: Case) -> None:
    """A class of weight 0 must never be predicted: the weights came where they belong."""
    weight = np.where(case.y == 2, 0.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        asking = clone(case.clf).set_fit_request(sample_weight=True)
        asking = asking.set_score_request(sample_weight=True)
        search = GridSearchCV(asking, case.grid, cv=2, error_score="raise")
        search.fit(case.X, case.y, sample_weight=weight)
    assert not (search.predict(case.X) == 2).any(), "weights had no effect"


def _tables_only(case: Case) -> None:
    if case.X.shape[1:] != (4,):
        raise NotForImagesError


TOOLS: dict[str, Callable[[Case], None]] = {
    "Pipeline, last": last_of_a_pipeline,
    "Pipeline, in the middle": middle_of_a_pipeline,
    "ColumnTransformer with categories": column_transformer,
    'set_output("pandas") in front, names kept': frames_with_names,
    'set_output("pandas") of its features': own_features_with_names,
    "GridSearchCV": grid_search,
    "GridSearchCV, n_jobs=2": grid_search_in_two_processes,
    "RandomizedSearchCV": randomized_search,
    "HalvingGridSearchCV": halving_search,
    "cross_validate, four scores": several_scorers,
    "CalibratedClassifierCV": calibrated,
    "VotingClassifier": voting,
    "StackingClassifier": stacking,
    "BaggingClassifier": bagging,
    "AdaBoostClassifier": boosting,
    "OneVsRestClassifier": one_against_rest,
    "permutation_importance": importance,
    "learning_curve": curve,
    "TunedThresholdClassifierCV": threshold,
    "labels that are text": text_labels,
    "sample_weight routed through a search": routed_weights,
}
