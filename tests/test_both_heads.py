"""Labels that say more than the class: the auxiliary head predicts, without views as well."""

import numpy as np
import pytest
import torch

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl.labels import Human, Labels

SMALL = {"max_epochs": 15, "lr": 0.01, "psi": 2, "random_state": 0}


def finer(iris):
    return iris[1] * 2 + (np.arange(150) % 2)


def fitted(iris, **parameters):
    X, y = iris
    clf = MAXLClassifier(**{**SMALL, "auxiliary": "human", **parameters})
    return clf.fit(X, y, auxiliary_labels=finer(iris))


def of_blocks(clf, X):
    """The mass of each class's auxiliary classes."""
    starts = np.cumsum(clf.psi_) - clf.psi_
    return np.add.reduceat(clf.predict_auxiliary(X), starts, axis=1)


@pytest.mark.parametrize("backbone", ["mlp", "auto"])
def test_the_auxiliary_head_predicts_human_labels(iris, backbone):
    clf = fitted(iris, backbone=backbone)
    assert clf.temperature_ == 1
    module = clf.net_.module_
    module.primary_share.fill_(0)
    logs = clf.predict_log_proba(iris[0])
    x = torch.from_numpy(iris[0].astype(np.float32))
    with torch.inference_mode():
        logits = module.auxiliary_head(module.eval().features(module.prepare(x)))
        blocks = logits.unflatten(-1, (3, 2)).logsumexp(-1).log_softmax(-1)
    if backbone == "mlp":
        np.testing.assert_allclose(np.exp(logs), of_blocks(clf, iris[0]), rtol=1e-5, atol=1e-6)
    else:  # members say together what their mean probability of a class is
        blocks = blocks.exp().mean(0).log()
    np.testing.assert_allclose(logs, blocks, rtol=1e-4, atol=1e-5)


def test_the_primary_head_has_a_share_until_the_auxiliary_head_knows_the_classes(iris):
    clf = fitted(iris, backbone="mlp", max_epochs=40, auxiliary_weight=1e-6, optimizer="sgd")
    assert 0 < clf.net_.module_.primary_share <= 0.5
    assert fitted(iris, max_epochs=40).net_.module_.primary_share == 0


def test_an_auxiliary_head_that_nobody_trains_has_no_say(iris, images):
    clf = fitted(iris, backbone="mlp", auxiliary_weight=0)
    turned = MAXLClassifier(**{**SMALL, "max_epochs": 1}, auxiliary="uniform", auxiliary_weight=0)
    for model, X in ((clf, iris[0]), (turned.fit(*images), images[0])):
        assert model.net_.module_.both_heads
        alone = model.net_.apply(model.net_.module_.primary, X.astype(np.float32))
        expected = np.exp(alone - np.logaddexp.reduce(alone, axis=1, keepdims=True))
        np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-4, atol=1e-6)


def test_human_labels_that_do_not_predict(iris):
    """The paper's: the primary head alone, and the temperature that trials find."""
    clf = fitted(iris, auxiliary=Human(predicts=False), temperature="auto")
    assert not hasattr(clf.net_.module_, "primary_share")
    assert clf.temperature_ != 1


def test_a_temperature_that_is_given_holds_for_the_auxiliary_head(iris):
    hot, cold = (fitted(iris, temperature=t) for t in (2.0, 1.0))
    logs = cold.predict_log_proba(iris[0]) / 2
    expected = logs - np.logaddexp.reduce(logs, axis=1, keepdims=True)
    np.testing.assert_allclose(hot.predict_log_proba(iris[0]), expected, rtol=1e-4, atol=1e-5)


def test_a_file_keeps_who_predicts(iris, tmp_path):
    clf = fitted(iris)
    clf.net_.module_.primary_share.fill_(0.25)
    clf.save(tmp_path / "file")
    again = MAXLClassifier.load(tmp_path / "file")
    np.testing.assert_array_equal(again.predict_proba(iris[0]), clf.predict_proba(iris[0]))
    other = fitted(iris, auxiliary=Human(predicts=False))
    other.save(tmp_path / "file")
    again = MAXLClassifier.load(tmp_path / "file")
    assert again.auxiliary.predicts is False
    np.testing.assert_array_equal(again.predict_proba(iris[0]), other.predict_proba(iris[0]))


class Halves(Labels):
    """Labels by the middle of a column, which predict."""

    predicts = True

    def fit(self, task):
        self.psi_ = np.full(len(task.classes), 2)
        self.middle_ = float(np.median(task.rows.X[:, 0]))
        return self

    def assign(self, rows, rng):
        return (rows.X[:, 0] > self.middle_).astype(int)


def test_labels_of_ones_own_may_predict(iris):
    X, y = iris
    clf = MAXLClassifier("mlp", auxiliary=Halves(), **SMALL).fit(X, y)
    clf.net_.module_.primary_share.fill_(0)
    np.testing.assert_allclose(clf.predict_proba(X), of_blocks(clf, X), rtol=1e-5, atol=1e-6)


def test_numbers_are_predicted_by_the_primary_head(iris):
    X = iris[0]
    reg = MAXLRegressor(**SMALL, auxiliary="human")
    reg.fit(X[:, 1:], X[:, 0], auxiliary_labels=np.arange(150) % 2)
    assert not hasattr(reg.net_.module_, "primary_share")


@pytest.mark.parametrize("value", [1, "yes", None])
def test_predicts_is_true_or_false(iris, value):
    with pytest.raises(ValueError, match="'predicts' parameter of Human"):
        fitted(iris, auxiliary=Human(predicts=value))
