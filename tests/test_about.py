"""What a fit was, in words: true for every kind of fit, and the same after `load`."""

import numpy as np
import pytest
from torch import nn

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl.backbones import MLP, ConvNet, Custom
from sklearn_maxl.labels import Labels, Learned


def fit(iris, cls=MAXLClassifier, **params):
    return cls(**{"max_epochs": 2, "psi": 2, "random_state": 0, **params}).fit(*iris)


def about(*args, **params):
    return fit(*args, **params).history_.about


def test_a_fit_says_what_was_chosen(iris):
    clf = fit(iris, backbone=MLP((8,)), lr=0.02, temperature=0.5)
    n = sum(p.numel() for p in clf.net_.module_.parameters())
    share = clf.history_[-1]["auxiliary_in_use"].mean()
    seconds = clf.history_["time"].sum()
    assert clf.history_.about == {
        "auxiliary labels": "maxl",
        "auxiliary classes": f"6, 2 for each of 3 classes; {share:.0%} in use",
        "network": f"MLP(hidden_layer_sizes=(8,)), {n:,} parameters with the heads",
        "learning rate": "0.02, cosine",
        "epochs": "2",
        "temperature": "0.5",
        "seconds in epochs": f"{seconds:.2f}",
    }


def test_the_held_out_score_is_the_chosen_trial_of_the_last_question_that_is_like_the_fit(iris):
    clf = fit(iris, max_epochs="auto", auxiliary="uniform")
    (chosen,) = (t for t in clf.history_.trials if t["chosen"])
    score = f"accuracy {chosen['accuracy']:.4f}, loss {chosen['loss']:.4f}"
    told = clf.history_.about["held-out score of trials"]
    assert told == f"{score}, of a network without auxiliary task"
    assert clf.history_.about["seconds in epochs"].endswith(", without the trials")
    # Without an auxiliary task, trial and fit are of the same kind.
    single = fit(iris, max_epochs="auto", auxiliary=None)
    assert single.history_.about["held-out score of trials"] == score
    both = fit(iris, auxiliary="auto", psi="auto", max_epochs=4)
    source = next(t for t in both.history_.trials if t["setting"] == "auxiliary" and t["chosen"])
    told = both.history_.about["held-out score of trials"]
    assert told == f"accuracy {source['accuracy']:.4f}, loss {source['loss']:.4f}"


def test_a_regression_has_bins_and_no_temperature(iris):
    found = about(iris, MAXLRegressor, max_epochs="auto", n_bins=3)
    assert found["auxiliary classes"].startswith("6, 2 for each of 3 bins")
    assert "temperature" not in found
    assert found["held-out score of trials"].startswith("loss ")


def test_a_single_task_has_no_auxiliary_classes(iris):
    found = about(iris, auxiliary=None)
    assert found["auxiliary labels"] == "none"
    assert "auxiliary classes" not in found


def test_early_stopping_tells_the_best_score_and_that_epochs_are_left(iris):
    clf = fit(iris, early_stopping=True, n_iter_no_change=1, tol=10.0, max_epochs=50)
    scores = clf.history_["validation_score"]
    found = clf.history_.about
    assert found["epochs"] == f"{clf.n_iter_}, fewer than max_epochs=50"
    best = f"accuracy {scores.max():.4f}, the best, of epoch {scores.argmax() + 1}"
    assert found["validation score"] == best
    regression = about(iris, MAXLRegressor, early_stopping=True)
    assert regression["validation score"].startswith("R2 ")


def test_views_and_unequal_numbers_are_told(images):
    found = about(images, backbone=ConvNet((4,)), psi=[1, *[3] * 9], max_epochs=1)
    assert found["auxiliary classes"].startswith("28, 1 to 3 for each of 10 classes, in 4 views")


def test_collapsed_labels_are_told(iris):
    clf = fit(iris)
    clf.history_[-1]["auxiliary_in_use"] = np.array([0.25, 0.25, 0.5])
    found = clf._keep(clf._fitted).history_.about
    assert found["auxiliary classes"].endswith("33% in use (collapsed)")


class Own(Labels):
    def __init__(self, name="own"):
        self.name = name

    def fit(self, given):
        self.psi_ = np.ones(len(given.classes), dtype=np.int64)

    def assign(self, rows, rng):
        return np.zeros(len(rows.y), dtype=np.int64)


def own_function(input_shape):
    return nn.Linear(*input_shape, 3)


@pytest.mark.parametrize(
    ("params", "line", "told"),
    [
        ({"auxiliary": Learned()}, "auxiliary labels", "maxl"),
        ({"auxiliary": Learned(every=1)}, "auxiliary labels", "maxl, Learned(every=1)"),
        ({"auxiliary": Own("x" * 200)}, "auxiliary labels", "..."),
        ({"backbone": nn.Linear(4, 5)}, "network", "Linear, "),
        ({"backbone": own_function}, "network", "own_function, "),
        ({"backbone": Custom(nn.Linear, in_features=4, out_features=5)}, "network", "Custom("),
        ({"schedule": "constant"}, "learning rate", "0.015, constant"),
        ({"schedule": lambda part: 1.0}, "learning rate", "0.015, <lambda>"),
    ],
)
def test_what_is_of_the_users_making_has_a_short_name(iris, params, line, told):
    found = about(iris, **params)[line]
    assert told in found
    assert len(found) < 160
    assert "\n" not in found


def test_a_loaded_fit_says_the_same(iris, tmp_path):
    clf = fit(iris, max_epochs="auto")
    clf.save(tmp_path / "clf.safetensors")
    loaded = MAXLClassifier.load(tmp_path / "clf.safetensors")
    assert loaded.history_.about == clf.history_.about


def test_it_follows_a_stream(iris):
    clf = fit(iris, schedule="constant")
    clf.partial_fit(*iris)
    assert clf.history_.about["epochs"] == "3"
    clf.history_.pop(0)  # as of a stream of more than 1,000 epochs
    assert "seconds in epochs" not in clf._keep(clf._fitted).history_.about
