"""Inside scikit-learn's meta-estimators, on tables and on images; `test_search.py` has more."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 (makes the next ones)
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer, get_scorer_names, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
    validation_curve,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import ConvNet

SHAPE = (1, 8, 8)

CLASSIFIERS = {
    "grid": lambda clf: GridSearchCV(clf, {"psi": [2, 3]}, cv=2, error_score="raise"),
    "randomized": lambda clf: RandomizedSearchCV(
        clf, {"lr": [0.01, 0.02, 0.03]}, n_iter=2, cv=2, random_state=0, error_score="raise"
    ),
    "halving grid": lambda clf: HalvingGridSearchCV(
        clf, {"psi": [2, 3, 4]}, cv=2, min_resources=60, random_state=0, error_score="raise"
    ),
    "halving random": lambda clf: HalvingRandomSearchCV(
        clf, {"lr": [0.01, 0.015, 0.02, 0.03]}, cv=2, resource="max_epochs", min_resources=4,
        max_resources=12,
        random_state=0, error_score="raise",
    ),
    "calibrated": lambda clf: CalibratedClassifierCV(clf, cv=2, ensemble=False),
    "calibrated ensemble": lambda clf: CalibratedClassifierCV(clf, cv=2),
    "hard voting": lambda clf: VotingClassifier([("a", clf), ("b", clone(clf))]),
    "soft voting": lambda clf: VotingClassifier([("a", clf), ("b", clone(clf))], voting="soft"),
    "stacking": lambda clf: StackingClassifier([("a", clf), ("b", clone(clf))], cv=2),
    "bagging": lambda clf: BaggingClassifier(clf, n_estimators=2, random_state=0),
    "boosting": lambda clf: AdaBoostClassifier(clf, n_estimators=2, random_state=0),
    "one against rest": OneVsRestClassifier,
    "one against one": OneVsOneClassifier,
}  # fmt: skip

TWO_DIMENSIONS_ONLY = {"bagging", "one against one"}


def quick(**params):
    return MAXLClassifier(
        **{"max_epochs": 4, "lr": 0.01, "psi": 2, "batch_size": 16, "random_state": 0, **params}
    )


def convnet(**params):
    return quick(**{"backbone": ConvNet((8, 16)), "max_epochs": 12, **params})


@pytest.fixture(scope="module")
def few_images():
    """Images of three classes, (90, 1, 8, 8), with names."""
    X, y = load_digits(return_X_y=True)
    X, y = X[y < 3][:90], y[y < 3][:90]
    return X.reshape(-1, *SHAPE), np.array(["zero", "one", "two"])[y]


@pytest.mark.parametrize("wrap", CLASSIFIERS.values(), ids=CLASSIFIERS)
def test_tables(iris, wrap):
    X, y = iris
    model = wrap(quick()).fit(X, y)
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.score(X, y) > 0.85


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_images_as_they_are(few_images, name):
    X, y = few_images
    model = CLASSIFIERS[name](convnet())
    if name in TWO_DIMENSIONS_ONLY:
        with pytest.raises(ValueError, match="dim 4"):
            model.fit(X, y)
        return
    model.fit(X, y)
    assert model.predict(X).dtype == y.dtype
    assert model.score(X, y) > 0.85


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_images_as_rows(few_images, name):
    X, y = few_images
    X = X.reshape(len(X), -1)
    model = CLASSIFIERS[name](convnet(input_shape=SHAPE)).fit(X, y)
    assert model.score(X, y) > 0.85


def divided(X):
    """Images between 0 and 1: scikit-learn's scalers take none."""
    return X / 16


# Classifier, first step of a pipeline, samples
KINDS = {
    "table": (quick, StandardScaler, lambda iris, images: iris),
    "images": (convnet, lambda: FunctionTransformer(divided), lambda iris, images: images),
    "images as rows": (
        lambda: convnet(input_shape=SHAPE),
        StandardScaler,
        lambda iris, images: (images[0].reshape(len(images[0]), -1), images[1]),
    ),
}


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def kind(request, iris, few_images):
    """Classifier, scaler, samples and labels."""
    classifier, scaler, pick = request.param
    return classifier(), scaler(), *pick(iris, few_images)


