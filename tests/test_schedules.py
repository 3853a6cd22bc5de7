"""Learning rates over the epochs."""

import copy
import math
import pickle

import numpy as np
import pytest
import skorch.callbacks as skorch_callbacks
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._training.schedules import SCHEDULES, cosine, halving
from sklearn_maxl.labels import Learned


class Rates(skorch_callbacks.Callback):
    """Writes down both learning rates of every epoch."""

    def on_train_begin(self, net, **kwargs):
        self.seen = getattr(self, "seen", [])

    def on_epoch_end(self, net, **kwargs):
        rates = [net.optimizer_.param_groups[0]["lr"]]
        if net.has_generator_:
            rates.append(net.generator_optimizer_.param_groups[0]["lr"])
        self.seen.append(rates)


def seen(iris, **parameters):
    settings = {"max_epochs": 8, "batch_size": 75, "lr": 0.01, "random_state": 0}
    settings["auxiliary"] = Learned(lr=0.1, every=1)
    clf = MAXLClassifier("mlp", callbacks=[Rates()], **{**settings, **parameters})
    clf.fit(*iris)
    return np.array(clf.net_.callbacks_[0][1].seen), clf


def test_halving_is_the_papers_every_50_of_200_epochs():
    factors = [halving(epoch / 200) for epoch in range(200)]
    assert factors == [0.5 ** (epoch // 50) for epoch in range(200)]


@given(st.floats(0, 1, exclude_max=True))
def test_factors_start_at_one_and_never_rise(progress):
    for schedule in SCHEDULES.values():
        assert schedule(0.0) == 1.0
        assert 0 <= schedule(progress) <= 1
        assert schedule(min(progress + 0.1, 1.0)) <= schedule(progress)
    assert cosine(0.5) == pytest.approx(0.5)


@pytest.mark.parametrize("auxiliary", [Learned(lr=0.1, every=1), None])
def test_both_optimizers_follow_the_schedule(iris, auxiliary):
    rates, _ = seen(iris, schedule="halving", auxiliary=auxiliary)
    factors = np.array([1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125])
    np.testing.assert_allclose(rates[:, 0], 0.01 * factors)
    if auxiliary:
        np.testing.assert_allclose(rates[:, 1], 0.1 * factors)
    rates, _ = seen(iris, schedule=lambda progress: 1 - progress, auxiliary=auxiliary)
    np.testing.assert_allclose(rates[:, 0], 0.01 * (1 - np.arange(8) / 8))


def test_groups_keep_their_own_rates(iris):
    def two_groups(parameters, lr):
        first, *rest = parameters
        return torch.optim.SGD([{"params": [first], "lr": 7 * lr}, {"params": rest}], lr=lr)

    _, clf = seen(iris, optimizer=two_groups, schedule="cosine")
    last = (1 + math.cos(math.pi * 7 / 8)) / 2
    rates = [group["lr"] for group in clf.net_.optimizer_.param_groups]
    assert rates == pytest.approx([0.07 * last, 0.01 * last])


def test_partial_fit_goes_on_with_the_schedule_and_stays_at_its_end(iris):
    clf = MAXLClassifier(schedule="halving", max_epochs=4, lr=0.01, random_state=0)
    rates = []
    for k in range(6):
        clf.partial_fit(*iris, classes=[0, 1, 2])
        clf = (pickle.loads(pickle.dumps(clf)), copy.deepcopy(clf))[k % 2]
        rates.append(clf.net_.optimizer_.param_groups[0]["lr"])
    assert rates == pytest.approx([0.01, 0.005, 0.0025, 0.00125, 0.00125, 0.00125])


def test_auto_is_cosine_in_fit_and_constant_in_partial_fit(iris):
    a, b = (
        MAXLClassifier(schedule=s, lr=0.02, max_epochs=4, random_state=0).fit(*iris)
        for s in ("auto", "cosine")
    )
    np.testing.assert_array_equal(a.predict_proba(iris[0]), b.predict_proba(iris[0]))
    rate = a.net_.optimizer_.param_groups[0]["lr"]
    assert rate == pytest.approx(a.lr * (1 + math.cos(0.75 * math.pi)) / 2)
    for _ in range(2):  # after a fit, and again
        a.partial_fit(*iris)
        assert a.net_.optimizer_.param_groups[0]["lr"] == a.lr
    fresh = MAXLClassifier(lr=0.02, max_epochs=2)
    for _ in range(4):
        fresh.partial_fit(*iris, classes=[0, 1, 2])
        assert fresh.net_.optimizer_.param_groups[0]["lr"] == fresh.lr


def test_warm_start_begins_the_schedule_again(iris):
    clf = MAXLClassifier(schedule="halving", max_epochs=4, lr=0.01, warm_start=True)
    clf.fit(*iris)
    assert clf.fit(*iris).net_.optimizer_.param_groups[0]["lr"] == pytest.approx(0.00125)
    clf.set_params(max_epochs=1).fit(*iris)
    assert clf.net_.optimizer_.param_groups[0]["lr"] == pytest.approx(0.01)


@pytest.mark.parametrize("factor", [math.nan, -1.0, math.inf, "half", None])
def test_a_factor_that_is_none_is_refused(iris, factor):
    with pytest.raises(ValueError, match="schedule must return a factor"):
        MAXLClassifier(schedule=lambda progress: factor, max_epochs=1).fit(*iris)


def test_a_constant_schedule_leaves_a_callbacks_rates_alone(iris):
    class Lower(skorch_callbacks.Callback):
        def on_epoch_end(self, net, **kwargs):
            net.optimizer_.param_groups[0]["lr"] /= 10

    clf = MAXLClassifier(schedule="constant", callbacks=[Lower()], max_epochs=3, lr=1.0).fit(*iris)
    assert clf.net_.optimizer_.param_groups[0]["lr"] == pytest.approx(1e-3)


@pytest.mark.parametrize(
    ("X", "views", "kind", "decay", "rate"),
    [
        (np.zeros((60, 4)), "auto", torch.optim.AdamW, 0.1, 0.015),
        (np.zeros((60, 1, 4, 4)), None, torch.optim.Adam, 0, 0.003),
        (np.zeros((60, 2, 9)), "auto", torch.optim.Adam, 0, 0.003),
    ],
    ids=["table", "images", "signals"],
)
def test_auto_is_one_optimizer_for_tables_and_another_for_the_rest(X, views, kind, decay, rate):
    clf = MAXLClassifier(schedule="constant", max_epochs=1, views=views, random_state=0)
    clf.fit(X + np.random.RandomState(0).randn(*X.shape), np.arange(60) % 2)
    (group,) = clf.net_.optimizer_.param_groups
    assert type(clf.net_.optimizer_) is kind
    assert (group["weight_decay"], group["lr"], clf.lr_) == (decay, rate, rate)
    assert type(clf.net_.generator_optimizer_) is torch.optim.Adam


def test_auto_is_adam_in_regression_of_images(images):
    reg = MAXLRegressor(schedule="constant", max_epochs=1, random_state=0)
    reg.fit(images[0][:60], images[0][:60].mean((1, 2, 3)))
    assert type(reg.net_.optimizer_) is torch.optim.Adam
    assert reg.net_.optimizer_.param_groups[0]["lr"] == 0.001
