"""The choice of the rate on tables: by what, that it is told, and where there is none."""

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import load_iris

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._estimators.base import own_seed
from sklearn_maxl._training.choose_lr import (
    CANDIDATES,
    ENOUGH,
    N_FOLDS,
    choice,
    held_out_folds,
    n_held_out,
)
from sklearn_maxl._training.plan import stream
from sklearn_maxl._training.settings import resolve
from sklearn_maxl._training.steps import Step
from sklearn_maxl._training.trials import epochs_of_trainings

X, Y = load_iris(return_X_y=True)


def model(cls=MAXLClassifier, **parameters):
    return cls(**{"max_epochs": 4, "random_state": 0, **parameters})


@pytest.mark.parametrize("auxiliary", ["maxl", None])
@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}, {"class_weight": "balanced"}])
def test_the_result_is_bitwise_that_of_the_rate_chosen(auxiliary, settings):
    clf = model(auxiliary=auxiliary, **settings).fit(X, Y)
    assert clf.lr_ in CANDIDATES
    assert list(clf.history_.lr_scores) == list(CANDIDATES)
    given = model(auxiliary=auxiliary, lr=clf.lr_, **settings).fit(X, Y)
    np.testing.assert_array_equal(clf.predict_proba(X), given.predict_proba(X))
    assert given.history_.lr_scores is None
    assert "lr_scores: {0.01: " in str(clf.history_)


def test_scores_are_those_of_fits_on_the_other_folds():
    weight = np.random.RandomState(1).rand(150) + 0.5
    clf = model(psi=2).fit(X, Y, sample_weight=weight)
    folds = held_out_folds(Y, stream(own_seed(0), 2))
    assert len(folds) == N_FOLDS
    for lr, score in clf.history_.lr_scores.items():
        right = np.zeros(150)
        for rest, held in folds:
            alone = model(lr=lr, auxiliary=None).fit(X[rest], Y[rest], sample_weight=weight[rest])
            right[held] = alone.predict(X[held]) == Y[held]
        assert score == pytest.approx(np.average(right, weights=weight))


def test_every_auxiliary_gets_the_same_rate_from_the_same_scores():
    scores = [
        model(auxiliary=auxiliary).fit(X, Y).history_.lr_scores
        for auxiliary in ("maxl", "uniform", None)
    ]
    assert scores[0] == scores[1] == scores[2]


@pytest.mark.parametrize(
    ("wins", "losses", "moves"),
    # By 2 rows: of 10 that differ, half a standard error is 1.58; of 16, 2; of 20, 2.24.
    [(6, 4, True), (9, 7, False), (11, 9, False), (5, 5, False), (4, 6, False)],
)
def test_a_lower_rate_has_to_be_better_beyond_half_a_standard_error(wins, losses, moves):
    higher, _, lower = CANDIDATES
    won = np.repeat([True, False], [wins, losses])
    right = {higher: ~won, CANDIDATES[1]: won & False, lower: won}
    lr, scores = choice(right, np.ones(wins + losses))
    assert lr == (lower if moves else higher)
    assert scores == {lr: r.mean() for lr, r in right.items()}


right = st.lists(st.booleans(), min_size=12, max_size=12).map(np.array)


@given(st.tuples(right, right, right), st.integers(1, 5))
def test_equal_rates_stay_high_and_weights_count_rows(rows, repeats):
    of = dict(zip(CANDIDATES, rows, strict=True))
    lr, scores = choice(of, np.ones(12))
    assert scores[lr] <= max(scores.values())
    assert all(scores[other] < max(scores.values()) for other in CANDIDATES if other > lr)
    scaled, same = choice(of, np.full(12, float(repeats)))
    assert scaled == lr
    assert same == pytest.approx(scores)
    none = {lr: r & False for lr, r in of.items()}
    assert choice(none, np.ones(12))[0] == CANDIDATES[0]


@given(st.integers(1, 10**6))
def test_folds_are_held_out_until_enough_rows_are_predicted(n):
    k = n_held_out(n)
    assert 1 <= k <= N_FOLDS
    assert k * n / N_FOLDS >= min(n, ENOUGH) * (1 - 1e-9)
    assert k == 1 or (k - 1) * n / N_FOLDS < ENOUGH


@pytest.mark.parametrize("best", CANDIDATES)
def test_the_best_rate_is_taken(best):
    class LearnsNothingButAtTheBest(Step):
        def multi_task_gradients(self, train, A):
            record = super().multi_task_gradients(train, A)
            if self.optimizer.defaults["lr"] != best:
                self.f.clear_gradients()
            return record

    class Classifier(MAXLClassifier):
        step_class = LearnsNothingButAtTheBest

    assert model(Classifier, max_epochs=30).fit(X, Y).lr_ == best


