"""skorch's callbacks, as they are passed to the estimators."""

import copy
import json
import logging
import pickle
import re
from fnmatch import fnmatch
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    Freezer,
    GradientNormClipping,
    InputShapeSetter,
    LoadInitState,
    LRScheduler,
    ParamMapper,
    PassthroughScoring,
    PrintLog,
    ProgressBar,
    TensorBoard,
    TrainEndCheckpoint,
    Unfreezer,
)
from torch.nn.utils import get_total_norm
from torch.optim.lr_scheduler import CyclicLR, ExponentialLR, LambdaLR, ReduceLROnPlateau, StepLR

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._training.skorch_callbacks import own_copies
from sklearn_maxl.callbacks import GradientSimilarity
from sklearn_maxl.labels import Learned

ESTIMATORS = [MAXLClassifier, MAXLRegressor]
SETTINGS = {
    **{"max_epochs": 4, "psi": 2, "batch_size": 50, "random_state": 0},
    "lr": 0.01,  # that of "auto" is found by fits without callbacks
}


def fitted(data, *callbacks, cls=MAXLClassifier, **params):
    settings = {"auxiliary": Learned(every=1), **SETTINGS, **params}
    if cls is MAXLClassifier:
        settings["temperature"] = 1.0  # no trials
    return cls(callbacks=list(callbacks), **settings).fit(*data)


class Rates(Callback):
    """Writes down both learning rates at the end of every batch."""

    def initialize(self):
        self.seen_ = []
        return self

    def on_batch_end(self, net, **kwargs):
        optimizers = net.optimizer_, net.generator_optimizer_
        self.seen_.append([o.param_groups[0]["lr"] for o in optimizers])


class GeneratorSchedule(Callback):
    """A schedule of the label generator, as docs/callbacks.rst has it."""

    def on_train_begin(self, net, **kwargs):
        self.scheduler_ = ExponentialLR(net.generator_optimizer_, gamma=0.5)

    def on_epoch_end(self, net, **kwargs):
        self.scheduler_.step()


# Learning rates

STEADY = {"schedule": "constant", "lr": 0.01}


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_each_network_follows_a_schedule_of_its_own(iris, cls):
    rates = Rates()
    scheduled = LRScheduler(StepLR, step_size=2, gamma=0.1), GeneratorSchedule()
    est = fitted(iris, rates, *scheduled, cls=cls, **STEADY)
    of_epochs = np.array(est.net_.callbacks_[0][1].seen_).reshape(4, 3, 2)
    assert (of_epochs == of_epochs[:, :1]).all()
    np.testing.assert_allclose(of_epochs[:, 0, 0], [0.01, 0.01, 0.001, 0.001])
    np.testing.assert_allclose(of_epochs[:, 0, 1], 0.001 * 0.5 ** np.arange(4))
    np.testing.assert_allclose(est.net_.history[:, "event_lr"], of_epochs[:, 0, 0])


def test_a_schedule_steps_with_every_batch(iris):
    cyclic = LRScheduler(
        CyclicLR, base_lr=0.001, max_lr=0.01, step_size_up=3, cycle_momentum=False,
        step_every="batch",
    )  # fmt: skip
    seen = fitted(iris, Rates(), cyclic, **STEADY).net_.callbacks_[0][1].seen_
    expected = [0.001, 0.004, 0.007, 0.01, 0.007, 0.004] * 2
    np.testing.assert_allclose(np.array(seen)[:, 0], expected)


def test_a_plateau_of_the_history_lowers_the_rate(iris):
    plateau = LRScheduler(ReduceLROnPlateau, monitor="primary_loss", patience=0, threshold=10.0)
    rates = fitted(iris, plateau, **STEADY).net_.history[:, "event_lr"]
    np.testing.assert_allclose(rates, 0.01 * 0.1 ** np.arange(4))


def test_a_schedule_goes_on_in_partial_fit(iris):
    falling = LRScheduler(LambdaLR, lr_lambda=lambda epoch: 0.5**epoch)
    labels = Learned(every=1)
    clf = MAXLClassifier(auxiliary=labels, callbacks=[falling], **{**SETTINGS, **STEADY})
    for n in range(1, 4):
        clf.partial_fit(*iris, classes=[0, 1, 2])
        assert clf.net_.history[-1, "event_lr"] == pytest.approx(0.01 * 0.5 ** (n - 1))