def test_at_the_end_of_a_pipeline(kind):
    clf, scaler, X, y = kind
    model = make_pipeline(scaler, clf).fit(X, y)
    assert model[-1].n_features_in_ == X[0].size
    assert model.score(X, y) > 0.85


def test_in_the_middle_of_a_pipeline(kind):
    clf, scaler, X, y = kind
    model = make_pipeline(scaler, clf, StandardScaler(), LogisticRegression(max_iter=1000)).fit(
        X, y
    )
    assert model.score(X, y) > 0.9


@pytest.mark.parametrize("as_rows", [False, True])
def test_unlabelled_samples_label_themselves_in_a_table(few_images, as_rows):
    X = few_images[0].reshape(90, -1) if as_rows else few_images[0]
    y = np.unique(few_images[1], return_inverse=True)[1]
    model = SelfTrainingClassifier(convnet(input_shape=SHAPE), max_iter=1)
    few = np.where(np.arange(90) % 2, -1, y)
    if not as_rows:
        with pytest.raises(ValueError, match="dim 4"):
            model.fit(X, few)
        return
    assert model.fit(X, few).score(X, y) > 0.85


# Columns of several kinds


def mixed(iris):
    """Iris with a column of text, and string classes."""
    X, y = iris
    frame = pd.DataFrame(X, columns=list("abcd"))
    frame["kind"] = pd.cut(frame["c"], 3, labels=["short", "medium", "long"]).astype(str)
    return frame.drop(columns="c"), np.array(["x", "y", "z"])[y]


def encoder():
    return OneHotEncoder(sparse_output=False, handle_unknown="ignore")


def test_categories_are_encoded_in_front(iris):
    frame, y = mixed(iris)
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), ["a", "b", "d"]), ("text", encoder(), ["kind"])]
    )
    model = make_pipeline(columns, quick()).fit(frame, y)
    assert model[-1].n_features_in_ == 6
    assert model.score(frame, y) > 0.85
    assert model.set_output(transform="pandas")[:-1].transform(frame).shape == (150, 6)
    names = model.fit(frame, y)[-1].feature_names_in_.tolist()
    assert names[:3] == ["numbers__a", "numbers__b", "numbers__d"]


