"""The six arms, psi, both meta-gradients and the choices of the meta batch."""

import itertools
import warnings

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import MLP, ConvNet, Custom
from sklearn_maxl.labels import Learned

ARMS = ["maxl", "uniform", "random", "kmeans", "human", None]


def fitted(data, **params):
    X, y = data
    clf = MAXLClassifier(**{"max_epochs": 3, "psi": 3, "lr": 0.01, "random_state": 0, **params})
    finer = 2 * y + np.arange(len(y)) % 2 if clf.auxiliary == "human" else None
    return clf.fit(X, y, auxiliary_labels=finer)


@pytest.mark.parametrize("auxiliary", ARMS)
def test_every_arm_learns_a_table_and_images(iris, images, auxiliary):
    assert fitted(iris, auxiliary=auxiliary, max_epochs=5).score(*iris) > 0.8
    params = {"auxiliary": auxiliary, "backbone": ConvNet((8, 16)), "max_epochs": 12}
    assert fitted(images, **params).score(*images) > 0.6


@pytest.mark.parametrize("auxiliary", ARMS[:-1])
def test_auxiliary_predictions_and_labels_are_distributions(iris, auxiliary):
    X, y = iris
    clf = fitted(iris, auxiliary=auxiliary, psi=[1, 2, 4])
    psi = [2, 2, 2] if auxiliary == "human" else [1, 2, 4]
    assert clf.psi_.tolist() == psi
    outputs = [clf.predict_auxiliary(X)]
    if hasattr(clf, "generate_auxiliary_labels"):
        Y = clf.generate_auxiliary_labels(X, y)
        owner = np.repeat(np.arange(3), psi)
        assert (Y[owner[None, :] != y[:, None]] == 0).all()
        outputs.append(Y)
    for output in outputs:
        assert output.shape == (150, sum(psi))
        assert (output >= 0).all()
        np.testing.assert_allclose(output.sum(1), 1, rtol=1e-5)


def test_the_kinds_of_labels_are_what_their_names_say(iris):
    X, y = iris
    labels = {
        arm: fitted(iris, auxiliary=arm).generate_auxiliary_labels(X, y)
        for arm in ("maxl", "uniform", "kmeans")
    }
    np.testing.assert_allclose(labels["uniform"].max(1), 1 / 3, rtol=1e-6)
    assert set(np.unique(labels["kmeans"])) == {0, 1}
    assert ((labels["kmeans"].sum(0) > 0) & (labels["kmeans"].sum(0) < 50)).all()
    assert len(np.unique(labels["maxl"], axis=0)) > 100


@pytest.mark.parametrize(
    ("method", "arms"),
    [
        ("predict_auxiliary", ["maxl", "uniform", "random", "kmeans", "human"]),
        ("generate_auxiliary_labels", ["maxl", "uniform", "kmeans"]),
    ],
)
@pytest.mark.parametrize("auxiliary", ARMS)
def test_methods_are_there_for_the_arms_that_have_them(iris, method, arms, auxiliary):
    clf = fitted(iris, auxiliary=auxiliary, max_epochs=1)
    assert hasattr(clf, method) is (auxiliary in arms)
    if auxiliary not in arms:
        with pytest.raises(AttributeError, match=method) as caught:
            getattr(clf, method)
        needed = {
            "predict_auxiliary": "auxiliary=None has no such method; it needs a source of "
            "auxiliary labels, such as auxiliary='maxl'",
            "generate_auxiliary_labels": f"auxiliary={auxiliary!r} has no such method; it needs "
            "labels that exist for any sample, such as those of 'maxl',",
        }
        assert needed[method] in str(caught.value.__cause__)


def test_human_labels_may_repeat_between_classes_and_be_strings(iris):
    X, y = iris
    finer = np.array(["old", "new", "mid"])[np.arange(150) % 3]
    finer[y == 1] = "old"
    clf = MAXLClassifier(auxiliary="human", psi=7, max_epochs=1)
    assert clf.fit(X, y, auxiliary_labels=finer.tolist()).psi_.tolist() == [3, 1, 3]


def test_an_auxiliary_head_learns_the_human_labels(iris):
    X, y = iris
    finer = (X[:, 0] > np.median(X[:, 0])).astype(int)
    clf = MAXLClassifier(auxiliary="human", max_epochs=15, lr=0.01, random_state=0)
    predicted = clf.fit(X, y, auxiliary_labels=finer).predict_auxiliary(X).argmax(1)
    known = [np.unique(finer[y == i]) for i in range(3)]
    start = np.cumsum([0] + [len(k) for k in known])
    target = [start[i] + np.searchsorted(known[i], f) for i, f in zip(y, finer, strict=True)]
    assert (predicted == target).mean() > 0.8


@pytest.mark.parametrize("psi", [[1, 2, 5], (1, 2, 5), np.array([1, 2, 5]),
                                 {"a": 5, "b": 1, "c": 2}])  # fmt: skip
def test_psi_by_class(iris, psi):
    names = np.array(["b", "c", "a"])[iris[1]]
    expected = [5, 1, 2] if isinstance(psi, dict) else [1, 2, 5]
    assert fitted((iris[0], names), psi=psi).psi_.tolist() == expected