def test_the_virtual_step_follows_a_scheduled_rate(iris):
    """A rate of 0 for the multi-task network leaves the generator nothing but the entropy."""
    zero = LRScheduler(LambdaLR, lr_lambda=lambda epoch: float(epoch == 0))
    ratios = fitted(iris, zero, **STEADY).history_["gradient_norm_ratio"]
    assert ratios[0] > 0
    assert (ratios[1:] == 0).all()


@pytest.mark.parametrize("schedule", ["auto", "cosine", lambda progress: 1.0])
def test_a_schedule_that_would_be_overwritten_is_refused(iris, schedule):
    with pytest.raises(ValueError, match="LRScheduler needs schedule='constant'"):
        fitted(iris, LRScheduler(StepLR, step_size=1), schedule=schedule)


# Gradients


class Norms(Callback):
    """Norm of the gradients of each network, when they are computed."""

    def initialize(self):
        self.seen_ = {"f": [], "g": []}
        return self

    def on_grad_computed(self, net, named_parameters, **kwargs):
        names, parameters = zip(*named_parameters, strict=True)
        of_generator = {name.startswith("generator.") for name in names}
        assert len(of_generator) == 1, "one network at a time"
        norm = get_total_norm([p.grad for p in parameters if p.grad is not None])
        self.seen_["g" if of_generator.pop() else "f"].append(float(norm))


@pytest.mark.parametrize(
    ("auxiliary", "n_of_generator"),
    [
        (Learned(optimizer="sgd", every=1), 12),
        (Learned(optimizer="sgd", every=1, alternation="epoch"), 12),
        (Learned(optimizer="sgd", every=2), 6),
        (None, 0),
    ],
    ids=str,
)
def test_gradients_of_each_network_are_clipped_by_themselves(iris, auxiliary, n_of_generator):
    free, clip = Norms(), 1e-3
    loose = fitted(iris, free, optimizer="sgd", auxiliary=auxiliary)
    norms = loose.net_.callbacks_[0][1].seen_
    assert len(norms["f"]) == 12
    assert len(norms["g"]) == n_of_generator
    assert min(norms["f"]) > clip
    clipped = ("clip", GradientNormClipping(clip)), Norms()
    tight = fitted(iris, *clipped, optimizer="sgd", auxiliary=auxiliary)
    seen = tight.net_.callbacks_[1][1].seen_
    np.testing.assert_allclose(seen["f"], clip, rtol=1e-4)
    assert all(norm <= clip * 1.0001 for norm in seen["g"])


def test_clipping_bounds_how_far_the_weights_of_each_network_go(iris):
    class States(Callback):
        def on_batch_begin(self, net, **kwargs):
            self.states_ = [*getattr(self, "states_", []), net.state()]

    clip, rates = 1e-3, {"module_": 0.5, "generator_": 0.25}
    labels = Learned(
        optimizer="sgd", lr=rates["generator_"], every=1, meta_scale=1e6, entropy_weight=0.0
    )
    clf = fitted(
        iris, GradientNormClipping(clip), States(), auxiliary=labels, optimizer="sgd",
        lr=rates["module_"], schedule="constant",
    )  # fmt: skip
    states = clf.net_.callbacks_[1][1].states_
    for name, rate in rates.items():
        for before, after in pairwise(states):
            moved = [
                after[name][key] - value
                for key, value in before[name].items()
                if value.is_floating_point()
            ]
            assert float(get_total_norm(moved)) == pytest.approx(rate * clip, rel=1e-2)


@pytest.mark.parametrize("alternation", ["batch", "epoch"])
@pytest.mark.parametrize("frozen", ["trunk.*", "generator.trunk.*", "generator.*"])
def test_weights_of_either_network_can_be_frozen_by_name(iris, frozen, alternation):
    def weights(*callbacks, of_labels=None, **params):
        labels = Learned(every=1, alternation=alternation, **(of_labels or {}))
        net = fitted(iris, *callbacks, auxiliary=labels, **params).net_
        return {name: p.detach() for name, p in net.get_all_learnable_params()}

    still = {"lr": 1e-30, "optimizer": "sgd"}
    start, end = weights(max_epochs=1, of_labels=still, **still), weights(Freezer(frozen))
    stayed = {name for name, value in end.items() if torch.equal(value, start[name])}
    assert stayed == {name for name in start if fnmatch(name, frozen)} != set()


