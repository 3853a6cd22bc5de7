"""pickle, joblib, save and load: the same bits come back, and not more than is needed."""

import hashlib
import io
import json
import os
import pickle
import re
import socket
import stat
import subprocess
import sys
import warnings
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import Callback
from skorch.exceptions import DeviceWarning
from torch import nn

import sklearn_maxl
from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._persistence import container as _file
from sklearn_maxl._persistence.json_values import NotPlainError, decode, encode, parse
from sklearn_maxl.backbones import MLP, VGG16, ConvNet, Custom, ResNet50
from sklearn_maxl.callbacks import GradientSimilarity
from sklearn_maxl.labels import KMeans, Labels, Learned
from sklearn_maxl.optimizers import SGD, Adam, AdamW


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
    clf = MAXLClassifier("mlp", auxiliary=auxiliary, max_epochs=1, random_state=0).fit(X, y)
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


# save and load

ARMS = ("maxl", "uniform", "random", "kmeans", "human", None)
ESTIMATORS = (MAXLClassifier, MAXLRegressor)


def fitted(estimator=MAXLClassifier, data=None, **parameters):
    X, y = load_iris(return_X_y=True) if data is None else data
    finer = y if parameters.get("auxiliary") == "human" else None
    settings = {"max_epochs": 2, "random_state": 0, **parameters}
    return estimator(**settings).fit(X, y, auxiliary_labels=finer)


def outputs(estimator, X, y):
    """Everything that a fitted estimator can say, by the name of the method."""
    names = (
        "predict", "predict_proba", "predict_log_proba", "transform", "predict_auxiliary",
    )  # fmt: skip
    found = {name: getattr(estimator, name)(X) for name in names if hasattr(estimator, name)}
    if hasattr(estimator, "generate_auxiliary_labels"):
        found["generate_auxiliary_labels"] = estimator.generate_auxiliary_labels(X, y)
    if estimator.net_.has_generator_:
        samples = np.array(X)
        found["weights"] = estimator.net_.apply(estimator.net_.generator_.weights, samples)
    return found


