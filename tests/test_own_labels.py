"""A user's own source of auxiliary labels: in a fit, a search, predictions and a file."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl.labels import Human, KMeans, Labels, Learned, Random, Uniform


class BySize(Labels):
    """Samples of a class that lie above the quantiles of a column, or below."""

    def __init__(self, column=0, groups=2):
        self.column = column
        self.groups = groups

    def fit(self, task):
        self.psi_ = np.full(len(task.classes), self.groups)
        inner = np.linspace(0, 1, self.groups + 1)[1:-1]
        self.edges_ = np.quantile(task.rows.X[:, self.column], inner)
        return self

    def assign(self, rows, rng):
        return np.searchsorted(self.edges_, rows.X[:, self.column])


class SoftBySize(BySize):
    """The same, for any samples."""

    def soft_labels(self, X, y):
        labels = np.zeros((len(X), int(self.psi_.sum())), dtype=np.float32)
        position = np.searchsorted(self.edges_, X[:, self.column])
        labels[np.arange(len(X)), self.groups * y + position] = 1
        return labels


class Wrong(Labels):
    """Says whatever it was told to say."""

    def __init__(self, positions):
        self.positions = positions

    def assign(self, rows, rng):
        return self.positions


def quick(auxiliary, **parameters):
    settings = {"lr": 0.01, "max_epochs": 3, "random_state": 0, **parameters}
    return MAXLClassifier(auxiliary=auxiliary, **settings)


def test_it_trains_the_auxiliary_head(iris):
    X, y = iris
    clf = quick(BySize(groups=3), max_epochs=60).fit(X, y)
    assert clf.psi_.tolist() == [3, 3, 3]
    predicted = clf.predict_auxiliary(X).argmax(1)
    wanted = 3 * y + np.searchsorted(np.quantile(X[:, 0], [1 / 3, 2 / 3]), X[:, 0])
    assert (predicted == wanted).mean() > 0.8


def test_the_holder_that_was_passed_stays_as_it_is(iris):
    labels = BySize()
    quick(labels).fit(*iris)
    assert vars(labels) == {"column": 0, "groups": 2}


def test_it_clones_and_a_search_reaches_its_parameters(iris):
    clf = clone(quick(BySize()))
    search = GridSearchCV(clf, {"auxiliary__groups": [2, 3], "auxiliary__column": [0, 3]}, cv=2)
    search.fit(*iris)
    found = search.best_estimator_
    assert found.psi_[0] == search.best_params_["auxiliary__groups"]


def test_it_works_in_a_pipeline_and_by_parts(iris):
    X, y = iris
    make_pipeline(StandardScaler(), quick(BySize())).fit(X, y)
    clf = quick(BySize()).partial_fit(X[::2], y[::2], classes=[0, 1, 2])
    edges = clf._fitted.labels.edges_
    clf.partial_fit(X[1::2], y[1::2])
    assert clf.n_iter_ == 2
    assert np.array_equal(clf._fitted.labels.edges_, edges)


def test_it_works_in_regression():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(80, 3))
    reg = MAXLRegressor(auxiliary=BySize(), max_epochs=2).fit(X, X.sum(1))
    assert reg.predict_auxiliary(X).shape == (80, 10)


def test_labels_of_other_samples_are_there_if_it_gives_them(iris):
    X, y = iris
    clf = quick(SoftBySize()).fit(X, y)
    assert clf.generate_auxiliary_labels(X[:5], y[:5]).sum(1).tolist() == [1.0] * 5
    assert not hasattr(quick(BySize()).fit(X, y), "generate_auxiliary_labels")


@pytest.mark.parametrize("cls", [BySize, SoftBySize])
def test_it_is_saved_by_what_it_learned_and_comes_back(iris, tmp_path, cls):
    X, y = iris
    clf = quick(cls(column=2, groups=4)).fit(X, y)
    path = tmp_path / "clf.safetensors"
    clf.save(path)
    with pytest.raises(ValueError, match=r"of your own making.*load\(path, auxiliary=\.\.\.\)"):
        MAXLClassifier.load(path)
    loaded = MAXLClassifier.load(path, auxiliary=cls(column=2, groups=4))
    assert np.array_equal(loaded.predict_auxiliary(X), clf.predict_auxiliary(X))
    assert np.array_equal(loaded._fitted.labels.edges_, clf._fitted.labels.edges_)
    assert loaded.partial_fit(X, y).n_iter_ == 4


def test_what_a_file_cannot_hold_is_said(iris, tmp_path):
    clf = quick(BySize()).fit(*iris)
    clf._fitted.labels.extra_ = object()
    with pytest.raises(ValueError, match=r"state of BySize can't be saved.*method state"):
        clf.save(tmp_path / "clf.safetensors")


@pytest.mark.parametrize(
    "positions",
    [np.zeros(149, int), np.zeros(150), np.full(150, 5), np.full(150, -1), np.zeros((150, 2), int)],
    ids=["too few", "fractions", "too large", "negative", "two columns"],
)
def test_labels_that_are_none_are_refused(iris, positions):
    with pytest.raises(ValueError, match=r"Wrong\.assign must give each of the 150 samples"):
        quick(Wrong(positions)).fit(*iris)


class Numbers(Labels):
    """Sets `psi_` to whatever it was told."""

    def __init__(self, psi):
        self.psi = psi

    def fit(self, task):  # and returns nothing
        self.psi_ = self.psi


def test_fit_may_return_nothing_and_give_a_list(iris):
    assert quick(Numbers([1, 2, 3])).fit(*iris).psi_.tolist() == [1, 2, 3]


@pytest.mark.parametrize("psi", [None, 3, [1, 2], [1, 2, 0], [1.0, 2.0, 3.0], "abc"])
def test_numbers_of_auxiliary_classes_that_are_none_are_refused(iris, psi):
    with pytest.raises(ValueError, match=r"Numbers\.fit must set psi_ .* each of the 3 classes"):
        quick(Numbers(psi)).fit(*iris)


@pytest.mark.parametrize(
    ("auxiliary", "message"),
    [
        (Learned, r"auxiliary is the class Learned; pass an object, Learned\(\)"),
        (StandardScaler(), r"auxiliary"),
        ("nothing", r"'auxiliary' parameter"),
        (Learned(every=0), r"'every' parameter of Learned"),
        (Learned(optimizer="none"), r"'optimizer' parameter of Learned"),
        (Learned(meta_batch="next"), r"'meta_batch' parameter of Learned"),
        (Learned(meta_gradient="finite_difference"), r"'meta_gradient' parameter of Learned"),
        (Learned(generator="cnn"), r"generator='cnn' is not available"),
    ],
)
def test_what_is_no_source_of_labels_is_refused(iris, auxiliary, message):
    with pytest.raises(ValueError, match=message):
        quick(auxiliary).fit(*iris)


@pytest.mark.parametrize(
    ("name", "holder"),
    [("maxl", Learned()), ("uniform", Uniform()), ("random", Random()), ("kmeans", KMeans())],
)
def test_a_name_is_short_for_the_object_with_its_defaults(iris, name, holder):
    X, y = iris
    by_name, by_object = quick(name).fit(X, y), quick(holder).fit(X, y)
    assert np.array_equal(by_name.predict_proba(X), by_object.predict_proba(X))
    assert np.array_equal(by_name.predict_auxiliary(X), by_object.predict_auxiliary(X))


def test_human_labels_by_object(iris):
    X, y = iris
    finer = 2 * y + np.arange(150) % 2
    by_name = quick("human").fit(X, y, auxiliary_labels=finer)
    by_object = quick(Human()).fit(X, y, auxiliary_labels=finer)
    assert np.array_equal(by_name.predict_proba(X), by_object.predict_proba(X))


@pytest.mark.parametrize(
    ("parameters", "name", "message"),
    [
        ({}, "auxiliary__every", r"auxiliary='maxl'.*pass auxiliary=Learned\(\).*labels"),
        ({"backbone": "mlp"}, "backbone__dropout", r"backbone='mlp'.*backbone=MLP\(\)"),
        ({}, "backbone__dropout", r"backbone='auto' is short for.*sklearn_maxl\.backbones"),
        ({"optimizer": "sgd"}, "optimizer__momentum", r"optimizer='sgd'.*optimizer=SGD\(\)"),
    ],
)
def test_a_search_over_parameters_of_a_name_says_what_to_pass(parameters, name, message):
    with pytest.raises(ValueError, match=message):
        MAXLClassifier(**parameters).set_params(**{name: 1})


def test_an_object_and_its_parameters_may_be_set_at_once():
    clf = MAXLClassifier().set_params(auxiliary=Learned(), auxiliary__every=3)
    assert clf.auxiliary.every == 3
