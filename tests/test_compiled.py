"""The compiled step is the step: on torch's ahead-of-time backend, which needs no compiler."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._maths.compiled_step import CompiledStep
from sklearn_maxl._training.net import MAXLNet
from sklearn_maxl.backbones import MLP, ConvNet

# torch's forward mode and its compiler warn of functions of their own.
pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch"),
]

SETTINGS = {
    "defaults": {},
    "single task": {"auxiliary": None},
    "fixed labels": {"auxiliary": "random"},
    "uniform": {"auxiliary": "uniform", "focal_gamma": 2.0},
    "SGD": {"optimizer": "sgd", "meta_every": 2, "schedule": "cosine"},
    "no views": {"views": None},
    "everything": {
        "auxiliary_weight_range": 2.0,
        "information_weight": 0.1,
        "focal_gamma": 2.0,
        "class_weight": "balanced",
        "meta_batch": "next",
        "meta_scale": "inverse_lr",
        "optimizer": "adamw",
    },
    "alternation": {"alternation": "epoch", "gradient_similarity_every": 3},
}


def model(**settings):
    return MAXLClassifier(
        ConvNet(channels=(4, 6)),
        **{"max_epochs": 3, "batch_size": 64, "meta_every": 1, "random_state": 0, **settings},
    )


@pytest.fixture
def compiled_steps(monkeypatch):
    """Counts the steps that run compiled."""
    calls = []
    call = CompiledStep.__call__

    def counted(self, *args):
        calls.append(args)
        return call(self, *args)

    monkeypatch.setattr(CompiledStep, "__call__", counted)
    return calls


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_compiled_fit_is_the_fit(images, settings, compiled_steps):
    X, y = images
    plain = model(**settings).fit(X, y)
    assert not compiled_steps
    compiled = model(**settings, compile="aot_eager").fit(X, y)
    assert len(compiled_steps) >= 5
    np.testing.assert_allclose(
        compiled.predict_proba(X), plain.predict_proba(X), rtol=1e-4, atol=1e-6
    )
    for name, value in plain.history_[-1].items():
        if name != "time":
            np.testing.assert_allclose(compiled.history_[-1][name], value, rtol=1e-3, atol=1e-5)
    for name, value in plain.net_.state()["module_"].items():  # running statistics too
        torch.testing.assert_close(
            compiled.net_.state()["module_"][name], value, rtol=1e-3, atol=1e-5
        )


def test_a_compiled_regression_is_the_regression(compiled_steps):
    X = np.random.RandomState(0).rand(90, 3)
    y = X[:, 0] - X[:, 1]
    a, b = (
        MAXLRegressor(max_epochs=3, random_state=0, compile=c).fit(X, y).predict(X)
        for c in (False, "aot_eager")
    )
    assert compiled_steps
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_the_whole_step_is_one_graph_and_compiled_once_for_all_epochs(images):
    X, y = images
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()
    clf = model(max_epochs=1, batch_size=50, schedule="halving").fit(X, y)
    net = copy.deepcopy(clf.net_)
    net.compile_step = True
    net.compiled_ = CompiledStep(
        net.module_, net.generator_, net.recipe, net.optimizer_, backend, None
    )
    from sklearn_maxl._data.data import Samples, TrainingData

    data = TrainingData(
        Samples(torch.from_numpy(X), torch.from_numpy(y)), prepare=net.module_.prepare
    )
    net.max_epochs = 8
    net.train_for(data, 6)
    assert len(graphs) == 1


def test_dropout_runs_uncompiled_with_a_warning(iris, compiled_steps):
    def backbone(shape):
        return nn.Sequential(nn.Linear(*shape, 8), nn.ReLU(), nn.Dropout(0.5))

    X, y = iris
    settings = {"max_epochs": 2, "random_state": 0}
    with pytest.warns(UserWarning, match="compile is ignored: a network draws random numbers"):
        a = MAXLClassifier(backbone, compile="aot_eager", **settings).fit(X, y)
    assert not compiled_steps
    b = MAXLClassifier(backbone, **settings).fit(X, y)
    np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(X))


def test_what_torch_cannot_compile_runs_uncompiled_with_a_warning(iris, monkeypatch):
    X, y = iris

    def fail(*args):
        raise torch._dynamo.exc.Unsupported("an operator\nand more")

    monkeypatch.setattr(CompiledStep, "__call__", fail)
    with pytest.warns(UserWarning, match="runs uncompiled: an operator$"):
        a = MAXLClassifier("mlp", max_epochs=2, random_state=0, compile=True).fit(X, y)
    b = MAXLClassifier("mlp", max_epochs=2, random_state=0).fit(X, y)
    np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(X))


def test_any_other_error_is_raised(iris, monkeypatch):
    def fail(*args):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(CompiledStep, "__call__", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        MAXLClassifier("mlp", max_epochs=2, compile=True).fit(*iris)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"compile": "turbo"}, "compile='turbo' is no backend of torch.compile here; it has"),
        (
            {"compile": True, "meta_gradient": "double_backward"},
            "compile=True needs meta_gradient='exact'",
        ),
        ({"compile": 3}, "The 'compile' parameter"),
        ({"precision": "float16"}, "The 'precision' parameter"),
    ],
)
def test_what_cannot_be_compiled_is_refused(iris, settings, message):
    with pytest.raises(ValueError, match=message):
        MAXLClassifier(**settings).fit(*iris)


def test_a_compiled_estimator_is_copied_pickled_and_goes_on(iris, compiled_steps):
    X, y = iris
    clf = MAXLClassifier(MLP((8,)), compile="aot_eager", max_epochs=2, random_state=0).fit(X, y)
    n = len(compiled_steps)
    for other in (copy.deepcopy(clf), pickle.loads(pickle.dumps(clf))):
        np.testing.assert_array_equal(other.predict_proba(X), clf.predict_proba(X))
        assert isinstance(other.partial_fit(X, y).net_, MAXLNet)
        assert other.net_.compiled_.f.network is other.net_.module_
    assert len(compiled_steps) > n


def test_every_fit_of_a_search_is_compiled(iris, compiled_steps):
    for seed in range(10):
        clf = MAXLClassifier(MLP((4,)), compile="eager", max_epochs=1, random_state=seed)
        clf.fit(*iris)
        assert clf.net_.compiled_ is not None
        assert len(compiled_steps) == 4 * (seed + 1)  # the first step is not


def test_no_compiler_is_loaded_unless_asked(iris):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert MAXLClassifier(max_epochs=1).fit(*iris).net_.compiled_ is None