def assert_the_same(other, estimator, X, y):
    expected, found = outputs(estimator, X, y), outputs(other, X, y)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].dtype == values.dtype
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    check_is_fitted(other)
    assert repr(other) == repr(estimator)
    assert str(other.history_) == str(estimator.history_)
    assert other.history_.columns() == estimator.history_.columns()
    for row, mine in zip(other.history_, estimator.history_, strict=True):
        np.testing.assert_equal(row, mine)
        assert [type(v) for v in row.values()] == [type(v) for v in mine.values()]
    fitted_names = {n for n in vars(estimator) if n.endswith("_") or n.startswith("_")}
    assert {n for n in vars(other) if n.endswith("_") or n.startswith("_")} == fitted_names
    for name in ("n_features_in_", "input_shape_", "n_iter_"):
        assert getattr(other, name) == getattr(estimator, name)
        assert type(getattr(other, name)) is type(getattr(estimator, name))
    np.testing.assert_array_equal(other.psi_, estimator.psi_)
    assert other.psi_.dtype == estimator.psi_.dtype
    assert len(other.net_.history) == len(estimator.net_.history)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "clf.safetensors"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The bytes of a small saved classifier."""
    file = tmp_path_factory.mktemp("saved") / "small"
    fitted(backbone=MLP((3,)), psi=2, max_epochs=1).save(file)
    return file.read_bytes()


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("auxiliary", ARMS)
def test_load_gives_back_what_was_saved(iris, path, auxiliary, estimator):
    before = fitted(estimator, auxiliary=auxiliary)
    before.save(path)
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    other = estimator.load(path)
    assert_the_same(other, before, *iris)
    assert torch.equal(torch.get_rng_state(), torch_state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("auxiliary", ["maxl", "kmeans", None])
def test_images_come_back(images, path, auxiliary, estimator):
    before = fitted(estimator, images, backbone=ConvNet((4, 5)), auxiliary=auxiliary, psi=2)
    before.save(path)
    other = estimator.load(path)
    assert other.net_.module_.trunk.channels_last
    assert_the_same(other, before, *images)


def test_the_large_backbones_and_signals_come_back(images, path):
    X = np.kron(images[0][:20], np.ones((1, 1, 2, 2), np.uint8))
    y = images[1][:20] % 2
    cases = {"vgg16": (VGG16(width=0.05), X), "signal": ("convnet", X[:, :, 0])}
    cases["resnet50"] = (ResNet50(width=0.05), X)
    for backbone, samples in cases.values():
        data = samples, y
        labels = Learned("mlp")
        before = fitted(data=data, backbone=backbone, auxiliary=labels, max_epochs=1, psi=1)
        before.save(path)
        assert_the_same(MAXLClassifier.load(path), before, *data)


LABELS = {
    "int8": np.array([-3, 0, 7], np.int8),
    "float32": np.array([-1.0, 0.0, 2.0], np.float32),
    "bool": np.array([False, True, True]),
    "text": np.array(["a", "b", 'gr\u00fcn \ud800"']),
    "wide text": np.array(["a", "b", "c"], "<U40"),
    "objects": np.array(["a", "b", "c"], object),
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_classes_keep_their_type(iris, path, labels):
    X, y = iris[0], labels[iris[1]]
    before = fitted(data=(X, y))
    before.save(path)
    other = MAXLClassifier.load(path)
    assert other.classes_.dtype == before.classes_.dtype
    assert [type(c) for c in other.classes_] == [type(c) for c in before.classes_]
    assert_the_same(other, before, X, y)


def test_many_classes_come_back_without_a_warning(path):
    X, y = np.random.RandomState(0).normal(size=(90, 2)), np.arange(90) % 30
    before = fitted(data=(X, y), auxiliary="uniform", max_epochs=1)
    before.save(path)
    assert_the_same(MAXLClassifier.load(path), before, X, y)


def test_finer_labels_of_a_persons_and_several_targets_come_back(iris, path):
    X, y = iris
    finer = np.array(["u", "v", "w", "x"])[np.arange(150) % 4]
    clf = MAXLClassifier(auxiliary="human", max_epochs=1).fit(X, y, auxiliary_labels=finer)
    clf.save(path)
    MAXLClassifier.load(path).partial_fit(X, y, auxiliary_labels=finer)
    reg = fitted(MAXLRegressor, (X[:, :2], X[:, 2:]))
    reg.save(path)
    assert_the_same(MAXLRegressor.load(path), reg, X[:, :2], X[:, 2:])


SETTINGS = {
    "specs": {
        "backbone": MLP([6, 5], dropout=0.1), "auxiliary": Learned(MLP((np.int64(4),))),
    },
    "nested": {"auxiliary": Learned(MLP((7,)), optimizer=SGD(momentum=0.9))},
    "numpy numbers of holders": {
        "auxiliary": Learned(every=np.int64(2), optimizer=Adam(np.float32(0.1))),
        "optimizer": AdamW(weight_decay=0),
    },
    "clusters": {"auxiliary": KMeans(), "optimizer": SGD(0.9, nesterov=True)},
    "psi by class": {"psi": {0: 1, 1: 2, 2: 3}},
    "psi as array": {"psi": np.array([1, 2, 3])},
    "psi found": {"psi": "auto", "max_epochs": 10},
    "weights": {
        "auxiliary": Learned(weight_range=1.5), "class_weight": {0: 2.0, 1: 1, 2: np.float32(1)},
    },
    "early stopping": {"early_stopping": True, "tol": 0},
    "numpy numbers": {"lr": np.float32(0.01), "batch_size": np.int64(50)},
    "information": {"auxiliary": Learned(information_weight=0.1, meta_scale="inverse_lr")},
    "schedule": {"schedule": "cosine", "optimizer": "sgd", "precision": "bfloat16"},
}  # fmt: skip


def assert_equal_parameters(other, estimator):
    """All of them but the device, holders by their type and what is in them."""
    mine, theirs = estimator.get_params(), other.get_params()
    assert theirs.keys() == mine.keys()
    assert [type(v) for v in theirs.values()] == [type(v) for v in mine.values()]
    holders = {name for name, value in mine.items() if hasattr(value, "get_params")}
    for name in mine.keys() - holders - {"device"}:
        np.testing.assert_equal(theirs[name], mine[name])


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_parameters_come_back(iris, path, settings):
    before = fitted(**settings)
    before.save(path)
    other = MAXLClassifier.load(path)
    assert_the_same(other, before, *iris)
    assert_equal_parameters(other, before)


def test_holders_come_back_as_objects_of_their_own(path):
    before = fitted(auxiliary=Learned(MLP((7,)), optimizer=SGD(momentum=0.9)), max_epochs=1)
    before.save(path)
    one, other = (MAXLClassifier.load(path) for _ in range(2))
    assert one.auxiliary is not other.auxiliary
    assert repr(one.auxiliary) == repr(before.auxiliary)
    assert one.auxiliary.generator.hidden_layer_sizes == (7,)
    assert one.auxiliary.optimizer.momentum == 0.9
    one.set_params(auxiliary__generator__dropout=0.5, auxiliary__optimizer__momentum=0.1)
    assert_equal_parameters(other, before)


def test_a_preset_comes_back(images, path):
    before = MAXLClassifier.from_preset(
        "neurips2019", backbone=ConvNet((4, 6)), batch_size=50, max_epochs=2, random_state=0
    )
    before.fit(*images).save(path)
    other = MAXLClassifier.load(path)  # without a warning
    assert_the_same(other, before, *images)
    assert_equal_parameters(other, before)
    assert other.auxiliary.optimizer.weight_decay == 5e-4
    assert other.partial_fit(*images).n_iter_ == 3


def test_a_column_of_a_callback_comes_back(iris, path):
    before = fitted(callbacks=[GradientSimilarity(every=3)])
    before.save(path)
    with pytest.warns(UserWarning, match="does not hold the parameters callbacks,"):
        other = MAXLClassifier.load(path)
    assert other.history_.columns()[-1] == "gradient_similarity"
    assert_the_same(other, before.set_params(callbacks=None), *iris)


def test_names_of_columns_come_back(iris, path):
    X = pd.DataFrame(iris[0], columns=["a", "b", "c", "\u00e9"])
    before = fitted(data=(X, iris[1]))
    before.save(path)
    other = MAXLClassifier.load(path)
    np.testing.assert_array_equal(other.feature_names_in_, before.feature_names_in_)
    assert other.feature_names_in_.dtype == object
    with pytest.raises(ValueError, match="feature names"):
        other.predict(X.rename(columns={"a": "z"}))
    assert_the_same(other, before, X, iris[1])


def test_a_loaded_estimator_is_a_whole_one(iris, path):
    X, y = iris
    before = fitted(warm_start=True)
    before.save(path)
    other = MAXLClassifier.load(path)
    assert_the_same(through_pickle(other), before, X, y)
    assert repr(clone(other)) == repr(before)
    other.set_output(transform="pandas")
    assert list(other.transform(X).columns) == list(before.get_feature_names_out())
    assert other.score(X, y) == before.score(X, y)
    for each in (MAXLClassifier.load(path), MAXLClassifier.load(path)):
        each.partial_fit(X, y)
        assert each.n_iter_ == 3
        assert each.fit(X, y).n_iter_ == 5
        each.save(path.with_suffix(".again"))
    again = MAXLClassifier.load(path.with_suffix(".again"))
    assert_the_same(again, each, X, y)
    refit = other.set_params(warm_start=False).set_output(transform="default").fit(X, y)
    np.testing.assert_array_equal(refit.predict_proba(X), before.predict_proba(X))


def test_a_schedule_goes_on_where_it_was(iris, path):
    clf = fitted(schedule="cosine", max_epochs=4)
    clf.save(path)
    other = MAXLClassifier.load(path).partial_fit(*iris)
    rates = [each.net_.optimizer_.param_groups[0]["lr"] for each in (other, clf.partial_fit(*iris))]
    assert rates[0] == rates[1] < 0.01


# What a file can't hold


def own_trunk(input_shape):
    return nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(input_shape)), 6), nn.BatchNorm1d(6))


OWN = {
    "function": own_trunk,
    "Custom": Custom(nn.Linear, in_features=4, out_features=3),
    "module": nn.Sequential(nn.Linear(4, 6), nn.Tanh()),
}


@pytest.mark.parametrize("kind", [Learned, KMeans])
@pytest.mark.parametrize("own", OWN.values(), ids=OWN)
def test_own_networks_are_given_to_load(iris, path, own, kind):
    before = fitted(backbone=own, auxiliary=Learned(own) if kind is Learned else kind())
    before.save(path)
    other = MAXLClassifier.load(path, backbone=own, generator=own)
    assert_the_same(other, before, *iris)
    needed = r"can't be loaded: its backbone is a network of your own, .*load\(path, backbone="
    with pytest.raises(ValueError, match=needed):
        MAXLClassifier.load(path)
    if kind is Learned:
        needed = r"its generator is a network of your own, .*load\(path, generator="
        with pytest.raises(ValueError, match=needed):
            MAXLClassifier.load(path, backbone=own)
    else:
        assert_the_same(MAXLClassifier.load(path, backbone=own), before, *iris)
    wrong = r"of its (module|encoder) (are not|is).* of the network"
    with pytest.raises(ValueError, match=wrong):
        MAXLClassifier.load(path, backbone=MLP((9,)), generator=own)


@pytest.mark.parametrize("own", OWN.values(), ids=OWN)
def test_an_own_generator_alone_is_given_to_load(iris, path, own):
    before = fitted(backbone=MLP((5,)), auxiliary=Learned(own, every=1))
    before.save(path)
    needed = r"its generator is a network of your own, .*load\(path, generator="
    with pytest.raises(ValueError, match=needed):
        MAXLClassifier.load(path)
    other = MAXLClassifier.load(path, generator=own)
    assert_the_same(other, before, *iris)
    assert other.auxiliary.generator is own
    assert other.partial_fit(*iris).n_iter_ == 3
    with pytest.raises(ValueError, match=r"of its generator (are not|is).* of the network"):
        MAXLClassifier.load(path, generator=MLP((9,)))


class ByColumn(Labels):
    """Labels of a user's own: above or below the median of a column."""

    def __init__(self, column=0):
        self.column = column

    def fit(self, task):
        self.psi_ = np.full(len(task.classes), 2)
        self.middle_ = float(np.median(task.rows.X[:, self.column]))
        self.names_ = ["below", "above"]
        self.others_ = task.rows.X.mean(0)
        return self

    def assign(self, rows, rng):
        return (rows.X[:, self.column] > self.middle_).astype(int)