def test_a_generator_may_start_late(iris):
    late = Freezer("generator.*"), Unfreezer("generator.*", at=3)
    learned = np.isfinite(fitted(iris, *late).history_["meta_loss"])
    assert learned.tolist() == [False, False, True, True]


def test_weights_can_be_set_before_training(iris):
    zeros = ParamMapper("primary_head.*", fn=torch.nn.init.zeros_, at=1)
    clf = fitted(iris, zeros, max_epochs=1, lr=1e-30, optimizer="sgd", auxiliary=None)
    np.testing.assert_allclose(clf.predict_proba(iris[0]), 1 / 3)


# Checkpoints


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_a_checkpoint_of_both_networks_predicts_the_same(iris, tmp_path, cls):
    checkpoint = Checkpoint(
        monitor=None, dirname=str(tmp_path), f_generator="generator.pt",
        f_generator_optimizer="generator_optimizer.pt",
    )  # fmt: skip
    est = fitted(iris, checkpoint, cls=cls)
    other = fitted(iris, cls=cls, max_epochs=1, random_state=1)
    assert not np.array_equal(other.predict(iris[0]), est.predict(iris[0]))
    other.net_.load_params(checkpoint=checkpoint)
    assert np.array_equal(other.predict(iris[0]), est.predict(iris[0]))
    labels = [e.generate_auxiliary_labels(*iris) for e in (est, other)]
    assert np.array_equal(*labels)
    for name in ("optimizer_", "generator_optimizer_"):
        theirs, ours = (getattr(e.net_, name).state_dict() for e in (other, est))
        assert theirs["param_groups"] == ours["param_groups"]
    assert other.net_.history[:, "primary_loss"] == est.net_.history[:, "primary_loss"]


def test_the_best_checkpoint_is_loaded_at_the_end(iris, tmp_path):
    made_up = EpochScoring(lambda net, X, y=None: [3, 2, 1, 9][len(net.history) - 1], on_train=True)
    made_up.name = "made_up"
    best = Checkpoint(
        "made_up_best", dirname=str(tmp_path), f_generator="generator.pt", load_best=True
    )
    clf = fitted(iris, made_up, best, **STEADY)
    assert clf.n_iter_ == 4
    assert len(clf.net_.history) == 3  # it is loaded as well
    third = fitted(iris, max_epochs=3, **STEADY)
    assert np.array_equal(clf.predict_proba(iris[0]), third.predict_proba(iris[0]))
    labels = [e.generate_auxiliary_labels(*iris) for e in (clf, third)]
    assert np.array_equal(*labels)


def test_a_file_name_may_hold_the_epoch(iris, tmp_path):
    names = str(tmp_path / "params_{last_epoch[epoch]}.pt")
    fitted(
        iris,
        Checkpoint(None, names, f_optimizer=None, f_criterion=None, f_history=None),
        TrainEndCheckpoint(dirname=str(tmp_path)),
    )
    numbers = [name for p in tmp_path.iterdir() for name in re.findall(r"params_(\d)", p.name)]
    assert sorted(numbers) == ["1", "2", "3", "4"]
    assert (tmp_path / "train_end_params.pt").exists()


def test_training_goes_on_from_a_checkpoint(iris, tmp_path):
    kept = Checkpoint(None, dirname=str(tmp_path), f_generator="generator.pt")
    first = fitted(iris, kept, **STEADY)
    second = fitted(iris, LoadInitState(kept), **STEADY)
    assert second.history_["primary_loss"][0] < first.history_["primary_loss"][-1] * 1.1
    assert len(second.net_.history) == 8


