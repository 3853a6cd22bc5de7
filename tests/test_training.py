"""Early stopping, warm start, partial_fit, callbacks, logging, history."""

import logging
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from skorch import callbacks as skorch_callbacks
from torch.optim.lr_scheduler import StepLR

from sklearn_maxl import MAXLClassifier
from sklearn_maxl._training import runs
from sklearn_maxl._training.history import trial_line
from sklearn_maxl._training.log import epoch_line, readable
from sklearn_maxl._training.trials import PSI
from sklearn_maxl.backbones import MLP, Members
from sklearn_maxl.callbacks import GradientSimilarity
from sklearn_maxl.labels import Learned


def model(**params):
    settings = {"max_epochs": 3, "psi": 2, "lr": 0.01, "temperature": 1.0, "random_state": 0}
    return MAXLClassifier(**{**settings, **params})


class Remember(skorch_callbacks.Callback):
    """Keep the state of both networks at every end of an epoch."""

    def initialize(self):
        self.states = []
        return self

    def on_epoch_end(self, net, **kwargs):
        self.states.append(net.state())


class Interrupt(skorch_callbacks.Callback):
    """Raise in the middle of an epoch."""

    def __init__(self, epoch, error=KeyboardInterrupt):
        self.epoch = epoch
        self.error = error

    def on_batch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise self.error


def test_early_stopping_restores_the_best_state_of_both_networks(iris):
    clf = model(early_stopping=True, max_epochs=200, n_iter_no_change=4, callbacks=[Remember()])
    clf.fit(*iris)
    (_, remember), *_ = [c for c in clf.net_.callbacks_ if isinstance(c[1], Remember)]
    scores = clf.history_["validation_score"]
    best = int(scores.argmax())
    assert best < len(scores) - 1
    now = clf.net_.state()
    assert set(now) == {"module_", "generator_"}
    last_differs = False
    for name, weights in now.items():
        for key, value in weights.items():
            torch.testing.assert_close(value, remember.states[best][name][key], rtol=0, atol=0)
            last_differs |= not torch.equal(value, remember.states[-1][name][key])
    assert last_differs


def test_early_stopping_has_the_rule_of_mlp_classifier(iris):
    clf = model(early_stopping=True, max_epochs=200, n_iter_no_change=3, tol=1e-3).fit(*iris)
    best, waited, stop = -np.inf, 0, None
    for epoch, score in enumerate(clf.history_["validation_score"], 1):
        waited = waited + 1 if score < best + 1e-3 else 0
        best = max(best, score)
        if waited > 3:
            stop = epoch
            break
    assert clf.n_iter_ == stop < 200


def test_validation_samples_are_not_trained_on(iris):
    X, y = iris
    clf = model(early_stopping=True, validation_fraction=0.4, batch_size=150, max_epochs=1)
    clf.fit(X, y)
    assert clf.history_["validation_score"][0] in np.arange(61) / 60
    mean = clf.net_.module_.standardize.mean.numpy()
    assert np.abs(mean - X.mean(0)).max() > 1e-3  # not even for the standardisation


@pytest.mark.parametrize("backbone", [MLP((8,)), MLP((8,), dropout=0.2), Members((4,), 2)])
@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_warm_start_goes_on_where_fit_stopped(iris, backbone, epochs):
    X, y = iris
    steady = {"schedule": "constant", "backbone": backbone}
    clf = model(warm_start=True, max_epochs=epochs, **steady).fit(X, y)
    clf.fit(X, y)
    assert clf.n_iter_ == len(clf.history_) == 2 * epochs
    assert clf.history_["epoch"].tolist() == list(range(1, 2 * epochs + 1))
    whole = model(max_epochs=2 * epochs, **steady).fit(X, y)
    np.testing.assert_array_equal(clf.predict_proba(X), whole.predict_proba(X))


