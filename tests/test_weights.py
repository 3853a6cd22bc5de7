"""Sample and class weights: what does hold exactly for a mini-batch learner."""

import numpy as np
import pytest
from sklearn.utils import compute_sample_weight
from sklearn.utils.class_weight import compute_class_weight

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.labels import Learned

ARMS = ["maxl", "uniform", "random", "kmeans", None]


def probabilities(data, sample_weight=None, rows=slice(None), **params):
    X, y = data
    clf = MAXLClassifier(**{"max_epochs": 3, "psi": 3, "random_state": 0, **params})
    weight = None if sample_weight is None else sample_weight[rows]
    return clf.fit(X[rows], y[rows], sample_weight=weight).predict_proba(X)


@pytest.fixture
def weight():
    return np.random.default_rng(0).uniform(0.1, 3, size=150)


@pytest.mark.parametrize("auxiliary", ARMS)
def test_unit_weights_are_no_weights_bitwise(iris, auxiliary):
    without = probabilities(iris, auxiliary=auxiliary)
    np.testing.assert_array_equal(probabilities(iris, np.ones(150), auxiliary=auxiliary), without)


@pytest.mark.parametrize("auxiliary", ARMS)
@pytest.mark.parametrize("factor", [0.5, 1024.0])
def test_weights_times_a_power_of_two_change_no_bit(iris, weight, auxiliary, factor):
    np.testing.assert_array_equal(
        probabilities(iris, factor * weight, auxiliary=auxiliary),
        probabilities(iris, weight, auxiliary=auxiliary),
    )


@pytest.mark.parametrize("factor", [1e-30, 3.0, 7e20])
def test_only_the_ratios_of_weights_matter(iris, weight, factor):
    np.testing.assert_allclose(
        probabilities(iris, factor * weight), probabilities(iris, weight), rtol=1e-4, atol=1e-6
    )


def test_weights_too_small_for_float32_are_no_trouble(iris):
    weight = np.where(np.arange(150) % 50 < 3, 1.0, 1e-60)
    assert np.isfinite(probabilities(iris, weight, batch_size=2)).all()


@pytest.mark.parametrize("auxiliary", [*ARMS, Learned(meta_batch="holdout")])
@pytest.mark.parametrize(
    "params",
    [{"batch_size": 150}, {"batch_size": 16}, {"batch_size": "auto", "early_stopping": True}],
    ids=["full-batch", "mini-batch", "early-stopping"],
)
def test_weight_zero_is_the_same_as_no_row_bitwise(iris, weight, auxiliary, params):
    weight[::3] = 0
    weight[1::3] = 1
    rows = np.flatnonzero(weight)
    np.testing.assert_array_equal(
        probabilities(iris, weight, auxiliary=auxiliary, **params),
        probabilities(iris, weight, rows, auxiliary=auxiliary, **params),
    )


@pytest.mark.parametrize("auxiliary", ["maxl", "uniform", None])
def test_in_one_batch_a_whole_weight_is_as_many_rows_but_for_rounding(iris, auxiliary):
    # Without dropout, which draws other numbers for other rows.
    one = {"backbone": "mlp", "batch_size": 1000, "auxiliary": auxiliary, "temperature": 1.0}
    weight = np.arange(150) % 4
    rows = np.repeat(np.arange(150), weight)
    np.testing.assert_allclose(
        probabilities(iris, weight, **one), probabilities(iris, rows=rows, **one), rtol=1e-4
    )


def test_weight_zero_hides_a_human_label(iris):
    X, y = iris
    finer, weight = np.arange(150) % 2, np.ones(150)
    finer[0], weight[0] = 9, 0  # a third label of class 0 that only this sample has
    clf = MAXLClassifier(auxiliary="human", max_epochs=1)
    assert clf.fit(X, y, weight, auxiliary_labels=finer).psi_.tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    "class_weight", ["balanced", {0: 1.0, 1: 5.0, 2: 0.5}, {1: 3.0}, {0: 0, 1: 1, 2: 1}]
)
def test_class_weights_are_sample_weights(iris, class_weight):
    X, y = iris[0][:130], iris[1][:130]
    weight = compute_sample_weight(class_weight, y)
    np.testing.assert_array_equal(
        probabilities((X, y), class_weight=class_weight), probabilities((X, y), weight)
    )