def test_an_own_source_of_labels_is_given_to_load(iris, path):
    before = fitted(auxiliary=ByColumn(2))
    before.save(path)
    needed = r"source of auxiliary labels is of your own making, .*load\(path, auxiliary="
    with pytest.raises(ValueError, match=needed):
        MAXLClassifier.load(path)
    own = ByColumn(2)
    other = MAXLClassifier.load(path, auxiliary=own)
    assert_the_same(other, before, *iris)
    assert other.auxiliary is own
    assert not hasattr(own, "middle_")
    mine, theirs = before._fitted.labels, other._fitted.labels
    assert (theirs.middle_, theirs.names_) == (mine.middle_, mine.names_)
    np.testing.assert_array_equal(theirs.others_, mine.others_)
    other.partial_fit(*iris)


def test_state_of_an_own_source_that_is_no_plain_value_is_named(path):
    class Odd(ByColumn):
        def fit(self, task):
            self.made_of_ = object()
            return super().fit(task)

    clf = fitted(auxiliary=Odd(), max_epochs=1)
    with pytest.raises(ValueError, match=r"state of Odd can't be saved: .*give it a method state"):
        clf.save(path)
    assert not path.exists()


def test_own_image_networks_come_back(images, path):
    def own(input_shape):
        return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten())

    before = fitted(data=images, backbone=own, max_epochs=1)
    before.save(path)
    assert_the_same(MAXLClassifier.load(path, backbone=own), before, *images)


def test_parameters_that_are_no_plain_values_are_named(iris, path):
    settings = {
        "optimizer": partial(torch.optim.SGD, momentum=0.9),
        "auxiliary": Learned(optimizer=torch.optim.Adam, lr=0.002),
        "schedule": lambda progress: 1.0,
        "augment": lambda x: x,
        "callbacks": [Callback()],
        "random_state": np.random.RandomState(0),
    }
    before = fitted(**settings)
    before.save(path)
    names = "augment, auxiliary__optimizer, callbacks, optimizer, random_state, schedule"
    with pytest.warns(UserWarning, match=names) as caught:
        other = MAXLClassifier.load(path)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    defaults = MAXLClassifier().get_params()
    lost = settings.keys() - {"auxiliary"}
    assert all(other.get_params()[name] == defaults[name] for name in lost)
    assert (other.auxiliary.optimizer, other.auxiliary.lr) == ("adam", 0.002)
    np.testing.assert_array_equal(other.predict_proba(iris[0]), before.predict_proba(iris[0]))


CHANGES = {
    "backbone": ({"backbone": MLP((7,))}, r"'trunk.0.weight' of its module is float32 of shape"),
    "kind of backbone": ({"backbone": "members"}, r"of its module are not those of the network"),
    "no value": ({"lr": -1.0}, r"'lr' parameter"),
    "no value of the labels": ({"auxiliary__lr": -1.0}, r"'lr' parameter of Learned"),
}


@pytest.mark.parametrize(("change", "message"), CHANGES.values(), ids=CHANGES)
def test_parameters_changed_since_fit_are_refused(path, change, message):
    clf = fitted(backbone=MLP((6,)), auxiliary=Learned()).set_params(**change)
    with pytest.raises(ValueError, match=r"(?s)changed since fit, put them back: .*" + message):
        clf.save(path)
    assert not path.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"auxiliary__generator": MLP((7,))},
        {"auxiliary__weight_range": 1.0},
        {"auxiliary__every": 5},
    ],
    ids=["generator", "weight range", "lr"],
)
def test_labels_changed_since_fit_are_parameters_and_what_was_fitted_stays(iris, path, change):
    before = fitted(auxiliary=Learned(weight_range=2.0)).set_params(**change)
    before.save(path)
    other = MAXLClassifier.load(path)
    assert_the_same(other, before, *iris)
    assert str(other.auxiliary) == str(before.auxiliary)
    assert other._fitted.settings.labels.weight_range == 2.0


def test_another_source_since_fit_is_a_parameter_and_what_was_fitted_stays(iris, path):
    before = fitted(auxiliary=Learned()).set_params(auxiliary=KMeans())
    before.save(path)
    other = MAXLClassifier.load(path)
    assert_the_same(other, before, *iris)
    assert type(other.auxiliary) is KMeans
    assert other.net_.has_generator_


