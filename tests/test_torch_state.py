"""What the program around has set in torch changes no fit and no prediction."""

import pickle
import threading
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._environment.process_wide import ProcessWide
from sklearn_maxl._environment.torch_state import own_torch
from sklearn_maxl._networks.trunk import Frame
from sklearn_maxl.backbones import ConvNet
from sklearn_maxl.callbacks import GradientSimilarity
from sklearn_maxl.functional import label_gradient
from sklearn_maxl.labels import KMeans, Learned
from sklearn_maxl.labels._autoencoder import encoded, make_encoder


@contextmanager
def gradients_off():
    torch.set_grad_enabled(False)
    try:
        yield
    finally:
        torch.set_grad_enabled(True)


@contextmanager
def default_dtype(dtype):
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def default_device(device):
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


PROGRAMS = {
    "no_grad": torch.no_grad,
    "set_grad_enabled": gradients_off,
    "inference_mode": torch.inference_mode,
    "autocast bfloat16": lambda: torch.autocast("cpu", torch.bfloat16),
    "autocast float16": lambda: torch.autocast("cpu", torch.float16),
    "float64": lambda: default_dtype(torch.float64),
    "bfloat16": lambda: default_dtype(torch.bfloat16),
    "float16": lambda: default_dtype(torch.float16),
    "default device": lambda: default_device("meta"),
    "device context": lambda: torch.device("meta"),
}
ALIKE = {"set_grad_enabled", "float16", "device context"}  # other ways to the same end
DIFFERENT = {name: program for name, program in PROGRAMS.items() if name not in ALIKE}
all_programs = pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
programs = pytest.mark.parametrize("program", DIFFERENT.values(), ids=DIFFERENT)


def state():
    """All that is set in torch here."""
    return (
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_autocast_dtype("cpu"),
        torch.is_autocast_cache_enabled(),
        torch.get_default_dtype(),
        torch.empty(0).device,
        torch.get_num_threads(),
    )


class Own(nn.Module):
    """A network of a user's that makes weights, buffers and numbers of the default type."""

    def __init__(self, shape):
        super().__init__()
        self.linear = nn.Linear(*shape, 6)
        self.register_buffer("shift", torch.ones(6) / 3)

    def forward(self, x):
        return torch.relu(self.linear(x) + self.shift) * torch.full((6,), 0.7)


def own(shape):
    return Own(shape)


def answers(estimator, X, y):
    """All that it says of samples."""
    names = ("predict", "predict_proba", "predict_log_proba", "transform", "predict_auxiliary")
    found = [getattr(estimator, name)(X) for name in names if hasattr(estimator, name)]
    return [*found, estimator.generate_auxiliary_labels(X, y), np.array(estimator.score(X, y))]


def saved(estimator, path, **own_networks):
    estimator.save(path)
    return type(estimator).load(path, **own_networks)


def table(iris, images, path):
    """Trials, early stopping, a callback, a file, a pickle, and training that goes on from both."""
    X, y = iris[0][::5], iris[1][::5]
    clf = MAXLClassifier(
        psi="auto",
        auxiliary=Learned(every=1),
        early_stopping=True,
        callbacks=[GradientSimilarity(every=1)],
        max_epochs=1,
        random_state=0,
    ).fit(X, y)
    with pytest.warns(UserWarning, match="does not hold the parameters callbacks"):
        loaded = saved(clf, path)
    loaded.set_params(early_stopping=False, psi=3, lr=0.01)
    opened = pickle.loads(pickle.dumps(clf)).set_params(early_stopping=False, psi=3, lr=0.01)
    found = [clf.history_["meta_loss"], clf.history_["gradient_similarity"]]
    for estimator in (clf, loaded, opened):
        found += answers(estimator, X, y)
    for estimator in (loaded, opened):
        found += answers(estimator.partial_fit(X, y), X, y)
    return found