def test_class_and_sample_weights_multiply(iris, weight):
    _, y = iris
    both = weight * compute_sample_weight({0: 1, 1: 5, 2: 2}, y)
    np.testing.assert_array_equal(
        probabilities(iris, weight, class_weight={0: 1, 1: 5, 2: 2}), probabilities(iris, both)
    )


def test_class_weights_are_given_by_label(iris):
    X, y = iris
    names = np.array(["c", "a", "b"])[y]
    clf = MAXLClassifier(max_epochs=20, random_state=0, class_weight={"c": 1, "a": 1e-6, "b": 1})
    predicted = clf.fit(X, names).predict(X)
    assert "a" not in predicted
    assert set(predicted) == {"b", "c"}


@pytest.mark.parametrize("auxiliary", ["maxl", "uniform", "random", "kmeans"])
def test_weights_act_on_the_auxiliary_loss(iris, auxiliary):
    # One step of a full batch: the heads do not share parameters, so that the auxiliary
    # head moves with the auxiliary loss alone.
    X, y = iris
    params = {
        "backbone": "mlp", "auxiliary": auxiliary, "optimizer": "sgd", "lr": 0.1,
        "batch_size": 150, "max_epochs": 1, "random_state": 0,
    }  # fmt: skip
    weight = np.where(y == 0, 1e-9, 1.0)
    weighted = MAXLClassifier(**params).fit(X, y, sample_weight=weight).net_.module_
    initial = MAXLClassifier(**{**params, "lr": 1e-30}).fit(X, y, sample_weight=weight).net_.module_
    plain = MAXLClassifier(**params).fit(X, y).net_.module_
    for head in ("primary_head", "auxiliary_head"):
        start, end, other = (getattr(net, head).bias for net in (initial, weighted, plain))
        own = slice(0, 1) if head == "primary_head" else slice(0, 5)
        # Nobody asks for class 0 any more: its bias can only fall.
        assert (end[own] < start[own]).all()
        assert (end[own] < other[own]).all()


def test_partial_fit_takes_class_weights_for_classes_that_a_batch_lacks(iris):
    X, y = iris
    clf = MAXLClassifier(class_weight={1: 5.0}, random_state=0)
    clf.partial_fit(X[y == 0], y[y == 0], classes=[0, 1, 2])
    assert clf.classes_.tolist() == [0, 1, 2]


def test_partial_fit_with_the_weights_of_all_data_as_a_dict(iris):
    X, y = iris
    classes = np.arange(3)
    balanced = dict(enumerate(compute_class_weight("balanced", classes=classes, y=y[:130])))
    clf = MAXLClassifier(class_weight=balanced, random_state=0)
    for _ in range(30):
        clf.partial_fit(X[:130], y[:130], classes=classes)
    assert clf.score(X, y) > 0.9


@pytest.mark.parametrize(
    ("sample_weight", "class_weight", "message"),
    [
        (-np.ones(150), None, "[Nn]egative"),
        (np.r_[-1e-9, np.ones(149)], None, "[Nn]egative"),
        (np.zeros(150), None, "zero"),
        (np.r_[np.nan, np.ones(149)], None, "sample_weight contains NaN"),
        (np.r_[np.inf, np.ones(149)], None, "sample_weight contains infinity"),
        (np.ones(149), None, r"sample_weight\.shape == \(149,\)"),
        (np.ones((150, 1)), None, "[Ss]ample.weights must be 1D"),
        (None, {0: 0, 1: 0, 2: 0}, "zero"),
        (None, {0: -1, 1: 1, 2: 1}, "class_weight"),
        (None, {0: np.nan, 1: 1, 2: 1}, "class_weight"),
        (None, {"no such class": 2.0}, "class_weight"),
    ],
)
def test_bad_weights_are_named(iris, sample_weight, class_weight, message):
    clf = MAXLClassifier(max_epochs=1, class_weight=class_weight)
    with pytest.raises(ValueError, match=message):
        clf.fit(*iris, sample_weight=sample_weight)
