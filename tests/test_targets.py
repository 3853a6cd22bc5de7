"""Targets: classes, and quantile bins of numbers."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sklearn_maxl._tasks.primary import Bins, Classes, quantiles

numbers = st.floats(-1e6, 1e6, width=32)
columns = hnp.arrays(np.float64, st.tuples(st.integers(1, 40), st.integers(1, 3)), elements=numbers)


@given(columns, st.integers(1, 8))
def test_decoding_gives_the_targets_back(y, n_bins):
    coder = Bins(y, None, n_bins, "R")
    bins, target = coder.encode(y)
    back = coder.decode(target)
    assert back.shape == y.shape
    np.testing.assert_allclose(back, y, rtol=1e-5, atol=1e-5 * max(1.0, abs(y).max()))
    assert target.dtype == np.float32
    assert bins.dtype == np.int64


@given(columns, st.integers(1, 8))
def test_every_bin_has_a_sample_and_there_are_no_more_than_asked_for(y, n_bins):
    coder = Bins(y, None, n_bins, "R")
    bins = coder.encode(y).y
    assert set(bins.tolist()) == set(coder.names.tolist())
    assert len(coder.names) <= n_bins


@given(st.integers(1, 30), st.integers(1, 6), st.integers(0, 1000))
def test_distinct_targets_fill_bins_evenly_and_in_order(n, n_bins, seed):
    assume(n >= n_bins)
    y = np.random.RandomState(seed).permutation(n).astype(float)
    bins = Bins(y, None, n_bins, "R").encode(y).y
    sizes = np.bincount(bins)
    assert len(sizes) == n_bins
    assert sizes.max() - sizes.min() <= 1
    order = bins[np.argsort(y)]
    assert (np.diff(order) >= 0).all() or (np.diff(order) <= 0).all()


@given(
    hnp.arrays(np.float64, st.integers(1, 20), elements=st.integers(-5, 5).map(float)),
    st.data(),
)
def test_weights_are_repetitions(y, data):
    weight = data.draw(hnp.arrays(np.int64, len(y), elements=st.integers(1, 4)))
    repeated, weight = np.repeat(y, weight), weight.astype(float)
    expected = quantiles(repeated, None, 4)
    np.testing.assert_array_equal(quantiles(y, weight, 4), expected)
    a, b = Bins(y, weight, 4, "R"), Bins(repeated, None, 4, "R")
    np.testing.assert_allclose([a.mean, a.scale], [b.mean, b.scale], rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(a.encode(y).y, b.encode(y).y)


@given(
    hnp.arrays(np.float64, st.integers(1, 30), elements=st.integers(-9, 9).map(float)),
    st.integers(1, 40),
)
def test_quantiles_are_counted_exactly(y, n_bins):
    # The k-th edge is the least value that has ceil(k n / B) samples up to it.
    y = np.sort(y)
    edges = [y[-(-k * len(y) // n_bins) - 1] for k in range(1, n_bins)]
    np.testing.assert_array_equal(quantiles(y, None, n_bins), np.unique(edges))


def test_several_columns_are_binned_where_they_differ_most():
    rng = np.random.RandomState(0)
    hidden = rng.normal(size=200)
    y = np.c_[hidden, 10 * hidden + 0.01 * rng.normal(size=200), 0.1 * rng.normal(size=200)]
    bins = Bins(y, None, 4, "R").encode(y).y
    means = [hidden[bins == b].mean() for b in range(4)]
    assert (np.diff(means) > 0).all() or (np.diff(means) < 0).all()
    assert np.bincount(bins).tolist() == [50] * 4


@pytest.mark.parametrize("correlation", [-0.9, -0.4, 0.4, 0.9])
def test_bin_zero_is_at_the_low_end_of_the_first_column_in_every_draw(correlation):
    rng = np.random.RandomState(0)
    for _ in range(25):
        y = rng.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], size=60)
        first, second = Bins(y, rng.rand(60) + 0.1, 3, "R").direction
        assert (first > 0, second > 0) == (True, correlation > 0)


def test_a_first_column_that_hardly_counts_does_not_decide_the_order():
    rng = np.random.RandomState(0)
    for _ in range(25):
        hidden, noise = rng.normal(size=(2, 80))
        y = np.c_[noise, -hidden, -hidden + 0.1 * rng.normal(size=80), hidden]
        direction = Bins(y, None, 3, "R").direction
        assert np.abs(direction[0]) < 0.4
        assert np.sign(direction[1:]).tolist() == [1, 1, -1]


def test_weights_of_several_columns_are_repetitions():
    rng = np.random.RandomState(0)
    y, weight = rng.normal(size=(40, 3)), rng.randint(1, 5, size=40)
    weighted = Bins(y, weight.astype(float), 4, "R")
    repeated = Bins(np.repeat(y, weight, axis=0), None, 4, "R")
    np.testing.assert_allclose(weighted.direction, repeated.direction, rtol=1e-10)
    np.testing.assert_allclose(weighted.edges, repeated.edges, rtol=1e-10)
    halved = Bins(y, weight / 2, 4, "R")  # to the bit: only ratios matter
    np.testing.assert_array_equal(halved.direction, weighted.direction)
    ones = Bins(y, np.ones(40), 4, "R")
    np.testing.assert_array_equal(ones.direction, Bins(y, None, 4, "R").direction)


@given(columns, st.integers(1, 8))
def test_bins_are_made_again_from_their_state(y, n_bins):
    coder = Bins(y, None, n_bins, "R")
    again = Bins.from_state(coder.state(), "R")
    assert again.names.tolist() == coder.names.tolist()
    assert again.n_outputs == coder.n_outputs == y.shape[1]
    for a, b in zip(again.encode(y), coder.encode(y), strict=True):
        np.testing.assert_array_equal(a, b)
    target = coder.encode(y).target
    np.testing.assert_array_equal(again.decode(target), coder.decode(target))


@pytest.mark.parametrize("names", [["a", "b"], [3, 7, 9], [False, True], [0.0, 2.0]])
def test_classes_are_made_again_from_their_state(names):
    names = np.array(names)
    coder = Classes(np.repeat(names, 3), None, "C")
    again = Classes.from_state(coder.state(), "C")
    np.testing.assert_array_equal(again.names, names)
    assert again.encode(names[::-1]).y.tolist() == coder.encode(names[::-1]).y.tolist()


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, "not those of a C"),
        ({"names": None}, "no sorted array of distinct labels"),
        ({"names": ["a", "b"]}, "no sorted array of distinct labels"),
        ({"names": np.array([2, 1])}, "no sorted array of distinct labels"),
        ({"names": np.array([1, 1, 2])}, "no sorted array of distinct labels"),
        ({"names": np.array([[1, 2]])}, "no sorted array of distinct labels"),
        ({"names": np.array([1, 2]), "more": 1}, "not those of a C"),
    ],
)
def test_a_state_that_is_no_classes_is_refused(state, message):
    with pytest.raises(ValueError, match=message):
        Classes.from_state(state, "C")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"more": 1}, "not those of a R"),
        ({"shape": (1, 2)}, "neither numbers nor rows"),
        ({"shape": [2]}, "neither numbers nor rows"),
        ({"mean": np.array([np.nan])}, r"not of \(1,\) finite numbers"),
        ({"mean": np.array([1, 2])}, r"not of \(1,\) finite numbers"),
        ({"scale": np.array([0.0])}, "not positive"),
        ({"direction": None}, "finite numbers"),
        ({"edges": np.array([[1.0]])}, "finite numbers"),
        ({"edges": np.array([1.0, 0.5])}, "not in order"),
        ({"edges": 3.0}, "finite numbers"),
    ],
)
def test_a_state_that_is_no_bins_is_refused(change, message):
    state = Bins(np.arange(10.0), None, 4, "R").state()
    with pytest.raises(ValueError, match=message):
        Bins.from_state({**state, **change}, "R")


def test_a_constant_target_has_one_bin_and_scale_one():
    coder = Bins(np.full(6, 3.0), None, 5, "R")
    assert coder.names.tolist() == [0]
    assert coder.decode(coder.encode(np.full(6, 3.0)).target).tolist() == [3.0] * 6


def test_targets_beyond_the_known_ones_fall_into_the_outer_bins():
    coder = Bins(np.arange(10.0), None, 5, "R")
    assert sorted(coder.encode(np.array([-99.0, 99.0])).y.tolist()) == [0, 4]


def test_another_number_of_columns_is_refused():
    with pytest.raises(ValueError, match=r"targets of shape \(2,\), but R was fitted for .*\(\)"):
        Bins(np.arange(5.0), None, 2, "R").encode(np.ones((5, 2)))


def test_classes_encode_what_they_know():
    coder = Classes(np.array(["b", "a", "b"]), None, "C")
    assert coder.encode(np.array(["a", "b"])).y.tolist() == [0, 1]
    assert coder.n_outputs == 2
    with pytest.raises(ValueError, match=r"C was not fitted for: \['z'\]"):
        coder.encode(np.array(["a", "z"]))