def test_warm_start_takes_the_new_learning_rate(iris):
    X, y = iris
    clf = model(warm_start=True).fit(X, y)
    before = clf.predict_proba(X)
    clf.set_params(lr=1e-30, optimizer="sgd").fit(X, y)
    np.testing.assert_array_equal(clf.predict_proba(X), before)
    clf.set_params(lr=0.1).fit(X, y)
    assert np.abs(clf.predict_proba(X) - before).max() > 0.01


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_warm_start_that_fails_changes_nothing_and_one_interrupted_keeps_its_epochs(iris, error):
    X, y = iris
    clf, twin = (model(warm_start=True).fit(X, y) for _ in range(2))
    before, expected = clf.predict_proba(X), twin.fit(X, y).predict_proba(X)
    clf.set_params(callbacks=[Interrupt(5, error)])
    if error is RuntimeError:
        with pytest.raises(RuntimeError):
            clf.fit(X, y)
        np.testing.assert_array_equal(clf.predict_proba(X), before)
        assert len(clf.history_) == clf.n_iter_ == 3
        clf.set_params(callbacks=None).fit(X, y)
        np.testing.assert_array_equal(clf.predict_proba(X), expected)
    else:
        with pytest.warns(UserWarning, match="interrupted"), pytest.raises(KeyboardInterrupt):
            clf.fit(X, y)
        assert len(clf.history_) == clf.n_iter_ == 4


def test_an_interrupted_fit_keeps_what_it_learned(iris):
    clf = model(max_epochs=50, lr=0.01, callbacks=[Interrupt(6)])
    kept = "interrupted by user; keeping what was learned, with 5 whole epochs"
    with pytest.warns(UserWarning, match=kept), pytest.raises(KeyboardInterrupt):
        clf.fit(*iris)
    assert clf.n_iter_ == len(clf.history_) == 5
    assert clf.score(*iris) > 0.8


def rows_of_parts(monkeypatch):
    """The numbers of the rows in each part of each training; X has them in its first column."""
    seen, train = [], runs.train

    def spy(fitted, plan, *rest, **ranks):
        seen.append({name: set(part.X[:, 0].tolist()) for name, part in plan.parts.items()})
        return train(fitted, plan, *rest, **ranks)

    monkeypatch.setattr(runs, "train", spy)
    return seen


HOLDING_OUT = {
    "early stopping": {"early_stopping": True},
    "holdout": {"auxiliary": Learned(meta_batch="holdout")},
    "both": {"early_stopping": True, "auxiliary": Learned(meta_batch="holdout")},
}


@pytest.mark.parametrize("settings", HOLDING_OUT)
@pytest.mark.parametrize("seed", [0, None, "instance"])
@pytest.mark.parametrize("temperature", [1.0, "auto"])
def test_a_warm_start_holds_out_the_same_rows_again(iris, monkeypatch, settings, seed, temperature):
    X, y = np.c_[np.arange(150), iris[0]], iris[1]
    state = np.random.RandomState(3) if seed == "instance" else seed
    params = {**HOLDING_OUT[settings], "random_state": state, "max_epochs": 1}
    params["temperature"] = temperature
    seen = rows_of_parts(monkeypatch)
    clf = model(warm_start=True, **params).fit(X, y)
    del seen[:-1]  # trials of "auto"
    clf = pickle.loads(pickle.dumps(clf.fit(X, y))).fit(X, y)
    fresh = model(**{**params, "temperature": 1.0}, warm_start=True).fit(X, y)
    assert seen[0] == seen[1] == seen[2]
    assert set(seen[0]) == {"train", *(["validation"] * ("early_stopping" in params)),
                            *(["meta"] * ("auxiliary" in params))}  # fmt: skip
    assert sum(map(len, seen[0].values())) == 150  # no row is in two parts
    assert (seen[3] == seen[0]) is (seed == 0)
    assert fresh.n_iter_ == 1