def own_network(iris, images, path):
    """A network of a user's, in `partial_fit` and in a file."""
    clf = MAXLClassifier(own, auxiliary=Learned(every=1), max_epochs=2, lr=0.01, random_state=0)
    clf.partial_fit(*iris, classes=[0, 1, 2]).partial_fit(*iris)
    return answers(clf, *iris) + answers(saved(clf, path, backbone=own), *iris)


def module(iris, images, path):
    """A module that exists before the fit, cloned as by a search."""
    given = nn.Linear(4, 6, device="cpu", dtype=torch.float32)
    nn.init.constant_(given.weight, 0.1)
    nn.init.constant_(given.bias, 0.2)
    clf = MAXLClassifier(given, warm_start=True, max_epochs=1, lr=0.01, random_state=0)
    return answers(clone(clf).fit(*iris).fit(*iris), *iris)


def views(iris, images, path):
    """Images with views, and labels that an autoencoder finds."""
    X, y = images[0][:40], images[1][:40]
    clf = MAXLClassifier(ConvNet((4,)), auxiliary=KMeans(), psi=2, max_epochs=1, random_state=0)
    clf.fit(X, y)
    return answers(clf, X, y) + answers(saved(clf, path), X, y)


def half_precision(iris, images, path):
    """The estimator's own precision."""
    settings = {"precision": "bfloat16", "auxiliary": Learned(every=1), "psi": 2}
    clf = MAXLClassifier(ConvNet((4,)), **settings, max_epochs=2, random_state=0)
    return answers(clf.fit(*images), *images)


def numbers(iris, images, path):
    X, y = load_diabetes(return_X_y=True)
    reg = MAXLRegressor(max_epochs=1, random_state=0).fit(X[:90], y[:90])
    return answers(reg, X[:90], y[:90]) + answers(saved(reg, path), X[:90], y[:90])


DOORS = [table, own_network, module, views, half_precision, numbers]


@pytest.fixture(scope="module")
def outside():
    """What each door gives where nothing is set, computed once."""
    return {}


@programs
@pytest.mark.parametrize("door", DOORS)
def test_every_method_gives_the_same_bits_inside_a_program_and_changes_nothing_there(
    iris, images, tmp_path, outside, program, door
):
    if door not in outside:
        outside[door] = door(iris, images, tmp_path / "clf")
    with program():
        before = state()
        found = door(iris, images, tmp_path / "clf")
        assert state() == before
    for got, expected in zip(found, outside[door], strict=True):
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)


@all_programs
def test_networks_that_are_made_inside_are_ordinary_ones(iris, program):
    with program():
        before = state()
        net = MAXLClassifier(own, max_epochs=1, lr=0.01).fit(*iris).net_
        assert state() == before
    for tensor in (*net.module_.parameters(), *net.generator_.parameters()):
        assert (tensor.dtype, tensor.device.type) == (torch.float32, "cpu")
        assert tensor.requires_grad
        assert not tensor.is_inference()


@pytest.mark.parametrize("way", [("float64", "no_grad"), ("default device", "bfloat16")])
def test_a_file_of_one_program_opens_in_another(iris, tmp_path, way):
    clf = MAXLClassifier(own, max_epochs=1, lr=0.01, random_state=0)
    expected = clone(clf).fit(*iris).predict_proba(iris[0])
    writes, reads = (PROGRAMS[name] for name in way)
    with writes():
        clf.fit(*iris).save(tmp_path / "clf")
    with reads():
        other = MAXLClassifier.load(tmp_path / "clf", backbone=own)
    np.testing.assert_array_equal(other.predict_proba(iris[0]), expected)


