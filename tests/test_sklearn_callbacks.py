"""scikit-learn's callbacks: the tasks of a fit, progress bars, score monitors."""

import pickle
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._training.progress import UNTOLD, fit_task
from sklearn_maxl.backbones import MLP, ConvNet

ESTIMATORS = [MAXLClassifier, MAXLRegressor]

needs_callbacks = pytest.mark.skipif(
    find_spec("sklearn.callback") is None, reason="scikit-learn has callbacks from 1.9 on"
)


def model(cls=MAXLClassifier, **params):
    # Numbers of its own: the trials of "auto" would be tasks as well.
    settings = {"max_epochs": 4, "psi": 2, "lr": 0.01, "random_state": 0}
    if cls is MAXLClassifier:
        settings["temperature"] = 1.0
    return cls(**{**settings, **params})


WITHOUT = """
import sys, pickle
import sklearn_maxl  # and with it what scikit-learn itself imports
there = sys.modules.get("sklearn.callback")
for name in [name for name in sys.modules if name.startswith("sklearn_maxl")]:
    del sys.modules[name]
sys.modules["sklearn.callback"] = None  # whoever imports it now gets an ImportError
from sklearn_maxl import MAXLClassifier
sys.modules["sklearn.callback"] = there
from sklearn.base import clone
from sklearn.datasets import load_iris
X, y = load_iris(return_X_y=True)
clf = MAXLClassifier(max_epochs=2, random_state=0)
assert not hasattr(clf, "set_callbacks")
clf = pickle.loads(pickle.dumps(clone(clf).fit(X, y)))
assert clf.partial_fit(X, y).n_iter_ == 3
"""


def test_the_package_works_where_scikit_learn_has_no_callbacks():
    subprocess.run([sys.executable, "-W", "error", "-c", WITHOUT], check=True, timeout=300)


def test_without_callbacks_there_is_no_task(iris):
    told = {"X": iris[0], "y": iris[1], "sample_weight": None}
    with fit_task(model(), told, MAXLClassifier._keep, [3]) as task:
        assert task is UNTOLD
        with task.training("training", 3) as training:
            assert training.fitted_by(None).epoch() is UNTOLD
    assert task.end() is False


class Tasks:
    """A callback that writes down the tasks it is told of, and what a hook is passed."""

    stop_at = None
    fail_at = None

    def __init__(self):
        self.begun, self.ended, self.passed, self.calls = [], [], [], []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(path(context))

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None):
        self.ended.append(path(context))
        self.passed.append((estimator, X, y, metadata))
        if self.fail_at == len(self.ended):
            raise OSError("the disk is full")
        return self.stop_at == len(self.ended)


class PropagatedTasks(Tasks):
    """The same, to be set on a search."""

    max_propagation_depth = None


class Fitted(Tasks):
    """Keeps every fitted estimator that it is shown."""

    def on_fit_task_begin(self, estimator, context, *, fitted_estimator=None):
        self.begun.append(fitted_estimator)

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.ended.append(fitted_estimator)


def path(context):
    above = [] if context.parent is None else path(context.parent)
    return [*above, (context.task_name, context.max_subtasks)]


def names(paths):
    return ["/".join(name for name, _ in p) for p in paths]


@needs_callbacks
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_a_fit_has_its_epochs_as_tasks(iris, cls):
    tasks, weight = Tasks(), np.ones(150)
    est = model(cls).set_callbacks(tasks)
    est.fit(*iris, sample_weight=weight)
    assert names(tasks.begun) == ["fit", *["fit/epoch"] * 4]
    assert names(tasks.ended) == [*["fit/epoch"] * 4, "fit"]
    assert tasks.begun[1] == [("fit", 4), ("epoch", 0)]
    assert tasks.calls == ["setup", "teardown"]
    for estimator, X, y, metadata in tasks.passed:
        assert estimator is est
        assert X is iris[0]
        assert y is iris[1]
        assert metadata == {"sample_weight": weight}
    assert not hasattr(est, "_callback_fit_ctx")
    est.set_callbacks().fit(*iris)
    assert len(tasks.begun) == 5


