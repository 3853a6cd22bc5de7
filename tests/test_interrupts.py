"""Ctrl-C at any moment of a fit: it is raised, and whole epochs are kept or nothing is changed."""

import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import warnings
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from skorch.callbacks import Callback

from benchmarks.reliability.interrupts import (
    CASES,
    CLASSIFIER,
    SEARCHES,
    WAYS,
    Case,
    Tried,
)
from benchmarks.reliability.moments import process_state
from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._environment import interrupts
from sklearn_maxl._environment.interrupts import Held, let_through, raise_later
from sklearn_maxl._training import stack
from sklearn_maxl._training.net import MAXLNet
from sklearn_maxl._training.settings import DEFAULTS
from sklearn_maxl._training.steps import Step
from sklearn_maxl.backbones import MLP, ConvNet

LABELS = ["maxl", "uniform", "random", "kmeans", "human", None]
KEPT = "Training interrupted by user; keeping what was learned"


pytestmark = pytest.mark.usefixtures("ctrl_c_is_heard")


@contextmanager
def interrupted_and_kept():
    """The block is ended by an interruption that leaves a fitted estimator."""
    with pytest.warns(UserWarning, match=KEPT), pytest.raises(KeyboardInterrupt):
        yield


class Presses:
    """Presses Ctrl-C at one of the calls that come by."""

    def __init__(self):
        self.left = None

    def at(self, number):
        self.left = number

    def pass_by(self):
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt


@pytest.fixture
def presses():
    return Presses()


@pytest.fixture
def six(monkeypatch):
    """Six epochs are what "auto" is on tables."""
    table = "table", "classes"
    monkeypatch.setitem(DEFAULTS, table, replace(DEFAULTS[table], epochs=6, least_steps=0))


def model(presses, cls=MAXLClassifier, **parameters):
    """An estimator whose steps are counted; iris in batches of 50 has three an epoch."""

    class Counted(Step):
        def multi_task_gradients(self, train, A):
            record = super().multi_task_gradients(train, A)
            presses.pass_by()
            return record

    class Estimator(cls):
        step_class = Counted

    settings = {
        "backbone": MLP((4,)), "psi": 2, "lr": 0.01, "batch_size": 50, "max_epochs": 3,
        "random_state": 0,
    }  # fmt: skip
    if cls is MAXLClassifier:
        settings["temperature"] = 1.0
    return Estimator(**{**settings, **parameters})


def fit(clf, data, method="fit", **more):
    finer = data[1] if clf.auxiliary == "human" else None
    return getattr(clf, method)(*data, auxiliary_labels=finer, **more)


def same(a, b):
    """Whether two collections of attributes are the same objects."""
    return a.keys() == b.keys() and all(a[name] is b[name] for name in a)


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize(
    ("parameters", "step"),
    # Of lengths, a trial of 6 and one of 2 epochs of 3 steps, twice; of psi, an epoch each.
    [
        ({"max_epochs": "auto"}, 1),  # the first step of all
        ({"max_epochs": "auto"}, 8),  # two epochs of a trial have ended
        ({"max_epochs": "auto"}, 3 * 14 + 4),  # the last trial
        ({"psi": "auto", "max_epochs": 8}, 5),
        ({"psi": "auto", "max_epochs": 8, "early_stopping": True}, 3 * 3 + 2),
        ({"temperature": "auto", "psi": "auto", "max_epochs": 8}, 3 * 16 + 4),
    ],
)
def test_an_interrupted_trial_ends_the_fit(iris, presses, six, parameters, step, fitted):
    clf = model(presses, max_epochs=1)
    if fitted:
        clf.fit(*iris)
    clf.set_params(**parameters)
    before = dict(vars(clf))
    presses.at(step)
    with pytest.raises(KeyboardInterrupt):
        clf.fit(*iris)
    assert presses.left == 0
    assert same(vars(clf), before)
    assert hasattr(clf, "classes_") is fitted


def test_a_fit_after_an_interrupted_one_is_as_if_there_had_been_none(iris, presses, six):
    clf = model(presses, max_epochs="auto")
    presses.at(30)
    with pytest.raises(KeyboardInterrupt):
        clf.fit(*iris)
    again, alone = clf.fit(*iris), model(presses, max_epochs="auto").fit(*iris)
    assert again.history_.trials == alone.history_.trials
    assert [trial["value"] for trial in alone.history_.trials] == [6, 2]
    np.testing.assert_array_equal(again.predict_proba(iris[0]), alone.predict_proba(iris[0]))


