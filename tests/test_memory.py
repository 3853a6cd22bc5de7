"""Memory: a training that does not fit says so and frees what it held, and nothing piles up."""

import weakref

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.reliability.leaks import held, kept_by_fits
from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._training.steps import Step
from sklearn_maxl.backbones import MLP

SAYS = (
    r"'cpu' has too little memory for a training with batch_size=50 and precision='float32'; lower "
    r"batch_size or psi, take precision='bfloat16', or take a smaller backbone\. torch says: "
)


class Full(Step):
    """The device is full in the second epoch."""

    made = ()

    def __init__(self, module, *rest):
        super().__init__(module, *rest)
        type(self).made = (*self.made, weakref.ref(module))

    def multi_task_gradients(self, train, A):
        record = super().multi_task_gradients(train, A)
        if len(self.made) == 2:
            graph = self.module(train.x)
            raise torch.OutOfMemoryError(f"no room for {type(graph).__name__}\nmore lines")
        return record


class OnFullDevice(MAXLClassifier):
    step_class = Full


def model(**parameters):
    small = {"max_epochs": 3, "batch_size": 50, "psi": 2, "temperature": 1, "random_state": 0}
    return OnFullDevice(MLP((4,)), **{**small, **parameters})


@pytest.mark.parametrize("fitted", [False, True])
def test_it_names_what_to_lower_and_frees_the_networks(iris, monkeypatch, fitted):
    monkeypatch.setattr(Full, "made", ())
    clf = model()
    if fitted:
        clf.set_params(max_epochs=1).fit(*iris).set_params(max_epochs=3)
        monkeypatch.setattr(Full, "made", ())
    before = dict(vars(clf))
    with pytest.raises(torch.OutOfMemoryError, match=SAYS + r"no room for \w+$") as raised:
        clf.fit(*iris)
    assert [module() for module in Full.made] == [None, None]  # the error is still there
    assert raised.value is not None
    assert vars(clf) == before
    monkeypatch.setattr(Full, "made", ())
    clf.set_params(max_epochs=1).fit(*iris)


def test_partial_fit_says_it_too(iris, monkeypatch):
    monkeypatch.setattr(Full, "made", ())
    clf = model(precision="bfloat16").partial_fit(*iris, classes=[0, 1, 2])
    with pytest.raises(torch.OutOfMemoryError, match=r"lower batch_size or psi, or take a smaller"):
        clf.partial_fit(*iris)
    assert clf.n_iter_ == 1


def test_the_memory_of_the_cpu_has_no_error_of_its_own_in_torch(iris):
    with pytest.raises(torch.OutOfMemoryError, match="lower batch_size or psi"):
        MAXLClassifier(MLP((4,)), psi=10**12, max_epochs=1).fit(*iris)


def test_other_errors_are_passed_on(iris):
    class Fails(nn.Module):
        def forward(self, x):
            if self.training:
                raise RuntimeError("something else")
            return x

    with pytest.raises(RuntimeError, match=r"^something else$"):
        MAXLClassifier(Fails(), max_epochs=1, auxiliary=None).fit(*iris)


def test_more_bins_than_numbers_need_no_memory(iris):
    reg = MAXLRegressor(MLP((4,)), n_bins=10**12, max_epochs=1).fit(iris[0], iris[0][:, 0])
    assert len(reg.psi_) <= 150


def test_nothing_piles_up():
    """A sample of ``python -m benchmarks.reliability.leaks``: files, threads and objects."""
    kept_by_fits(3)
    before = held()
    kept_by_fits(6)
    after = held()
    assert after["open files"] <= before["open files"]
    assert after["threads"] <= before["threads"]
    assert after["networks"] == before["networks"]
    assert np.isfinite(after["memory (MB)"])