def test_what_skorchs_history_holds_can_be_written(iris, tmp_path):
    settings = {"early_stopping": True, "auxiliary": Learned(every=1, weight_range=1.0)}
    clf = fitted(iris, GradientSimilarity(every=1), **settings)
    clf.net_.history.to_file(str(tmp_path / "history.json"))
    rows = json.loads((tmp_path / "history.json").read_text())
    assert [row["auxiliary_in_use"] for row in rows] == clf.history_["auxiliary_in_use"].tolist()


# Scores and stops


def test_a_function_scores_what_early_stopping_holds_out(iris):
    scoring = EpochScoring(lambda net, held, y=None: net.score_on(held), False, name="accuracy")
    clf = fitted(iris, scoring, early_stopping=True)
    scores = clf.net_.history[:, "accuracy"]
    assert scores == clf.history_["validation_score"].tolist()
    assert clf.net_.history[:, "accuracy_best"][0]
    assert "accuracy" not in fitted(iris, scoring).net_.history[-1]  # nothing is held out


def test_a_function_may_score_without_held_out_samples(iris):
    scoring = EpochScoring(lambda net, X, y=None: len(net.history), name="epochs", on_train=True)
    assert fitted(iris, scoring).net_.history[:, "epochs"] == [1, 2, 3, 4]


def test_batch_values_are_averaged_over_the_samples(iris):
    class Record(Callback):
        def on_batch_end(self, net, batch, **kwargs):
            net.history.record_batch("size", float(len(batch)))

    history = fitted(iris, Record(), PassthroughScoring("size", on_train=True), batch_size=70)
    assert history.net_.history[:, "size"] == [50.0] * 4
    assert [len(batches) for batches in history.net_.history[:, "batches"]] == [1] * 4