@needs_callbacks
def test_early_stopping_ends_before_the_most_epochs_that_were_announced(iris):
    tasks = Tasks()
    settings = {"early_stopping": True, "max_epochs": 200, "n_iter_no_change": 2}
    clf = model(**settings).set_callbacks(tasks).fit(*iris)
    assert tasks.begun[0] == [("fit", 200)]
    assert len(tasks.ended) == clf.n_iter_ + 1 < 200


@needs_callbacks
def test_trials_are_tasks_of_their_own(iris):
    tasks = Tasks()
    settings = {"backbone": MLP((16,)), "psi": "auto", "max_epochs": "auto"}
    clf = model(**settings).set_callbacks(tasks).fit(*iris)
    trainings = [(p[1], len(p)) for p in tasks.begun if len(p) == 2]
    longest = max(trial["value"] for trial in clf.history_.trials[:2])
    found = {f"max_epochs={clf.n_iter_}", f"psi={clf.psi_[0]}"}
    assert trainings[:2] == [
        (("trials of max_epochs", longest), 2),  # all at once: epochs
        (("trials of psi", 4), 2),  # in turn: trainings
    ]
    (((last, epochs), _),) = trainings[2:]
    assert set(last.removeprefix("training with ").split(", ")) == found
    assert epochs == clf.n_iter_
    assert tasks.begun[0] == [("fit", 3)]
    for (name, most), _ in trainings:
        part = "epoch" if name.startswith("training") else "part of trials"
        assert names(tasks.ended).count(f"fit/{name}/{part}") == most
        assert names(tasks.ended).count(f"fit/{name}") == 1


@needs_callbacks
def test_a_training_of_which_nothing_is_to_be_told_is_one(iris):
    tasks = Tasks()
    model(auxiliary="auto", max_epochs=2).set_callbacks(tasks).fit(*iris)
    trainings = [p[1] for p in tasks.begun if len(p) == 2]
    assert trainings == [("trials of auxiliary", 12), ("training", 2)]


@needs_callbacks
@pytest.mark.parametrize(
    "params",
    [
        {"psi": "auto", "max_epochs": 3},
        {"psi": "auto", "max_epochs": 5},
        {"psi": "auto", "early_stopping": True},
        {"psi": "auto", "auxiliary": None},
        {"backbone": MLP((16,)), "max_epochs": "auto"},
        {"backbone": MLP((16,)), "max_epochs": "auto", "early_stopping": True},
        {"backbone": MLP((16,)), "max_epochs": "auto", "temperature": "auto", "psi": "auto"},
        {"temperature": "auto"},
        {"temperature": "auto", "psi": "auto"},
        {"auxiliary": "auto", "temperature": "auto", "psi": "auto", "max_epochs": 3},
    ],
)
def test_a_fit_announces_as_many_trainings_as_it_has(iris, params):
    tasks = Tasks()
    model(**params).set_callbacks(tasks).fit(*iris)
    (_, announced), children = tasks.begun[0][0], [p for p in tasks.begun if len(p) == 2]
    assert len(children) == announced


@needs_callbacks
@pytest.mark.parametrize("images_or_table", ["iris", "images"])
@pytest.mark.parametrize("params", [{}, {"auxiliary": "kmeans"}, {"early_stopping": True}])
def test_callbacks_change_no_result(request, images_or_table, params):
    data = request.getfixturevalue(images_or_table)
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 (that it stays as it is)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    alone = model(**params).fit(*data)
    told = model(**params).set_callbacks(Fitted(), Tasks()).fit(*data)
    assert np.array_equal(told.predict_proba(data[0]), alone.predict_proba(data[0]))
    assert np.array_equal(told.transform(data[0]), alone.transform(data[0]))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


@needs_callbacks
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_an_estimator_in_training_predicts_with_the_weights_of_that_moment(iris, cls):
    shown = Fitted()
    est = model(cls, schedule="constant", max_epochs=3).set_callbacks(shown)
    est.fit(*iris)
    *epochs, last = shown.ended
    assert shown.begun[0] is None  # nothing is fitted when a fit begins
    for n, fitted in enumerate(epochs, start=1):  # looked at when training has long gone on
        shorter = model(cls, schedule="constant", max_epochs=n).fit(*iris)
        assert fitted.n_iter_ == n == len(fitted.history_)
        assert np.array_equal(fitted.predict(iris[0]), shorter.predict(iris[0]))
        assert fitted.score(*iris) == shorter.score(*iris)
    for begun, ended in zip(shown.begun[2:], epochs[:-1], strict=True):
        assert np.array_equal(begun.predict(iris[0]), ended.predict(iris[0]))
    assert shown.begun[1].predict(iris[0]).shape == (150,)
    assert np.array_equal(last.predict(iris[0]), est.predict(iris[0]))


