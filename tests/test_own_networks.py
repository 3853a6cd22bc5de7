"""Networks of a user's that do what torch, or a second network beside them, does not expect."""

import pickle
import threading

import numpy as np
import pytest
import torch
from torch import nn
from torch.ao.quantization import quantize_dynamic
from torch.nn.parameter import is_lazy

from sklearn_maxl import MAXLClassifier
from sklearn_maxl._networks.trunk import BackboneError, build_trunk
from sklearn_maxl.labels import Learned


def classifier(backbone, **params):
    settings = {"max_epochs": 2, "lr": 0.01, "psi": 2, "random_state": 0}
    return MAXLClassifier(backbone, **{"auxiliary": Learned(every=1), **settings, **params})


class Writes(nn.Module):
    """Changes its input, in place or not: always, or in training only."""

    def __init__(self, trunk, in_place, only_in_training):
        super().__init__()
        self.trunk, self.in_place, self.only_in_training = trunk, in_place, only_in_training

    def forward(self, x):
        if self.only_in_training and not self.training:
            return self.trunk(x)
        if self.in_place:
            x -= 0.3
            return self.trunk(x.div_(0.5))
        return self.trunk((x - 0.3) / 0.5)


@pytest.mark.parametrize("only_in_training", [False, True])
@pytest.mark.parametrize(
    ("data", "params"),
    [
        ("iris", {}),
        ("iris", {"auxiliary": Learned(every=1, meta_gradient="double_backward")}),
        ("iris", {"auxiliary": "kmeans"}),
        ("images", {}),
        ("images", {"views": None}),
        ("images", {"auxiliary": "uniform", "early_stopping": True}),
    ],
)
def test_a_network_that_writes_into_its_input_is_like_one_that_does_not(
    data, params, only_in_training, request
):
    X, y = (a[::2] for a in request.getfixturevalue(data))
    torch.manual_seed(0)
    trunk = nn.Linear(4, 6)
    if data == "images":
        trunk = nn.Sequential(nn.Conv2d(1, 16, 3, stride=2), nn.ReLU(), nn.Flatten())
    found = []
    for in_place in (True, False):
        clf = classifier(Writes(trunk, in_place, only_in_training), **params).fit(X, y)
        labels = clf.generate_auxiliary_labels(X, y)
        found.append([clf.predict_proba(X), clf.transform(X), labels, clf.history_["primary_loss"]])
    for got, expected in zip(*found, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_a_first_layer_in_place_does_not_change_the_choice_of_the_layout():
    def build(in_place):
        return nn.Sequential(nn.ReLU(in_place), nn.Conv2d(1, 4, 3), nn.Flatten())

    trunks = (build_trunk(lambda s, b=b: build(b), (1, 6, 6), "backbone")[0] for b in (True, False))
    assert [trunk.channels_last for trunk in trunks] == [True, True]


LAZY = {
    "batch norm": lambda: [nn.LazyLinear(6), nn.LazyBatchNorm1d()],
    "convolution": lambda: [nn.Unflatten(1, (2, 2)), nn.LazyConv1d(3, 1), nn.Flatten()],
    "instance norm": lambda: [
        nn.Unflatten(1, (2, 2)),
        nn.LazyInstanceNorm1d(affine=True, track_running_stats=True),
        nn.Flatten(),
    ],
}


@pytest.mark.parametrize("as_module", [False, True])
@pytest.mark.parametrize("name", LAZY)
def test_lazy_layers_take_their_shapes_in_every_fit(iris, tmp_path, name, as_module):
    given = nn.Sequential(*LAZY[name]())
    backbone = given if as_module else lambda shape: nn.Sequential(*LAZY[name]())
    clf = classifier(backbone).fit(*iris).partial_fit(*iris)
    clf.save(tmp_path / "clf")
    other = MAXLClassifier.load(tmp_path / "clf", backbone=backbone)
    np.testing.assert_array_equal(other.predict_proba(iris[0]), clf.predict_proba(iris[0]))
    assert any(is_lazy(tensor) for tensor in given.parameters())  # it is copied, never trained


def with_weight_norm(shape):
    return nn.Sequential(nn.utils.weight_norm(nn.Linear(4, 6)), nn.Tanh())


def with_spectral_norm(shape):
    return nn.Sequential(nn.utils.spectral_norm(nn.Linear(4, 6)), nn.Tanh())


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore:The backbone uses .* which forward mode:UserWarning")
@pytest.mark.parametrize("build", [with_weight_norm, with_spectral_norm])
@pytest.mark.parametrize("as_module", [False, True])
def test_weights_that_a_layer_computes_before_each_pass_train_on(iris, build, as_module):
    X, y = iris
    torch.manual_seed(0)
    backbone = build((4,)) if as_module else build
    clf = classifier(backbone).fit(X, y)
    assert clf.history_["primary_loss"][-1] < clf.history_["primary_loss"][0]
    other = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(other.predict_proba(X), clf.predict_proba(X))
    for each in (other, clf):
        each.partial_fit(X, y)
    np.testing.assert_array_equal(other.predict_proba(X), clf.predict_proba(X))
    assert clf.n_iter_ == 3


class Changed(nn.Module):
    """A linear layer whose features come in another type."""

    def __init__(self, dtype, of_weights=torch.float32):
        super().__init__()
        self.linear, self.dtype = nn.Linear(4, 6, dtype=of_weights), dtype

    def forward(self, x):
        return self.linear(x.to(self.linear.weight.dtype)).to(self.dtype)


class Locked(nn.Linear):
    """Holds what can't be copied."""

    def __init__(self):
        super().__init__(4, 6)
        self.lock = threading.Lock()


def scripted(trained):
    return torch.jit.script(nn.Linear(4, 6).requires_grad_(trained))


# The backbone, and what is said of it.
REFUSED = {
    "bfloat16 features": (lambda: Changed(torch.bfloat16), r"float32 features, .* are bfloat16"),
    "float64 features": (
        lambda: Changed(torch.float64, torch.float64), r"float32 .*float64; convert .*\.float\(\)",
    ),
    "whole numbers": (lambda: Changed(torch.int64), r"must make float32 features, .* are int64"),
    "complex features": (lambda: Changed(torch.complex64), r"float32 features, .* are complex64"),
    "float64 weights": (
        lambda: nn.Linear(4, 6).double(),
        r"can't take .*samples are float32, its weights are float64: convert it with \.float\(\)",
    ),
    "float16 weights": (lambda: nn.Linear(4, 6).half(), r"its weights are float16: convert it"),
    "scripted": (lambda: scripted(True), r"torch.jit.ScriptModule .*pass the module that it was"),
    "scripted inside": (
        lambda: nn.Sequential(nn.Linear(4, 4), scripted(True)), r"ScriptModule with weights to tra",
    ),
    "a lock": (Locked, r"can't be copied, as every fit does: cannot pickle '_thread.lock' object"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("as_module", [False, True])
@pytest.mark.parametrize("mistake", REFUSED)
def test_what_can_not_be_trained_is_told_in_a_sentence(iris, mistake, as_module):
    make, message = REFUSED[mistake]
    for name, params in {
        "backbone": {"backbone": make() if as_module else lambda shape: make()},
        "generator": {"backbone": "mlp", "auxiliary": Learned(lambda shape: make())},
    }.items():
        with pytest.raises(BackboneError, match=f"(?s)^{name} .*{message}") as caught:
            classifier(**params).fit(*iris)
        assert len(str(caught.value)) < 300


@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")
def test_a_frozen_scripted_part_trains(iris):
    clf = classifier(lambda shape: nn.Sequential(scripted(False), nn.Linear(6, 6)))
    assert clf.set_params(max_epochs=20).fit(*iris).score(*iris) > 0.5


def test_a_frozen_part_of_another_type_trains(iris):
    def build(shape):
        frozen = Changed(torch.float32, torch.bfloat16).requires_grad_(False)
        return nn.Sequential(frozen, nn.Linear(6, 6))

    assert classifier(build).fit(*iris).net_.module_.trunk[0].linear.weight.dtype == torch.bfloat16


@pytest.mark.filterwarnings("ignore:torch:UserWarning", "ignore:torch:DeprecationWarning")
def test_a_fitted_network_can_be_quantized(iris):
    clf = classifier("mlp", max_epochs=5).fit(*iris)
    small = quantize_dynamic(clf.net_.module_, {nn.Linear})
    answers = small(torch.from_numpy(iris[0]))[0].argmax(1).numpy()
    assert (answers == clf.predict(iris[0])).mean() > 0.95
