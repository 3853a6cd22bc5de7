"""The regressor: what it predicts, its arms and options."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, make_regression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_maxl import MAXLRegressor
from sklearn_maxl.backbones import MLP
from sklearn_maxl.labels import NAMED

X, Y = load_diabetes(return_X_y=True)


def model(**parameters):
    return MAXLRegressor(**{"max_epochs": 10, "random_state": 0, **parameters})


@pytest.mark.parametrize("arm", [*NAMED, None])
def test_every_arm_learns(arm):
    finer = np.arange(len(Y)) % 3
    reg = model(auxiliary=arm, max_epochs=20).fit(X, Y, auxiliary_labels=finer)
    assert reg.score(X, Y) > 0.4
    assert reg.predict(X).shape == Y.shape
    assert reg.predict(X).dtype == np.float64
    assert reg.psi_.tolist() == [{"human": 3, None: 0}.get(arm, 5)] * 5


def test_predictions_follow_the_units_of_the_target():
    plain = model().fit(X, Y).predict(X)
    moved = model().fit(X, 1000 * Y - 7).predict(X)
    np.testing.assert_allclose((moved + 7) / 1000, plain, rtol=1e-3)


@pytest.mark.parametrize("loss", ["squared_error", "huber"])
def test_several_targets_are_predicted_together(loss):
    data, y = make_regression(300, 8, n_informative=6, n_targets=3, random_state=0)
    reg = model(loss=loss, max_epochs=60, lr=0.01).fit(data, y)
    assert reg.predict(data).shape == y.shape
    assert reg.score(data, y) > 0.9
    assert reg.generate_auxiliary_labels(data, y).shape == (300, reg.psi_.sum())
    one = model(max_epochs=2).fit(data, y[:, :1])
    assert one.predict(data).shape == (300, 1)


def test_huber_is_not_drawn_away_by_outliers():
    rng = np.random.RandomState(0)
    data = rng.normal(size=(300, 3))
    clean = data[:, 0]
    y = clean.copy()
    y[rng.permutation(300)[:15]] += 50.0
    errors = {}
    for loss in ("squared_error", "huber"):
        reg = model(loss=loss, max_epochs=60, auxiliary=None).fit(data, y)
        errors[loss] = np.abs(reg.predict(data) - clean).mean()
    assert errors["huber"] < 0.7 * errors["squared_error"]


def test_labels_stay_in_the_bin_of_their_target():
    reg = model(n_bins=4, psi=[1, 2, 3, 4]).fit(X, Y)
    labels = reg.generate_auxiliary_labels(X, Y)
    assert labels.shape == (len(X), 10)
    order = np.argsort(Y)
    owner = np.repeat(np.arange(4), [1, 2, 3, 4])[labels.argmax(1)][order]
    assert (np.diff(owner) >= 0).all() or (np.diff(owner) <= 0).all()
    np.testing.assert_allclose(labels.sum(1), 1, rtol=1e-5)


def test_weights_of_zero_are_no_samples():
    weight = np.ones(len(Y))
    weight[200:] = 0
    y = Y.copy()
    y[200:] = 1e6
    a = model().fit(X, y, sample_weight=weight)
    b = model().fit(X[:200], Y[:200], sample_weight=np.ones(200))
    np.testing.assert_array_equal(a.predict(X), b.predict(X))


def test_partial_fit_keeps_bins_and_scale_of_the_first_call():
    reg = model().partial_fit(X, Y)
    for _ in range(30):
        reg.partial_fit(X, Y)
    assert reg.n_iter_ == 31
    assert reg.score(X, Y) > 0.4
    before = reg.predict(X)
    with pytest.raises(ValueError, match=r"targets of shape \(2,\)"):
        reg.partial_fit(X, np.c_[Y, Y])
    np.testing.assert_array_equal(reg.predict(X), before)


def test_early_stopping_and_warm_start():
    reg = model(early_stopping=True, max_epochs=200, n_iter_no_change=3, lr=0.01).fit(X, Y)
    assert reg.n_iter_ < 200
    assert reg.history_["validation_score"].max() <= 1
    again = model(warm_start=True).fit(X, Y)
    assert again.fit(X, Y).n_iter_ == 20


def test_it_lives_in_scikit_learns_tools():
    pipe = make_pipeline(StandardScaler(), model(max_epochs=3))
    assert np.isfinite(cross_val_score(pipe, X, Y, cv=3)).all()
    grid = {"auxiliary": [None, "maxl"], "n_bins": [2, 5], "loss": ["huber"]}
    assert GridSearchCV(model(max_epochs=1), grid, cv=2).fit(X, Y).best_estimator_.predict(X).any()
    logged = TransformedTargetRegressor(model(max_epochs=1), func=np.log, inverse_func=np.exp)
    assert np.isfinite(logged.fit(X, Y).predict(X)).all()
    reg = model(max_epochs=1).fit(X, Y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(reg)).predict(X), reg.predict(X))
    assert reg.transform(X).shape == (len(X), 8 * 128)


def test_images_and_signals_have_targets_too(images):
    pictures, _ = images
    brightness = pictures.mean((1, 2, 3))
    assert model(max_epochs=20).fit(pictures, brightness).score(pictures, brightness) > 0.5
    signals = pictures.reshape(-1, 2, 32)
    assert np.isfinite(model(max_epochs=1).fit(signals, brightness).predict(signals)).all()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.where(np.arange(len(Y)) == 3, np.nan, Y), "NaN"),
        (np.full(len(Y), "a"), "y must hold numbers, but holds text; .*MAXLClassifier"),
        (np.full(len(Y), "a", dtype=object), "y must hold numbers, but holds text"),
        (Y[:-1], "inconsistent numbers of samples"),
        (Y.reshape(-1, 1, 1), r"y must have a value, or a row of values, .* \(\d+, 1, 1\)"),
    ],
)
def test_targets_that_are_none_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        model().fit(X, y)


def test_a_constant_target_is_predicted():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reg = model(max_epochs=2).fit(X, np.full(len(X), 7.0))
    np.testing.assert_allclose(reg.predict(X), 7.0, atol=2.0)
    assert len(reg.psi_) == 1


def test_trials_decide_the_epochs_by_the_loss_of_held_out_rows():
    reg = MAXLRegressor(MLP((16,)), auxiliary=None, random_state=0).fit(X, Y)
    trials = reg.history_.trials
    assert [trial["setting"] for trial in trials] == ["max_epochs"] * 3
    best = min(trials, key=lambda trial: trial["loss"])
    assert reg.n_iter_ == best["value"]
    assert [trial["chosen"] for trial in trials] == [trial is best for trial in trials]
    same = clone(reg).set_params(max_epochs=reg.n_iter_).fit(X, Y)
    np.testing.assert_array_equal(same.predict(X), reg.predict(X))
    assert same.history_.trials == []


def test_a_score_on_other_targets_than_those_of_the_fit_is_refused():
    fitted = model(max_epochs=1).fit(X, Y)
    with pytest.raises(ValueError, match="y has 2 targets for each sample, but that of the fit"):
        fitted.score(X, np.c_[Y, Y])


def test_a_score_on_infinite_targets_is_refused():
    fitted = model(max_epochs=1).fit(X, Y)
    with pytest.raises(ValueError, match="y contains infinity"):
        fitted.score(X, np.where(np.arange(len(Y)) == 3, np.inf, Y))
