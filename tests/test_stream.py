"""partial_fit without an end: every call costs the same, and nothing grows."""

import copy
import pickle
import sys

import numpy as np
import pytest
from skorch.callbacks import Callback

from sklearn_maxl import MAXLClassifier
from sklearn_maxl._training import runs
from sklearn_maxl._training.history import ROWS_OF_STREAM
from sklearn_maxl.backbones import MLP
from sklearn_maxl.callbacks import GradientSimilarity


def model(**parameters):
    return MAXLClassifier(
        **{"backbone": MLP((4,)), "psi": 2, "lr": 0.01, "random_state": 0, **parameters}
    )


def calls(function, *arguments):
    """How many functions are called, those of C included."""
    count = 0

    def seen(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        function(*arguments)
    finally:
        sys.setprofile(None)
    return count


def stream(clf, data, n):
    for _ in range(n):
        clf.partial_fit(*data, classes=[0, 1, 2])
    return clf


@pytest.mark.parametrize("auxiliary", ["maxl", "uniform", "random", "kmeans", None])
def test_a_late_call_costs_what_an_early_one_does(iris, auxiliary):
    data = iris[0][::10], iris[1][::10]
    clf = stream(model(auxiliary=auxiliary), data, 3)
    early = calls(clf.partial_fit, *data)
    stream(clf, data, 4)  # where the generator has its turn again, after eight calls
    late = calls(clf.partial_fit, *data)
    stream(clf, data, 7)
    for _ in range(4):
        stream(clf, data, 8)
    assert calls(clf.partial_fit, *data) == pytest.approx(late, rel=0.01)
    assert late == pytest.approx(early, rel=0.5)  # a turn of the generator costs more


def test_a_warm_start_does_not_copy_the_rows_of_before(iris):
    clf = model(warm_start=True, max_epochs=8).fit(*iris)
    early = calls(clf.fit, *iris)
    for _ in range(6):
        clf.fit(*iris)
    assert calls(clf.fit, *iris) == pytest.approx(early, rel=0.01)


def test_the_rows_and_the_pickle_are_bounded(iris, monkeypatch, tmp_path):
    monkeypatch.setattr(runs, "ROWS_OF_STREAM", 5)
    data = iris[0][::10], iris[1][::10]
    clf = stream(model(), data, 12)
    assert clf.history_["epoch"].tolist() == [8, 9, 10, 11, 12]
    assert clf.net_.history[:, "epoch"] == [8, 9, 10, 11, 12]
    assert clf.n_iter_ == 12
    table = str(clf.history_).splitlines()[: -len(clf.history_.about)]
    assert len(table) == 6
    size = len(pickle.dumps(clf))
    assert len(pickle.dumps(stream(clf, data, 20))) == pytest.approx(size, abs=200)
    clf.save(tmp_path / "stream.safetensors")
    loaded = MAXLClassifier.load(tmp_path / "stream.safetensors")
    assert (loaded.n_iter_, len(loaded.history_)) == (32, 5)
    assert loaded.partial_fit(*data).history_["epoch"].tolist() == [29, 30, 31, 32, 33]


def test_the_rows_of_many_epochs_are_cut_at_once(iris):
    clf = model(max_epochs=1).fit(*iris)
    for rows in (clf.history_, clf.net_.history):
        rows[:] = [{**rows[0], "epoch": epoch} for epoch in range(1, 3001)]
    clf.partial_fit(*iris)
    assert len(clf.history_) == len(clf.net_.history) == ROWS_OF_STREAM
    assert (clf.n_iter_, clf.history_[-1]["epoch"]) == (3001, 3001)
    assert clf.set_params(warm_start=True).fit(*iris).n_iter_ == 3002
    assert len(clf.history_) == ROWS_OF_STREAM + 1  # fit drops none


def test_a_call_that_fails_leaves_the_rows_as_they_were(iris):
    class Fail(Callback):
        def on_train_begin(self, net, **kwargs):
            if net.history:
                net.history.record("meddled", 1)  # in the last row of before
                net.epochs_[-1]["meddled"] = 1

        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 3:
                raise OSError("the disk is full")

    clf = stream(model(callbacks=[Fail(), GradientSimilarity(every=1)]), iris, 2)
    fitted, probabilities = clf._fitted, clf.predict_proba(iris[0])
    rows, of_skorch = copy.deepcopy((list(clf.history_), list(clf.net_.history)))
    with pytest.raises(OSError, match="disk is full"):
        clf.partial_fit(*iris)
    assert clf._fitted is fitted
    assert (clf.n_iter_, list(clf.net_.history)) == (2, of_skorch)
    for row, before in zip(clf.history_, rows, strict=True):
        np.testing.assert_equal(row, before)
    np.testing.assert_array_equal(clf.predict_proba(iris[0]), probabilities)
    clf.set_params(callbacks=None)
