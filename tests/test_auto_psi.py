"""The choice of psi: what it costs, what it depends on, and that it is told."""

from itertools import groupby

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._training import choose_psi
from sklearn_maxl._training.choose_psi import CANDIDATES
from sklearn_maxl._training.steps import Step
from sklearn_maxl.labels import Learned

X, Y = load_iris(return_X_y=True)


def model(cls=MAXLClassifier, **parameters):
    settings = {"psi": "auto", "max_epochs": 8, "lr": 0.01, "random_state": 0}
    return cls(**{**settings, **parameters})


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
def test_the_least_held_out_loss_decides(best):
    class LearnsNothingButWithTheBest(Step):
        def multi_task_gradients(self, train, A):
            record = super().multi_task_gradients(train, A)
            if self.module.hierarchy.psi[0] != best:
                for parameter in self.module.parameters():
                    parameter.grad.zero_()
            return record

    class Classifier(MAXLClassifier):
        step_class = LearnsNothingButWithTheBest

    assert model(Classifier, max_epochs=8).fit(X, Y).psi_.tolist() == [best] * 3


@pytest.mark.parametrize("max_epochs", [1, 3, 4, 7, 8, 40])
@pytest.mark.parametrize("arm", ["maxl", "uniform"])
def test_trials_take_at_most_half_of_the_epochs(max_epochs, arm):
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

    clf = model(Classifier, max_epochs=max_epochs, auxiliary=arm).fit(X, Y)
    trainings = [[n for _, n in of_one] for _, of_one in groupby(seen, lambda pair: id(pair[0]))]
    *trials, whole = (len(numbers) for numbers in trainings)
    samples = [n for numbers in trainings for n in set(numbers)]
    assert whole == max_epochs == clf.n_iter_
    assert sum(trials) <= max_epochs / 2
    assert len(trials) == {1: 0, 3: 0, 4: 2, 7: 3}.get(max_epochs, 4)
    assert all(n == 135 for n in samples[:-1])  # a tenth of each class held out
    assert samples[-1] == 150
    if not trials:
        assert clf.psi_.tolist() == [CANDIDATES[0]] * 3


def test_a_held_out_part_that_is_there_is_used(monkeypatch):
    seen = []
    run = choose_psi.run

    def spy(trial, plan, *rest, **named):
        seen.append(set(plan.parts))
        return run(trial, plan, *rest, **named)

    monkeypatch.setattr(choose_psi, "run", spy)
    labels = Learned(meta_batch="holdout")
    clf = model(early_stopping=True, auxiliary=labels, callbacks=[]).fit(X, Y)
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
