"""A fit that is cut off goes on where it was: the same bits as if nothing had happened."""

import copy
import errno
import os
import pickle
import tempfile
from dataclasses import replace
from functools import partial
from typing import ClassVar

import numpy as np
import pytest
import torch
from joblib import parallel_config
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import (
    Callback,
    EarlyStopping,
    EpochScoring,
    Freezer,
    GradientNormClipping,
    LoadInitState,
    LRScheduler,
)

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._estimators import base
from sklearn_maxl._persistence import (
    checkpoint,
    container,
    fingerprint,
    json_values,
    kept_files,
)
from sklearn_maxl._persistence.kept_files import own_folder
from sklearn_maxl._training import trials
from sklearn_maxl._training.settings import DEFAULTS
from sklearn_maxl.backbones import MLP, ConvNet, Members
from sklearn_maxl.callbacks import Checkpoint, GradientSimilarity
from sklearn_maxl.labels import KMeans, Labels, Learned
from sklearn_maxl.optimizers import SGD, Adam


class Killed(BaseException):
    """Ends a fit as a lost process does: nobody catches it."""


class Dies(Callback):
    """Ends the training when so many epochs are over. Its class knows, so no copy differs."""

    after = None
    begun: ClassVar[list[int]] = []  # epochs of the last training

    def on_train_begin(self, net, **kwargs):
        Dies.begun.clear()

    def on_epoch_begin(self, net, **kwargs):
        Dies.begun.append(len(net.epochs_))
        if len(net.epochs_) == Dies.after:
            raise Killed


@pytest.fixture(autouse=True)
def nobody_dies_afterwards():
    yield
    Dies.after = None


@pytest.fixture
def six(monkeypatch):
    """Six epochs are what "auto" is on tables."""
    table = "table", "classes"
    monkeypatch.setitem(DEFAULTS, table, replace(DEFAULTS[table], epochs=6, least_steps=0))


SMALL = {"backbone": MLP((4,)), "psi": 2, "lr": 0.01, "batch_size": 50, "random_state": 0}


def model(folder=None, cls=MAXLClassifier, **parameters):
    own = {"max_epochs": 4, **SMALL, **parameters}
    if cls is MAXLClassifier:
        own.setdefault("temperature", 1.0)
    kept = [] if folder is None else [Checkpoint(folder)]
    return cls(callbacks=[*own.pop("callbacks", []), *kept, Dies()], **own)


def killed(estimator, after, *data, **fit):
    """A fit that dies when so many epochs are over."""
    Dies.after = after
    with pytest.raises(Killed):
        estimator.fit(*data, **fit)
    Dies.after = None


def files_in(folder):
    """Names of the files of a single fit."""
    return sorted(path.name for path in folder.glob("*/*"))


def tensors_of(net):
    """All tensors that a training goes on from."""
    found = {f"{n}.{k}": t for n, own in net.state().items() for k, t in own.items()}
    for i, optimizer in enumerate(net.optimizers()):
        for j, own in optimizer.state_dict()["state"].items():
            found |= {f"{i}.{j}.{k}": torch.as_tensor(v) for k, v in own.items()}
    return found


def rows_of(history):
    """Rows without what a clock says."""
    return [{k: np.asarray(v) for k, v in row.items() if k not in ("time", "batches")}
            for row in history]  # fmt: skip


def assert_same(one, other):
    """Whether two estimators are the same to the bit, and will be after more training."""
    a, b = tensors_of(one.net_), tensors_of(other.net_)
    assert a.keys() == b.keys()
    for name, tensor in a.items():
        assert torch.equal(tensor, b[name]), name
        assert tensor.dtype == b[name].dtype, name
        assert tensor.stride() == b[name].stride(), name
    for x, y in zip(one.net_.optimizers(), other.net_.optimizers(), strict=True):
        assert x.state_dict()["param_groups"] == y.state_dict()["param_groups"]
    states = [e.net_.random_state.get_state() for e in (one, other)]
    assert all(map(np.array_equal, *states))
    assert one.history_.trials == other.history_.trials
    for name in ("history_", "net_.history"):
        rows = [rows_of(e.history_ if name == "history_" else e.net_.history) for e in (one, other)]
        assert len(rows[0]) == len(rows[1])
        for x, y in zip(*rows, strict=True):
            assert x.keys() == y.keys()
            for key, value in x.items():
                np.testing.assert_array_equal(value, y[key], strict=True)
    for name in ("n_steps_", "n_generator_steps_"):
        assert getattr(one.net_, name) == getattr(other.net_, name)
    assert one.net_.rates_.epoch == other.net_.rates_.epoch
    assert one.net_.meta_gradient_.function is other.net_.meta_gradient_.function
    np.testing.assert_array_equal(one.psi_, other.psi_)


