"""The temperature of probabilities: where it comes from, and that it changes nothing else."""

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import log_softmax, softmax
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._training import trials
from sklearn_maxl._training.trials import SPREAD, TEMPERATURES, best_temperature
from sklearn_maxl.backbones import MLP, ConvNet, Members

X, Y = load_iris(return_X_y=True)
SMALL = {
    "mlp": MLP((16,)),
    "members": Members((8,), n_members=3),
}


def model(**parameters):
    settings = {"backbone": MLP((16,)), "max_epochs": 3, "lr": 0.01, "random_state": 0}
    return MAXLClassifier(**{**settings, **parameters})


# Where it comes from


def test_auto_is_that_of_the_trial_that_was_chosen():
    clf = model().fit(X, Y)
    (trial,) = clf.history_.trials
    assert trial["setting"] == "temperature"
    assert trial["temperature"] in TEMPERATURES
    assert clf.temperature_ == pytest.approx(trial["temperature"])
    assert clf.temperature_ != 1


def test_the_trials_of_lengths_tell_it():
    clf = model(max_epochs="auto").fit(X, Y)
    assert {trial["setting"] for trial in clf.history_.trials} == {"max_epochs"}
    (chosen,) = (trial for trial in clf.history_.trials if trial["chosen"])
    assert clf.temperature_ == pytest.approx(chosen["temperature"])
    assert len({trial["temperature"] for trial in clf.history_.trials}) == 2


@pytest.mark.parametrize("backbone", SMALL.values(), ids=SMALL)
def test_the_numbers_that_were_found_make_the_same_fit_to_the_bit(backbone):
    clf = model(backbone=backbone, max_epochs="auto").fit(X, Y)
    found = {"max_epochs": clf.n_iter_, "temperature": clf.temperature_}
    given = model(backbone=backbone, **found).fit(X, Y)
    assert given.history_.trials == []
    assert given.temperature_ == clf.temperature_
    for method in ("predict_proba", "transform", "predict_auxiliary"):
        np.testing.assert_array_equal(getattr(clf, method)(X), getattr(given, method)(X))


logits_and_classes = st.integers(1, 20).flatmap(
    lambda n: st.tuples(
        st.lists(st.lists(st.floats(-30, 30), min_size=3, max_size=3), min_size=n, max_size=n),
        st.lists(st.integers(0, 2), min_size=n, max_size=n),
        st.lists(st.floats(0.1, 10), min_size=n, max_size=n),
    )
)


@given(logits_and_classes)
def test_the_least_weighted_log_loss_decides(drawn):
    z, y, w = map(np.array, drawn)
    t, loss = best_temperature(*map(torch.from_numpy, (z, y, w)))

    def at(t):
        of_rows = -np.average(log_softmax(z / t, axis=1)[np.arange(len(y)), y], weights=w)
        return of_rows + (np.log(t) / SPREAD) ** 2 / (2 * len(y))

    def with_doubt(t):  # one row more, of any class
        return at(t) - np.average(log_softmax(z / t, axis=1).mean(1), weights=w) / len(y)

    assert loss == pytest.approx(at(t), abs=1e-9)
    assert all(with_doubt(t) <= with_doubt(other) + 1e-9 for other in TEMPERATURES[::12])


STEP = TEMPERATURES[1] / TEMPERATURES[0]


@pytest.mark.parametrize(("n", "copies"), [(30, 1), (300, 1), (30, 10)])
def test_it_is_the_most_likely_one_by_hand(n, copies):
    """With two classes and logits of 2 and 0, of which a tenth of the rows is on the wrong side.

    By the derivative after u = log t, where p is the probability of the class of the larger
    logit: (2 / t) (p - 0.9) to each of n rows, (2 / t) (p - 1 / 2) to the one that may be of any
    class, and -u / SPREAD^2 sum to zero.
    """
    z = torch.tensor([[2.0, 0.0]]).double().repeat(n, 1)
    y = (torch.arange(n) % 10 == 0).long()
    weight = torch.full((n,), 1 / copies)  # only what weights are to each other counts

    def slope(u):
        t = np.exp(u)
        p = 1 / (1 + np.exp(-2 / t))
        return 2 / t * (n * (p - 0.9) + (p - 0.5)) - u / SPREAD**2

    t, loss = best_temperature(z, y, weight)
    u = brentq(slope, -2, 2)
    assert abs(np.log(t) - u) <= np.log(STEP)
    p = 1 / (1 + np.exp(-2 / t))
    of_rows = -0.9 * np.log(p) - 0.1 * np.log(1 - p)
    assert loss == pytest.approx(of_rows + (np.log(t) / SPREAD) ** 2 / (2 * n))


@pytest.mark.parametrize(("n", "is_far"), [(10, True), (10_000, False)])
def test_what_is_assumed_before_any_row_is_seen_matters_for_few_rows(monkeypatch, n, is_far):
    z = torch.tensor([[1.0, 0.0]]).double().repeat(n, 1)
    y = (torch.arange(n) % 10 == 0).long()
    found, _ = best_temperature(z, y, torch.ones(n))
    monkeypatch.setattr(trials, "SPREAD", np.inf)
    of_rows, _ = best_temperature(z, y, torch.ones(n))
    assert of_rows <= found < 1
    steps = np.log(found / of_rows) / np.log(STEP)
    assert steps > 5 if is_far else steps < 1.1


def test_logits_that_say_nothing_leave_it_at_one():
    t, loss = best_temperature(torch.zeros(7, 3).double(), torch.arange(7) % 3, torch.ones(7))
    assert t == pytest.approx(1, rel=STEP - 1)
    assert loss == pytest.approx(np.log(3), abs=1e-2)