@pytest.mark.parametrize("place", ["outputs_on", "on_epoch_end"])
@pytest.mark.parametrize("parameters", [{"max_epochs": "auto"}, {"psi": "auto", "max_epochs": 8}])
def test_a_trial_may_be_interrupted_between_steps(
    iris, presses, monkeypatch, six, place, parameters
):
    whole = getattr(MAXLNet, place)

    def interrupted(*arguments, **named):
        presses.pass_by()
        return whole(*arguments, **named)

    monkeypatch.setattr(MAXLNet, place, interrupted)
    presses.at(2)
    with pytest.raises(KeyboardInterrupt):
        model(Presses(), **parameters).fit(*iris)


@pytest.mark.parametrize("epoch", [1, 2, 3, 6])  # the third is of one network only
def test_trials_at_once_may_be_interrupted_in_any_epoch(iris, presses, monkeypatch, six, epoch):
    whole = stack.shuffled

    def interrupted(*arguments):
        presses.pass_by()
        return whole(*arguments)

    monkeypatch.setattr(stack, "shuffled", interrupted)
    clf = MAXLClassifier(MLP((4,)), random_state=0)
    expected = clone(clf).fit(*iris).predict_proba(iris[0])
    state = torch.get_rng_state()
    presses.at(epoch)
    with pytest.raises(KeyboardInterrupt):
        clf.fit(*iris)
    assert presses.left == 0
    assert not hasattr(clf, "classes_")
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(clf.fit(*iris).predict_proba(iris[0]), expected)


@pytest.mark.parametrize("auxiliary", LABELS)
@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_before_an_epoch_has_ended_there_is_nothing_to_keep(iris, presses, auxiliary, step, method):
    first = {"classes": [0, 1, 2]} if method == "partial_fit" else {}
    clf = model(presses, auxiliary=auxiliary)
    presses.at(step)
    with pytest.raises(KeyboardInterrupt):
        fit(clf, iris, method, **first)
    assert not hasattr(clf, "classes_")
    assert fit(clf, iris, method, **first).n_iter_ == (3 if method == "fit" else 1)


@pytest.mark.parametrize("auxiliary", LABELS)
def test_whole_epochs_are_kept_with_every_kind_of_labels(iris, presses, auxiliary, tmp_path):
    clf = model(presses, auxiliary=auxiliary)
    presses.at(5)  # the second of the three steps of epoch 2
    with interrupted_and_kept():
        fit(clf, iris)
    assert clf.n_iter_ == len(clf.history_) == len(clf.net_.history) == 1
    assert set(clf.history_[0]) <= set(clf.net_.history[0])
    expected = clf.predict_proba(iris[0])
    clf.save(tmp_path / "kept.safetensors")
    loaded = type(clf).load(tmp_path / "kept.safetensors")
    np.testing.assert_array_equal(loaded.predict_proba(iris[0]), expected)
    assert fit(clf, iris, "partial_fit").history_["epoch"].tolist() == [1, 2]


def test_images_and_numbers_are_kept_too(images, iris, presses):
    views = {"backbone": ConvNet((4,)), "views": "auto"}
    presses.at(6)  # 200 images: four steps an epoch
    clf = model(presses, **views)
    with interrupted_and_kept():
        clf.fit(*images)
    assert clf.n_iter_ == 1
    assert np.isfinite(clf.predict_proba(images[0])).all()
    presses.at(5)
    reg = model(presses, MAXLRegressor)
    with interrupted_and_kept():
        reg.fit(iris[0][:, :3], iris[0][:, 3])
    assert reg.n_iter_ == 1
    pickle.loads(pickle.dumps(reg.history_))


@pytest.mark.parametrize("auxiliary", LABELS)
@pytest.mark.parametrize("number", [1, 3])
def test_the_evaluation_of_early_stopping(iris, presses, monkeypatch, auxiliary, number):
    score_on = MAXLNet.score_on

    def interrupted(*arguments):
        presses.pass_by()
        return score_on(*arguments)

    settings = {"early_stopping": True, "auxiliary": auxiliary, "schedule": "constant"}
    two = fit(model(Presses(), **{**settings, "max_epochs": 2}), iris)
    clf = model(Presses(), **settings)
    monkeypatch.setattr(MAXLNet, "score_on", interrupted)
    presses.at(number)
    if number == 1:
        with pytest.raises(KeyboardInterrupt):
            fit(clf, iris)
        assert not hasattr(clf, "classes_")
    else:
        with interrupted_and_kept():
            fit(clf, iris)
        assert clf.n_iter_ == len(clf.net_.history) == 2
        np.testing.assert_array_equal(clf.predict_proba(iris[0]), two.predict_proba(iris[0]))


