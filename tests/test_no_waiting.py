"""No step of an epoch reads a number back: a device would have to finish first."""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._training.net import MAXLNet
from sklearn_maxl.backbones import ConvNet

# Operations that hand a number, or a number of rows, to Python.
READING = {
    torch.ops.aten._local_scalar_dense.default,
    torch.ops.aten.item.default,
    torch.ops.aten.nonzero.default,
    torch.ops.aten.equal.default,
}


class Reads(TorchDispatchMode):
    """Counts them."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in READING:
            self.seen.append(str(func))
        return func(*args, **(kwargs or {}))


def reads_of_a_step(monkeypatch, estimator, X, y):
    """What the steps after the first one read."""
    counts = {}
    for name in ("train_step", "generator_train_step", "multi_task_train_step"):
        step = getattr(MAXLNet, name)

        def counted(self, batch, *rest, name=name, step=step, **options):
            with Reads() as reads:
                result = step(self, batch, *rest, **options)
            counts.setdefault(name, []).append(reads.seen)
            return result

        monkeypatch.setattr(MAXLNet, name, counted)
    estimator.fit(X, y)
    assert all(len(steps) > 4 for steps in counts.values())
    # The first step tries forward mode out.
    return [read for steps in counts.values() for seen in steps[1:] for read in seen]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"auxiliary": None},
        {"auxiliary": "uniform"},
        {"auxiliary": "random"},
        {"optimizer": "sgd", "generator_optimizer": "sgd"},
        {"optimizer": "adamw", "meta_batch": "next", "meta_every": 2},
        {"alternation": "epoch", "gradient_similarity_every": 2},
        {"auxiliary_weight_range": 2.0, "information_weight": 0.1},
        {"meta_gradient": "finite_difference", "class_weight": "balanced", "focal_gamma": 2.0},
    ],
)
def test_no_step_waits(monkeypatch, images, settings):
    X, y = images
    clf = MAXLClassifier(
        ConvNet(channels=(4, 4)), max_epochs=2, random_state=0, **{"meta_every": 1, **settings}
    )
    assert reads_of_a_step(monkeypatch, clf, X, y) == []


def test_no_step_of_a_regression_waits(monkeypatch):
    X = np.random.RandomState(0).rand(200, 3)
    reg = MAXLRegressor(max_epochs=2, random_state=0)
    assert reads_of_a_step(monkeypatch, reg, X, X[:, 0]) == []


def test_a_read_would_be_seen():
    with Reads() as reads:
        float(torch.ones(2).sum())
    assert reads.seen