def test_features_of_some_columns_stand_beside_others(iris):
    frame, y = mixed(iris)
    columns = ColumnTransformer(
        [("net", quick(), ["a", "b", "d"]), ("text", encoder(), ["kind"])],
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    table = columns.fit_transform(frame, y)
    assert list(table.columns[:2]) == ["maxlclassifier0", "maxlclassifier1"]
    assert list(table.columns[-3:]) == ["kind_long", "kind_medium", "kind_short"]
    model = make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(frame, y)
    assert model.score(frame, y) > 0.85


def test_two_sets_of_features_stand_side_by_side(iris):
    union = FeatureUnion([("maxl", quick()), ("plain", quick(auxiliary=None))])
    union.set_output(transform="pandas")
    table = union.fit_transform(*iris)
    assert table.shape == (150, 2048)
    assert table.columns[0] == "maxl__maxlclassifier0"


# Scores and curves


@pytest.mark.parametrize("kind", ["table", "images"])
def test_cross_validation_with_several_scores(iris, few_images, kind):
    X, y = iris if kind == "table" else few_images
    clf = quick() if kind == "table" else convnet()
    names = ["accuracy", "f1_macro", "neg_log_loss", "roc_auc_ovr"]
    found = cross_validate(
        clf, X, y, cv=2, scoring=names, return_estimator=True, return_train_score=True,
        error_score="raise",
    )  # fmt: skip
    assert {f"test_{name}" for name in names} < set(found)
    assert found["test_accuracy"].min() > 0.7
    assert found["test_roc_auc_ovr"].min() > 0.8
    assert len({id(fit.net_) for fit in found["estimator"]}) == 2
    predicted = cross_val_predict(clf, X, y, cv=2, method="predict_log_proba")
    assert predicted.shape == (len(y), 3)


def score_of(name, clf, X, y):
    """What a scorer says of a fitted classifier; None where it is not for such labels."""
    try:
        return get_scorer(name)(clf, X, y)
    except ValueError:
        return None


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")  # all are right
@pytest.mark.parametrize("n_classes", [2, 3])
def test_every_scorer_that_scores_another_classifier_scores_this_one(iris, n_classes):
    X, y = iris[0][iris[1] < n_classes], iris[1][iris[1] < n_classes]
    clf, other = quick().fit(X, y), LogisticRegression(max_iter=1000).fit(X, y)
    names = [name for name in get_scorer_names() if score_of(name, other, X, y) is not None]
    assert {"accuracy", "f1_macro", "neg_log_loss", "roc_auc_ovr"} < set(names)
    assert ("roc_auc" in names) == (n_classes == 2)
    assert not [name for name in names if score_of(name, clf, X, y) is None]


@pytest.mark.parametrize("kind", ["table", "images"])
def test_curves(iris, few_images, kind):
    X, y = iris if kind == "table" else few_images
    clf = quick() if kind == "table" else convnet()
    sizes, train, test = learning_curve(
        clf, X, y, cv=2, train_sizes=[0.5, 1.0], shuffle=True, random_state=0, error_score="raise"
    )
    assert train.shape == test.shape == (2, 2)
    assert sizes.tolist() == [len(y) // 4, len(y) // 2]
    _, test = validation_curve(
        clf, X, y, param_name="max_epochs", param_range=[1, 4], cv=2, error_score="raise"
    )
    assert test.shape == (2, 2)


def test_a_learning_curve_goes_on_from_part_to_part(iris):
    _, _, test = learning_curve(
        quick(), *iris, cv=2, train_sizes=[0.5, 1.0], shuffle=True, random_state=0,
        exploit_incremental_learning=True, error_score="raise",
    )  # fmt: skip
    assert test.shape == (2, 2)


def test_importance_of_columns_and_of_pixels(iris, few_images):
    X, y = iris
    noisy = np.c_[X, np.random.RandomState(0).normal(size=150)]
    found = permutation_importance(quick(max_epochs=10).fit(noisy, y), noisy, y, random_state=0)
    assert found.importances_mean[2:4].min() > 0.05 > found.importances_mean[4]
    X, y = few_images
    with pytest.raises(ValueError, match="dim 4"):
        permutation_importance(convnet(max_epochs=1).fit(X, y), X, y)
    X = X.reshape(len(X), -1)
    clf = convnet(input_shape=SHAPE).fit(X, y)
    found = permutation_importance(clf, X, y, n_repeats=1, random_state=0)
    assert found.importances_mean.shape == (64,)
    assert found.importances_mean[0] == 0  # a corner that is black in every image


@pytest.mark.parametrize("kind", ["table", "images"])
def test_a_threshold_is_tuned(iris, few_images, kind):
    X, y = iris if kind == "table" else few_images
    clf = quick() if kind == "table" else convnet()
    rare = (y == y[-1]).astype(int)
    model = TunedThresholdClassifierCV(clf, scoring="f1", cv=2).fit(X, rare)
    assert 0 <= model.best_threshold_ <= 1
    assert model.score(X, rare) > 0.6


def test_set_output_names_the_features_of_images(few_images):
    table = convnet().set_output(transform="pandas").fit_transform(*few_images)
    assert isinstance(table, pd.DataFrame)
    assert table.columns[0] == "maxlclassifier0"


# What belongs to the samples


class Spy(MAXLClassifier):
    """Keeps what `fit` and `score` were given besides `X` and `y`."""

    def fit(self, X, y, sample_weight=None, auxiliary_labels=None):
        self.given_ = {"sample_weight": sample_weight, "auxiliary_labels": auxiliary_labels}
        self.given_["y"] = y
        return super().fit(X, y, sample_weight, auxiliary_labels)

    def score(self, X, y, sample_weight=None):
        self.scored_with_ = (sample_weight, y)
        return super().score(X, y, sample_weight)


def spy():
    """A classifier that asks for weights and finer labels."""
    clf = Spy(auxiliary="human", max_epochs=2, lr=0.01, batch_size=16, random_state=0)
    clf.set_fit_request(sample_weight=True, auxiliary_labels=True)
    return clf.set_score_request(sample_weight=True)


def unweighted(step=StandardScaler):
    """A step that says that it wants no weights."""
    with sklearn.config_context(enable_metadata_routing=True):
        longer = {"max_iter": 1000} if step is LogisticRegression else {}
        return step(**longer).set_fit_request(sample_weight=False)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def metadata(iris):
    """Weights and finer labels that tell which sample they belong to."""
    y = iris[1]
    return {"sample_weight": 1.0 + y, "auxiliary_labels": 2 * y + np.arange(150) % 2}


def assert_arrived(clf, n):
    """Weights and labels came, cut to the same `n` samples as the targets."""
    given = {name: np.asarray(values) for name, values in clf.given_.items()}
    assert {len(values) for values in given.values()} == {n}
    np.testing.assert_array_equal(given["sample_weight"], 1 + given["y"])
    np.testing.assert_array_equal(given["auxiliary_labels"] // 2, given["y"])
    assert set(clf.psi_) == {2}


ROUTERS = {
    "pipeline": (lambda clf: make_pipeline(unweighted(), clf), lambda m: (m[-1], 150)),
    "grid": (
        lambda clf: GridSearchCV(clf, {"lr": [0.01, 0.02]}, cv=2, error_score="raise"),
        lambda m: (m.best_estimator_, 150),
    ),
    "randomized": (
        lambda clf: RandomizedSearchCV(clf, {"lr": [0.01]}, n_iter=1, cv=2, error_score="raise"),
        lambda m: (m.best_estimator_, 150),
    ),
    "halving": (
        lambda clf: HalvingGridSearchCV(
            clf, {"lr": [0.01, 0.02]}, cv=2, factor=2, min_resources=75, random_state=0,
            error_score="raise",
        ),
        lambda m: (m.best_estimator_, 150),
    ),
    "middle of a pipeline": (
        lambda clf: make_pipeline(clf, unweighted(), unweighted(LogisticRegression)),
        lambda m: (m[0], 150),
    ),
    "columns": (
        lambda clf: make_pipeline(
            # scikit-learn 1.8 routes nothing past a remainder.
            ColumnTransformer([("net", clf, [0, 1, 2]), ("rest", "passthrough", [3])]),
            unweighted(LogisticRegression),
        ),
        lambda m: (m[0].named_transformers_["net"], 150),
    ),
    "grid of pipelines": (
        lambda clf: GridSearchCV(
            make_pipeline(unweighted(), clf), {"spy__lr": [0.01, 0.02]}, cv=2,
            error_score="raise",
        ),
        lambda m: (m.best_estimator_[-1], 150),
    ),
    "calibrated": (
        lambda clf: CalibratedClassifierCV(clf, cv=2),
        lambda m: (m.calibrated_classifiers_[0].estimator, 75),
    ),
    "voting": (lambda clf: VotingClassifier([("a", clf)]), lambda m: (m.estimators_[0], 150)),
    "stacking": (
        # scikit-learn hands everything to the last estimator as well, asked for or not.
        lambda clf: StackingClassifier([("a", clf)], clf, cv=2),
        lambda m: (m.estimators_[0], 150),
    ),
}  # fmt: skip


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize(("wrap", "inside"), ROUTERS.values(), ids=ROUTERS)
def test_weights_and_finer_labels_are_routed(iris, metadata, wrap, inside):
    model = wrap(spy()).fit(*iris, **metadata)
    assert_arrived(*inside(model))


@pytest.mark.usefixtures("routing")
def test_weights_and_finer_labels_are_cut_with_the_folds(iris, metadata):
    found = cross_validate(
        spy(), *iris, cv=3, params=metadata, return_estimator=True, error_score="raise"
    )
    for clf in found["estimator"]:
        assert_arrived(clf, 100)
        weight, y = clf.scored_with_
        np.testing.assert_array_equal(weight, 1 + y)


@pytest.mark.usefixtures("routing")
def test_tools_for_two_classes_route_weights_and_finer_labels(iris, metadata):
    model = OneVsRestClassifier(spy()).fit(*iris, **metadata)
    for clf in model.estimators_:
        given = clf.given_
        np.testing.assert_array_equal(given["auxiliary_labels"] // 2 + 1, given["sample_weight"])
    X, rare = iris[0], (iris[1] == 2).astype(int)
    metadata = {"sample_weight": 1.0 + rare, "auxiliary_labels": 2 * rare + np.arange(150) % 2}
    scoring = get_scorer("f1").set_score_request(sample_weight=False)
    model = TunedThresholdClassifierCV(spy(), scoring=scoring, cv=2).fit(X, rare, **metadata)
    assert_arrived(model.estimator_, 150)


@pytest.mark.usefixtures("routing")
def test_a_scorer_asks_for_weights_of_its_own(iris, metadata):
    seen = []

    def weighted(y, predicted, sample_weight=None):
        seen.append(np.array_equal(sample_weight, 1 + y))
        return np.average(y == predicted, weights=sample_weight)

    scoring = {
        "plain": get_scorer("accuracy").set_score_request(sample_weight=False),
        "own": make_scorer(weighted).set_score_request(sample_weight=True),
    }
    found = cross_validate(
        make_pipeline(unweighted(), spy()), *iris, cv=2, scoring=scoring, params=metadata,
        error_score="raise", return_estimator=True,
    )  # fmt: skip
    assert seen == [True, True]
    assert not np.array_equal(found["test_plain"], found["test_own"])
    for model in found["estimator"]:
        assert_arrived(model[-1], 75)


@pytest.mark.usefixtures("routing")
def test_weights_and_finer_labels_of_images_are_routed(few_images):
    X, names = few_images
    y = np.unique(names, return_inverse=True)[1]
    metadata = {"sample_weight": 1.0 + y, "auxiliary_labels": 2 * y + np.arange(90) % 2}
    clf = spy().set_params(backbone=ConvNet((4,)))
    search = GridSearchCV(clf, {"lr": [0.01, 0.02]}, cv=2, error_score="raise")
    assert_arrived(search.fit(X, y, **metadata).best_estimator_, 90)
    found = cross_validate(
        clf, X, y, cv=3, params=metadata, return_estimator=True, error_score="raise"
    )
    for each in found["estimator"]:
        assert_arrived(each, 60)


def test_without_routing_a_search_and_a_pipeline_hand_on_weights_and_finer_labels(iris, metadata):
    clf = Spy(auxiliary="human", max_epochs=2, lr=0.01, batch_size=16, random_state=0)
    search = GridSearchCV(clf, {"lr": [0.01, 0.02]}, cv=2, error_score="raise")
    assert_arrived(search.fit(*iris, **metadata).best_estimator_, 150)
    named = {f"spy__{name}": values for name, values in metadata.items()}
    assert_arrived(make_pipeline(StandardScaler(), clf).fit(*iris, **named)[-1], 150)


@pytest.mark.usefixtures("routing")
def test_bagging_cuts_finer_labels_and_draws_by_weight(iris, metadata):
    model = BaggingClassifier(spy(), n_estimators=2, random_state=0).fit(*iris, **metadata)
    for clf in model.estimators_:
        assert clf.psi_.tolist() == [2, 2, 2]
        given = clf.given_
        np.testing.assert_array_equal(given["auxiliary_labels"] // 2, given["y"])


@pytest.mark.usefixtures("routing")
def test_weights_that_were_not_asked_for_are_an_error(iris):
    model = GridSearchCV(quick(), {"psi": [2]}, cv=2)
    with pytest.raises(ValueError, match="not explicitly set as requested or not requested"):
        model.fit(*iris, sample_weight=np.ones(150))


def test_boosting_hands_on_the_weights(iris):
    X, y = iris
    weight = np.where(y == 2, 0.0, 1.0)
    model = AdaBoostClassifier(quick(), n_estimators=2, random_state=0).fit(X, y, weight)
    assert (model.predict(X) != 2).all()