class BySize(Labels):
    """Labels of a user's making, which learn something."""

    def assign(self, rows, rng):
        if not hasattr(self, "middle_"):
            self.middle_ = rng.uniform(4, 7)
        return (rows.X[:, 0] > self.middle_).astype(int)


def own_network(shape):
    """A network of a user's making, with normalisation and dropout."""
    return torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Dropout(0.3)
    )


def half_in_numpy(progress):
    """A schedule."""
    return np.float64(0.5)


SETTINGS = {
    "single task": {"auxiliary": None},
    "learned": {"auxiliary": Learned(every=2)},
    "learned, paper": {
        "auxiliary": Learned(every=1, alternation="epoch", meta_batch="holdout", weight_range=1.0),
        "schedule": "halving",
        "optimizer": SGD(momentum=0.9),
    },
    "double backward": {"auxiliary": Learned(every=2, meta_gradient="double_backward")},
    "uniform": {"auxiliary": "uniform"},
    "random": {"auxiliary": "random"},
    "kmeans": {"auxiliary": "kmeans"},
    "human": {"auxiliary": "human"},
    "own labels": {"auxiliary": BySize()},
    "early stopping": {
        "early_stopping": True,
        "n_iter_no_change": 1,
        "tol": 0.5,
        "max_epochs": 8,
    },
    "early stopping, kmeans": {"early_stopping": True, "auxiliary": "kmeans"},
    "members": {"backbone": Members(dropout=0.2, periodic=True)},
    "own network": {"backbone": own_network},
    "own optimizer": {"optimizer": torch.optim.RMSprop, "auxiliary": Learned(optimizer=Adam())},
    "rates of NumPy": {"optimizer": "sgd", "lr": 1, "schedule": half_in_numpy},
    "own optimizer without tensors": {"optimizer": torch.optim.Rprop, "schedule": "constant"},
    "bfloat16": {"precision": "bfloat16"},
    "class weights, focal loss": {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5}, "focal_gamma": 2.0},
    "callbacks": {"callbacks": [GradientNormClipping(0.1), GradientSimilarity(every=1)]},
}


def fitted_in_pieces(make, whole, *data, **fit):
    """The fit of `whole`, made anew in a process after another: each dies an epoch later."""
    for after in range(whole.n_iter_):
        killed(make(), after, *data, **fit)
        # It began with the epoch that the one before was about to begin.
        assert Dies.begun == list(range(max(0, after - 1), after + 1))
    resumed = make().fit(*data, **fit)
    assert Dies.begun == [whole.n_iter_ - 1]
    return resumed


@pytest.mark.parametrize("name", SETTINGS)
def test_a_fit_that_dies_in_every_epoch_ends_in_the_same_bits(iris, tmp_path, name):
    parameters = SETTINGS[name]
    fit = {"auxiliary_labels": iris[1]} if name == "human" else {}
    whole = model(**parameters).fit(*iris, **fit)
    make = partial(model, tmp_path, **parameters)
    resumed = fitted_in_pieces(make, whole, *iris, **fit)
    assert_same(resumed, whole)
    if not whole.early_stopping:  # and whatever comes later
        assert_same(resumed.partial_fit(*iris, **fit), whole.partial_fit(*iris, **fit))


