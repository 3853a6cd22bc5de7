"""The choice of psi: what it costs, what it depends on, and that it is told."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._training import choose_psi as _auto_psi
from sklearn_maxl._training import net as _net
from sklearn_maxl._training.choose_psi import CANDIDATES

X, Y = load_iris(return_X_y=True)


def model(**parameters):
    settings = {"psi": "auto", "max_epochs": 8, "lr": 0.01, "random_state": 0}
    return MAXLClassifier(**{**settings, **parameters})


def test_the_result_is_bitwise_that_of_the_number_chosen():
    clf = model().fit(X, Y)
    chosen = int(clf.psi_[0])
    assert chosen in CANDIDATES
    assert clf.psi_.tolist() == [chosen] * 3
    assert set(clf.history_.psi_losses) == set(CANDIDATES)
    assert chosen == min(clf.history_.psi_losses, key=clf.history_.psi_losses.get)
    given = model(psi=chosen).fit(X, Y)
    np.testing.assert_array_equal(clf.predict_proba(X), given.predict_proba(X))
    assert f"psi_losses: {{{CANDIDATES[0]}: " in str(clf.history_)


@pytest.mark.parametrize("best", CANDIDATES)
def test_the_least_held_out_loss_decides(monkeypatch, best):
    monkeypatch.setattr(
        "sklearn_maxl._training.net.MAXLNet.loss_on", lambda net, held: float(net.psi[0] != best)
    )
    assert model(max_epochs=8).fit(X, Y).psi_.tolist() == [best] * 3


@pytest.mark.parametrize("max_epochs", [1, 3, 4, 7, 8, 40])
@pytest.mark.parametrize("arm", ["maxl", "uniform"])
def test_trials_take_at_most_half_of_the_epochs(monkeypatch, max_epochs, arm):
    epochs, samples = [], []
    run = _net.MAXLNet.train_for

    def count(net, data, n, task):
        epochs.append(n)
        samples.append(len(data))
        return run(net, data, n, task)

    monkeypatch.setattr(_net.MAXLNet, "train_for", count)
    clf = model(max_epochs=max_epochs, auxiliary=arm).fit(X, Y)
    *trials, whole = epochs
    assert whole == max_epochs == clf.n_iter_
    assert sum(trials) <= max_epochs / 2
    assert len(trials) == {1: 0, 3: 0, 4: 2, 7: 3}.get(max_epochs, 4)
    assert all(n == 135 for n in samples[:-1])  # a tenth of each class held out
    assert samples[-1] == 150
    if not trials:
        assert clf.psi_.tolist() == [CANDIDATES[0]] * 3


def test_a_held_out_part_that_is_there_is_used(monkeypatch):
    seen = []
    choose = _auto_psi.run

    def spy(trial, plan, *rest, **named):
        seen.append(set(plan.parts))
        return choose(trial, plan, *rest, **named)

    monkeypatch.setattr(_auto_psi, "run", spy)
    clf = model(early_stopping=True, meta_batch="holdout", callbacks=[]).fit(X, Y)
    assert seen == [{"train", "meta"}] * 4
    assert len(clf.history_.psi_losses) == 4


def test_arms_without_psi_ignore_it():
    assert model(auxiliary=None).fit(X, Y).psi_.tolist() == [0, 0, 0]
    human = model(auxiliary="human").fit(X, Y, auxiliary_labels=np.arange(150) % 2)
    assert human.psi_.tolist() == [2, 2, 2]
    assert human.history_.psi_losses is None


def test_the_regressor_chooses_too():
    reg = MAXLRegressor(psi="auto", max_epochs=8, random_state=0).fit(X[:, :3], X[:, 3])
    assert len(reg.history_.psi_losses) == 4


def test_a_grid_and_a_warm_start_work_with_it():
    clf = clone(model(warm_start=True)).fit(X, Y)
    chosen = clf.psi_.tolist()
    assert clf.fit(X, Y).n_iter_ == 16
    assert clf.psi_.tolist() == chosen
    clf.set_params(psi=chosen[0]).fit(X, Y)
    with pytest.raises(ValueError, match="auxiliary or psi were changed"):
        clf.set_params(psi=7).fit(X, Y)


def test_partial_fit_can_not_choose():
    with pytest.raises(ValueError, match="partial_fit does not support psi='auto'; give a number"):
        model().partial_fit(X, Y, classes=[0, 1, 2])
