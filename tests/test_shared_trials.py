"""Trials of the single task once in each split: who shares them, and that no score changes."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._training import stack, trials
from sklearn_maxl._training.net import MAXLNet
from sklearn_maxl._training.settings import DEFAULTS
from sklearn_maxl._training.trials import WITHOUT_EFFECT
from sklearn_maxl.backbones import MLP
from sklearn_maxl.comparison import compare
from sklearn_maxl.comparison._shared_trials import shared_searches
from sklearn_maxl.labels import Learned

IRIS, Y = load_iris(return_X_y=True)
X = IRIS + np.random.default_rng(0).normal(size=IRIS.shape)  # so that splits differ
NETWORK = MAXLClassifier(MLP((16,)))
LENGTHS = [7, 2]  # that are tried here


@pytest.fixture(scope="module", autouse=True)
def few_epochs():
    """What "auto" is, in few epochs, so that tests are fast."""
    table = "table", "classes"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DEFAULTS, table, replace(DEFAULTS[table], epochs=7, least_steps=0))
        yield


def drawn():
    """Steps of preprocessing that draw random numbers."""
    forest = SelectFromModel(ExtraTreesClassifier(5), max_features=3, threshold=-np.inf)
    return [forest, PCA(2, svd_solver="randomized")]


@pytest.fixture
def trainings(monkeypatch):
    """Planned epochs of all trainings that there were, but for those at once."""
    lengths = []
    fit_loop = MAXLNet.fit_loop

    def counted(self, *args, **kwargs):
        lengths.append(self.settings.max_epochs)
        return fit_loop(self, *args, **kwargs)

    monkeypatch.setattr(MAXLNet, "fit_loop", counted)
    return lengths


@pytest.fixture
def searches(monkeypatch):
    """How many lengths were tried in each search, all at once."""
    found = []

    def counted(settings, *arguments):
        found.append(len(settings))
        return stack.train_stack(settings, *arguments)

    monkeypatch.setattr(trials, "train_stack", counted)
    return found


# The scores


@pytest.mark.parametrize(
    "estimator",
    [
        NETWORK,
        MAXLClassifier(MLP((16,)), class_weight="balanced", early_stopping=True),
        make_pipeline(*drawn(), NETWORK),
        make_pipeline(StandardScaler(), make_pipeline(*drawn(), NETWORK)),
    ],
    ids=["network", "weights", "pipeline", "pipeline in a pipeline"],
)
def test_every_prediction_has_the_bits_of_a_fit_that_looks_for_itself(
    estimator, trainings, searches
):
    predicted = []

    def score(model, X, y):
        predicted.append(model.predict_proba(X).tobytes())
        return model.score(X, y)

    arms = ("maxl", "uniform", None)
    found = compare(estimator, X, Y, cv=2, arms=arms, n_seeds=1, scoring=score)
    assert len(trainings) == 2 * len(arms)
    assert set(trainings) <= set(LENGTHS)
    assert searches == [len(LENGTHS)] * 2
    by_hand = []
    for fold in range(2):
        state = int(found.training_seeds_[0, fold])
        for params in found.params_:
            model = clone(estimator).set_params(**params)
            states = [k for k in model.get_params() if k.split("__")[-1] == "random_state"]
            model.set_params(**dict.fromkeys(states, state))
            train, test = folds_of(found, fold)
            by_hand.append(model.fit(X[train], Y[train]).predict_proba(X[test]).tobytes())
    assert predicted == by_hand


@pytest.mark.parametrize("best", LENGTHS)
def test_every_arm_is_trained_with_the_length_that_was_found(best, trainings, searches):
    parts = {k / best for k in range(1, best)}  # no training of the other length has these
    clf = MAXLClassifier(MLP((16,)), lr=0.1, schedule=lambda part: float(part in parts))
    compare(clf, X, Y, cv=2, arms=("uniform", None), n_seeds=1)
    assert trainings == [best] * 4
    assert searches == [len(LENGTHS)] * 2


def folds_of(found, fold):
    """Rows of a fold of the only seed, which `compare` draws first."""
    seed = np.random.RandomState(0).randint(2**31 - 1)
    return list(StratifiedKFold(2, shuffle=True, random_state=seed).split(X, Y))[fold]


# Who shares


def arms(*settings):
    return {str(number): params for number, params in enumerate(settings)}


@pytest.mark.parametrize("name", sorted(NETWORK.get_params(deep=False)))
def test_arms_share_unless_they_differ_in_what_the_trials_depend_on(name):
    groups = shared_searches(NETWORK, arms({name: "auto"}, {name: None}, {}))
    if name in ("max_epochs", "temperature"):  # what is None is not looked for; the other one is
        assert groups == [(0,), (1,), (2,)]
    elif name in WITHOUT_EFFECT:
        assert groups == [(0, 1, 2)]
    else:
        assert groups == [(0,), (1,), (2,)]


@pytest.mark.parametrize(
    ("name", "values"),
    {
        "auxiliary": ["maxl", "kmeans", Learned(meta_batch="holdout"), "auto", None],
        "psi": [2, {0: 2, 1: 3, 2: 4}, "auto"],
        "auxiliary_weight": [0.1, 3.0],
        "views": ["auto", None],
        "callbacks": [None, []],
        "verbose": [0, 1],
    }.items(),
)
def test_no_trial_depends_on_what_is_said_to_have_no_effect(name, values):
    found = []
    for value in values:
        clf = MAXLClassifier(MLP((16,)), random_state=0).set_params(**{name: value})
        tried = clf.fit(X, Y).history_.trials
        found.append([trial for trial in tried if trial["setting"] == "max_epochs"])
    assert [trial["value"] for trial in found[0]] == LENGTHS
    assert all(tried == found[0] for tried in found)


def test_every_parameter_without_effect_is_one():
    assert set(NETWORK.get_params(deep=False)) >= WITHOUT_EFFECT


BACKBONE = make_pipeline(StandardScaler(), MAXLClassifier())
LAST = "maxlclassifier__"
GROUPS = {
    "inside an auxiliary object": (
        MAXLClassifier(auxiliary=Learned()),
        arms({"auxiliary__every": 1}, {"auxiliary__every": 4}),
        [(0, 1)],
    ),
    "other epochs, twice": (
        NETWORK, arms({"max_epochs": 3, "psi": 2}, {"max_epochs": 3}, {"max_epochs": 4}),
        [(0, 1), (2,)],
    ),
    "epochs of its own": (
        NETWORK, arms({}, {"max_epochs": 3}, {"auxiliary": None}), [(0, 2), (1,)],
    ),
    "numbers of another type": (NETWORK, arms({"tol": 1}, {"tol": 1.0}), [(0,), (1,)]),
    "a rate of its own": (NETWORK, arms({}, {"lr": 0.02}, {"auxiliary": None}), [(0, 2), (1,)]),
    "a temperature of its own": (
        NETWORK, arms({}, {"temperature": 2.0}, {"auxiliary": None}), [(0, 2), (1,)],
    ),
    "both numbers of its own": (
        NETWORK, arms({}, {"temperature": 2.0, "max_epochs": 3}, {"psi": 3}), [(0, 2)],
    ),
    "only one looks": (
        MAXLClassifier(max_epochs=3, temperature=1.0), arms({}, {"max_epochs": "auto"}), [(1,)],
    ),
    "a step left out": (
        BACKBONE, arms({f"{LAST}psi": 2}, {"standardscaler": None}, {f"{LAST}auxiliary": None}),
        [(0, 2), (1,)],
    ),
    "a step called as a parameter is": (
        make_pipeline(StandardScaler(), NETWORK).set_params(steps=[("psi", PCA()), ("n", NETWORK)]),
        arms({"psi__n_components": 1}, {"n__psi": 3}, {}),
        [(0,), (1, 2)],
    ),
    "no network any more": (
        BACKBONE, arms({}, {"maxlclassifier": LogisticRegression()}), [(0,)],
    ),
    "regression": (MAXLRegressor(), arms({}, {"psi": 3}), [(0, 1)]),
    "calibration": (CalibratedClassifierCV(NETWORK), arms({}, {"estimator__psi": 3}), []),
    "a grid search": (GridSearchCV(NETWORK, {"psi": [2]}), arms({}, {"refit": True}), []),
    "targets that are changed": (
        TransformedTargetRegressor(MAXLRegressor()), arms({}, {"regressor__psi": 3}), [],
    ),
    "not at the end": (make_pipeline(NETWORK, LogisticRegression()), arms({}, {}), []),
}  # fmt: skip


@pytest.mark.parametrize(("estimator", "arms", "groups"), GROUPS.values(), ids=GROUPS)
def test_who_shares_a_search(estimator, arms, groups):
    assert shared_searches(estimator, arms) == groups


class Turned(MAXLClassifier):
    """Learns from other samples than it is given."""

    def fit(self, X, y):
        return super().fit(-X, y)


def test_where_fit_does_something_else_every_arm_looks_for_itself(trainings, searches):
    for estimator, fits in ((Turned(MLP((16,))), 1), (calibrated(), 3)):
        trainings.clear()
        searches.clear()
        found = compare(estimator, X, Y, cv=2, arms=("uniform", None), n_seeds=1)
        assert len(trainings) == len(searches) == 2 * 2 * fits
        assert (found.search_seconds_ == 0).all()


def calibrated():
    return CalibratedClassifierCV(MAXLClassifier(MLP((16,))), cv=3)


# The estimator's own


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, {"max_epochs", "temperature"}),
        ({"lr": 0.02}, {"max_epochs", "temperature"}),
        ({"max_epochs": 3}, {"temperature"}),
        ({"temperature": 2.0}, {"max_epochs"}),
        ({"auxiliary": "auto", "psi": "auto"}, {"max_epochs", "temperature"}),
    ],
    ids=["both", "rate", "temperature", "epochs", "other questions"],
)
def test_what_is_found_is_that_of_a_fit_and_the_estimator_is_left_alone(settings, names):
    clf = MAXLClassifier(MLP((16,)), random_state=5, **settings)
    weight = np.random.RandomState(2).rand(150)
    before = dict(vars(clf))
    found = clf._found_by_trials(X, Y, sample_weight=weight)
    assert vars(clf) == before
    assert found.keys() == names
    clf.set_params(auxiliary="maxl", psi=2).fit(X, Y, sample_weight=weight)
    assert found.get("max_epochs", clf.n_iter_) == clf.n_iter_
    assert found.get("temperature", clf.temperature_) == pytest.approx(clf.temperature_)


@pytest.mark.parametrize(
    ("estimator", "X"),
    [
        (MAXLClassifier(max_epochs=3, temperature=1.0), X),
        (MAXLClassifier(), X.reshape(150, 1, 2, 2)),
        (MAXLRegressor(max_epochs=3), X),
    ],
    ids=["given", "images", "regression"],
)
def test_where_a_fit_looks_for_nothing_there_is_nothing(estimator, X, trainings, searches):
    assert estimator._found_by_trials(X, Y) == {}
    assert trainings == searches == []


# Times


def test_the_search_is_shown_once_and_no_fit_is_charged_with_it():
    both = {
        "a": {"auxiliary": "uniform"},
        "b": {"auxiliary": None},
        "c": {"max_epochs": 3, "temperature": 1.0},
    }
    found = compare(NETWORK, X, Y, cv=2, n_seeds=1, arms=both, reference="b")
    shared, same, none = found.search_seconds_
    assert (shared == same).all()
    assert (shared > 0).all()
    assert (none == 0).all()
    assert found.table()["search_seconds"].to_list() == [np.median(same), np.median(shared), 0]
    assert str(found).count("Epochs and temperature of a split") == 1
    assert "Epochs and temperature of a split" in found._repr_html_()


def test_without_a_search_nothing_is_said_of_it():
    data = load_diabetes(return_X_y=True)
    found = compare(MAXLRegressor(max_epochs=1), *data, cv=2, n_seeds=1, arms=("uniform", None))
    assert (found.search_seconds_ == 0).all()
    assert "temperature" not in str(found)
