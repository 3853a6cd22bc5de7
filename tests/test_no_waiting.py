"""No step of an epoch reads a number back: a device would have to finish first."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch.utils._python_dispatch import TorchDispatchMode

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._training.steps import Step
from sklearn_maxl.backbones import ConvNet
from sklearn_maxl.callbacks import GradientSimilarity
from sklearn_maxl.labels import Learned

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


class Watch(Callback):
    """Notes what each step reads, from the first callback before it to the first one after."""

    def __init__(self, seen):
        self.seen = seen  # shared by the copies

    def on_batch_begin(self, net, **kwargs):
        self.trusted = net.meta_gradient_.checked
        self.reads = Reads()
        self.reads.__enter__()

    def on_batch_end(self, net, **kwargs):
        self.reads.__exit__(None, None, None)
        if net.meta_gradient_.checked == self.trusted:  # else this step tried forward mode out
            self.seen.append(self.reads.seen)


def reads_of_steps(estimator, X, y):
    """What the steps read."""
    seen = []
    others = estimator.callbacks or []
    estimator.set_params(callbacks=[Watch(seen), *others]).fit(X, y)
    assert len(seen) > 4
    return [read for reads in seen for read in reads]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"auxiliary": None},
        {"auxiliary": "uniform"},
        {"auxiliary": "random"},
        {"auxiliary": "kmeans", "views": None},
        {"optimizer": "sgd", "auxiliary": Learned(every=1, optimizer="sgd")},
        {"optimizer": "adamw", "auxiliary": Learned(every=2, meta_batch="holdout")},
        {
            "auxiliary": Learned(every=1, alternation="epoch"),
            "callbacks": [GradientSimilarity(every=2)],
        },
        {"auxiliary": Learned(every=1, weight_range=2.0, information_weight=0.1)},
        {
            "auxiliary": Learned(every=1, meta_gradient="double_backward"),
            "class_weight": "balanced",
            "focal_gamma": 2.0,
        },
    ],
)
def test_no_step_waits(images, settings):
    X, y = images
    shared = {"auxiliary": Learned(every=1), "max_epochs": 2, "random_state": 0}
    clf = MAXLClassifier(ConvNet(channels=(4, 4)), **{**shared, **settings})
    assert reads_of_steps(clf, X, y) == []


def test_no_step_of_a_regression_waits():
    X = np.random.RandomState(0).rand(200, 3)
    reg = MAXLRegressor(max_epochs=2, random_state=0)
    assert reads_of_steps(reg, X, X[:, 0]) == []


class Reading(Step):
    """Looks at the loss of each batch."""

    def multi_task_gradients(self, train, A):
        record = super().multi_task_gradients(train, A)
        assert float(record["primary_loss"]) > 0
        return record


def test_a_read_would_be_seen(images):
    with Reads() as reads:
        float(torch.ones(2).sum())
    assert reads.seen

    class Classifier(MAXLClassifier):
        step_class = Reading

    assert reads_of_steps(Classifier(ConvNet((4, 4)), max_epochs=2), *images)