EDGES = {
    "class smaller than psi": lambda X, y: (np.r_[X[y < 2], X[148:]], np.r_[y[y < 2], 2, 2]),
    "class of one sample": lambda X, y: (np.r_[X[y < 2], X[149:]], np.r_[y[y < 2], 2]),
    "two classes": lambda X, y: (X[y > 0], y[y > 0]),
    "200 classes": lambda X, y: (np.tile(X, (4, 1)), np.arange(600) % 200),
    "last batch of one sample": lambda X, y: (X[::3][:33], y[::3][:33]),
    "two samples": lambda X, y: (X[[0, 149]], y[[0, 149]]),
    "equal samples": lambda X, y: (np.ones((40, 4)), np.arange(40) % 2),
    "class that most batches lack": lambda X, y: (X[:102], y[:102]),
}


@pytest.mark.parametrize("edge", EDGES.values(), ids=EDGES)
@pytest.mark.parametrize("auxiliary", ARMS)
def test_edge_cases_train(iris, edge, auxiliary):
    backbone = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU())
    X, y = edge(*iris)
    clf = fitted((X, y), auxiliary=auxiliary, backbone=backbone, batch_size=16, max_epochs=2)
    assert np.isfinite(clf.predict_proba(X)).all()


@pytest.mark.parametrize("edge", ["class of one sample", "two samples"])
def test_a_tiny_holdout_trains(iris, edge):
    backbone = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU())
    X, y = EDGES[edge](*iris)
    X, y = (X, y) if edge == "class of one sample" else (np.r_[X, X], np.r_[y, y])
    labels = Learned(meta_batch="holdout")
    assert fitted((X, y), backbone=backbone, auxiliary=labels).n_iter_ == 3


@pytest.mark.parametrize("meta_batch", ["same", "holdout"])
@pytest.mark.parametrize("backbone", [MLP((16,)), MLP((16,), dropout=0.3), ConvNet((4, 8))],
                         ids=["mlp", "dropout", "convnet"])  # fmt: skip
def test_exact_and_double_backward_train_the_same_networks(iris, images, backbone, meta_batch):
    data = (images[0], images[1]) if isinstance(backbone, ConvNet) else iris
    params = {"backbone": backbone, "max_epochs": 10, "lr": 0.003}
    exact, paper, other = (
        fitted(data, auxiliary=labels, **params)
        for labels in (
            Learned(meta_gradient="exact", meta_batch=meta_batch),
            Learned(meta_gradient="double_backward", meta_batch=meta_batch),
            Learned(meta_gradient="exact", meta_batch=meta_batch, entropy_weight=0.0),
        )
    )
    np.testing.assert_allclose(
        exact.predict_proba(data[0]), paper.predict_proba(data[0]), atol=1e-3
    )
    labels = [c.generate_auxiliary_labels(*data) for c in (exact, paper, other)]
    np.testing.assert_allclose(labels[0], labels[1], atol=5e-3)
    assert np.abs(labels[0] - labels[2]).max() > 5e-3  # the generators did move


def test_every_moves_the_generator_in_every_third_step_only(iris):
    seen = []

    def remember(net):
        seen.append(torch.cat([p.detach().flatten().clone() for p in net.generator_.parameters()]))

    class Watcher(Callback):
        def on_batch_begin(self, net, **kwargs):
            remember(net)

        on_train_end = on_batch_begin

    labels = Learned(every=3)
    fitted(iris, auxiliary=labels, batch_size=30, max_epochs=2, callbacks=[Watcher()])
    moved = [not torch.equal(a, b) for a, b in itertools.pairwise(seen)]
    assert moved == [step % 3 == 0 for step in range(10)]


class NoForwardMode(torch.autograd.Function):
    """ReLU as somebody wrote it before forward-mode derivatives."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, gradient):
        return gradient * (ctx.saved_tensors[0] > 0)


class OldNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 8)

    def forward(self, x):
        return NoForwardMode.apply(self.linear(x))


def test_an_operator_without_forward_mode_falls_back_with_one_warning(iris):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        exact = fitted(iris, backbone=lambda shape: OldNet())
    messages = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    assert len(messages) == 1
    assert "NoForwardMode" in messages[0] or "autograd.Function" in messages[0]
    assert "You must implement" not in messages[0]  # a sentence, not a pasted error
    assert "falling back to meta_gradient='double_backward'" in messages[0]
    labels = Learned(meta_gradient="double_backward")
    paper = fitted(iris, backbone=lambda shape: OldNet(), auxiliary=labels)
    np.testing.assert_array_equal(exact.predict_proba(iris[0]), paper.predict_proba(iris[0]))


def test_all_arms_start_from_the_same_weights_for_one_seed(iris):
    X, y = iris
    weights = []
    for arm in (None, "uniform", "random", "kmeans", "maxl"):
        clf = MAXLClassifier(auxiliary=arm, optimizer="sgd", lr=1e-30, max_epochs=1, random_state=0)
        weights.append(clf.fit(X, y).net_.module_.primary_head.weight.detach())
    assert all(torch.equal(weights[0], w) for w in weights[1:])


def test_an_operator_without_a_second_derivative_is_named_with_the_cure(iris):
    class Hard(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 8)

        def forward(self, x):
            return nn.functional.hardsigmoid(self.linear(x))

    labels = Learned(meta_gradient="double_backward")
    with pytest.raises(ValueError, match=r"can't be differentiated twice .*hardsigmoid.*='exact'"):
        fitted(iris, backbone=Custom(Hard), auxiliary=labels, max_epochs=1)
    assert fitted(iris, backbone=Custom(Hard), max_epochs=1).n_iter_ == 1