@pytest.mark.parametrize("auxiliary", LABELS)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_going_on_leaves_the_former_fit_where_nothing_new_is_whole(
    iris, presses, auxiliary, method
):
    clf = fit(model(presses, auxiliary=auxiliary, warm_start=True), iris)
    before, expected = dict(vars(clf)), clf.predict_proba(iris[0])
    presses.at(2)
    with pytest.raises(KeyboardInterrupt):
        fit(clf, iris, method)
    assert same(vars(clf), before)
    assert clf.n_iter_ == len(clf.history_) == len(clf.net_.history) == 3
    np.testing.assert_array_equal(clf.predict_proba(iris[0]), expected)


def test_an_interrupted_epoch_that_diverged_is_not_kept(iris, presses):
    class Broken(Callback):
        def on_batch_end(self, net, **kwargs):
            if len(net.history) == 2:
                with torch.no_grad():
                    next(net.module_.parameters()).fill_(np.nan)
                raise KeyboardInterrupt

    clf = model(presses, callbacks=[Broken()])
    with pytest.raises(KeyboardInterrupt) as raised:
        clf.fit(*iris)
    assert "diverged in epoch 2" in str(raised.value.__context__)
    assert not hasattr(clf, "classes_")
    clf.set_params(early_stopping=True)
    with interrupted_and_kept():  # the best epoch is put back
        clf.fit(*iris)
    assert np.isfinite(clf.predict_proba(iris[0])).all()


def test_scikit_learns_callbacks_see_the_fit_end(iris, presses):
    pytest.importorskip("sklearn.callback")

    class Tasks:
        def __init__(self):
            self.begun, self.ended, self.torn_down = [], [], 0

        def setup(self, estimator, context):
            pass

        def teardown(self, estimator, context):
            self.torn_down += 1

        def on_fit_task_begin(self, estimator, context):
            self.begun.append(context.task_name)

        def on_fit_task_end(self, estimator, context):
            self.ended.append(context.task_name)

    kept, lost = Tasks(), Tasks()
    presses.at(5)
    with interrupted_and_kept():
        model(presses).set_callbacks(kept).fit(*iris)
    assert kept.begun == ["fit", "epoch", "epoch"]
    assert (kept.ended, kept.torn_down) == (["epoch", "fit"], 1)
    presses.at(5)
    clf = model(presses, temperature="auto").set_callbacks(lost)
    with pytest.raises(KeyboardInterrupt):
        clf.fit(*iris)
    assert (lost.ended, lost.torn_down) == ([], 1)


# Whoever calls fit is told


@pytest.mark.parametrize("search", [False, True])
@pytest.mark.parametrize("strict", [False, True])
def test_a_search_ends_and_gives_no_score_of_a_training_that_was_cut_off(
    iris, presses, search, strict
):
    """Also where warnings are errors, which a search takes for those of a bad candidate."""
    clf = Pipeline([("clf", model(presses))])
    presses.at(2 * 3 + 3)  # the second fold: 100 rows, three epochs of two steps each
    scored = []

    def score(*arguments):
        scored.append(arguments)
        return 0.5

    def grid():
        return GridSearchCV(clf, {"clf__psi": [1, 2]}, cv=3, scoring=score).fit(*iris)

    def folds():
        return cross_val_score(clf, *iris, cv=3, scoring=score)

    with warnings.catch_warnings():
        warnings.simplefilter("error" if strict else "ignore")
        with pytest.raises(KeyboardInterrupt):
            (grid if search else folds)()
    assert len(scored) == 1


def test_what_a_pipeline_has_learned_is_there(iris, presses):
    pipeline = make_pipeline(model(presses))
    presses.at(5)
    with interrupted_and_kept():
        pipeline.fit(*iris)
    assert pipeline.predict(iris[0]).shape == (150,)


