"""Options of the generated labels: weights, information, scale, and what the history says."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

from sklearn_maxl import MAXLClassifier
from sklearn_maxl._estimators import base as _base
from sklearn_maxl._training.history import History, share_in_use
from sklearn_maxl.backbones import ConvNet
from sklearn_maxl.callbacks import GradientSimilarity
from sklearn_maxl.labels import Learned

X, Y = load_iris(return_X_y=True)


def fit(**parameters):
    return MAXLClassifier(**{"max_epochs": 20, "random_state": 0, **parameters}).fit(X, Y)


def weights_of(clf):
    """The learned weights of the samples."""
    return clf.net_.apply(clf.net_.generator_.weights, X)


def test_learned_weights_stay_in_their_range_and_are_recorded():
    clf = fit(backbone="mlp", auxiliary=Learned(weight_range=1.5, lr=0.05))
    weights = weights_of(clf)
    assert weights.shape == (150,)
    assert (weights >= 2**-1.5).all()
    assert (weights <= 2**1.5).all()
    assert weights.std() > 0.01
    last = clf.history_[-1]
    assert last["generated_weight"] == pytest.approx(weights.mean(), rel=0.1)
    assert last["generated_weight_deviation"] == pytest.approx(weights.std(), rel=0.5)


def test_without_a_range_all_weights_are_one_and_nothing_is_recorded():
    clf = fit(max_epochs=1)
    np.testing.assert_array_equal(weights_of(clf), np.ones(150, np.float32))
    assert "generated_weight" not in clf.history_.columns()


def test_weights_start_at_one():
    """The first epoch of one step is the same as without weights."""
    a, b = (
        fit(max_epochs=1, batch_size=150, auxiliary=Learned(weight_range=r)) for r in (0.0, 3.0)
    )
    np.testing.assert_allclose(a.predict_proba(X), b.predict_proba(X), rtol=1e-5)
    assert b.history_[0]["generated_weight"] == 1.0


def test_information_makes_labels_sharp_and_keeps_them_in_use():
    plain, sharp = (
        fit(),
        fit(auxiliary=Learned(information_weight=0.3, lr=0.01, every=1), max_epochs=60),
    )
    assert plain.history_[-1]["label_entropy"] > 0.9 * np.log(5)
    assert sharp.history_[-1]["label_entropy"] < 0.3 * np.log(5)
    assert sharp.history_[-1]["mean_label_entropy"] > 0.8 * np.log(5)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_scale_is_a_factor_of_the_meta_gradient(optimizer):
    ratios = {
        scale: fit(
            max_epochs=1,
            batch_size=150,
            optimizer=optimizer,
            lr=0.01,
            auxiliary=Learned(meta_scale=scale),
        )
        for scale in (1.0, 100.0, "inverse_lr", 0.0)
    }
    ratio = {scale: clf.history_[0]["gradient_norm_ratio"] for scale, clf in ratios.items()}
    assert ratio[100.0] == pytest.approx(100 * ratio[1.0], rel=1e-4)
    assert ratio["inverse_lr"] == pytest.approx(100 * ratio[1.0], rel=1e-4)
    assert ratio[0.0] == 0


def test_gradient_similarity_is_recorded_where_it_is_asked_for():
    clf = fit(callbacks=[GradientSimilarity(every=2)], max_epochs=3)
    similarity = clf.history_["gradient_similarity"]
    assert similarity.shape == (3,)
    assert (np.abs(similarity) <= 1).all()
    assert similarity.any()
    assert clf.history_.columns()[-1] == "gradient_similarity"
    np.testing.assert_array_equal(clf.predict_proba(X), fit(max_epochs=3).predict_proba(X))
    assert "gradient_similarity" not in fit(max_epochs=1).history_.columns()
    for arm in ("uniform", "random"):
        other = fit(auxiliary=arm, callbacks=[GradientSimilarity(every=1)], max_epochs=1)
        assert np.isfinite(other.history_["gradient_similarity"]).all()
    alone = fit(auxiliary=None, callbacks=[GradientSimilarity(every=1)], max_epochs=1)
    assert "gradient_similarity" not in alone.history_.columns()
    callbacks = [GradientSimilarity(every=10**6)]
    rare = fit(callbacks=callbacks, max_epochs=2).history_["gradient_similarity"]
    assert np.isfinite(rare[0])
    assert np.isnan(rare[1])


def test_similarity_with_dropout_and_batch_norm_changes_no_result(images):
    pictures, y = images
    clf = MAXLClassifier(ConvNet(channels=(4,), dropout=0.3), max_epochs=2, random_state=0)
    a = clf.fit(pictures, y).predict_proba(pictures)
    clf.set_params(callbacks=[GradientSimilarity(every=1)]).fit(pictures, y)
    b = clf.predict_proba(pictures)
    np.testing.assert_array_equal(a, b)
    assert clf.history_["gradient_similarity"].any()


def test_collapsed_labels_are_told(monkeypatch):
    monkeypatch.setattr(_base, "share_in_use", lambda in_use, psi: 0.4)
    with pytest.warns(ConvergenceWarning, match=r"Only 40% .*\. Raise entropy_weight") as w:
        fit(max_epochs=1)
    assert w[0].filename == __file__


@pytest.mark.parametrize(("early_stopping", "warns"), [(False, False), (True, True)])
def test_the_state_that_was_kept_is_looked_at_for_a_collapse(early_stopping, warns):
    rows = [(0.5, 1.0), (0.9, 0.2), (0.9, 1.0), (0.7, 1.0)]  # the second is the best, and first
    history = History(
        {"epoch": i, "validation_score": score, "auxiliary_in_use": np.array([in_use])}
        for i, (score, in_use) in enumerate(rows, start=1)
    )
    settings = SimpleNamespace(learned=Learned(), early_stopping=early_stopping)
    fitted = SimpleNamespace(settings=settings, history=history, psi=np.array([5]))
    expected = pytest.warns(ConvergenceWarning, match="Only 20%") if warns else nullcontext()
    with expected:
        _base._warn_of_collapse(fitted)


def test_labels_that_really_collapse_are_told():
    """Sharp labels without the entropy term, from a single step on a single class each."""
    generator = torch.nn.Linear(4, 3)
    torch.nn.init.constant_(generator.weight, 50.0)  # far into the softmax's flat part
    with pytest.warns(ConvergenceWarning, match="have collapsed"):
        fit(auxiliary=Learned(generator, entropy_weight=0.0, lr=1e-9), max_epochs=2, psi=8)


@pytest.mark.parametrize(
    ("in_use", "psi", "share"),
    [
        ([1.0, 1.0], [5, 5], 1.0),
        ([0.2, 1.0], [5, 1], 1 / 3),
        ([0.0, 0.5], [9, 2], 0.5),  # the first class had no samples
        ([0.0, 0.0], [2, 2], 1.0),
    ],
)
def test_the_share_counts_auxiliary_classes_of_classes_with_samples(in_use, psi, share):
    assert share_in_use(np.array(in_use), np.array(psi)) == pytest.approx(share)