def test_a_loaded_estimator_holds_out_the_same_rows_again(iris, monkeypatch, tmp_path):
    X, y = np.c_[np.arange(150), iris[0]], iris[1]
    seen = rows_of_parts(monkeypatch)
    clf = model(warm_start=True, early_stopping=True, random_state=None).fit(X, y)
    clf.save(tmp_path / "clf.safetensors")
    MAXLClassifier.load(tmp_path / "clf.safetensors").fit(X, y)
    assert seen[0] == seen[1]


def test_partial_fit_never_trains_on_what_the_meta_loss_is_taken_on(iris, monkeypatch):
    X, y = np.c_[np.arange(150), iris[0]], iris[1]
    seen = rows_of_parts(monkeypatch)
    clf = model(**HOLDING_OUT["holdout"])
    for _ in range(3):
        clf.partial_fit(X, y, classes=[0, 1, 2])
    clf.set_params(warm_start=True).fit(X, y)
    assert seen[0] == seen[1] == seen[2] == seen[3]


def test_a_score_that_is_measured_from_the_second_fit_on_is_nan_before(iris):
    clf = model(warm_start=True).fit(*iris)
    with pytest.raises(KeyError, match="validation_score"):
        clf.history_["validation_score"]
    clf.set_params(early_stopping=True, callbacks=[GradientSimilarity(every=1)]).fit(*iris)
    clf.set_params(early_stopping=False, callbacks=None).fit(*iris)
    for name in ("validation_score", "gradient_similarity"):
        assert name in clf.history_.columns()
        known = np.isfinite(clf.history_[name])
        assert known.tolist() == [False] * 3 + [True] * 3 + [False] * 3
    assert len(str(clf.history_).splitlines()) == 10 + len(clf.history_.about)


def test_partial_fit_goes_on_by_one_epoch_each(iris):
    X, y = iris
    clf = model(max_epochs=2, schedule="constant").fit(X, y)
    assert clf.partial_fit(X, y).n_iter_ == 3
    whole = model(max_epochs=3, schedule="constant").fit(X, y)
    np.testing.assert_array_equal(clf.predict_proba(X), whole.predict_proba(X))


@pytest.mark.parametrize("auxiliary", ["maxl", "uniform", "random", "kmeans", None])
def test_partial_fit_learns_from_parts_and_can_be_repeated(iris, auxiliary):
    X, y = iris

    def run():
        clf = model(auxiliary=auxiliary, lr=0.01)
        for part in [*range(5)] * 4:  # parts hold one, two or three classes
            rows = slice(30 * part, 30 * part + 30)
            clf.partial_fit(X[rows], y[rows], classes=[2, 0, 1])
        return clf

    clf = run()
    assert clf.n_iter_ == 20
    assert clf.classes_.tolist() == [0, 1, 2]
    assert clf.score(X, y) > 0.5
    np.testing.assert_array_equal(clf.predict_proba(X), run().predict_proba(X))


def test_a_partial_fit_that_fails_first_leaves_an_unfitted_estimator(iris):
    clf = model()
    with pytest.raises(ValueError, match="NaN"):
        clf.partial_fit(np.full((3, 4), np.nan), [0, 1, 2], classes=[0, 1, 2])
    assert clf.partial_fit(*iris, classes=[0, 1, 2]).n_iter_ == 1


COLUMNS = {
    "maxl": ["primary_loss", "auxiliary_loss", "meta_loss", "auxiliary_in_use",
             "mean_label_entropy", "label_entropy", "gradient_norm_ratio"],
    "kmeans": ["primary_loss", "auxiliary_loss", "auxiliary_in_use",
               "mean_label_entropy", "label_entropy"],
    None: ["primary_loss"],
}  # fmt: skip