@programs
def test_everything_is_put_back_after_an_error(iris, tmp_path, program):
    def fails(shape):
        raise ZeroDivisionError

    clf = MAXLClassifier(own, max_epochs=1, lr=0.01).fit(*iris)
    wrong, damaged = clone(clf).set_params(backbone=fails), nn.Linear(7, 7)
    with program():
        before = state()
        with pytest.raises(ValueError, match="can't be built"):
            wrong.fit(*iris)
        with pytest.raises(ValueError, match="can't be built"):
            wrong.partial_fit(*iris, classes=[0, 1, 2])
        clf.net_.module_.trunk = clf.net_.generator_.trunk = damaged
        for call in (clf.predict_proba, clf.transform, clf.predict_auxiliary):
            with pytest.raises(RuntimeError):
                call(iris[0])
        with pytest.raises(RuntimeError):
            clf.generate_auxiliary_labels(*iris)
        with pytest.raises(ValueError, match="can't make the fitted networks again"):
            clf.save(tmp_path / "clf")
        with pytest.raises(FileNotFoundError):
            MAXLClassifier.load(tmp_path / "clf")
        assert state() == before


def test_what_is_set_for_one_thread_is_of_no_effect_on_others(iris):
    entered, leave = threading.Event(), threading.Event()
    seen = []

    def another():
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16), own_torch(1):
            entered.set()
            assert leave.wait(10)
        seen.append(state())

    worker = threading.Thread(target=another)
    before = state()
    worker.start()
    assert entered.wait(10)
    with torch.inference_mode(), own_torch(1):
        assert torch.is_grad_enabled()
    leave.set()
    worker.join()
    assert state() == before
    assert seen == [before]  # a thread's state is over with its blocks


def test_a_default_type_is_put_back_when_the_last_thread_ends(iris):
    entered, leave = threading.Barrier(2), threading.Event()
    seen = []

    def first():
        with own_torch(1):
            entered.wait(10)
        leave.set()

    def last():
        with own_torch(1):
            entered.wait(10)
            assert leave.wait(10)
            seen.append(torch.get_default_dtype())
        seen.append(torch.get_default_dtype())

    with default_dtype(torch.float64):
        workers = [threading.Thread(target=target) for target in (first, last)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert torch.get_default_dtype() == torch.float64
    assert seen == [torch.float32, torch.float64]


def test_what_the_program_sets_meanwhile_stands():
    values = [1]
    setting = ProcessWide(lambda: values[-1], values.append)
    with setting.at(2):
        assert values[-1] == 2
        values.append(5)
    assert values[-1] == 5
    with setting.at(2), setting.at(3):
        assert values[-1] == 3
    assert values[-1] == 5


def test_an_unfinished_look_at_features_leaves_nothing_behind():
    frame = Frame(own, (4,), (np.zeros(4), np.ones(4)))
    before = state()
    features = encoded(make_encoder(frame, 0), np.zeros((2**17 + 1, 4)))
    next(features)
    assert state() == before
    features.close()
    assert state() == before


# The function for any loop


def gradient_of_weights():
    torch.manual_seed(0)
    net = nn.Linear(4, 3)
    x, y = torch.randn(6, 4), torch.arange(6) % 3
    t = dict(net.named_parameters())
    g = {name: torch.randn_like(p) for name, p in t.items()}

    def terms(t):
        return F.cross_entropy(functional_call(net, t, x), y, reduction="none") / 6

    def meta_loss(t):
        return F.cross_entropy(functional_call(net, t, x.flip(0)), y)

    return lambda: label_gradient(terms, meta_loss, t, torch.optim.SGD(t.values(), lr=0.1), g)


@pytest.mark.parametrize("name", ["no_grad", "set_grad_enabled", "inference_mode"])
def test_label_gradient_needs_no_gradients_of_the_program(name):
    function = gradient_of_weights()
    expected = function()
    with PROGRAMS[name]():
        before = state()
        found = function()
        assert state() == before
    assert torch.equal(found.gradient, expected.gradient)
    assert torch.equal(found.meta_loss, expected.meta_loss)
    assert not found.gradient.is_inference()


def test_label_gradient_keeps_to_the_types_of_its_loop():
    with default_dtype(torch.float64):
        assert gradient_of_weights()().gradient.dtype == torch.float64