def test_save_says_what_is_wrong(iris, path, tmp_path):
    with pytest.raises(NotFittedError, match="This MAXLClassifier instance is not fitted yet"):
        MAXLClassifier().save(path)
    clf = fitted(max_epochs=1)
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*nowhere; make it before"):
        clf.save(tmp_path / "nowhere" / "clf")
    with pytest.raises(IsADirectoryError, match=r"is a folder; give the name of a file in it"):
        clf.save(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_load_says_what_is_wrong(path, tmp_path):
    with pytest.raises(FileNotFoundError):
        MAXLClassifier.load(path)
    fitted(MAXLRegressor, max_epochs=1).save(path)
    with pytest.raises(ValueError, match=r"clf.safetensors can't .* MAXLRegressor; use MAXLReg"):
        MAXLClassifier.load(path)
    with pytest.raises(ValueError, match=r"device='gpu' is not a device; use 'auto'"):
        MAXLRegressor.load(path, device="gpu")
    joblib.dump(fitted(max_epochs=1), path)
    with pytest.raises(ValueError, match=r"cut off, or no safetensors file"):
        MAXLClassifier.load(path)
    safetensors.torch.save_file({"a": torch.ones(2)}, path)
    with pytest.raises(ValueError, match=r"it is no file that save wrote"):
        MAXLClassifier.load(path)


def test_device_is_that_of_load(iris, path):
    fitted(device="cpu").save(path)
    assert MAXLClassifier.load(path, device=torch.device("cpu")).device == torch.device("cpu")
    edit(path, lambda header, tensors: header.update(device="cuda"))
    if not torch.cuda.is_available():
        with pytest.warns(UserWarning, match=r"fitted on 'cuda' and is now on 'cpu'") as caught:
            assert MAXLClassifier.load(path).device == "auto"
        assert len(caught) == 1
    assert MAXLClassifier.load(path, device="cpu").predict(iris[0]).shape == (150,)


def test_another_major_version_is_told(path):
    fitted(max_epochs=1).save(path)
    edit(path, lambda header, tensors: header["versions"].update(sklearn_maxl="77.1"))
    with pytest.warns(UserWarning, match=r"written by sklearn_maxl 77.1, and this is"):
        MAXLClassifier.load(path)


# Writing


def test_a_failing_write_leaves_the_old_file(path, monkeypatch):
    clf = fitted(max_epochs=1)
    clf.save(path)
    before = path.read_bytes()

    def fails(*args):
        raise OSError("no room")

    for name in ("replace", "fsync"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fails)
            with pytest.raises(OSError, match="no room"):
                clf.save(path)
        assert path.read_bytes() == before
        assert list(path.parent.iterdir()) == [path]
    MAXLClassifier.load(path)


def test_a_link_goes_on_pointing_to_the_file(path, tmp_path):
    clf = fitted(max_epochs=1)
    path.touch()
    link = tmp_path / "link"
    link.symlink_to(path)
    clf.save(str(link))
    assert link.is_symlink()
    assert MAXLClassifier.load(path).n_iter_ == 1


posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and special files of POSIX")


@contextmanager
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@posix
@pytest.mark.parametrize("through_a_link", [False, True])
def test_a_file_that_is_replaced_keeps_its_mode(path, tmp_path, through_a_link):
    clf, target = fitted(max_epochs=1), path
    with umask(0o027):
        clf.save(path)
        assert mode_of(path) == 0o640
        if through_a_link:
            target = tmp_path / "link"
            target.symlink_to(path)
        for mode in (0o600, 0o664, 0o444):
            path.chmod(mode)
            number = path.stat().st_ino
            clf.save(target)
            assert mode_of(path) == mode
            assert path.stat().st_ino != number  # replaced at once, not written over


@posix
def test_nobody_else_may_read_a_private_file_while_it_is_written(path, tmp_path):
    path.touch(0o600)
    modes = []

    def parts():
        modes.extend(mode_of(p) for p in tmp_path.iterdir())
        yield b""

    with umask(0o000):
        _file.replace_file(path, parts())
    assert modes == [0o600, 0o600]


@posix
def test_owner_and_group_are_kept_where_that_is_permitted(path, monkeypatch):
    path.touch()
    asked = []

    def refuses(number, *owner):
        asked.append(owner)
        raise PermissionError("not yours")

    monkeypatch.setattr(os, "fchown", refuses)
    _file.replace_file(path, [b"new"])
    found = path.stat()
    assert asked == [(-1, found.st_gid), (found.st_uid, -1)]
    assert path.read_bytes() == b"new"


def a_pipe(path):
    os.mkfifo(path)


def a_socket(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def a_link_to_a_pipe(path):
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def a_device(path):
    try:  # one of our own: a failing test must not replace the machine's
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except OSError:
        pytest.skip("only the administrator may make devices")


@posix
@pytest.mark.parametrize("make", [a_pipe, a_socket, a_link_to_a_pipe, a_device])
def test_what_is_no_regular_file_is_neither_replaced_nor_read(tmp_path, monkeypatch, make):
    monkeypatch.chdir(tmp_path)  # the name of a socket has to be short
    make(Path("special"))
    before, kind = set(os.listdir()), os.stat("special").st_mode
    with pytest.raises(FileExistsError, match=r"special is a device, a pipe or a socket, which"):
        fitted(max_epochs=1).save("special")
    with pytest.raises(ValueError, match=r"special can't be loaded: it is no regular file"):
        MAXLClassifier.load("special")
    assert os.stat("special").st_mode == kind
    assert set(os.listdir()) == before


def test_a_folder_is_not_read(tmp_path):
    with pytest.raises(ValueError, match=r"can't be loaded: it is no regular file, but a folder"):
        MAXLClassifier.load(tmp_path)


KILLED = """
import os, sys, signal
sys.path.insert(0, {root!r})
from sklearn_maxl._persistence.container import replace_file
def parts():
    for i in range(1000):
        if i == {n}:
            os.kill(os.getpid(), signal.SIGKILL)
        yield b"new" * 1000
replace_file({path!r}, parts())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_write_leaves_the_old_file(path):
    path.write_bytes(b"old")
    root = str(Path(sklearn_maxl.__file__).parents[1])
    script = KILLED.format(root=root, path=str(path), n=500)
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    assert path.read_bytes() == b"old"
    rest = [p.name for p in path.parent.iterdir() if p != path]
    assert len(rest) == 1
    assert re.fullmatch(r"\.sklearn_maxl-[0-9a-f]{16}\.tmp", rest[0])


WRITING = """
import sys
sys.path.insert(0, {root!r})
from sklearn_maxl._persistence.container import replace_file
def parts():
    yield b"new"
    print("writing", flush=True)
    sys.stdin.readline()
replace_file({path!r}, parts())
"""


@posix
def test_the_next_write_removes_what_a_killed_one_left(path):
    root = str(Path(sklearn_maxl.__file__).parents[1])
    killed = KILLED.format(root=root, path=str(path), n=500)
    subprocess.run([sys.executable, "-c", killed], check=False)
    others = [".sklearn_maxl-0123.tmp", "sklearn_maxl-0123456789abcdef.tmp", "data.tmp"]
    for name in others:
        path.with_name(name).touch()
    path.with_name(".sklearn_maxl-0123456789abcdef.tmp").symlink_to("data.tmp")
    path.with_name(".sklearn_maxl-0123456789abcde0.tmp").mkdir()
    before = {p.name for p in path.parent.iterdir()}
    _file.replace_file(path, [b"new"])
    gone = before - {p.name for p in path.parent.iterdir()}
    assert len(gone) == 1
    assert gone.isdisjoint({*others, ".sklearn_maxl-0123456789abcdef.tmp"})
    assert path.read_bytes() == b"new"


@posix
def test_a_write_that_goes_on_is_left_alone(path):
    root = str(Path(sklearn_maxl.__file__).parents[1])
    script = WRITING.format(root=root, path=str(path))
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", script], stdin=pipe, stdout=pipe) as other:
        assert other.stdout.readline() == b"writing\n"
        _file.replace_file(path.with_name("another"), [b"mine"])
        assert len(list(path.parent.glob(".sklearn_maxl-*.tmp"))) == 1
        other.communicate(b"\n")
    assert other.returncode == 0
    assert path.read_bytes() == b"new"
    assert {p.name for p in path.parent.iterdir()} == {path.name, "another"}


@posix
def test_a_write_makes_another_file_if_its_own_was_taken_for_one_left_behind(path, monkeypatch):
    """Between making a file and locking it, another process may clean up."""
    fcntl = pytest.importorskip("fcntl")
    lock, made = fcntl.flock, []

    def late(number, operation):
        made.append(number)
        if len(made) == 1:
            next(path.parent.glob(".sklearn_maxl-*.tmp")).unlink()
        lock(number, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    _file.replace_file(path, [b"new"])
    assert path.read_bytes() == b"new"
    assert len(made) == 2


def test_a_file_is_the_same_every_time(path):
    clf = fitted()
    clf.save(path)
    first = path.read_bytes()
    clf.save(path)
    assert path.read_bytes() == first


def test_other_programs_read_the_tensors(path):
    clf = fitted()
    clf.save(path)
    found = safetensors.torch.load_file(path)["module.primary_head.weight"]
    assert torch.equal(found, clf.net_.module_.primary_head.weight)


# Damaged and hostile files


def refused(path, data, estimator=MAXLClassifier):
    """The message with which a file is refused."""
    path.write_bytes(data)
    with pytest.raises(ValueError, match="can't be loaded: ") as caught:
        estimator.load(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message.removeprefix(str(path))) < 450
    return message


def test_a_cut_off_file_is_refused(path, saved):
    lengths = [*range(0, 200, 7), *range(200, len(saved), 101), len(saved) - 1]
    for length in lengths:
        refused(path, saved[:length])
    refused(path, saved + b"\0")


def test_no_flipped_bit_goes_unseen(path, saved):
    rng = np.random.RandomState(0)
    places = [*range(16), *rng.randint(len(saved), size=400)]
    for place in places:
        data = bytearray(saved)
        data[place] ^= 1 << rng.randint(8)
        refused(path, bytes(data))


def edit(path, change, raw=None):
    """Write a file anew with a checksum that is right, as a hostile writer would."""
    header, tensors = _file.read(path)
    if change is not None:
        change(header, tensors)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_file, "_refuse_unreadable", lambda text, header: None)
        if raw is not None:
            dumps = json.dumps
            patch.setattr(json, "dumps", lambda *args, **kwargs: raw(dumps(*args, **kwargs)))
        _file.write(path, header, tensors)


def setting(*keys):
    """A change of an entry of the header: setting("a", "b", value)."""
    *names, last, value = keys

    def change(header, tensors):
        for name in names:
            header = header[name]
        header[last] = value

    return change


def parameter(name, value):
    """A change of a parameter of the estimator."""
    return setting("parameters", name, {"value": value})


def of_labels(*keys):
    """A change of a parameter of the label generator."""
    return setting("labels", "kind", "parameters", *keys)


def without(name):
    return lambda header, tensors: header.pop(name)


def tensor(name, value):
    return lambda header, tensors: tensors.__setitem__(name, value)


def holder(name, **parameters):
    """A holder as it stands in a file."""
    return {"holder": name, "parameters": {k: {"value": v} for k, v in parameters.items()}}


def mlp(*sizes):
    return holder("MLP", hidden_layer_sizes=list(sizes), dropout=0.0)


WEIGHT = "module.trunk.0.weight"
TEMPERATURE = "module.temperature"
HUGE = 10**9
KNOWN = {"array": ["<i8", [1], [0]]}
HOSTILE = {
    "no labels": (without("labels"), r"its header lacks 'labels'"),
    "a list of labels": (setting("labels", []), r"'labels' in its header is \[\]"),
    "no kind": (setting("labels", "kind", None), r"of your own making"),
    "another kind": (setting("labels", "kind", holder("KMeans")), r"not those of an autoencoder"),
    "a kind without a generator": (
        setting("labels", "kind", holder("Uniform")), r"other networks than auxiliary has",
    ),
    "unknown kind": (setting("labels", "kind", holder("Gan")), r"no Gan in sklearn_maxl"),
    "import path of labels": (
        setting("labels", "kind", holder("os.system")), r"no os.system in sklearn_maxl",
    ),
    "a name for labels": (
        setting("labels", "kind", {"value": "maxl"}), r"come from no source of labels",
    ),
    "a backbone for labels": (setting("labels", "kind", mlp(3)), r"come from no source of labels"),
    "labels lack parameters": (
        setting("labels", "kind", holder("Learned", every=8)), r"not those of Learned",
    ),
    "labels have more": (of_labels("sights", {"value": 3}), r"not those of Learned"),
    "no value for labels": (of_labels("every", {"value": 0}), r"'every' parameter of Learned"),
    "unknown meta-gradient": (
        of_labels("meta_gradient", {"value": "os.system"}), r"'meta_gradient' parameter",
    ),
    "unknown generator": (of_labels("generator", {"value": "lenet"}), r"'lenet' is not available"),
    "huge generator": (
        of_labels("generator", mlp(HUGE)),
        r"its generator is .* but that of the network is float32 of shape \(1000000000,",
    ),
    "another generator": (of_labels("generator", mlp(4)), r"of its generator"),
    "an optimizer as generator": (
        of_labels("generator", holder("SGD", momentum=0.0, weight_decay=0.0, nesterov=False)),
        r"generator can't be built",
    ),
    "holders in holders": (
        of_labels("generator", holder("Learned")),
        r"not those of Learned",
    ),
    "not stored": (
        setting("labels", "not_stored", ["generator"]), r"its generator is a network of your own",
    ),
    "not stored and no list": (setting("labels", "not_stored", [3]), r"header is 3, not text"),
    "no task": (setting("labels", None), r"other networks than auxiliary has"),
    "unknown parameter": (parameter("sights", 3), r"has no parameters \['sights'\]"),
    "unknown name": (setting("not_stored", ["sights"]), r"has no parameters \['sights'\]"),
    "bare parameter": (setting("parameters", "lr", 0.01), r"'lr' in its header is 0.01, not"),
    "wrong parameter": (parameter("lr", "fast"), r"'lr' parameter"),
    "import path": (parameter("optimizer", "os.system"), r"'optimizer' parameter"),
    "object": (parameter("optimizer", {"import": "os"}), r"no value is stored as"),
    "bare object": (setting("parameters", "optimizer", {"import": "os"}), r"lacks 'holder'"),
    "a wrong optimizer": (
        setting("parameters", "optimizer", holder("SGD", momentum=-1.0, weight_decay=0.0,
                                                  nesterov=False)),
        r"'momentum' parameter of SGD",
    ),
    "threads": (parameter("n_threads", HUGE), r"n_threads=1000000000 is more than 512"),
    "threads of NumPy": (
        parameter("n_threads", {"scalar": ["<i8", 10**6]}), r"n_threads=1000000 is more than 512",
    ),
    "a wide value many times": (
        parameter("psi", [{"array": ["<U1000000", [1], ["a"]]}] * 100),
        r"would take 4000000.. bytes, more than .*; one very long text",
    ),
    "an endless side": (parameter("psi", {"array": ["<i8", [0, 10**18], []]}), r"no array"),
    "many axes": (parameter("psi", {"array": ["<i8", [1] * 70, [2]]}), r"no array"),
    "a long value of a parameter": (parameter("random_state", ["a"] * 10**5), r"random_state' par"),
    "lines": (parameter("backbone", "a\nb"), r"'a\\nb' is not available"),
    "callbacks": (parameter("callbacks", ["x"]), r"callbacks must hold objects of skorch"),
    "unknown backbone": (parameter("backbone", "lenet"), r"'lenet' is not available"),
    "unknown spec": (setting("parameters", "backbone", holder("Custom")), r"no Custom in sklearn"),
    "a name that is no text": (setting("parameters", "backbone", holder(3)), r"'holder' in its"),
    "spec lacks": (setting("parameters", "backbone", holder("MLP")), r"not those of MLP"),
    "spec has more": (
        setting("parameters", "backbone",
                holder("MLP", hidden_layer_sizes=[3], dropout=0.0, sights=1)),
        r"not those of MLP",
    ),
    "spec of another form": (
        setting("parameters", "backbone", {**mlp(3), "import": "os"}), r"MLP is not stored as its",
    ),
    "labels as backbone": (
        setting("parameters", "backbone", holder("KMeans")), r"'backbone' parameter",
    ),
    "huge network": (setting("parameters", "backbone", mlp(HUGE, HUGE)), r"not those of the netw"),
    "huge layer": (
        setting("parameters", "backbone", mlp(HUGE)),
        r"but that of the network is float32 of shape \(1000000000,",
    ),
    "impossible layer": (setting("parameters", "backbone", mlp(2**62)), r"."),
    "many layers": (setting("parameters", "backbone", mlp(*[1] * 100_000)), r"more than 1000"),
    "many layers of the generator": (
        of_labels("generator", mlp(*[1] * 100_000)), r"more than 1000",
    ),
    "huge sample": (setting("input_shape", [HUGE]), r"not a whole number from 1 to 67108864"),
    "large sample": (setting("input_shape", [2**26]), r"not one for samples of .*67108864"),
    "large image": (setting("input_shape", [1, 2**12, 2**12]), r"."),
    "no sample": (setting("input_shape", []), r"'input_shape' in its header has 0 values"),
    "half a feature": (setting("input_shape", [4.0]), r"'input_shape' .* is 4.0, not a whole"),
    "true features": (setting("input_shape", [True]), r"'input_shape' .* is True, not a"),
    "huge psi": (setting("labels", "psi", [HUGE, 2, 2]), r"does not fit its psi"),
    "another psi": (setting("labels", "psi", [1, 3, 2]), r"does not fit its psi"),
    "larger psi": (setting("labels", "psi", [3, 2, 2]), r"'module.mask' does not fit its psi"),
    "short psi": (setting("labels", "psi", [2, 2]), r"psi is not one number for each of 3 classes"),
    "psi of 0": (setting("labels", "psi", [0, 4, 2]), r"'psi' in its header is 0, not a whole"),
    "true psi": (setting("labels", "psi", [True, 3, 2]), r"'psi' in its header is True, not"),
    "text psi": (setting("labels", "psi", "222"), r"'psi' in its header is '222'"),
    "two classes": (
        setting("targets", "names", {"array": ["<i8", [2], [0, 1]]}), r"each of 2 classes",
    ),
    "unsorted classes": (
        setting("targets", "names", {"array": ["<i8", [3], [2, 1, 0]]}), r"no sorted array",
    ),
    "equal classes": (
        setting("targets", "names", {"array": ["<i8", [3], [0, 0, 1]]}), r"no sorted array",
    ),
    "a list of classes": (setting("targets", "names", [0, 1, 2]), r"no sorted array"),
    "overflowing class": (
        setting("targets", "names", {"array": ["|i1", [3], [0, 1, 300]]}), r".",
    ),
    "text of numbers": (setting("targets", "names", {"array": ["<U1", [3], [0, 1, 2]]}), r"no arr"),
    "wide text": (
        setting("targets", "names", {"array": ["<U9999999", [3], ["a", "b", "c"]]}),
        r"the arrays in its header would take 12\d{7} bytes, more than",
    ),
    "dates": (setting("targets", "names", {"array": ["<M8[s]", [3], [0, 1, 2]]}), r"a dtype"),
    "shape of classes": (
        setting("targets", "names", {"array": ["<i8", [HUGE], [0, 1, 2]]}), r"no array",
    ),
    "bins": (setting("targets", {"edges": []}), r"its targets are not those of a MAXLClassifier"),
    "no history": (setting("history", "rows", []), r"history has no rows"),
    "history of text": (
        setting("history", "rows", [{"dict": [["epoch", "1"]]}]), r"what is no number",
    ),
    "history of lists": (setting("history", "rows", [[1]]), r"what is no number"),
    "history of unequal columns": (
        setting("history", "rows", [{"dict": [["epoch", i + 1], ["a", a]]}
                                    for i, a in enumerate([0.5, {"array": ["<f8", [1], [0.5]]}])]),
        r"not made of columns, each of one shape",
    ),
    "history of numbered columns": (
        setting("history", "rows", [{"dict": [["epoch", 1], [1, 0.5]]}]), r"not made of columns",
    ),
    "history of JSON": (setting("history", "rows", [{"epoch": 1}]), r"no value is stored as"),
    "trials": (setting("history", "trials", KNOWN), r"a trial that is not made of setting, value"),
    "a trial": (setting("history", "trials", [1.0]), r"a trial that is not made of"),
    "no trials": (lambda h, t: h["history"].pop("trials"), r"not made of rows and trials"),
    "temperature 0": (tensor(TEMPERATURE, torch.tensor(0.0)), r"temperature is no number from"),
    "temperature -1": (tensor(TEMPERATURE, torch.tensor(-1.0)), r"temperature is no number from"),
    "temperature NaN": (tensor(TEMPERATURE, torch.tensor(torch.nan)), r"that are not finite"),
    "no end of temperature": (
        tensor(TEMPERATURE, torch.tensor(torch.inf)), r"that are not finite",
    ),
    "several temperatures": (
        tensor(TEMPERATURE, torch.ones(3)), r"its temperature is no number from 1e-6 to",
    ),
    "whole temperature": (
        tensor(TEMPERATURE, torch.tensor(2)), r"temperature' of its module is int64",
    ),
    "no temperature": (lambda h, t: t.pop(TEMPERATURE), r"its temperature is no number from"),
    "guard": (setting("history", "guard", None), r"its history"),
    "list as key": (parameter("psi", {"dict": [[[1], 2]]}), r"has no keys"),
    "key twice": (parameter("psi", {"dict": [[1, 2], [1, 3]]}), r"a key twice"),
    "a number of steps": (setting("n_steps", -1), r"'n_steps' in its header is -1"),
    "no seed": (setting("seed", 2**40), r"'seed'"),
    "no rate": (setting("lr", 0.0), r"'lr' in its header is 0.0"),
    "names": (setting("feature_names", ["a"]), r"not one text for each"),
    "names of numbers": (setting("feature_names", [1, 2, 3, 4]), r"header is 1, not text"),
    "device": (setting("device", "tpu"), r"no device 'tpu'"),
    "estimator": (setting("estimator", "os.system"), r"it holds a os.system"),
    "layout": (setting("channels_last", "module", True), r"no images to lay out"),
    "layouts": (setting("channels_last", {}), r"other networks"),
    "state": (setting("labels", "state", {"known": []}), r"another source"),
    "no state": (setting("labels", "state", None), r"'state' in its header is None"),
    "state of an array": (tensor("labels.centres.0", torch.ones(2)), r"another source"),
    "lacking weights": (lambda h, t: t.pop(WEIGHT), r"lacking trunk.0.weight"),
    "lacking scale": (lambda h, t: t.pop("module.standardize.scale"), r"standardisation is miss"),
    "lacking mask": (lambda h, t: t.pop("module.mask"), r"'module.mask' does not fit"),
    "more weights": (tensor("module.trunk.9.weight", torch.ones(2)), r"unknown trunk.9.weight"),
    "unknown tensor": (tensor("payload", torch.ones(2)), r"unknown tensors \['payload'\]"),
    "dtype": (tensor(WEIGHT, torch.ones(3, 4, dtype=torch.float64)), r"is float64 of shape \(3, 4"),
    "shape": (tensor(WEIGHT, torch.ones(4, 3)), r"is float32 of shape \(4, 3\), but that"),
    "NaN": (tensor(WEIGHT, torch.full((3, 4), torch.nan)), r"values that are not finite"),
    "scale 0": (tensor("module.standardize.scale", torch.zeros(4).double()), r"standardi"),
    "shape of the scale": (
        tensor("module.standardize.scale", torch.ones(4, 1).double()),
        r"networks standardise differently",
    ),
    "share of the primary head": (
        tensor("module.primary_share", torch.tensor(1.5)), r"not one from 0 to 1",
    ),
    "huge weight": (tensor(WEIGHT, torch.full((3, 4), 1e30)), r"holds weights beyond 1e\+18"),
    "mask": (tensor("generator.mask", torch.ones(3, 6, dtype=torch.bool)), r"not fit its psi"),
    "mask of the network": (
        tensor("module.mask", torch.ones(3, 6, dtype=torch.bool)), r"not fit its psi",
    ),
    "very many axes": (
        tensor("module.mask", torch.ones([1] * 40)), r"'module.mask' has 40 axes, more than 32",
    ),
    "numbers of 8 bits": (
        tensor("module.mask", torch.ones(3, 6).to(torch.float8_e4m3fn)),
        r"'module.mask' is of torch.float8_e4m3fn, as no weight is",
    ),
    "an array without sides": (
        of_labels("every", {"value": {"array": ["<f8", [], [1.0]]}}), r"'every' parameter",
    ),
    "a character that no one sees": (
        setting("estimator", "\0"), r"it holds a \\x00; use \\x00\.load",
    ),
    "an optimizer to augment": (
        setting("parameters", "augment", holder("Adam", weight_decay=0.5)),
        r"augment is Adam\(weight_decay=0\.5\), which is not for that",
    ),
    "mask of numbers": (tensor("module.mask", torch.ones(3, 6)), r"."),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused(path, saved, change, message):
    path.write_bytes(saved)
    edit(path, change)
    assert re.search(message, refused(path, path.read_bytes()))


DEFAULTS = {k: v for k, v in Learned().get_params().items() if k != "generator"}
LEVEL = json.dumps(holder("Learned", **DEFAULTS)).removesuffix("}}") + ', "generator": '
NESTED = LEVEL * 400 + '{"value": null}' + "}}" * 400
RAW = {
    "newer": (lambda t: t.replace('"format": 2', '"format": 3'), r"has format 3, .*update"),
    "older": (lambda t: t.replace('"format": 2', '"format": 0'), r"there is no format 0"),
    "first": (lambda t: t.replace('"format": 2', '"format": 1'), r"format 1"),
    "no number": (lambda t: t.replace('"format": 2', '"format": "2"'), r"'format' in its header"),
    "twice": (lambda t: t.replace('"labels"', '"labels": null, "labels"'), r"has a key twice"),
    "twice in a holder": (
        lambda t: t.replace('"holder"', '"holder": "MLP", "holder"'), r"has a key twice",
    ),
    "NaN": (lambda t: t.replace('"n_steps": ', '"n_steps": NaN, "x": '), r"the number NaN"),
    "infinite": (
        lambda t: t.replace('"lr": {"value": "auto"}', '"lr": {"value": 1e999}'),
        r"no value is stored as",
    ),
    "deep": (lambda t: t[:-1] + ', "x": ' + "[" * 10**5 + "]" * 10**5 + "}", r"nested too deeply"),
    "not that deep": (
        lambda t: t[:-1] + ', "x": ' + "[" * 200 + "]" * 200 + "}", r"nested too deeply",
    ),
    "many lists": (
        lambda t: t[:-1] + ', "x": [' + "[]," * 10**6 + "1]}", r"more than 524288 lists and obj",
    ),
    "many dictionaries": (
        lambda t: t.replace('"psi": {"value": 2}', '"psi": {"value": ['
                            + '{"dict": []}, ' * 10**6 + "1]}"),
        r"more than 524288 lists and obj",
    ),
    "deep holders": (
        lambda t: t.replace('"generator": {"value": null}', '"generator": ' + NESTED),
        r"nested too deeply|does not fit together",
    ),
    "many digits": (lambda t: t[:-1] + ', "x": ' + "1" * 5000 + "}", r"digits"),
    "cut off": (lambda t: t[:-1], r"its header is not JSON"),
    "a list": (lambda t: f"[{t}]", r"no JSON object"),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "message"), RAW.values(), ids=RAW)
def test_a_hostile_header_is_refused(path, saved, raw, message):
    path.write_bytes(saved)
    edit(path, None, raw)
    assert path.read_bytes() != saved
    assert re.search(message, refused(path, path.read_bytes()))


@pytest.mark.parametrize("shape", [(4, 1), (150, 1), (2, 1, 4), (), (3,)])
def test_a_standardisation_of_another_shape_is_refused(path, shape):
    """Without auxiliary labels no other network has one to compare it with."""
    fitted(backbone=MLP((3,)), auxiliary=None, max_epochs=1).save(path)

    def change(header, tensors):
        for name in ("mean", "scale"):
            tensors[f"module.standardize.{name}"] = torch.ones(shape).double()

    edit(path, change)
    message = refused(path, path.read_bytes())
    assert "its standardisation is not one for samples of shape (4,)" in message


MEMORY = """
import os, resource, sys
sys.path.insert(0, {root!r})
from sklearn_maxl import MAXLClassifier
def peak():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
MAXLClassifier.load({saved!r})  # what is imported on the way
for path in {paths!r}:
    before = peak()
    try:
        MAXLClassifier.load(path)
    except ValueError:
        pass
    print((peak() - before) / os.path.getsize(path))
"""
BOMBS = {
    "wide text": [{"array": ["<U1000000", [16], [chr(97 + i) for i in range(16)]]}] * 200,
    "lists": [[[]] * 10] * 20_000,
    "numbers": {"array": ["<i8", [300_000], [7] * 300_000]},
    "text": [f"a{i}" for i in range(100_000)],
}


@pytest.mark.skipif(sys.platform != "linux", reason="kilobytes of memory are Linux's")
def test_memory_is_a_small_multiple_of_a_hostile_file(tmp_path, saved):
    paths = [tmp_path / name for name in ("saved", *BOMBS)]
    for path in paths:
        path.write_bytes(saved)
        edit(path, parameter("psi", BOMBS.get(path.name, 2)))
    root = str(Path(sklearn_maxl.__file__).parents[1])
    first, *others = map(str, paths)
    script = MEMORY.format(root=root, saved=first, paths=others)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    multiples = list(map(float, done.stdout.split()))
    assert len(multiples) == len(BOMBS)
    assert max(multiples) < 60  # parsed JSON takes twenty times as much


def test_what_could_not_be_read_again_is_not_written(path):
    path.write_bytes(b"before")
    for header, message in (
        ({"a": [[]] * 600_000}, "more than 524288 lists and objects"),
        (
            {"a": encode(np.array(["a"] * 1000 + ["b" * 10**4]))},
            "the arrays in its header would take",
        ),
    ):
        with pytest.raises(ValueError, match=r"^The file could not be read again: .*" + message):
            _file.write(path, header, {})
        assert path.read_bytes() == b"before"
    long = {"a": encode(np.array(["a", "b", "c" * 300_000]))}
    _file.write(path, long, {})
    assert _file.read(path) == (long, {})


def test_a_large_sample_takes_no_memory_before_it_comes(images, path):
    fitted(data=images, backbone=ConvNet((4, 5)), psi=2, max_epochs=1).save(path)
    edit(path, setting("input_shape", [1, 8192, 8192]))  # a trial pass would take gigabytes
    assert MAXLClassifier.load(path).input_shape_ == (1, 8192, 8192)


def head(text, data=b""):
    text = text.encode()
    return len(text).to_bytes(8, "little") + text + data


CONTAINERS = {
    "empty": b"",
    "length": (2**63).to_bytes(8, "little") + b"{}",
    "large header": (2**26).to_bytes(8, "little") + b"{" + b" " * 2**26,
    "no object": head("[]"),
    "no text": len(b"\xff\xfe").to_bytes(8, "little") + b"\xff\xfe",
    "key twice": head('{"__metadata__": {}, "__metadata__": {}}'),
    "no metadata": head("{}"),
    "metadata of another": head('{"__metadata__": {"format": "pt"}}'),
    "metadata a list": head('{"__metadata__": [1]}'),
    "deep": head("[" * 200_000),
}


@pytest.mark.parametrize("data", CONTAINERS.values(), ids=CONTAINERS)
def test_no_safetensors_file_of_ours_is_refused(path, data):
    refused(path, data)


def sealed(tensors):
    """A file with any entries for tensors and a right checksum."""
    header = json.dumps({"format": _file.FORMAT, "sha256": _file.NO_CHECKSUM})
    data = head(json.dumps({"__metadata__": {_file.KEY: header}, **tensors}), b"\0" * 8)
    checksum = hashlib.sha256(data).hexdigest().encode()
    return data.replace(_file.NO_CHECKSUM.encode(), checksum)


ENTRIES = {
    "huge": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 8]},
    "overflow": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 8]},
    "outside": {"dtype": "F32", "shape": [2**20], "data_offsets": [0, 2**22]},
    "negative": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]},
    "backwards": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]},
    "dtype": {"dtype": "X99", "shape": [2], "data_offsets": [0, 8]},
    "a hole": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]},
    "a list": [],
}


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_hostile_entries_of_tensors_are_refused(path, entry):
    assert "its tensors are damaged" in refused(path, sealed({"module.a": entry}))


def text_for_centres(header, tensors):
    del tensors["labels.centres.0"]
    header["labels"]["state"]["centres.0"] = "ab"


def test_hostile_clusters_and_bins_are_refused(path):
    fitted(backbone="mlp", auxiliary="kmeans", psi=2, max_epochs=1).save(path)
    kmeans = path.read_bytes()
    for name, value, message in (
        ("labels.centres.0", torch.ones(3, 100).double(), "class number 0 has 3 centres, but"),
        ("labels.centres.0", torch.ones(0, 100).double(), "class number 0 has 0 centres, but"),
        ("labels.centres.0", torch.ones(2, 99).double(), "not of (2, 100) finite"),
        ("labels.centres.0", torch.ones(2, 100), "not of (2, 100) finite"),
        ("labels.centres.0", torch.ones(2, 100).bfloat16(), "of its labels is of torch.bfloat16"),
        ("labels.centres.7", torch.ones(2, 100).double(), "unknown parts ['centres.7"),
        ("labels.feature_scale", torch.zeros(100).double(), "scale in it is not positive"),
        ("labels.feature_scale", torch.ones(99).double(), "not of (100,) finite"),
        ("labels.feature_mean", torch.zeros(3).double(), "not of (3,) finite"),
        ("labels.encoder.trunk.0.bias", torch.zeros(3), "of its encoder"),
        ("labels.encoder.trunk.9.bias", torch.zeros(3), "unknown trunk.9.bias"),
        ("labels.encoder.standardize.mean", torch.ones(4).double(), "standardise differently"),
    ):
        path.write_bytes(kmeans)
        edit(path, tensor(name, value))
        assert message in refused(path, path.read_bytes())
    for change, message in (
        (lambda h, t: t.pop("labels.feature_mean"), "not those of an autoencoder"),
        (lambda h, t: t.pop("labels.feature_scale"), "not of (100,) finite"),
        (lambda h, t: t.pop("labels.encoder.trunk.0.bias"), "lacking trunk.0.bias"),
        (setting("labels", "state", {}), "not those of an autoencoder"),
        (setting("labels", "state", "channels_last", 1), "not those of an autoencoder"),
        (setting("labels", "state", "channels_last", True), "no images to lay out"),
        (setting("labels", "state", "_frame", 1), "unknown parts"),
        (text_for_centres, "class number 0 has 0 centres, but"),
        (setting("labels", "psi", [1, 3, 2]), "has 2 centres, but psi is 1"),
        (setting("labels", "kind", "parameters", {"k": {"value": 1}}), "not those of KMeans"),
    ):
        path.write_bytes(kmeans)
        edit(path, change)
        assert message in refused(path, path.read_bytes())
    fitted(MAXLRegressor, max_epochs=1).save(path)
    reg = path.read_bytes()
    for name, value, message in (
        ("scale", {"array": ["<f8", [1], [0.0]]}, "scale in it is not positive"),
        ("mean", {"array": ["<f8", [1], [{"float": "nan"}]]}, "not of (1,) finite"),
        ("edges", {"array": ["<f8", [2], [1.0, 0.0]]}, "not in order"),
        ("shape", [1], "neither numbers nor rows"),
    ):
        path.write_bytes(reg)
        edit(path, setting("targets", name, value))
        assert message in refused(path, path.read_bytes(), MAXLRegressor)


@pytest.mark.parametrize("auxiliary", ["random", "uniform"])
def test_hostile_states_of_labels_that_have_none_are_refused(path, auxiliary):
    fitted(auxiliary=auxiliary, max_epochs=1).save(path)
    stateless = path.read_bytes()
    for change in (
        setting("labels", "state", {"psi_": KNOWN}),
        setting("labels", "state", {"__class__": "os"}),
        tensor("labels.known", torch.ones(2)),
    ):
        path.write_bytes(stateless)
        edit(path, change)
        assert "another source" in refused(path, path.read_bytes())


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, "finer labels"),
        ({"known": []}, "don't fit its psi"),
        ({"known": [KNOWN, KNOWN]}, "don't fit its psi"),
        ({"known": [KNOWN, KNOWN, {"array": ["<i8", [2], [0, 1]]}]}, "don't fit its psi"),
        ({"known": [1, 2, 3]}, "finer labels"),
        ({"known": "abc"}, "finer labels"),
        ({"known": {"tuple": [KNOWN, KNOWN, KNOWN]}}, "finer labels"),
        ({"known": [KNOWN, KNOWN, KNOWN], "assign": 1}, "finer labels"),
    ],
)
def test_hostile_finer_labels_are_refused(path, state, message):
    fitted(auxiliary="human", max_epochs=1).save(path)  # one finer label for each class
    edit(path, setting("labels", "state", state))
    assert message in refused(path, path.read_bytes())


def test_hostile_states_of_an_own_source_are_refused(path):
    fitted(auxiliary=ByColumn(), max_epochs=1).save(path)
    own = path.read_bytes()
    for name in ("assign", "column", "_middle_", "a b_", "__dict__"):
        path.write_bytes(own)
        edit(path, setting("labels", "state", name, 1))
        with pytest.raises(ValueError, match=r"can't be loaded: .*unknown parts"):
            MAXLClassifier.load(path, auxiliary=ByColumn())


@pytest.mark.parametrize(
    "value",
    [
        float("nan"), float("-inf"), -0.0, 2**70, "\ud800", (1, [2.5, None], ()),
        {1: "a", (2,): {}},
        np.float32(0.1), np.bool_(True), np.str_("a"), np.zeros((0, 3)), np.array([1, "a"], object),
        np.array([[0.1, np.inf]], np.float16), np.array(5, np.uint64),
    ],
    ids=repr,
)  # fmt: skip
def test_plain_values_come_back_exactly(value):
    other = decode(parse(json.dumps({"v": encode(value)}))["v"])
    assert type(other) is type(value)
    assert repr(other) == repr(value)
    assert getattr(other, "dtype", None) == getattr(value, "dtype", None)


@pytest.mark.parametrize("value", [len, {1}, 1j, b"a", range(3), np.array([1j]), torch.ones(1)])
def test_other_values_are_no_plain_ones(value):
    with pytest.raises(NotPlainError):
        encode([value])