@pytest.mark.parametrize("auxiliary", COLUMNS)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_history_records_every_epoch(iris, auxiliary, early_stopping):
    labels = Learned(every=1) if auxiliary == "maxl" else auxiliary
    clf = model(auxiliary=labels, early_stopping=early_stopping, max_epochs=4).fit(*iris)
    history = clf.history_
    extra = ["validation_score"] if early_stopping else []
    assert sorted(history.columns()) == sorted(["epoch", "time", *extra, *COLUMNS[auxiliary]])
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    for name in COLUMNS[auxiliary]:
        assert np.isfinite(history[name]).all()
        assert (history[name] >= 0).all()
    if auxiliary:
        assert history["auxiliary_in_use"].shape == (4, 3)
        assert (history["auxiliary_in_use"] <= 1).all()
        entropy = history["mean_label_entropy"]
        assert (entropy >= history["label_entropy"] - 1e-6).all()
        assert (entropy <= np.log(2) + 1e-6).all()
    frame = pd.DataFrame(history)
    assert frame.shape == (4, len(history.columns()))
    assert len(str(history).splitlines()) == 5 + len(history.about)
    assert clf.net_.history[:, "primary_loss"] == history["primary_loss"].tolist()


@pytest.mark.parametrize("every", [7, 1000])
def test_history_has_all_columns_when_an_epoch_has_no_meta_step(iris, every):
    labels = Learned(every=every)
    history = model(auxiliary=labels, batch_size=50, max_epochs=5).fit(*iris).history_
    assert history["meta_loss"].shape == history["gradient_norm_ratio"].shape == (5,)
    learned = [any(s % every == 0 for s in range(3 * e, 3 * e + 3)) for e in range(5)]
    assert np.isfinite(history["meta_loss"]).tolist() == learned
    assert len(str(history).splitlines()) == 6 + len(history.about)


def test_callbacks_of_skorch_run(iris, capsys):
    lr = skorch_callbacks.LRScheduler(StepLR, step_size=1, gamma=0.1)
    stop = skorch_callbacks.EarlyStopping("primary_loss", patience=2, threshold=10.0)
    clips = skorch_callbacks.GradientNormClipping(1e-30)
    printed = skorch_callbacks.PrintLog()
    called = [lr, skorch_callbacks.EpochTimer(), stop, printed]
    steady = {"lr": 1e-3, "schedule": "constant"}
    clf = model(max_epochs=9, callbacks=called, verbose=1, **steady).fit(*iris)
    assert clf.n_iter_ < 9
    assert clf.net_.optimizer_.param_groups[0]["lr"] == pytest.approx(1e-3 * 0.1**clf.n_iter_)
    assert (np.array(clf.net_.history[:, "dur"]) > 0).all()
    assert "primary_loss" in capsys.readouterr().out
    start = model(optimizer="sgd", lr=1e-30).fit(*iris).predict_proba(iris[0])
    clipped = model(optimizer="sgd", lr=1.0, callbacks=[clips]).fit(*iris).predict_proba(iris[0])
    np.testing.assert_allclose(clipped, start, rtol=1e-6)


def test_the_progress_bar_of_skorch_runs(iris, capsys):
    model(callbacks=[skorch_callbacks.ProgressBar()], max_epochs=2).fit(*iris)
    shown = capsys.readouterr()
    assert "it/s" in shown.out + shown.err


def test_verbose_logs_a_line_an_epoch_and_prints_nothing(iris, caplog, capsys):
    with caplog.at_level(logging.INFO, logger="sklearn_maxl"):
        model(verbose=1, max_epochs=3).fit(*iris)
    lines = [record.getMessage() for record in caplog.records if record.name == "sklearn_maxl"]
    assert len(lines) == 3
    assert lines[0].startswith("epoch 1 of 3  primary_loss ")
    assert capsys.readouterr().out == ""


def test_what_was_not_measured_is_not_in_the_log(iris, caplog):
    labels = Learned(every=7)
    with caplog.at_level(logging.INFO, logger="sklearn_maxl"):
        clf = model(verbose=1, auxiliary=labels, batch_size=50, max_epochs=5).fit(*iris)
    lines = [record.getMessage() for record in caplog.records]
    assert not any("nan" in line for line in lines)
    measured = np.isfinite(clf.history_["meta_loss"])
    assert ["meta_loss" in line for line in lines] == measured.tolist()
    assert not measured.all()
    assert measured.any()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0000"), (0.51234, "0.5123"), (-3.5, "-3.5000"), (99999.0, "99999.0000"),
        (1.23456e-5, "1.23e-05"), (7.1e8, "7.10e+08"), (np.inf, "inf"),
    ],
)  # fmt: skip
def test_numbers_of_the_log_are_readable(value, text):
    assert readable(value) == text