@pytest.mark.parametrize("auxiliary", ["maxl", "uniform", None])
def test_images_with_views_weights_and_augmentation(images, tmp_path, auxiliary):
    """Their weights lie in another memory layout, and so does what the optimizer keeps."""
    parameters = {
        "backbone": ConvNet((16, 16)), "views": "auto", "augment": "crop_flip", "max_epochs": 3,
        "auxiliary": auxiliary,
    }  # fmt: skip
    fit = {"sample_weight": 1 + np.arange(200) % 3}
    whole = model(**parameters).fit(*images, **fit)
    assert whole.net_.module_.trunk.channels_last
    resumed = fitted_in_pieces(partial(model, tmp_path, **parameters), whole, *images, **fit)
    assert_same(resumed, whole)


@pytest.mark.parametrize("columns", [1, 2])
def test_numbers(iris, tmp_path, columns):
    X, y = iris[0][:, :4], iris[0][:, :columns].squeeze()
    whole = model(cls=MAXLRegressor).fit(X, y)
    resumed = fitted_in_pieces(partial(model, tmp_path, MAXLRegressor), whole, X, y)
    assert_same(resumed, whole)
    np.testing.assert_array_equal(resumed.predict(X), whole.predict(X))


# Trials


@pytest.fixture
def budget(monkeypatch):
    """How many trials a process makes before it dies, and how many were made in all."""
    left = {"now": np.inf, "made": 0}

    def train(whole, *arguments):
        if not left["now"]:
            raise Killed
        left["now"] -= 1
        left["made"] += 1
        return whole(*arguments)

    for name in ("_single", "_stacked"):
        monkeypatch.setattr(trials, name, partial(train, getattr(trials, name)))
    return left


@pytest.mark.parametrize(
    "parameters",
    [
        {"max_epochs": "auto", "psi": "auto"},  # a stack, then one after the other
        {"max_epochs": 2, "auxiliary": "auto"},
    ],
    ids=str,
)
def test_trials_that_have_ended_are_not_made_again(iris, tmp_path, six, budget, parameters):
    parameters = {**parameters, "temperature": "auto"}
    whole = model(**parameters).fit(*iris)
    n, budget["made"] = budget["made"], 0
    assert n > 2
    for _ in range(n):
        budget["now"] = 1
        killed(model(tmp_path, **parameters), 0, *iris)
    assert budget["made"] == n
    resumed = model(tmp_path, **parameters).fit(*iris)
    assert budget["made"] == n
    assert_same(resumed, whole)


def test_kmeans_is_not_learned_again(iris, tmp_path, monkeypatch):
    killed(model(tmp_path, auxiliary="kmeans"), 1, *iris)
    monkeypatch.setattr(KMeans, "_learn_features", None)
    model(tmp_path, auxiliary="kmeans").fit(*iris)


# What a fit that has ended leaves


def test_the_same_call_again_returns_the_fit_that_has_ended(iris, tmp_path):
    first = model(tmp_path).fit(*iris)
    again = model(tmp_path).fit(*iris)
    assert Dies.begun == []
    assert_same(again, first)
    assert np.array_equal(again.history_["time"], first.history_["time"])
    assert files_in(tmp_path) == ["lock", "newest.safetensors"]


def test_without_a_seed_a_fit_goes_on_with_the_one_that_it_had(iris, tmp_path, monkeypatch):
    killed(model(tmp_path, random_state=None), 2, *iris)
    resumed = model(tmp_path, random_state=None).fit(*iris)
    assert Dies.begun == [2, 3]
    assert files_in(tmp_path) == ["lock"]  # the next one is to be another
    other = model(tmp_path, random_state=None).fit(*iris)
    assert other._fitted.seed != resumed._fitted.seed
    monkeypatch.setattr(base, "own_seed", lambda random_state: resumed._fitted.seed)
    assert_same(resumed, model(random_state=None).fit(*iris))