def test_a_warning_that_is_an_error_does_not_take_the_place_of_the_interruption(iris, presses):
    clf = model(presses)
    presses.at(5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(KeyboardInterrupt):
            clf.fit(*iris)
    assert not hasattr(clf, "classes_")


# Signals between two steps


def press():
    signal.raise_signal(signal.SIGINT)


def handlers():
    return [signal.getsignal(number) for number in interrupts.SIGNALS]


def test_a_signal_waits_for_the_end_of_the_block():
    before, done = handlers(), []
    with pytest.raises(KeyboardInterrupt), Held():  # noqa: PT012
        press()
        done.append("the rest of the block")
    assert done
    assert handlers() == before
    assert (interrupts._handlers, interrupts._came) == ({}, [])


def test_or_until_it_may_pass():
    with pytest.raises(KeyboardInterrupt), Held():  # noqa: PT012
        let_through()
        with Held():
            press()
            with pytest.raises(KeyboardInterrupt):
                let_through()
            let_through()  # once only
            press()
        pytest.fail("the inner block has ended")


def test_who_presses_twice_does_not_wait():
    with Held():
        press()
        with pytest.raises(KeyboardInterrupt):
            press()
        let_through()
        press()
        with pytest.raises(KeyboardInterrupt):
            press()


def test_the_program_s_own_handlers_are_told_when_nothing_is_half_done():
    told, before = [], handlers()

    def own(number, frame):
        told.append((number, frame is not None))
        raise TimeoutError

    old = signal.signal(signal.SIGALRM, own)
    try:
        with pytest.raises(TimeoutError), Held():  # noqa: PT012
            signal.raise_signal(signal.SIGALRM)
            assert told == []
            let_through()
        with pytest.raises(TimeoutError) as raised, Held():  # noqa: PT012
            press()
            signal.raise_signal(signal.SIGALRM)
        assert isinstance(raised.value.__context__, KeyboardInterrupt)  # each is told
        assert told == [(signal.SIGALRM, True)] * 2
        with Held():
            signal.signal(signal.SIGALRM, signal.SIG_IGN)  # what the program sets meanwhile stands
        assert signal.getsignal(signal.SIGALRM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGALRM, old)
    assert handlers() == before


def test_other_threads_hold_nothing():
    before, seen = handlers(), []

    def other():
        with Held():
            seen.append(handlers())
            press_later = KeyboardInterrupt()
            with pytest.raises(KeyboardInterrupt), Held():
                raise_later(press_later)

    worker = threading.Thread(target=other)
    worker.start()
    worker.join()
    assert seen == [before]
    with Held():  # what comes in the main thread is not for others

        def passes():
            let_through()
            seen.append("passed")

        press()
        worker = threading.Thread(target=passes)
        worker.start()
        worker.join()
        interrupts._came.clear()
    assert seen[-1] == "passed"


def test_an_interruption_outside_of_all_blocks_is_raised_at_once():
    with pytest.raises(KeyboardInterrupt):
        raise_later(KeyboardInterrupt())


def test_a_callback_that_predicts_does_not_swallow_ctrl_c(iris):
    """skorch's callbacks end a training by KeyboardInterrupt; the user's is another."""
    other = MAXLClassifier(MLP((4,)), max_epochs=1).fit(*iris)

    class Predicts(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 2:
                press()
                other.predict(iris[0])

    clf = model(Presses(), callbacks=[Predicts()])
    with interrupted_and_kept():
        clf.fit(*iris)
    assert clf.n_iter_ == 2


# Moments


QUICK = [name for name in CASES if name not in ("k-means", "trials in turn", "GridSearchCV")]


@pytest.mark.parametrize("name", QUICK)
def test_no_moment_of_a_call_falls(name):
    """A sample; ``python -m benchmarks.reliability.interrupts`` tries many more."""
    rng, before = random.Random(name), process_state()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tried = Tried(name, WAYS[0], rng)
        found = {tried.interrupted(tried.moment()) for _ in range(14)}
        assert tried.fits_as_ever()
    assert found <= {"ended before", *({"raised"} if name in SEARCHES else {"kept", "as before"})}
    assert not [n for n, value in process_state().items() if value != before[n]]


def test_the_moments_would_show_what_is_half_done(monkeypatch):
    """A call that holds nothing, and has changed something in the middle."""

    def careless(estimator, X, y):
        torch.set_grad_enabled(False)
        torch.set_grad_enabled(True)

    monkeypatch.setitem(CASES, "careless", Case(CLASSIFIER, careless))
    tried = Tried("careless", WAYS[1], random.Random(0))
    try:
        found = [tried.interrupted(i + 1) for i in range(tried.n_lines)]
    finally:
        torch.set_grad_enabled(True)
    assert any(became.startswith("fell") for became in found)


SCRIPT = """
import os, signal, threading, time
from sklearn.datasets import load_iris
from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import MLP
signal.signal(signal.SIGINT, signal.default_int_handler)
epochs, begun = [], threading.Event()
def schedule(progress):
    epochs.append(progress)
    if len(epochs) == 3:
        begun.set()
    return 1.0
def press():
    begun.wait()
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=press).start()
X, y = load_iris(return_X_y=True)
clf = MAXLClassifier(MLP((4,)), max_epochs=10**6, temperature=1, schedule=schedule)
try:
    clf.fit(X, y)
except KeyboardInterrupt:
    print(clf.score(X, y) >= 0)
"""


def test_a_real_ctrl_c_ends_a_fit_that_would_take_days():
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=100, check=True, env=environment
    )
    assert done.stdout == "True\n"
