"""The guard: which network it keeps, that it says so, and what is there after a fall-back."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_iris
from skorch.callbacks import Callback

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl.backbones import ConvNet

NET_SCORE = "sklearn_maxl._training.net.MAXLNet.score_on"
X, Y = load_iris(return_X_y=True)


def model(**parameters):
    settings = {"guard": True, "max_epochs": 5, "lr": 0.01, "random_state": 0}
    return MAXLClassifier(**{**settings, **parameters})


def test_an_auxiliary_task_that_wins_is_kept(monkeypatch):
    scores = {True: 0.9, False: 0.8}
    monkeypatch.setattr(
        NET_SCORE,
        lambda net, samples: scores[net.has_generator_],
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
        NET_SCORE,
        lambda net, samples: scores[net.has_generator_],
    )
    with pytest.warns(UserWarning, match=r"did not help on the 15 samples .*0\.7000.*0\.8000") as w:
        clf = model().fit(X, Y)
    assert w[0].filename == __file__
    assert clf.history_.guard["kept"] == "single_task"
    assert clf.predict(X).shape == Y.shape


def test_of_equal_scores_the_lower_loss_decides_and_a_draw_is_no_help(monkeypatch):
    monkeypatch.setattr(NET_SCORE, lambda net, samples: 0.8)
    for loss, kept in ((0.1, "auxiliary"), (0.2, "single_task"), (0.3, "single_task")):
        losses = {True: loss, False: 0.2}
        monkeypatch.setattr(
            "sklearn_maxl._training.net.MAXLNet.loss_on",
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


@pytest.fixture
def lost(monkeypatch):
    """The auxiliary task's trial has the lower score: it comes first."""
    scores = iter([0.7, 0.8] * 9)
    monkeypatch.setattr(NET_SCORE, lambda net, samples: next(scores))


@pytest.mark.filterwarnings("ignore:The auxiliary task")
@pytest.mark.parametrize("auxiliary", ["maxl", "uniform", "random", "kmeans"])
def test_after_a_fall_back_the_auxiliary_head_has_learned_beside_the_single_task(lost, auxiliary):
    settings = {"auxiliary": auxiliary, "meta_every": 1, "max_epochs": 20}
    clf = model(**settings).fit(X, Y)
    alone = model(guard=False, auxiliary=None, max_epochs=20).fit(X, Y)
    assert clf.history_.guard["kept"] == "single_task"
    np.testing.assert_array_equal(clf.predict_proba(X), alone.predict_proba(X))
    np.testing.assert_array_equal(clf.transform(X), alone.transform(X))
    assert clf.psi_.tolist() == [5, 5, 5]
    loss = clf.history_["auxiliary_loss"]
    assert loss[-1] < 0.9 * loss[0]
    blocks = clf.predict_auxiliary(X).reshape(150, 3, 5).sum(2)
    assert (blocks.argmax(1) == Y).mean() > 0.8
    if auxiliary == "maxl":  # what the labels are does not reach the primary loss
        assert (clf.history_["gradient_norm_ratio"] == 0).all()


def test_images_fall_back_to_a_network_without_views(lost):
    images, y = load_digits(return_X_y=True)
    images, y = images[:100].reshape(-1, 1, 8, 8), y[:100]
    settings = {"backbone": ConvNet((4, 8)), "max_epochs": 2}
    with pytest.warns(UserWarning, match="did not help"):
        clf = model(**settings).fit(images, y)
    alone = model(guard=False, auxiliary=None, **settings).fit(images, y)
    np.testing.assert_array_equal(clf.predict_proba(images), alone.predict_proba(images))
    assert clf.predict_auxiliary(images).shape == (100, 50)
    assert clf.generate_auxiliary_labels(images, y).shape == (100, 50)


@pytest.mark.filterwarnings("ignore:The auxiliary task")
@pytest.mark.parametrize("meta_gradient", ["exact", "double_backward", "finite_difference"])
@pytest.mark.parametrize(
    "settings",
    [{"compile": "eager", "backbone": "mlp"}, {"alternation": "epoch"}, {"meta_batch": "next"}],
)
def test_every_way_to_train_leaves_the_trunk_alone(lost, meta_gradient, settings):
    if "compile" in settings and meta_gradient != "exact":
        settings = {"gradient_similarity_every": 1}
    clf = model(meta_gradient=meta_gradient, **settings).fit(X, Y)
    backbone = settings.get("backbone", "auto")
    alone = model(guard=False, auxiliary=None, backbone=backbone).fit(X, Y)
    np.testing.assert_allclose(clf.predict_proba(X), alone.predict_proba(X), rtol=1e-5)
    if "gradient_similarity_every" in settings:
        assert (clf.history_["gradient_similarity"] == 0).all()


@pytest.mark.filterwarnings("ignore:The auxiliary task")
def test_training_goes_on_apart(lost, tmp_path):
    clf = model().fit(X, Y)
    alone = model(guard=False, auxiliary=None).fit(X, Y)
    path = tmp_path / "model.maxl"
    clf.save(path)
    loaded = MAXLClassifier.load(path)
    np.testing.assert_array_equal(loaded.predict_auxiliary(X), clf.predict_auxiliary(X))
    assert loaded.net_.module_.apart
    assert loaded.history_.guard == clf.history_.guard
    for est in (clf, alone):
        est.set_params(guard=False).partial_fit(X, Y)
    np.testing.assert_array_equal(clf.predict_proba(X), alone.predict_proba(X))
    for est in (clf, alone):
        est.set_params(warm_start=True).fit(X, Y)
    np.testing.assert_array_equal(clf.predict_proba(X), alone.predict_proba(X))
    assert clf.n_iter_ == 11
    assert clf.history_.guard["kept"] == "single_task"  # as it was found at the start


class Count(Callback):
    """Trainings, over all copies of the callback."""

    trainings = 0

    def on_train_begin(self, net, **kwargs):
        Count.trainings += 1


@pytest.mark.filterwarnings("ignore:The auxiliary task")
def test_trials_are_silent_and_without_callbacks(monkeypatch, caplog):
    monkeypatch.setattr(Count, "trainings", 0)
    with caplog.at_level("INFO", logger="sklearn_maxl"):
        model(max_epochs=2, callbacks=[Count()], verbose=1).fit(X, Y)
    assert Count.trainings == 1
    assert len(caplog.records) == 2


def test_the_auxiliary_loss_of_a_network_apart_does_not_reach_the_trunk():
    clf = model(guard=False).fit(X, Y)
    net = clf.net_.module_
    z = net.prepare(torch.as_tensor(X[:5]))
    for apart, reached in ((False, True), (True, False)):
        net.apart = apart
        net.zero_grad()
        net.outputs(z)[1].sum().backward()
        assert all((p.grad is not None) == reached for p in net.trunk.parameters())
        assert all(p.grad is not None for p in net.auxiliary_head.parameters())


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