def test_a_random_state_moves_on_as_without(iris, tmp_path):
    def seeds(folder):
        rng, found = np.random.RandomState(0), []
        for _ in range(2):
            found.append(model(folder, random_state=rng, max_epochs=1).fit(*iris)._fitted.seed)
        return found

    assert seeds(None) == seeds(tmp_path) == seeds(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


class Enough(Callback):
    """Asks for an end after two epochs."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.epochs_) == 2:
            raise KeyboardInterrupt


def test_what_a_callback_has_ended_is_not_kept(iris, tmp_path):
    """It may look at what no fingerprint knows."""
    assert model(tmp_path, callbacks=[Enough()]).fit(*iris).n_iter_ == 2
    assert files_in(tmp_path) == ["lock"]


def test_a_fit_that_was_interrupted_goes_on(iris, tmp_path, monkeypatch):
    def interrupted(self, net, **kwargs):
        if len(net.epochs_) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Dies, "on_epoch_begin", interrupted)
        clf = model(tmp_path)
        with (
            pytest.raises(KeyboardInterrupt),
            pytest.warns(UserWarning, match="keeping what was learned"),
        ):
            clf.fit(*iris)
        assert clf.n_iter_ == 2
    resumed = model(tmp_path).fit(*iris)
    assert Dies.begun == [2, 3]
    assert_same(resumed, model().fit(*iris))


# When


def test_files_are_written_as_asked(iris, tmp_path, monkeypatch):
    written, now = [], [0.0]
    write = kept_files.KeptFiles.write

    def counted(self, header, tensors):
        written.append(len(header["training"]["rows"]))
        write(self, header, tensors)

    class Clock(Callback):
        """An epoch takes ten seconds."""

        def on_epoch_end(self, net, **kwargs):
            now[0] += 10

    monkeypatch.setattr(kept_files.KeptFiles, "write", counted)
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    for asked, expected in [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"every_n_epochs": 2}, [0, 2, 4, 5]),
        ({"every_seconds": 20}, [0, 2, 4, 5]),
        ({"every_seconds": 1e9}, [0, 5]),
    ]:
        written.clear()
        kept = Checkpoint(tmp_path / str(asked), **asked)
        MAXLClassifier(callbacks=[kept, Clock()], temperature=1.0, max_epochs=5, **SMALL).fit(*iris)
        assert written == expected


def test_a_fit_without_is_the_same(iris, tmp_path):
    assert_same(model(tmp_path).fit(*iris), model().fit(*iris))


def test_partial_fit_and_warm_start_write_nothing(iris, tmp_path):
    model(tmp_path).partial_fit(*iris, classes=[0, 1, 2])
    assert not list(tmp_path.iterdir())
    clf = model(tmp_path, warm_start=True).fit(*iris)
    files = files_in(tmp_path)
    assert clf.fit(*iris).n_iter_ == 8
    assert files_in(tmp_path) == files


# Which fit


def test_fits_of_a_search_meet_nowhere_and_go_on(iris, tmp_path):
    clf = model(tmp_path, max_epochs=2)
    search = GridSearchCV(clf, {"psi": [2, 3]}, cv=2, n_jobs=2)
    killed(clone(search).set_params(n_jobs=1), 1, *iris)
    with parallel_config("threading"):
        found = clone(search).fit(*iris)
    assert len(list(tmp_path.iterdir())) == 2 * 2 + 1  # and the refit
    plain = clone(search).set_params(estimator__callbacks=[Dies()]).fit(*iris)
    for name in ("mean_test_score", "std_test_score", "rank_test_score"):
        assert np.array_equal(found.cv_results_[name], plain.cv_results_[name])
    assert_same(found.best_estimator_, plain.best_estimator_)


def test_two_fits_at_once_that_are_the_same_have_folders_of_their_own(iris, tmp_path):
    class Inside(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.epochs_) == 1 and not fits:
                fits.append(model(tmp_path, callbacks=[Inside()]))
                fits[0].fit(*iris)

    fits = []
    outer = model(tmp_path, callbacks=[Inside()]).fit(*iris)
    assert_same(outer, fits[0])
    first, second = sorted(p.name for p in tmp_path.iterdir())
    assert second == f"{first}-2"


OTHER = {
    "data": lambda X, y, kwargs: (X + 1e-9, y, kwargs),
    "order": lambda X, y, kwargs: (X[::-1], y[::-1], kwargs),
    "targets": lambda X, y, kwargs: (X, (y + 1) % 3, kwargs),
    "names": lambda X, y, kwargs: (X, np.array(["a", "b", "c"])[y], kwargs),
    "weights": lambda X, y, kwargs: (X, y, {"sample_weight": 1.0 + y}),
}
OTHER_PARAMETERS = {
    "lr": 0.02,
    "random_state": 1,
    "auxiliary": Learned(every=4),
    "backbone": MLP((5,)),
    "schedule": lambda progress: 1 - progress**2,
    "optimizer": partial(torch.optim.SGD, momentum=0.5),
    "class_weight": {0: 1.0, 1: 2.0, 2: 1.0},
    "callbacks": [GradientNormClipping(0.5)],
}


def fingerprints(tmp_path):
    return {p.name for p in tmp_path.iterdir()}


@pytest.mark.parametrize("what", OTHER)
def test_other_data_are_another_fit(iris, tmp_path, what):
    model(tmp_path, max_epochs=1).fit(*iris)
    X, y, fit = OTHER[what](*iris, {})
    model(tmp_path, max_epochs=1).fit(X, y, **fit)
    assert len(fingerprints(tmp_path)) == 2


@pytest.mark.parametrize("name", OTHER_PARAMETERS)
def test_other_parameters_are_another_fit(iris, tmp_path, name):
    model(tmp_path, max_epochs=1).fit(*iris)
    model(tmp_path, max_epochs=1, **{name: OTHER_PARAMETERS[name]}).fit(*iris)
    assert len(fingerprints(tmp_path)) == 2


def test_a_function_is_told_by_what_it_does(iris, tmp_path):
    def falling(power):
        return lambda progress: 1 - progress**power

    for power, n in [(1, 1), (1, 1), (2, 2)]:
        model(tmp_path, max_epochs=1, schedule=falling(power)).fit(*iris)
        assert len(fingerprints(tmp_path)) == n


def test_a_module_is_told_by_its_weights(iris, tmp_path):
    network = torch.nn.Linear(4, 3)
    for change, n in [(0.0, 1), (0.0, 1), (1.0, 2)]:
        other = copy.deepcopy(network)
        other.weight.data += change
        model(tmp_path, max_epochs=1, backbone=other).fit(*iris)
        assert len(fingerprints(tmp_path)) == n


def test_what_changes_no_bit_is_the_same_fit(iris, tmp_path):
    model(tmp_path, max_epochs=1).fit(*iris)
    kept = Checkpoint(str(tmp_path), every_n_epochs=3)
    clf = model(max_epochs=1, verbose=1, device="cpu", callbacks=[kept])
    with tempfile.NamedTemporaryFile() as file:  # as joblib's workers get them
        np.save(file, iris[0])
        clf.fit(np.load(file.name, mmap_mode="r"), iris[1].tolist())
    assert len(fingerprints(tmp_path)) == 1


# What is refused


def test_other_surroundings_are_refused(iris, tmp_path, monkeypatch):
    killed(model(tmp_path), 1, *iris)
    with pytest.raises(
        ValueError, match=r"n_threads was 1 and is 2; put that back, or delete the folder"
    ):
        model(tmp_path, n_threads=2).fit(*iris)
    monkeypatch.setattr(fingerprint, "version", lambda name: "9.9")
    with pytest.raises(ValueError, match=r"same bits: sklearn_maxl was 0.* and is 9.9, torch was"):
        model(tmp_path).fit(*iris)


def test_the_checkpoint_of_another_fit_is_refused(iris, tmp_path):
    killed(model(tmp_path), 1, *iris)
    (mine,) = tmp_path.iterdir()
    killed(model(tmp_path, lr=0.02), 1, iris[0] + 1, iris[1])
    (other,) = set(tmp_path.iterdir()) - {mine}
    (other / "newest.safetensors").replace(mine / "newest.safetensors")
    with pytest.raises(ValueError, match="the checkpoint of another fit: X and lr differ"):
        model(tmp_path).fit(*iris)


def flip(path, at=0.5):
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize("damage", [flip, cut])
def test_a_broken_checkpoint_gives_way_to_the_one_before(iris, tmp_path, damage):
    killed(model(tmp_path), 2, *iris)
    (folder,) = tmp_path.iterdir()
    damage(folder / "newest.safetensors")
    with pytest.warns(UserWarning, match=r"newest.safetensors can't be loaded: .*previous"):
        resumed = model(tmp_path).fit(*iris)
    assert Dies.begun == [1, 2, 3]
    assert_same(resumed, model().fit(*iris))


def test_where_all_are_broken_the_fit_says_what_to_delete(iris, tmp_path):
    killed(model(tmp_path), 2, *iris)
    for path in tmp_path.glob("*/*.safetensors"):
        flip(path)
    with pytest.raises(ValueError, match=r"can't be loaded: .* Delete the folder .*MAXLClass"):
        model(tmp_path).fit(*iris)


def of_training(*path):
    """Puts the last of `path` in the place that the others lead to."""
    *places, value = path

    def change(header, tensors):
        for place in ["training", *places][:-1]:
            header = header[place]
        header[places[-1]] = value

    return change


def of_optimizer(change):
    """Changes the settings of the first one."""

    def of_header(header, tensors):
        (group,) = json_values.decode(header["training"]["optimizers"][0]["groups"])
        change(group)
        header["training"]["optimizers"][0]["groups"] = json_values.encode([group])

    return of_header


def with_tensor(name, tensor):
    return lambda header, tensors: tensors.update({name: tensor})


def with_values(name, change):
    """Changes the values of a tensor where they are."""
    return lambda header, tensors: change(tensors[name])


WEIGHT = "training.net.module_.primary_head.weight"
KEYS = "training.random_state"
STATE = ("MT19937", 624, 0, 0.0)
NO_STATE = "its state of random numbers is none"
NOT_WHOLE = {
    "lacks a weight": (lambda h, t: t.pop(WEIGHT), "lacking primary_head.weight"),
    "a weight of another shape": (with_tensor(WEIGHT, torch.ones(1)), "but that of the network is"),
    "a weight that is none": (with_values(WEIGHT, lambda w: w.fill_(np.nan)), "not finite"),
    "another network": (
        with_tensor("training.net.other_.weight", torch.ones(1)), "not have the networks of this",
    ),
    "another mask": (
        with_values("training.net.module_.mask", lambda mask: mask.fill_(True)),
        "'mask' is not that of this fit",
    ),
    "no random state": (lambda h, t: t.pop(KEYS), NO_STATE),
    "a place beyond memory": (
        of_training("random_state", json_values.encode(("MT19937", 10**6, 0, 0.0))), NO_STATE,
    ),
    "another generator": (
        of_training("random_state", json_values.encode(("PCG64", *STATE[1:]))), NO_STATE,
    ),
    "keys that never change": (with_values(KEYS, lambda keys: keys.zero_()), NO_STATE),
    "keys beyond 32 bits": (with_values(KEYS, lambda keys: keys.fill_(2**40)), NO_STATE),
    "few keys": (with_tensor(KEYS, torch.ones(3, dtype=torch.int64)), NO_STATE),
    "steps": (of_training("n_steps", "many"), "'n_steps' in its header is 'many'"),
    "an import path": (of_training("meta_gradient", ["os.system", True]), "meta-gradient is none"),
    "no rows": (lambda h, t: h["training"].pop("rows"), "lacks 'rows'"),
    "no rows of skorch": (of_training("rows_of_skorch", []), "net.history are not those of its ep"),
    "rows of something": (of_training("rows_of_skorch", [1, 2]), "net.history are not those of it"),
    "an epoch too many": (of_training("n_epochs", 3), "does not have all of its epochs"),
    "no optimizer": (lambda h, t: h["training"]["optimizers"].pop(), "it has 1 optimizers"),
    "a setting that asks for more": (
        of_optimizer(lambda group: group.update(amsgrad=True)), "settings of Adam",
    ),
    "a rate that is none": (of_optimizer(lambda group: group.update(lr=np.inf)), "settings of Ad"),
    "a setting less": (of_optimizer(lambda group: group.pop("betas")), "settings of Adam"),
    "lacks a moment": (lambda h, t: t.pop("training.optimizer.0.0.exp_avg"), "state of Adam is no"),
    "a moment of another shape": (
        with_tensor("training.optimizer.0.0.exp_avg", torch.ones(1)), "state of Adam is not one",
    ),
    "a moment of no weight": (
        with_tensor("training.optimizer.0.99.exp_avg", torch.ones(1)), "no weight for its tensor",
    ),
    "no best epoch": (of_training("best", None), "its best epoch is none"),
    "a best epoch of nothing": (of_training("best", [0.5, -1]), "its best epoch is none"),
    "a trial of other rows": (with_tensor("trial.psi.0.0", torch.ones(3, 3)), "none of this fit"),
    "labels of other classes": (lambda h, t: h["labels"].update(psi=[]), "has 0 values"),
    "no seed": (lambda h, t: h.update(seed=-1), "'seed' in its header is -1"),
    "no training": (lambda h, t: h.update(training=3), "'training' in its header is 3"),
    "no fingerprint": (lambda h, t: h.update(fingerprint=3), "'fingerprint' in its header is 3"),
}  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A checkpoint of a fit with trials, after two epochs, and its folder."""
    folder = tmp_path_factory.mktemp("checkpoints")
    killed(with_all(folder), 2, *load_iris(return_X_y=True))
    (path,) = folder.glob("*/newest.safetensors")
    (path.parent / "previous.safetensors").unlink()
    return folder, path, container.read(path)


def with_all(folder):
    learned = Learned(every=1)
    return model(folder, auxiliary=learned, psi="auto", early_stopping=True, optimizer=Adam())


@pytest.mark.parametrize(("change", "message"), NOT_WHOLE.values(), ids=NOT_WHOLE)
def test_a_checkpoint_whose_parts_do_not_fit_is_refused(iris, whole, change, message):
    folder, path, parts = whole
    header, tensors = copy.deepcopy(parts)
    change(header, tensors)
    container.write(path, header, tensors)
    with pytest.raises(ValueError, match=r"(?s)newest.* can't be loaded: .* Delete the") as caught:
        with_all(folder).fit(*iris)
    assert message in str(caught.value)


def test_what_other_fingerprints_say_is_shown_in_short(iris, whole):
    folder, path, parts = whole
    header, tensors = copy.deepcopy(parts)
    header["fingerprint"] = dict.fromkeys(map(str, range(99)), "\0" * 999)
    container.write(path, header, tensors)
    with pytest.raises(ValueError, match=r"checkpoint of another fit: .* and others differ"):
        with_all(folder).fit(*iris)


def test_a_checkpoint_is_no_estimator(iris, tmp_path):
    killed(model(tmp_path), 1, *iris)
    (path,) = tmp_path.glob("*/newest.safetensors")
    with pytest.raises(ValueError, match="it is a checkpoint of a fit; call fit again"):
        MAXLClassifier.load(path)


# Files


def test_what_a_killed_save_left_is_removed_when_nobody_writes(iris, tmp_path):
    killed(model(tmp_path), 1, *iris)
    (folder,) = tmp_path.iterdir()
    left = folder / ".sklearn_maxl-0123456789abcdef.tmp"
    left.touch()
    with own_folder(tmp_path, "another"):
        pass
    assert left.exists()
    model(tmp_path).fit(*iris)
    assert not left.exists()


def test_a_folder_that_can_not_be_written_to_is_refused_before_anything_is_trained(iris, tmp_path):
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    with pytest.raises(OSError, match=r"Checkpoint can't use the folder .*file.*; make it one"):
        model(in_the_way).fit(*iris)


@pytest.mark.parametrize("first", [True, False])
def test_a_full_disk(iris, tmp_path, monkeypatch, first):
    """Before the first epoch it is an error; later the training is worth more than a file."""
    whole = container.replace_file
    room = [0 if first else 2]

    def replace_file(path, parts):
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        room[0] -= 1
        whole(path, parts)

    monkeypatch.setattr(container, "replace_file", replace_file)
    told = r"Checkpoint can't write .*newest.safetensors \(No space left on device\); "
    if first:
        with pytest.raises(OSError, match=told + "free some space"):
            model(tmp_path).fit(*iris)
        return
    with pytest.warns(UserWarning, match=told + "training goes on"):
        clf = model(tmp_path).fit(*iris)
    assert_same(clf, model().fit(*iris))
    monkeypatch.setattr(container, "replace_file", whole)
    assert_same(model(tmp_path).fit(*iris), clf)
    assert Dies.begun == [1, 2, 3]  # from the last file for which there was room


# Parameters, and other callbacks


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"folder": 3}, "folder of Checkpoint must be the name of one, got 3"),
        ({"folder": ""}, "folder of Checkpoint must be the name of one"),
        ({"every_n_epochs": 0}, "every_n_epochs of Checkpoint must be 1 or more, got 0"),
        ({"every_n_epochs": 1.5}, "every_n_epochs of Checkpoint must be 1 or more"),
        ({"every_n_epochs": True}, "every_n_epochs of Checkpoint must be 1 or more"),
        ({"every_seconds": -1}, "every_seconds of Checkpoint must be None, 0 or more"),
        ({"every_seconds": "1"}, "every_seconds of Checkpoint must be None, 0 or more"),
        ({"every_seconds": float("nan")}, "every_seconds of Checkpoint must be None, 0 or more"),
    ],
    ids=str,
)
def test_parameters_are_checked_in_fit(iris, tmp_path, parameters, told):
    kept = Checkpoint(**{"folder": tmp_path, **parameters})
    with pytest.raises(ValueError, match=told):
        MAXLClassifier(callbacks=[kept]).fit(*iris)