def test_where_nothing_can_be_held_out_the_highest_stays():
    few = np.r_[0:4, 50:54, 100:104]
    clf = model().fit(X[few], Y[few])
    assert (clf.lr_, clf.history_.lr_scores) == (CANDIDATES[0], None)


def test_classes_of_one_row_are_no_obstacle():
    y = Y.copy()
    y[0] = 7
    clf = model().fit(X, y)
    assert clf.lr_ in CANDIDATES
    assert clf.history_.lr_scores is not None


def test_rows_without_weight_do_not_matter():
    weight = np.r_[np.ones(140), np.zeros(10)]
    with_them = model().fit(X, Y, sample_weight=weight)
    without = model().fit(X[:140], Y[:140])
    assert with_them.history_.lr_scores == without.history_.lr_scores


@pytest.mark.parametrize(
    ("estimator", "data", "lr"),
    [
        (model(lr=0.02), (X, Y), 0.02),
        (model(MAXLRegressor), (X[:, :3], X[:, 3]), 0.001),
        (model(), (X.reshape(150, 1, 2, 2), Y), 0.003),
        (model(input_shape=(1, 2, 2)), (X, Y), 0.003),
        (model(input_shape=(4,)), (X, Y), None),
    ],
    ids=["number", "regression", "images", "images as rows", "rows"],
)
def test_numbers_regression_and_images_have_one_rate(estimator, data, lr):
    estimator = clone(estimator).fit(*data)
    assert (estimator.history_.lr_scores is None) == (lr is not None)
    assert lr in (None, estimator.lr_)
    regression = isinstance(estimator, MAXLRegressor)
    settings = resolve(estimator.get_params(deep=False), estimator.input_shape_, regression)
    assert ("lr" not in settings.undecided) == (lr is not None)
    trials = 0 if lr is not None else len(CANDIDATES) * N_FOLDS
    assert len(epochs_of_trainings(settings, len(data[0]))) == trials + 1


def test_later_fits_go_on_with_the_rate(tmp_path):
    clf = model(warm_start=True, max_epochs=30)
    clf.fit(X, (X[:, 0] > 5.8).astype(int))
    rate = clf.lr_
    scores = clf.history_.lr_scores
    clf.save(tmp_path / "it.maxl")
    loaded = MAXLClassifier.load(tmp_path / "it.maxl")
    assert loaded.lr_ == rate == loaded.net_.lr
    assert loaded.history_.lr_scores == scores
    for other in (clf, loaded):
        other.fit(X, (X[:, 0] > 5.8).astype(int))
        assert other.n_iter_ == 60
        assert other.lr_ == rate == other.net_.optimizer_.defaults["lr"]
        assert other.history_.lr_scores == scores
    assert clf.set_params(lr=0.02).fit(X, (X[:, 0] > 5.8).astype(int)).lr_ == 0.02


def test_partial_fit_takes_the_highest():
    assert model().partial_fit(X, Y, classes=[0, 1, 2]).lr_ == CANDIDATES[0]
    clf = model().fit(X, Y)
    assert clf.partial_fit(X, Y).lr_ == clf.lr_


def test_psi_is_decided_at_the_chosen_rate():
    rates = []  # of each epoch

    class Noted(Step):
        def __init__(self, module, generator, optimizer, *rest):
            super().__init__(module, generator, optimizer, *rest)
            rates.append(optimizer.defaults["lr"])

    class Classifier(MAXLClassifier):
        step_class = Noted

    clf = model(Classifier, psi="auto", max_epochs=8).fit(X, Y)
    trials = len(CANDIDATES) * N_FOLDS * 8
    assert rates[:trials] == np.repeat(list(CANDIDATES) * N_FOLDS, 8).tolist()
    assert rates[trials:] == [clf.lr_] * (4 * 1 + 8)


def test_the_log_tells_it(caplog):
    with caplog.at_level(logging.INFO, logger="sklearn_maxl"):
        clf = model(verbose=1, max_epochs=2).fit(X, Y)
    (line,) = [r.getMessage() for r in caplog.records if "chosen" in r.getMessage()]
    assert line.startswith(f"lr={clf.lr_:g} chosen")
    assert len(caplog.records) == 15 + 1 + 2  # trials, what is chosen, epochs
