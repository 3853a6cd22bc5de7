"""What trials on held-out rows decide: by what, at what cost, that it is told, and where none are.

The temperature is in `test_temperature`, that all networks of a question are trained at once in
`test_stack`.
"""

import logging
from collections import Counter
from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.datasets import load_iris
from torch import nn

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._data.arrays import Arrays
from sklearn_maxl._estimators.base import own_seed
from sklearn_maxl._training import trials
from sklearn_maxl._training.plan import Plan
from sklearn_maxl._training.settings import DEFAULTS, resolve
from sklearn_maxl._training.steps import Step
from sklearn_maxl._training.trials import (
    ENOUGH,
    MARGIN,
    N_FOLDS,
    PSI,
    SPREAD,
    TEMPERATURES,
    Score,
    choice,
    epochs_of_trainings,
    held_out_folds,
    lengths,
)
from sklearn_maxl.backbones import MLP, ConvNet, Members
from sklearn_maxl.labels import Learned, Uniform

X, Y = load_iris(return_X_y=True)
FOLDS = 4  # that are held out of so many rows to choose a source
FOLDS_OF_LENGTHS = 2
FEW = np.r_[0:4, 50:54, 100:104]
LENGTHS = [13, 4]  # that are tried here


@pytest.fixture(scope="module", autouse=True)
def few_epochs():
    """What "auto" is, in few epochs, so that tests are fast."""
    with pytest.MonkeyPatch.context() as patch:
        for kind in [("table", "classes"), ("table", "numbers")]:
            patch.setitem(DEFAULTS, kind, replace(DEFAULTS[kind], epochs=13, least_steps=0))
        yield


def model(cls=MAXLClassifier, **parameters):
    return cls(**{"backbone": MLP((16,)), "max_epochs": 4, "random_state": 0, **parameters})


def of_any_length(**parameters):
    return model(**{"max_epochs": "auto", **parameters})