def test_rows_that_are_all_predicted_right_leave_a_doubt(monkeypatch):
    monkeypatch.setattr(trials, "SPREAD", np.inf)  # what the doubt alone says
    y = torch.arange(30) % 3
    z = torch.nn.functional.one_hot(y).double()
    t, _ = best_temperature(z, y, torch.ones(30))
    # 31 rows, a third of one of each class: the best probability is (30 + 1/3) / 31.
    p = np.exp(1 / t) / (np.exp(1 / t) + 2)
    assert p == pytest.approx((30 + 1 / 3) / 31, abs=0.003)


def test_it_is_found_for_logits_of_any_size():
    z = torch.tensor([[3e38, 0.0], [0.0, 3e38], [3e38, 0.0]]).double()
    t, loss = best_temperature(z, torch.tensor([0, 1, 1]), torch.ones(3))
    assert t == TEMPERATURES[-1]
    assert np.isfinite(loss)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_without_trials_it_is_one(method, images):
    rows, classes = images[0][:40], images[1][:40] % 2
    clf = model(backbone=ConvNet((4,)), max_epochs=1)
    getattr(clf, method)(rows, classes, **({} if method == "fit" else {"classes": [0, 1]}))
    assert clf.temperature_ == 1
    table = model().partial_fit(X, Y, classes=[0, 1, 2])
    assert table.temperature_ == 1
    few = np.r_[0:4, 50:54]
    for max_epochs in (3, "auto"):
        assert model(max_epochs=max_epochs).fit(X[few], Y[few]).temperature_ == 1


def test_a_regressor_has_none():
    assert "temperature" not in MAXLRegressor().get_params()
    reg = MAXLRegressor(MLP((4,)), max_epochs=1).fit(X[:, :3], X[:, 3])
    assert not hasattr(reg, "temperature_")
    assert float(reg.net_.module_.temperature) == 1


# What it does


@pytest.mark.parametrize("t", [0.05, 0.7, 1.0, 4.0, 1e6])
@pytest.mark.parametrize("backbone", SMALL.values(), ids=SMALL)
def test_probabilities_are_those_of_divided_logits(backbone, t):
    one = model(backbone=backbone, temperature=1.0).fit(X, Y)
    other = model(backbone=backbone, temperature=t).fit(X, Y)
    logits = one.predict_log_proba(X)
    np.testing.assert_allclose(other.predict_proba(X), softmax(logits / t, axis=1), atol=1e-6)
    assert np.array_equal(other.predict(X), one.predict(X))
    np.testing.assert_array_equal(other.transform(X), one.transform(X))
    np.testing.assert_array_equal(other.predict_auxiliary(X), one.predict_auxiliary(X))
    np.testing.assert_array_equal(
        [row["primary_loss"] for row in one.history_],
        [row["primary_loss"] for row in other.history_],
    )


def test_what_all_views_say_is_divided_too(images):
    rows, classes = images[0][:60], images[1][:60] % 3
    settings = {"backbone": ConvNet((4,)), "max_epochs": 2}
    one, other = (model(temperature=t, **settings).fit(rows, classes) for t in (1.0, 3.0))
    expected = softmax(one.predict_log_proba(rows) / 3, axis=1)
    np.testing.assert_allclose(other.predict_proba(rows), expected, atol=1e-6)


@cache
def fitted_once():
    return model(temperature=1.0).fit(X, Y)


@given(st.floats(0.01, 100))
def test_no_prediction_changes(t):
    clf = fitted_once()
    clf.net_.module_.temperature.fill_(1)
    before = clf.predict_proba(X)
    clf.net_.module_.temperature.fill_(t)
    after = clf.predict_proba(X)
    top = np.sort(before, axis=1)[:, -2:]
    clear = top[:, 1] > top[:, 0] * (1 + 1e-4)
    assert np.array_equal(before.argmax(1)[clear], after.argmax(1)[clear])
    if t != 1:
        assert (after.max(1) < before.max(1) + 1e-9).all() == (t > 1) or np.allclose(after, before)


def test_early_stopping_restores_it():
    clf = model(early_stopping=True, temperature=2.5, max_epochs=6).fit(X, Y)
    assert clf.temperature_ == float(clf.net_.module_.temperature) == 2.5


# What keeps it


def test_a_file_and_a_module_of_torch_keep_it(tmp_path):
    clf = model().fit(X, Y)
    clf.save(tmp_path / "it")
    loaded = MAXLClassifier.load(tmp_path / "it")
    assert loaded.temperature == "auto"
    assert loaded.temperature_ == clf.temperature_ != 1
    assert loaded._fitted.settings.temperature == clf.temperature_
    np.testing.assert_array_equal(loaded.predict_proba(X), clf.predict_proba(X))
    exported = clf.to_torch()(torch.tensor(X))
    np.testing.assert_allclose(exported, clf.predict_proba(X), atol=1e-6)


def test_later_epochs_keep_it():
    clf = model(warm_start=True).fit(X, Y)
    found = clf.temperature_
    assert clf.partial_fit(X, Y).temperature_ == found
    assert clf.fit(X, Y).temperature_ == found
    assert clf.set_params(temperature=2.0).fit(X, Y).temperature_ == 2
    assert clf.set_params(temperature="auto").fit(X, Y).temperature_ == 2


def test_a_grid_search_reaches_it():
    search = GridSearchCV(model(), {"temperature": [0.5, 50.0]}, scoring="neg_log_loss", cv=2)
    assert search.fit(X, Y).best_params_ == {"temperature": 0.5}


@pytest.mark.parametrize("t", [0, 0.0, -1.0, 1e-7, 1e300, np.nan, np.inf, "warm", [1.0]])
def test_what_is_no_temperature_is_refused(t):
    with pytest.raises(ValueError, match="The 'temperature' parameter of MAXLClassifier must be"):
        model(temperature=t).fit(X, Y)