@needs_callbacks
def test_an_estimator_in_training_predicts_with_the_heads_of_that_moment(images):
    X, y = images
    params = {"backbone": ConvNet((16, 32)), "lr": 0.01, "schedule": "constant"}
    shown = Fitted()
    model(**params, max_epochs=24).set_callbacks(shown).fit(X, y)
    shares = [fitted.net_.module_.primary_share.item() for fitted in shown.ended[:-1]]
    assert shares[-1] == 0
    n = max(epoch for epoch, share in enumerate(shares, start=1) if share)
    for epochs in (n, n + 1):
        shorter = model(**params, max_epochs=epochs).fit(X, y)
        assert np.array_equal(shown.ended[epochs - 1].predict(X), shorter.predict(X))


@needs_callbacks
def test_an_estimator_shown_in_training_keeps_names_and_methods(iris):
    import pandas as pd

    shown = Fitted()
    X = pd.DataFrame(iris[0], columns=list("abcd"))
    model(max_epochs=2).set_callbacks(shown).fit(X, iris[1])
    fitted = shown.ended[0]
    assert fitted.generate_auxiliary_labels(X, iris[1]).shape == (150, 6)
    assert fitted.predict_auxiliary(X).shape == (150, 6)
    assert list(fitted.feature_names_in_) == list("abcd")


@needs_callbacks
def test_a_callback_can_end_the_training(iris):
    tasks = Tasks()
    tasks.stop_at = 2
    clf = model(max_epochs=50).set_callbacks(tasks).fit(*iris)
    assert clf.n_iter_ == 2
    assert names(tasks.ended) == ["fit/epoch", "fit/epoch", "fit"]


@needs_callbacks
def test_a_callback_that_asks_for_an_end_shortens_no_trial(iris):
    class OneEpoch(Tasks):
        def on_fit_task_end(self, estimator, context):
            self.ended.append(path(context))
            return context.task_name == "epoch"

    tasks = OneEpoch()
    clf = model(psi="auto", max_epochs=16).set_callbacks(tasks).fit(*iris)
    assert clf.n_iter_ == 1
    whole = model(psi="auto", max_epochs=16).fit(*iris)
    assert clf.history_.trials == whole.history_.trials
    assert names(tasks.ended).count("fit/trials of psi/part of trials") == 4


@needs_callbacks
def test_an_epoch_that_a_skorch_callback_ends_is_told(iris):
    from skorch.callbacks import EarlyStopping

    tasks = Tasks()
    stop = EarlyStopping("primary_loss", patience=2, threshold=10.0)
    clf = model(max_epochs=50, callbacks=[stop]).set_callbacks(tasks).fit(*iris)
    assert clf.n_iter_ == 3
    assert len(tasks.begun) == len(tasks.ended) == 4


@needs_callbacks
@pytest.mark.parametrize("fails", ["data", "training", "hook"])
def test_callbacks_are_torn_down_when_a_fit_fails(iris, fails):
    tasks = Tasks()
    fitted = model().fit(*iris)
    expected = fitted.predict_proba(iris[0])
    clf = fitted.set_callbacks(tasks)
    if fails == "data":
        with pytest.raises(ValueError, match="NaN"):
            clf.fit(np.full((10, 4), np.nan), iris[1][:10])
    elif fails == "training":
        with pytest.raises(ValueError, match="diverged"):
            clf.set_params(lr=1e30, optimizer="sgd").fit(*iris)
    else:
        tasks.fail_at = 2
        with pytest.raises(OSError, match="disk is full"):
            clf.fit(*iris)
    # Wrong data are found before anybody is told of a fit.
    assert tasks.calls == ([] if fails == "data" else ["setup", "teardown"])
    assert not {"_callback_fit_ctx", "_skl_callbacks_to_teardown"} & set(vars(clf))
    assert np.array_equal(clf.predict_proba(iris[0]), expected)