def test_it_is_a_holder_of_parameters(tmp_path):
    kept = Checkpoint(tmp_path, every_seconds=3)
    assert kept.get_params() == {"folder": tmp_path, "every_n_epochs": 1, "every_seconds": 3}
    assert clone(kept).get_params() == kept.get_params()
    assert pickle.loads(pickle.dumps(kept)).get_params() == kept.get_params()
    (copied,) = clone(MAXLClassifier(callbacks=[kept])).callbacks
    copied.set_params(every_seconds=4)
    assert copied.every_seconds == 4
    assert kept.every_seconds == 3


@pytest.mark.parametrize(
    ("callback", "told"),
    [
        (EarlyStopping(), "EarlyStopping keeps a state .*; use early_stopping=True"),
        (LRScheduler(), "LRScheduler keeps a state .*; use schedule"),
        (("mine", Freezer("trunk.*")), "Freezer keeps a state .*; leave one of the two out"),
        (LoadInitState(None), "LoadInitState keeps a state"),
        (EarlyStopping, "EarlyStopping keeps a state"),
        (Checkpoint("elsewhere"), "callbacks has 2 of Checkpoint"),
    ],
)
def test_callbacks_with_a_state_of_their_own_are_refused(iris, tmp_path, callback, told):
    with pytest.raises(ValueError, match=told):
        model(tmp_path, callbacks=[callback]).fit(*iris)
    assert not list(tmp_path.iterdir())