def test_early_stopping_of_skorch_stops_and_loads_the_best(iris):
    class MadeUp(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.history.record("made_up", [3, 1, 2, 2, 0][len(net.history) - 1])

    stop = EarlyStopping("made_up", patience=2, load_best=True)
    clf = fitted(iris, MadeUp(), stop, max_epochs=60, **STEADY)
    assert clf.n_iter_ == 4
    second = fitted(iris, max_epochs=2, **STEADY)
    assert np.array_equal(clf.predict_proba(iris[0]), second.predict_proba(iris[0]))


def test_an_epoch_in_which_skorch_stops_may_be_the_best(iris):
    class Stop(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 2:
                raise KeyboardInterrupt

    settings = {"early_stopping": True, "schedule": "constant"}
    clf = fitted(iris, Stop(), **settings)
    scores = clf.history_["validation_score"]
    assert scores[1] > scores[0]
    same = fitted(iris, max_epochs=2, **settings)
    assert np.array_equal(clf.predict_proba(iris[0]), same.predict_proba(iris[0]))


@pytest.mark.parametrize(
    ("callback", "says"),
    [
        (BatchScoring("accuracy"), "BatchScoring needs predictions of every batch"),
        (EpochScoring("accuracy"), "EpochScoring can't score by name"),
        (EpochScoring(None), "EpochScoring can't score by name"),
        (InputShapeSetter(), "InputShapeSetter is not needed"),
        (("named", InputShapeSetter()), "InputShapeSetter is not needed"),
    ],
)
def test_what_cannot_work_is_refused(iris, callback, says):
    with pytest.raises(ValueError, match=f"^callbacks: {says}"):
        fitted(iris, callback)


# What is shown


class Writer:
    """Stands in for torch.utils.tensorboard.SummaryWriter, which can't be copied either."""

    def __init__(self):
        self.scalars, self.closed = {}, 0

    def add_scalar(self, tag, scalar_value, global_step):
        if isinstance(scalar_value, list):
            raise NotImplementedError  # as the real one does
        assert np.ndim(scalar_value) == 0
        self.scalars.setdefault(tag, []).append((global_step, scalar_value))

    def close(self):
        self.closed += 1

    def __deepcopy__(self, memo):
        raise TypeError("cannot pickle '_thread.lock' object")


def test_tensorboard_gets_every_column_of_numbers(iris):
    writer = Writer()
    clf = fitted(iris, TensorBoard(writer))
    columns = {"primary_loss", "auxiliary_loss", "meta_loss", "label_entropy"}
    assert columns < set(writer.scalars)
    assert "auxiliary_in_use" not in writer.scalars  # an array
    losses = list(enumerate(clf.history_["primary_loss"], start=1))
    assert writer.scalars["primary_loss"] == losses
    assert writer.closed == 1
    clf.partial_fit(*iris)
    clf.set_params(warm_start=True).fit(*iris)
    assert [step for step, _ in writer.scalars["primary_loss"]] == list(range(1, 10))


def test_the_progress_bar_knows_the_number_of_batches(iris, capsys):
    class Bar(ProgressBar):
        def on_epoch_end(self, net, **kwargs):
            self.shown_ = self.pbar_.n, self.pbar_.total
            super().on_epoch_end(net, **kwargs)

    clf = fitted(iris, Bar(), batch_size=40)
    assert clf.net_.callbacks_[0][1].shown_ == (4, 4)
    assert "/4 [" in capsys.readouterr().err


def test_print_log_shows_a_row_an_epoch(iris, capsys):
    fitted(iris, EpochTimer, PrintLog(), verbose=1)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 4
    assert {"epoch", "primary_loss", "dur"} <= set(lines[0].split())


def test_verbose_logs_a_readable_line_an_epoch(iris, caplog):
    with caplog.at_level(logging.INFO, logger="sklearn_maxl"):
        clf = fitted(iris, verbose=1, early_stopping=True)
    lines = [r.getMessage() for r in caplog.records]
    assert len(lines) == clf.n_iter_
    for line, row in zip(lines, clf.history_, strict=True):
        first, *cells, time = line.split("  ")
        assert first == f"epoch {row['epoch']} of 4"
        assert time == f"{row['time']:.2f} s"
        shown = dict(cell.split(" ") for cell in cells)
        assert set(shown) <= {"primary_loss", "auxiliary_loss", "validation_score", "meta_loss"}
        for name, value in shown.items():
            assert float(value) == pytest.approx(row[name], abs=1e-4)


# Copies


def test_an_estimators_own_callbacks_stay_as_they_are(iris):
    rates, stop = Rates(), EarlyStopping("primary_loss")
    before = copy.deepcopy([vars(rates), vars(stop)])
    clf = fitted(iris, rates, ("stop", stop), EpochTimer)
    assert [vars(rates), vars(stop)] == before
    assert [type(c) for _, c in clf.net_.callbacks_] == [Rates, EarlyStopping, EpochTimer]
    assert len(clf.net_.callbacks_[0][1].seen_) == 12
    assert own_copies(None) is None


def test_a_fit_with_callbacks_can_be_copied_and_pickled(iris):
    scheduled = LRScheduler(StepLR, step_size=1), GradientNormClipping(1.0)
    clf = fitted(iris, *scheduled, ProgressBar(), Rates(), **STEADY)
    for other in (copy.deepcopy(clf), pickle.loads(pickle.dumps(clf))):
        assert np.array_equal(other.predict_proba(iris[0]), clf.predict_proba(iris[0]))
        assert other.net_.module_ is not clf.net_.module_
        held = other.net_.optimizer_.param_groups[0]["params"]
        assert {id(p) for p in held} == {id(p) for p in other.net_.module_.parameters()}
        other.partial_fit(*iris)
        assert other.n_iter_ == clf.n_iter_ + 1


def test_a_copy_needs_no_importable_network(iris):
    class Local(torch.nn.Linear):
        """A class that no pickle can name."""

    clf = fitted(iris, max_epochs=1, backbone=partial(lambda shape: Local(4, 8)))
    assert clf.partial_fit(*iris).n_iter_ == 2


def test_callbacks_that_only_watch_change_no_result(iris):
    alone = fitted(iris).predict_proba(iris[0])
    watched = fitted(iris, Rates(), Norms(), EpochTimer()).predict_proba(iris[0])
    assert np.array_equal(alone, watched)


def test_no_tensors_of_a_device_stay_in_a_fitted_callback(iris):
    watching = [GradientSimilarity(every=1)]
    clf = MAXLClassifier(callbacks=watching, lr=0.01, max_epochs=1).fit(*iris)
    ((_, callback),) = clf.net_.callbacks_
    assert callback.measured_ == []
