"""The guard: which network it keeps, and that it says so."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris

from sklearn_maxl import MAXLClassifier, MAXLRegressor

X, Y = load_iris(return_X_y=True)


def model(**parameters):
    settings = {"guard": True, "max_epochs": 5, "random_state": 0}
    return MAXLClassifier(**{**settings, **parameters})


def test_an_auxiliary_task_that_wins_is_kept(monkeypatch):
    scores = {True: 0.9, False: 0.8}
    monkeypatch.setattr(
        "sklearn_maxl._net.MAXLNet.score_on", lambda net, samples: scores[net.has_generator_]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf = model().fit(X, Y)
    assert clf.net_.has_generator_
    assert clf.psi_.tolist() == [5, 5, 5]
    assert clf.history_.guard["kept"] == "auxiliary"
    assert clf.history_.guard["single_task"]["score"] == 0.8
    assert "guard: {'kept': 'auxiliary'" in str(clf.history_)


def test_one_that_loses_is_dropped_with_a_warning(monkeypatch):
    scores = {True: 0.7, False: 0.8}
    monkeypatch.setattr(
        "sklearn_maxl._net.MAXLNet.score_on", lambda net, samples: scores[net.has_generator_]
    )
    with pytest.warns(UserWarning, match=r"did not help on the 15 samples .*0\.7000.*0\.8000") as w:
        clf = model().fit(X, Y)
    assert w[0].filename == __file__
    assert not clf.net_.has_generator_
    assert clf.psi_.tolist() == [0, 0, 0]
    assert clf.history_.guard["kept"] == "single_task"
    assert clf.predict(X).shape == Y.shape
    assert not hasattr(clf, "predict_auxiliary")
    with pytest.raises(AttributeError) as caught:
        clf.generate_auxiliary_labels(X, Y)
    assert "guard=True kept the single task" in str(caught.value.__cause__)


def test_of_equal_scores_the_lower_loss_decides_and_a_draw_is_no_help(monkeypatch):
    monkeypatch.setattr("sklearn_maxl._net.MAXLNet.score_on", lambda net, samples: 0.8)
    for loss, kept in ((0.1, "auxiliary"), (0.2, "single_task"), (0.3, "single_task")):
        losses = {True: loss, False: 0.2}
        monkeypatch.setattr(
            "sklearn_maxl._net.MAXLNet.loss_on",
            lambda net, samples, losses=losses: losses[net.has_generator_],
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert model().fit(X, Y).history_.guard["kept"] == kept


@pytest.mark.filterwarnings("ignore:The auxiliary task")
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("meta_batch", ["same", "holdout"])
@pytest.mark.parametrize("seed", range(3))
def test_the_fit_is_bitwise_that_of_the_arm_that_won(early_stopping, meta_batch, seed):
    settings = {"early_stopping": early_stopping, "meta_batch": meta_batch, "max_epochs": 10}
    settings["random_state"] = seed
    clf = model(**settings).fit(X, Y)
    arm = "maxl" if clf.history_.guard["kept"] == "auxiliary" else None
    alone = model(guard=False, auxiliary=arm, **settings).fit(X, Y)
    np.testing.assert_array_equal(clf.predict_proba(X), alone.predict_proba(X))
    assert clf.n_iter_ == alone.n_iter_


@pytest.mark.filterwarnings("ignore:The auxiliary task")
@pytest.mark.parametrize("auxiliary", ["uniform", "random", "kmeans"])
def test_it_guards_every_arm(auxiliary):
    assert model(auxiliary=auxiliary).fit(X, Y).history_.guard["kept"]


def test_a_single_task_needs_no_guard():
    clf = model(auxiliary=None).fit(X, Y)
    assert clf.history_.guard is None


@pytest.mark.filterwarnings("ignore:The auxiliary task")
def test_labels_of_noise_are_found_out():
    """An auxiliary task of nothing but noise (a single bin), at a thousand times the weight."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(300, 20))
    y = X[:, 0] + 0.1 * rng.normal(size=300)
    harmful = {"auxiliary": "random", "n_bins": 1, "auxiliary_weight": 1e3, "max_epochs": 30}
    kept = [
        MAXLRegressor(guard=True, random_state=seed, **harmful).fit(X, y).history_.guard["kept"]
        for seed in range(3)
    ]
    assert kept == ["single_task"] * 3


def test_settings_that_it_can_not_have_are_named():
    with pytest.raises(ValueError, match=r"guard=True compares two fits .*use warm_start=False"):
        model(warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="partial_fit does not support guard=True; use fit"):
        model().partial_fit(X, Y, classes=[0, 1, 2])