class Falling(Callback):
    """A schedule with a state, which it gives and takes."""

    def on_train_begin(self, net, **kwargs):
        self.rate_ = 0.01

    def on_epoch_begin(self, net, **kwargs):
        self.rate_ *= 0.5
        net.optimizer_.param_groups[0]["lr"] = self.rate_

    def state_dict(self):
        return {"rate": self.rate_}

    def load_state_dict(self, state):
        self.rate_ = state["rate"]


def test_a_callback_may_give_its_state(iris, tmp_path):
    best = EpochScoring(lambda net, X, y=None: -len(net.epochs_) % 3, on_train=True)
    best.name = "made_up"
    parameters = {"callbacks": [Falling(), best], "schedule": "constant"}
    whole = model(**parameters).fit(*iris)
    resumed = fitted_in_pieces(partial(model, tmp_path, **parameters), whole, *iris)
    assert_same(resumed, whole)


class Unplain(Falling):
    def state_dict(self):
        return {"net": torch.nn.Linear(1, 1)}


class Recording(Callback):
    def on_epoch_end(self, net, **kwargs):
        net.history.record("mine", object())


class Counting(torch.optim.SGD):
    """Keeps what is neither tensor nor number."""

    def step(self):
        super().step()
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["seen"] = object()


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"callbacks": [Unplain()]}, "state_dict of the callback Unplain: .*; let it give plain"),
        ({"callbacks": [Recording()]}, "rows of net.history: .*; let callbacks record numbers"),
        ({"optimizer": Counting}, "state of Counting: .*; take another optimizer"),
    ],
)
def test_what_no_file_can_hold_is_refused(iris, tmp_path, parameters, told):
    with pytest.raises(ValueError, match=f"Checkpoint can't hold the {told}"):
        model(tmp_path, **parameters).fit(*iris)