def own_module():
    """A user's own: its networks are trained one after the other."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU())


def tried(estimator, setting):
    """The trials of a setting, by the value that was tried."""
    return {t["value"]: t for t in estimator.history_.trials if t["setting"] == setting}


def folds_of(y, seed, most=N_FOLDS):
    return held_out_folds(Plan(Arrays(np.zeros((len(y), 1)), y), {}, None, None, None, seed), most)


def learns_only(step_is_good, **settings):
    """A classifier that learns nothing but in the trainings that are named."""

    class LearnsOnly(Step):
        def multi_task_gradients(self, train, A):
            record = super().multi_task_gradients(train, A)
            if not step_is_good(self):
                for gradient in (p.grad for p in self.f.t.values() if p.grad is not None):
                    gradient.zero_()
            return record

    class Classifier(MAXLClassifier):
        step_class = LearnsOnly

    return model(Classifier, **settings)


# The number of epochs


@pytest.mark.parametrize("auxiliary", ["maxl", None])
@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}, {"class_weight": "balanced"}])
def test_the_result_is_bitwise_that_of_the_length_chosen(auxiliary, settings):
    clf = of_any_length(auxiliary=auxiliary, **settings).fit(X, Y)
    length = clf.net_.settings.max_epochs
    assert clf.n_iter_ == length
    assert list(tried(clf, "max_epochs")) == LENGTHS
    assert [n for n, t in tried(clf, "max_epochs").items() if t["chosen"]] == [length]
    assert tried(clf, "temperature") == {}
    for temperature in ("auto", clf.temperature_):
        given = clone(clf).set_params(max_epochs=length, temperature=temperature).fit(X, Y)
        np.testing.assert_array_equal(
            clf.net_.module_.primary_head.weight.detach(),
            given.net_.module_.primary_head.weight.detach(),
        )
        # A trial of its own, but of the same rows: a step at most, by rounding.
        assert given.temperature_ == pytest.approx(clf.temperature_, rel=0.06)
        if temperature != "auto":
            np.testing.assert_array_equal(clf.predict_proba(X), given.predict_proba(X))
        of_temperature = [given.temperature_] if temperature == "auto" else []
        assert list(tried(given, "temperature")) == pytest.approx(of_temperature)
        assert tried(given, "max_epochs") == {}
    assert f"trial of max_epochs={LENGTHS[0]}: accuracy " in str(clf.history_)


@given(st.integers(1, 5000))
def test_the_lengths_are_that_of_the_fit_and_a_third_of_it(n):
    settings = resolve(of_any_length(max_epochs=n).get_params(deep=False), (4,), False)
    candidates = lengths(settings)
    assert list(candidates) == ([n] if n == 1 else [n, max(1, n // 3)])
    in_regression = lengths(replace(settings, shorter=(3, 9)))
    assert set(in_regression) == {n, max(1, n // 3), max(1, n // 9)}
    assert list(in_regression) == sorted(in_regression, reverse=True)
    for length, candidate in candidates.items():
        single = {"labels": None, "views": None, "generator": None}
        assert candidate == replace(settings, is_trial=True, max_epochs=length, **single)


def test_trials_are_scored_by_fits_on_the_other_folds():
    weight = np.random.RandomState(1).rand(150) + 0.5
    clf = of_any_length(psi=2, backbone=own_module()).fit(X, Y, sample_weight=weight)
    folds = folds_of(Y, own_seed(0), FOLDS_OF_LENGTHS)
    assert len(folds) == FOLDS_OF_LENGTHS
    held = np.concatenate([held for _, held in folds])
    assert list(tried(clf, "max_epochs")) == LENGTHS
    for length, trial in tried(clf, "max_epochs").items():
        logits = np.zeros((150, 3))
        settings = {"auxiliary": None, "temperature": 1.0, "backbone": own_module()}
        for rest, out in folds:
            alone = model(max_epochs=length, **settings)
            alone.fit(X[rest], Y[rest], sample_weight=weight[rest])
            logits[out] = alone.predict_log_proba(X[out])
        right = logits.argmax(1) == Y
        assert trial["accuracy"] == pytest.approx(np.average(right[held], weights=weight[held]))

        def loss(log_t, logits=logits):
            log_p = log_softmax(logits[held] / np.exp(log_t), axis=1)
            of_rows = -np.average(log_p[np.arange(len(held)), Y[held]], weights=weight[held])
            return of_rows + log_t**2 / (2 * SPREAD**2 * len(held))

        def with_doubt(log_t, logits=logits, loss=loss):  # one row more, of any class
            log_p = log_softmax(logits[held] / np.exp(log_t), axis=1)
            return loss(log_t) - np.average(log_p.mean(1), weights=weight[held]) / len(held)

        best = minimize_scalar(with_doubt, bounds=np.log(TEMPERATURES[[0, -1]]), method="bounded")
        step = TEMPERATURES[1] / TEMPERATURES[0]
        assert abs(np.log(trial["temperature"]) - best.x) < 1.1 * np.log(step)
        assert trial["loss"] == pytest.approx(loss(np.log(trial["temperature"])), abs=1e-5)


def test_every_auxiliary_gets_the_same_length_from_the_same_trials():
    found = [
        of_any_length(auxiliary=auxiliary).fit(X, Y).history_.trials
        for auxiliary in ("maxl", "uniform", None)
    ]
    assert found[0] == found[1] == found[2]


def parts_of(length):
    """What is over of a training of so many epochs as each begins: no other length has these."""
    return {k / length for k in range(1, length)}


@pytest.mark.parametrize("best", LENGTHS)
@pytest.mark.parametrize("backbone", [MLP((16,)), own_module()], ids=["at once", "in turn"])
def test_the_best_length_is_taken(best, backbone):
    parts = parts_of(best)
    clf = of_any_length(backbone=backbone, lr=0.03, schedule=lambda part: float(part in parts))
    clf.fit(X, Y)
    assert clf.n_iter_ == len(clf.history_) == clf.net_.settings.max_epochs == best
    accuracy = {n: t["accuracy"] for n, t in tried(clf, "max_epochs").items()}
    assert accuracy[best] > sum(accuracy.values()) / 2


def test_lengths_are_tried_with_the_members_of_the_fit(monkeypatch):
    seen = []
    train_stack = trials.train_stack

    def spy(several, fitted, *rest):
        seen.extend((settings.max_epochs, fitted.net.module_.members) for settings in several)
        return train_stack(several, fitted, *rest)

    monkeypatch.setattr(trials, "train_stack", spy)
    of_any_length(backbone=Members((8,), n_members=3), auxiliary="uniform").fit(X, Y)
    assert seen == [(length, 3) for length in LENGTHS]


def test_where_nothing_can_be_held_out_the_first_candidates_stay():
    clf = of_any_length(psi="auto", auxiliary="auto").fit(X[FEW], Y[FEW])
    assert (clf.n_iter_, clf.temperature_, clf.history_.trials) == (LENGTHS[0], 1.0, [])
    assert clf.psi_.tolist() == [PSI[0]] * 3
    assert clf.net_.has_generator_


def test_classes_of_one_row_are_no_obstacle():
    y = Y.copy()
    y[0] = 7
    clf = of_any_length().fit(X, y)
    assert clf.n_iter_ in LENGTHS
    assert list(tried(clf, "max_epochs")) == LENGTHS


def test_rows_without_weight_do_not_matter():
    weight = np.r_[np.ones(140), np.zeros(10)]
    with_them = of_any_length().fit(X, Y, sample_weight=weight)
    without = of_any_length().fit(X[:140], Y[:140])
    assert list(tried(without, "max_epochs")) == LENGTHS
    # Weights that are all 1 are multiplied by: the last bits may differ.
    for one, other in zip(with_them.history_.trials, without.history_.trials, strict=True):
        assert one == {**other, "loss": pytest.approx(other["loss"], rel=1e-4)}


EVERYTHING = {"psi": "auto", "auxiliary": "auto"}


@pytest.mark.parametrize(
    ("estimator", "data", "epochs", "asked"),
    [
        (of_any_length(), (X, Y), None, 1),
        (model(), (X, Y), 4, 1),
        (model(temperature=1.5), (X, Y), 4, 0),
        (of_any_length(temperature=1.5), (X, Y), None, 1),
        (of_any_length(**EVERYTHING), (X, Y), None, 3),
        (model(**EVERYTHING), (X, Y), 4, 3),
        (model(auxiliary="auto", temperature=1.5), (X, Y), 4, 1),
        (of_any_length(cls=MAXLRegressor), (X[:, :3], X[:, 3]), None, 1),
        (of_any_length(), (X.reshape(150, 1, 2, 2), Y), 100, 0),
        (of_any_length(input_shape=(1, 2, 2)), (X, Y), 100, 0),
        (of_any_length(input_shape=(4,)), (X, Y), None, 1),
    ],
    ids=[
        *("nothing", "epochs", "both numbers", "a temperature", "everything", "all but epochs"),
        *("auxiliary", "regression", "images", "images as rows", "rows"),
    ],
)  # fmt: skip
def test_what_is_tried(estimator, data, epochs, asked):
    estimator = clone(estimator).fit(*data)
    regression = isinstance(estimator, MAXLRegressor)
    several = [*LENGTHS, LENGTHS[0] // 9] if regression else LENGTHS
    assert estimator.n_iter_ in (several if epochs is None else [epochs])
    assert list(tried(estimator, "max_epochs")) == (several if epochs is None else [])
    settings = resolve(estimator.get_params(deep=False), estimator.input_shape_, regression, 150)
    assert ("max_epochs" in settings.undecided) == (epochs is None)
    assert len(epochs_of_trainings(settings, Y)) == asked + 1
    assert epochs_of_trainings(settings, Y[FEW]) == [settings.max_epochs]
    assert len({t["setting"] for t in estimator.history_.trials}) in (asked, asked - 1)


def went_on(estimator, X, y, epochs):
    """What a warm start found, after its epochs were counted."""
    before = estimator.n_iter_
    assert estimator.fit(X, y).n_iter_ == before + epochs
    return estimator.net_.settings.max_epochs, estimator.temperature_, estimator.history_.trials


def short_and_fitted():
    """A fit that takes the smaller number of its own accord."""
    parts = parts_of(LENGTHS[1])
    clf = of_any_length(warm_start=True, lr=0.03, schedule=lambda part: float(part in parts))
    return clf.fit(X, Y)


def test_later_fits_go_on_with_what_was_found():
    clf = short_and_fitted()
    found = LENGTHS[1], clf.temperature_, clf.history_.trials
    assert len(found[2]) == len(LENGTHS)
    for _ in range(2):
        assert went_on(clf, X, Y, LENGTHS[1]) == found
    assert went_on(clf.set_params(max_epochs=3), X, Y, 3)[1:] == found[1:]


def test_a_file_keeps_what_was_found(tmp_path):
    clf = short_and_fitted()
    clf.save(tmp_path / "it.maxl")
    with pytest.warns(UserWarning, match="does not hold the parameters schedule"):
        loaded = MAXLClassifier.load(tmp_path / "it.maxl")
    assert loaded.history_.trials == clf.history_.trials
    assert loaded.temperature_ == clf.temperature_
    assert loaded.net_.settings.max_epochs == loaded._fitted.settings.max_epochs == LENGTHS[1]
    went_on(loaded, X, Y, LENGTHS[1])


def test_partial_fit_makes_no_trials():
    clf = of_any_length().partial_fit(X, Y, classes=[0, 1, 2])
    assert (clf.n_iter_, clf.history_.trials) == (1, [])
    clf = of_any_length().fit(X, Y)
    epochs, found = clf.n_iter_, clf.history_.trials
    assert (clf.partial_fit(X, Y).n_iter_, clf.history_.trials) == (epochs + 1, found)


def test_a_warm_start_takes_nothing_that_was_not_found():
    clf = of_any_length().set_params(warm_start=True).partial_fit(X[:30], Y[:30], classes=[0, 1, 2])
    assert clf.fit(X, Y).n_iter_ == 1 + LENGTHS[0]
    clf = model(MAXLRegressor, max_epochs=2, warm_start=True).fit(X, Y)
    assert clf.set_params(max_epochs="auto").fit(X, Y).n_iter_ == 2 + LENGTHS[0]


def test_a_file_keeps_the_network_of_many_rows(tmp_path):
    rng = np.random.RandomState(0)
    many, y = rng.standard_normal((2000, 2)), rng.randint(2, size=2000)
    clf = MAXLClassifier(max_epochs=1, temperature=1.0, auxiliary=None).fit(many, y)
    clf.save(tmp_path / "it.maxl")
    for one in (clf, MAXLClassifier.load(tmp_path / "it.maxl")):
        assert one.net_.module_.trunk[-1].p == 0.1


@pytest.mark.parametrize("best", LENGTHS)
def test_later_questions_are_tried_with_the_length_that_was_found(best):
    trainings = []  # the network of each epoch
    parts = parts_of(best)

    class Noted(Step):
        def __init__(self, module, *rest):
            super().__init__(module, *rest)
            trainings.append(module)

    class Classifier(MAXLClassifier):
        step_class = Noted

    schedule = {"lr": 0.03, "schedule": lambda part: float(part in parts)}
    clf = of_any_length(cls=Classifier, **EVERYTHING, **schedule).fit(X, Y)
    epochs = [len(list(of_one)) for _, of_one in groupby(trainings, key=id)]
    first = len(LENGTHS) * FOLDS_OF_LENGTHS
    assert epochs[:first] == LENGTHS * FOLDS_OF_LENGTHS
    of_sources = 3 * FOLDS
    assert epochs[first : first + of_sources] == [best] * of_sources
    of_psi = len(tried(clf, "psi"))
    assert all(n <= best / 2 for n in epochs[first + of_sources : -1])
    assert len(epochs) == first + of_sources + of_psi + 1
    assert epochs[-1] == best


# Which candidate is chosen


@pytest.mark.parametrize(
    ("wins", "losses", "counts"),
    # By 2 rows: of 10 that differ, half a standard error is 1.58; of 16, 2; of 20, 2.24.
    [(6, 4, True), (9, 7, False), (11, 9, False), (5, 5, False), (4, 6, False)],
)
def test_accuracy_has_to_be_better_beyond_half_a_standard_error(wins, losses, counts):
    better = np.repeat([True, False], [wins, losses])
    scores = {
        "sure": Score(~better, 0.1),
        "right": Score(better, 0.9),
        "never": Score(better & False, 0.0),
    }
    assert choice(scores, np.ones(wins + losses)) == ("right" if counts else "sure")


ROWS = 12
score = st.builds(
    Score,
    st.lists(st.booleans(), min_size=ROWS, max_size=ROWS).map(np.array),
    st.one_of(st.floats(0, 10), st.just(np.inf)),
)
weights = st.lists(st.sampled_from([0.25, 1.0, 3.0]), min_size=ROWS, max_size=ROWS).map(np.array)


@given(st.lists(score, min_size=1, max_size=4), weights, st.sampled_from([0.125, 1.0, 8.0]))
def test_the_least_loss_wins_among_those_as_accurate_as_the_best(scores, weight, factor):
    of = dict(enumerate(scores))
    chosen = choice(of, weight * factor)
    correct = [(weight * s.right).sum() for s in scores]
    best = int(np.argmax(correct))

    def worse_by_chance(s):
        d = [w * (int(b) - int(a)) for w, a, b in zip(weight, s.right, scores[best].right)]  # noqa: B905
        return sum(d) <= MARGIN * np.sqrt(sum(x**2 for x in d))

    equal = [k for k, s in of.items() if worse_by_chance(s)]
    assert chosen in equal
    assert scores[chosen].loss == min(scores[k].loss for k in equal)
    # Which one it is does not depend on the order, unless losses tie.
    again = choice(dict(reversed(of.items())), weight)
    if Counter(correct)[max(correct)] == 1:
        assert scores[again].loss == scores[chosen].loss


@given(st.lists(st.floats(0, 10), min_size=1, max_size=5))
def test_numbers_are_judged_by_their_loss_alone(losses):
    scores = {k: Score(None, loss) for k, loss in enumerate(losses)}
    assert choice(scores, np.ones(3)) == int(np.argmin(losses))


@given(st.integers(10, 3000), st.integers(2, 4), st.integers(0, 10**6), st.integers(1, N_FOLDS))
def test_folds_are_held_out_until_enough_rows_are_predicted(n, n_classes, seed, most):
    y = np.arange(n) % n_classes
    folds = folds_of(y, seed, most)
    if n // n_classes < N_FOLDS:
        assert (-(-n // n_classes) < N_FOLDS) == (not folds)
        return
    k = len(folds)
    assert 1 <= k <= most
    assert k == most or k * n / N_FOLDS >= min(n, ENOUGH) * (1 - 1e-9)
    assert k == 1 or (k - 1) * n / N_FOLDS < ENOUGH
    held = np.concatenate([held for _, held in folds])
    assert len(np.unique(held)) == len(held)
    for rest, out in folds:
        assert np.array_equal(np.sort(np.r_[rest, out]), np.arange(n))
        share = [(y[out] == c).sum() / (y == c).sum() for c in range(n_classes)]
        assert np.allclose(share, 1 / N_FOLDS, atol=1 / (n // n_classes))


# Trainings that diverge


@pytest.mark.parametrize("wild", LENGTHS)
@pytest.mark.parametrize("backbone", [MLP((16,)), own_module()], ids=["at once", "in turn"])
def test_a_length_with_which_training_diverges_is_not_chosen(backbone, wild, tmp_path):
    parts = parts_of(wild)
    settings = {"backbone": backbone, "optimizer": "sgd", "lr": 0.1, "auxiliary": "uniform"}
    settings["schedule"] = lambda part: 1e30 if part in parts else 1.0
    clf = of_any_length(**settings).fit(X, Y)
    assert clf.n_iter_ == sum(LENGTHS) - wild
    trial = tried(clf, "max_epochs")[wild]
    assert (trial["accuracy"], trial["loss"], trial["chosen"]) == (0, np.inf, False)
    assert f"trial of max_epochs={wild}: accuracy 0.0000, loss inf\n" in f"{clf.history_}\n"
    clf.save(tmp_path / "it")
    given = backbone if isinstance(backbone, nn.Module) else None
    with pytest.warns(UserWarning, match="does not hold the parameters schedule"):
        loaded = MAXLClassifier.load(tmp_path / "it", backbone=given)
    assert loaded.history_.trials == clf.history_.trials
    settings["schedule"] = lambda part: 1e30
    with pytest.raises(ValueError, match="Training diverged in epoch 1"):
        of_any_length(**settings).fit(X, Y)


def test_a_number_of_classes_with_which_training_diverges_is_not_chosen():
    class Wild(Step):
        def multi_task_gradients(self, train, A):
            record = super().multi_task_gradients(train, A)
            if self.module.hierarchy is not None and self.module.hierarchy.psi[0] == PSI[0]:
                next(self.module.parameters()).grad.fill_(np.nan)
            return record

    class Regressor(MAXLRegressor):
        step_class = Wild

    reg = model(Regressor, psi="auto", max_epochs=8, auxiliary="uniform").fit(X[:, :3], X[:, 3])
    assert tried(reg, "psi")[PSI[0]]["loss"] == np.inf
    assert reg.psi_[0] in PSI[1:]


# psi


def psi_model(cls=MAXLClassifier, **parameters):
    return model(cls, **{"psi": "auto", "max_epochs": 8, "lr": 0.01, **parameters})


def test_the_result_is_bitwise_that_of_the_psi_chosen():
    clf = psi_model().fit(X, Y)
    chosen = int(clf.psi_[0])
    assert clf.psi_.tolist() == [chosen] * 3
    assert list(tried(clf, "psi")) == list(PSI)
    assert [k for k, t in tried(clf, "psi").items() if t["chosen"]] == [chosen]
    given = psi_model(psi=chosen).fit(X, Y)
    assert tried(given, "psi") == {}
    np.testing.assert_array_equal(clf.predict_proba(X), given.predict_proba(X))
    assert f"trial of psi={PSI[0]}: accuracy " in str(clf.history_)


@pytest.mark.parametrize("best", PSI)
def test_the_best_psi_is_taken(best):
    clf = learns_only(
        lambda step: step.module.hierarchy is None or step.module.hierarchy.psi[0] == best,
        **{"psi": "auto", "lr": 0.03, "max_epochs": 16},
    )
    assert clf.fit(X, Y).psi_.tolist() == [best] * 3


@pytest.mark.parametrize("max_epochs", [1, 3, 4, 7, 8, 40])
@pytest.mark.parametrize("arm", ["maxl", "uniform"])
def test_trials_of_psi_take_at_most_half_of_the_epochs(max_epochs, arm):
    seen = []  # network and number of samples of each epoch

    class Counted(Step):
        def __init__(self, module, *rest):
            super().__init__(module, *rest)
            seen.append([module, 0])

        def multi_task_gradients(self, train, A):
            seen[-1][1] += len(train)
            return super().multi_task_gradients(train, A)

    class Classifier(MAXLClassifier):
        step_class = Counted

    settings = {"temperature": 1.0, "max_epochs": max_epochs, "auxiliary": arm}
    clf = psi_model(Classifier, **settings).fit(X, Y)
    trainings = [[n for _, n in of_one] for _, of_one in groupby(seen, lambda pair: id(pair[0]))]
    *short, whole = (len(numbers) for numbers in trainings)
    samples = [n for numbers in trainings for n in set(numbers)]
    assert whole == max_epochs == clf.n_iter_
    assert sum(short) <= max_epochs / 2
    assert len(short) == {1: 0, 3: 0, 4: 2, 7: 3}.get(max_epochs, 4) == len(tried(clf, "psi"))
    assert all(n == 120 for n in samples[:-1])  # one of five folds held out
    assert samples[-1] == 150
    if not short:
        assert clf.psi_.tolist() == [PSI[0]] * 3


def test_trials_hold_out_for_the_meta_loss_and_stop_none_early(monkeypatch):
    seen = []
    run = trials.run

    def spy(settings, plan, *rest, **named):
        seen.append(set(plan.parts))
        return run(settings, plan, *rest, **named)

    monkeypatch.setattr(trials, "run", spy)
    labels = Learned(meta_batch="holdout")
    psi_model(early_stopping=True, auxiliary=labels, callbacks=[], temperature=1.0).fit(X, Y)
    assert seen == [{"train", "meta"}] * 4 + [{"train", "meta", "validation"}]


def test_arms_without_psi_ignore_it():
    assert psi_model(auxiliary=None).fit(X, Y).psi_.tolist() == [0, 0, 0]
    human = psi_model(auxiliary="human").fit(X, Y, auxiliary_labels=np.arange(150) % 2)
    assert human.psi_.tolist() == [2, 2, 2]
    assert tried(human, "psi") == {}


def test_the_regressor_chooses_psi_by_the_loss_alone():
    reg = model(MAXLRegressor, psi="auto", max_epochs=8).fit(X[:, :3], X[:, 3])
    of_psi = tried(reg, "psi")
    assert reg.history_.trials == list(of_psi.values())
    assert list(of_psi) == list(PSI)
    assert {t["accuracy"] for t in of_psi.values()} == {None}
    assert {t["temperature"] for t in of_psi.values()} == {1.0}
    chosen = min(of_psi, key=lambda k: of_psi[k]["loss"])
    assert of_psi[chosen]["chosen"]
    assert (reg.psi_ == chosen).all()
    assert "accuracy" not in str(reg.history_)


def test_a_clone_and_a_warm_start_work_with_psi():
    clf = clone(psi_model(warm_start=True)).fit(X, Y)
    chosen = clf.psi_.tolist()
    assert clf.fit(X, Y).n_iter_ == 16
    assert clf.psi_.tolist() == chosen
    clf.set_params(psi=chosen[0]).fit(X, Y)
    with pytest.raises(ValueError, match="auxiliary or psi were changed"):
        clf.set_params(psi=7).fit(X, Y)


def test_partial_fit_can_not_choose_psi():
    with pytest.raises(ValueError, match="partial_fit does not support psi='auto'; give a number"):
        psi_model().partial_fit(X, Y, classes=[0, 1, 2])


# The source of auxiliary labels


SOURCES = [None, "uniform", "maxl"]


def source_of(step):
    if step.module.hierarchy is None:
        return None
    return "uniform" if step.generator is None else "maxl"


def chosen_source(best, **settings):
    """A fit in which one source is better than the others."""
    return learns_only(
        lambda step: source_of(step) == best,
        **{"auxiliary": "auto", "lr": 0.03, "max_epochs": 12, "psi": 2, **settings},
    )


@pytest.mark.parametrize("best", SOURCES)
def test_held_out_rows_decide_between_the_sources(best, tmp_path):
    clf = chosen_source(best, warm_start=True).fit(X, Y)
    found = tried(clf, "auxiliary")
    assert list(found) == SOURCES
    assert [name for name, t in found.items() if t["chosen"]] == [best]
    kind = {None: type(None), "uniform": Uniform, "maxl": Learned}[best]
    assert type(clf._fitted.labels) is kind
    assert clf.auxiliary == "auto"
    assert clf.psi_.tolist() == [0 if best is None else 2] * 3
    assert clf.net_.has_generator_ is (best == "maxl")
    assert clf.temperature_ == pytest.approx(found[best]["temperature"])
    for method in ("predict_auxiliary", "generate_auxiliary_labels"):
        assert hasattr(clf, method) is (best is not None)
    given = clone(clf).set_params(auxiliary=best, temperature=clf.temperature_).fit(X, Y)
    np.testing.assert_array_equal(given.predict_proba(X), clf.predict_proba(X))

    clf.save(tmp_path / "it")
    loaded = type(clf).load(tmp_path / "it")
    assert loaded.auxiliary == "auto"
    assert loaded.history_.trials == clf.history_.trials
    np.testing.assert_array_equal(loaded.predict_proba(X), clf.predict_proba(X))
    temperature, kept = clf.temperature_, clf.history_.trials
    for other in (clf, loaded):
        other.set_params(max_epochs=1).fit(X, Y)
        assert other.n_iter_ == 13
        assert type(other._fitted.labels) is kind
        assert (other.temperature_, other.history_.trials) == (temperature, kept)
        assert hasattr(other, "predict_auxiliary") is (best is not None)


def test_sources_are_chosen_without_callbacks_and_with_views_of_images(images):
    rows, classes = images[0][:60, :, ::2, ::2], images[1][:60] % 2
    settings = {"backbone": ConvNet((4,)), "auxiliary": "auto", "max_epochs": 2, "psi": 2}
    clf = model(**settings).fit(rows, classes)
    assert list(tried(clf, "auxiliary")) == SOURCES
    assert tried(clf, "max_epochs") == {}
    assert clf.temperature_ == 1
    (chosen,) = (name for name, t in tried(clf, "auxiliary").items() if t["chosen"])
    given = model(**{**settings, "auxiliary": chosen}).fit(rows, classes)
    np.testing.assert_array_equal(given.predict_proba(rows), clf.predict_proba(rows))
    assert (clf.net_.module_.views is None) == (chosen is None)


def test_the_regressor_chooses_a_source_by_the_loss_alone():
    reg = model(MAXLRegressor, auxiliary="auto", max_epochs=2).fit(X[:, :3], X[:, 3])
    found = tried(reg, "auxiliary")
    assert list(found) == SOURCES
    assert {t["accuracy"] for t in found.values()} == {None}
    chosen = min(found, key=lambda name: found[name]["loss"])
    assert found[chosen]["chosen"]
    assert hasattr(reg, "predict_auxiliary") is (chosen is not None)


@pytest.mark.parametrize("best", [None, "maxl"])
def test_psi_is_tried_only_where_the_source_has_one(best, caplog):
    with caplog.at_level(logging.INFO, logger="sklearn_maxl"):
        clf = chosen_source(best, psi="auto", verbose=1, max_epochs=16).fit(X, Y)
    assert list(tried(clf, "psi")) == ([] if best is None else list(PSI))
    lines = [record.getMessage() for record in caplog.records]
    assert any(line.startswith("psi=") for line in lines) is (best is not None)


def test_partial_fit_can_not_choose_a_source():
    message = "partial_fit does not support auxiliary='auto'; name a source, or use fit"
    with pytest.raises(ValueError, match=message):
        model(auxiliary="auto").partial_fit(X, Y, classes=[0, 1, 2])
    clf = model(auxiliary="auto").fit(X, Y)
    before = dict(vars(clf))
    with pytest.raises(ValueError, match=message):
        clf.partial_fit(X, Y)
    assert vars(clf) == before


def test_before_a_fit_auto_has_the_methods_of_learned_labels():
    assert hasattr(model(auxiliary="auto"), "predict_auxiliary")


# What is told


def test_the_log_tells_what_was_found(caplog):
    with caplog.at_level(logging.INFO, logger="sklearn_maxl"):
        clf = of_any_length(verbose=1).fit(X, Y)
    lines = [record.getMessage() for record in caplog.records]
    for line, (length, trial) in zip(lines, tried(clf, "max_epochs").items(), strict=False):
        accuracy, loss = trial["accuracy"], trial["loss"]
        assert line == f"trial of max_epochs={length}: accuracy {accuracy:.4f}, loss {loss:.4f}"
    assert lines[len(LENGTHS)] == f"max_epochs={clf.n_iter_} chosen"
    assert len(lines) == len(LENGTHS) + 1 + clf.n_iter_  # and epochs


def test_the_log_names_each_training_where_it_takes_its_turn(caplog):
    with caplog.at_level(logging.INFO, logger="sklearn_maxl"):
        clf = of_any_length(verbose=1, backbone=own_module()).fit(X, Y)
    n = len(LENGTHS) * FOLDS_OF_LENGTHS
    expected = [
        f"trial {1 + k} of {n}: max_epochs={LENGTHS[k % 2]}, fold {1 + k // 2}" for k in range(n)
    ]
    lines = [record.getMessage() for record in caplog.records]
    assert lines[:n] == expected
    assert len(lines) == n + len(LENGTHS) + 1 + clf.n_iter_


def test_the_log_tells_weighted_accuracies(caplog):
    weight = np.where(Y == 2, 0.01, 1.0)
    with caplog.at_level(logging.INFO, logger="sklearn_maxl"):
        clf = of_any_length(verbose=1).fit(X, Y, sample_weight=weight)
    accuracy = tried(clf, "max_epochs")[LENGTHS[0]]["accuracy"]
    assert f"accuracy {accuracy:.4f}" in caplog.records[0].getMessage()