@needs_callbacks
def test_warm_start_is_told_and_partial_fit_is_not(iris):
    tasks = Tasks()
    clf = model(warm_start=True).set_callbacks(tasks).fit(*iris).fit(*iris)
    assert len(tasks.ended) == 10
    clf.partial_fit(*iris)
    model().set_callbacks(tasks).partial_fit(*iris, classes=np.unique(iris[1]))
    assert len(tasks.ended) == 10
    assert clf.n_iter_ == 9


@needs_callbacks
def test_only_callbacks_are_taken():
    with pytest.raises(TypeError, match="FitCallback"):
        model().set_callbacks(print)


@needs_callbacks
def test_clone_and_pickle_keep_callbacks(iris):
    tasks = Tasks()
    clf = clone(model().set_callbacks(tasks)).fit(*iris)
    assert len(tasks.ended) == 5
    again = pickle.loads(pickle.dumps(clf))
    assert np.array_equal(again.predict_proba(iris[0]), clf.predict_proba(iris[0]))
    again.fit(*iris)
    assert len(tasks.ended) == 5  # the pickle has a copy


@needs_callbacks
def test_tasks_nest_in_those_of_a_search_and_a_pipeline(iris):
    tasks = PropagatedTasks()
    pipe = make_pipeline(StandardScaler(), model(max_epochs=2))
    search = GridSearchCV(pipe, {"maxlclassifier__psi": [2, 3]}, cv=2, refit=False)
    search.set_callbacks(tasks).fit(*iris)
    epochs = [p for p in tasks.ended if p[-1] == ("epoch", 0)]
    assert len(epochs) == 2 * 2 * 2
    assert all(p[-2] == ("fit", 2) and len(p) == 5 for p in epochs)
    assert tasks.calls == ["setup", "teardown"]


@needs_callbacks
def test_the_score_monitor_follows_a_search_in_workers(iris):
    from sklearn.callback import ScoringMonitor

    monitor = ScoringMonitor(scoring=["accuracy", "neg_log_loss"])
    clf = model(max_epochs=3).set_callbacks(monitor)
    search = GridSearchCV(clf, {"lr": [0.01, 0.001]}, cv=2, n_jobs=2).fit(*iris)
    logged = monitor.get_logs().data
    per_fit = {}
    for row in logged:
        if row["task_name"] == "epoch":
            per_fit.setdefault(row["parent_task_id_path"], []).append(row["neg_log_loss"])
    assert len(per_fit) == 2 * 2 + 1  # the candidates' fits, and the best on all data
    assert all(len(losses) == 3 and losses[-1] > losses[0] for losses in per_fit.values())
    best = [row["accuracy"] for row in logged if row["parent_task_id_path"] == (0, 1)]
    assert best[-1] == search.best_estimator_.score(*iris)


@needs_callbacks
def test_the_score_monitor_takes_weights_and_regression(iris):
    from sklearn.callback import ScoringMonitor

    weight = np.random.default_rng(0).uniform(0, 2, 150)
    monitor = ScoringMonitor(scoring="r2")
    reg = model(MAXLRegressor).set_callbacks(monitor)
    reg.fit(*iris, sample_weight=weight)
    scores = [row["r2"] for row in monitor.get_logs().data]
    assert len(scores) == 5
    assert reg.score(*iris, sample_weight=weight) in scores
    assert reg.score(*iris) not in scores


@needs_callbacks
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_progress_bar_nests_in_a_parallel_search(iris, capsys, n_jobs):
    pytest.importorskip("rich")
    from sklearn.callback import ProgressBar

    search = GridSearchCV(model(), {"lr": [0.01, 0.001]}, cv=2, n_jobs=n_jobs)
    search.set_callbacks(ProgressBar()).fit(*iris)
    shown = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    fits = [line for line in shown if "MAXLClassifier" in line]
    assert len(fits) == 5
    assert all("100%" in line for line in shown)


@needs_callbacks
def test_the_progress_bar_shows_trials(iris, capsys):
    pytest.importorskip("rich")
    from sklearn.callback import ProgressBar

    clf = model(psi="auto", max_epochs=8).set_callbacks(ProgressBar()).fit(*iris)
    out = capsys.readouterr().out
    assert "trials of psi" in out
    assert f"training with psi={clf.psi_[0]}" in out
    assert out.count("MAXLClassifier") == 3