def test_a_line_of_the_log_fits_on_a_screen():
    losses = dict.fromkeys(["primary_loss", "auxiliary_loss", "meta_loss"], 99.123456)
    in_use, ratio = np.ones(10), 0.1
    row = {"epoch": 1000, **losses, "validation_score": 0.98765, "auxiliary_in_use": in_use}
    row |= {"mean_label_entropy": 1.0, "gradient_norm_ratio": ratio, "time": 12.3456}
    line = epoch_line(row, 1000)
    assert line == (
        "epoch 1000 of 1000  primary_loss 99.1235  auxiliary_loss 99.1235  validation_score 0.9877"
        "  meta_loss 99.1235  12.35 s"
    )
    assert len(line) <= 120


@pytest.fixture
def fresh_log(caplog):
    """The lines of the logger, which nobody has set up yet, as in a new process."""
    logger, level = logging.getLogger("sklearn_maxl"), logging.getLogger("sklearn_maxl").level
    logger.setLevel(logging.NOTSET)
    caplog.handler.setLevel(logging.INFO)
    yield lambda: [record.getMessage() for record in caplog.records]
    logger.setLevel(level)


def test_the_first_fit_of_a_process_shows_its_trials(iris, fresh_log):
    settings = {"backbone": MLP((16,)), "psi": "auto", "max_epochs": "auto"}
    clf = model(verbose=1, **settings).fit(*iris)
    of_length, of_psi = (
        [trial_line({**t, "chosen": False}) for t in clf.history_.trials if t["setting"] == name]
        for name in ("max_epochs", "psi")
    )
    assert (len(of_length), len(of_psi)) == (2, 4)
    lines, epochs = fresh_log(), clf.n_iter_
    assert lines[:-epochs] == [
        *of_length,
        f"max_epochs={epochs} chosen",
        *(f"trial {i} of 4: psi={psi}, fold 1" for i, psi in enumerate(PSI, start=1)),
        *of_psi,
        f"psi={clf.psi_[0]} chosen",
    ]
    assert lines[-epochs].startswith(f"epoch 1 of {epochs}  ")


def test_trials_that_are_not_made_are_told(fresh_log, iris):
    few = np.arange(0, 150, 15)  # four of a class at most
    autos = {"max_epochs": "auto", "psi": "auto", "auxiliary": "auto"}
    clf = model(verbose=1, backbone=MLP((16,)), **autos).fit(iris[0][few], iris[1][few])
    assert fresh_log()[:3] == [
        f"max_epochs={clf.n_iter_} taken: no class has the 5 rows for trials",
        "auxiliary=Learned taken: no class has the 5 rows for trials",
        "psi=5 taken: no class has the 5 rows for trials",
    ]


def test_a_trial_without_epochs_is_told(fresh_log, iris):
    model(verbose=1, psi="auto", max_epochs=3).fit(*iris)
    assert fresh_log()[0] == "psi=5 taken: so few epochs leave none for trials"


def test_partial_fit_and_a_warm_start_show_their_epochs(iris, fresh_log):
    model(verbose=1, warm_start=True).partial_fit(*iris, classes=[0, 1, 2]).fit(*iris)
    assert [line.split("  ")[0] for line in fresh_log()] == [
        "epoch 1 of 1", "epoch 2 of 4", "epoch 3 of 4", "epoch 4 of 4",
    ]  # fmt: skip


def test_a_quiet_fit_says_nothing(iris, caplog, capsys):
    model().fit(*iris)
    assert capsys.readouterr() == ("", "")
    assert not caplog.records
