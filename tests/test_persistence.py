"""pickle and joblib: the same bits come back, and not more than is needed."""

import io
import pickle
import warnings

import joblib
import numpy as np
import pytest
import torch
from skorch.exceptions import DeviceWarning

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import MLP, ConvNet


def through_joblib(obj):
    buffer = io.BytesIO()
    joblib.dump(obj, buffer)
    return joblib.load(buffer)


def through_pickle(obj):
    return pickle.loads(pickle.dumps(obj))


round_trips = pytest.mark.parametrize("round_trip", [through_pickle, through_joblib])


@round_trips
@pytest.mark.parametrize("auxiliary", ["maxl", "uniform", "random", "kmeans", None])
def test_a_fitted_classifier_comes_back_bit_for_bit(iris, round_trip, auxiliary):
    X, y = iris
    clf = MAXLClassifier(auxiliary=auxiliary, max_epochs=3, random_state=0).fit(X, y)
    other = round_trip(clf)
    np.testing.assert_array_equal(other.predict_proba(X), clf.predict_proba(X))
    np.testing.assert_array_equal(other.transform(X), clf.transform(X))
    if auxiliary is not None:
        np.testing.assert_array_equal(other.predict_auxiliary(X), clf.predict_auxiliary(X))
    if auxiliary in ("maxl", "uniform", "kmeans"):
        np.testing.assert_array_equal(
            other.generate_auxiliary_labels(X, y), clf.generate_auxiliary_labels(X, y)
        )
    assert repr(other) == repr(clf)
    assert str(other.history_) == str(clf.history_)


@round_trips
def test_images_and_a_backbone_come_back(images, round_trip):
    X, y = images
    clf = MAXLClassifier(ConvNet((4, 4)), max_epochs=1, early_stopping=True).fit(X, y)
    np.testing.assert_array_equal(round_trip(clf).predict_proba(X), clf.predict_proba(X))


@round_trips
def test_an_unfitted_classifier_comes_back(iris, round_trip):
    clf = MAXLClassifier(MLP((5,), dropout=0.1), psi={0: 1, 1: 2, 2: 3}, max_epochs=1)
    other = round_trip(clf)
    assert repr(other) == repr(clf)
    assert other.fit(*iris).psi_.tolist() == [1, 2, 3]


@round_trips
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_training_goes_on_bit_for_bit(iris, round_trip, dropout, optimizer):
    X, y = iris
    backbone = MLP((8,), dropout=dropout)
    clf = MAXLClassifier(backbone, optimizer=optimizer, max_epochs=3, random_state=0).fit(X, y)
    other = round_trip(clf)
    for each in (clf, other):
        each.partial_fit(X, y)
    np.testing.assert_array_equal(other.predict_proba(X), clf.predict_proba(X))
    assert other.n_iter_ == clf.n_iter_ == 4


@pytest.mark.parametrize("auxiliary", ["maxl", "kmeans", None])
def test_a_pickle_holds_the_networks_and_the_optimizer_and_no_data(iris, auxiliary):
    X, y = (np.tile(a, (40,) + (1,) * (a.ndim - 1)) for a in iris)  # 6000 rows
    clf = MAXLClassifier(auxiliary=auxiliary, max_epochs=1, random_state=0).fit(X, y)
    nets = [clf.net_.module_] + ([clf.net_.generator_] if auxiliary == "maxl" else [])
    weights = sum(4 * p.numel() for net in nets for p in net.parameters())
    # Weights, their gradients and Adam's two moments, and 40 kB of everything else.
    assert len(pickle.dumps(clf)) < 4 * weights + 40_000


def test_many_epochs_stay_small(iris):
    X, y = iris[0][::10], iris[1][::10]
    few, many = (
        len(pickle.dumps(MAXLClassifier(MLP((4,)), max_epochs=n, random_state=0).fit(X, y)))
        for n in (10, 210)
    )
    assert (many - few) / 200 < 1000  # bytes an epoch


def test_a_history_comes_back_as_a_history(iris):
    history = MAXLClassifier(max_epochs=2).fit(*iris).history_
    other = through_pickle(history)
    assert type(other) is type(history)
    np.testing.assert_array_equal(other["meta_loss"], history["meta_loss"])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to open it on")
@round_trips
@pytest.mark.parametrize("auxiliary", ["maxl", "kmeans", None])
def test_what_was_pickled_on_a_gpu_opens_on_a_cpu(iris, round_trip, auxiliary):
    X, y = iris
    clf = MAXLClassifier(auxiliary=auxiliary, max_epochs=2, random_state=0).fit(X, y)
    expected = clf.predict_proba(X)
    clf.net_.device = "cuda"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        other = round_trip(clf)
    assert {w.category for w in caught} == {DeviceWarning}
    np.testing.assert_array_equal(other.predict_proba(X), expected)
    if auxiliary == "maxl":
        assert other.generate_auxiliary_labels(X, y).shape == (150, 15)
    other.partial_fit(X, y)
    assert other.set_params(warm_start=True).fit(X, y).n_iter_ == 5
