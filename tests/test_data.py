"""Batches by index, both meta batches, moments and splits."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_maxl._data.arrays import Arrays, holdout_split, moments
from sklearn_maxl._data.batches import (
    META_BATCHES,
    BatchRule,
    TrainingData,
    batch_size_for,
    batch_sizes,
)
from sklearn_maxl._data.samples import Samples

CPU = torch.device("cpu")


def samples(n, start=0):
    """Samples that can be told apart by their only value."""
    x = np.arange(start, start + n, dtype=np.float32)[:, None]
    return Samples.from_arrays(Arrays(x, np.arange(n) % 3), CPU)


def values(batch):
    return batch.x[:, 0].int().tolist()


def epoch(kind, data, batch_size, seed=0):
    return list(META_BATCHES[kind](data, batch_size, np.random.RandomState(seed)))


@given(st.integers(1, 300), st.integers(1, 70))
def test_batches_are_even_and_none_is_of_one_sample(n, batch_size):
    sizes = batch_sizes(n, batch_size)
    assert sum(sizes) == n
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= max(batch_size, 3)  # 3 samples in batches of 2 stay together
    assert n == 1 or batch_size == 1 or min(sizes) > 1


@pytest.mark.parametrize(
    ("batch_size", "n", "expected"),
    [
        (None, 20, 20),
        (None, 800, 50),
        (None, 10**6, 128),
        (BatchRule(part=8, least=64, most=256), 100, 64),
        (BatchRule(part=8, least=64, most=256), 800, 100),
        (BatchRule(part=8, least=64, most=256), 10**6, 256),
        (32, 1000, 32),
        (32, 20, 20),
        (np.int64(32), 1000, 32),
    ],
)
def test_batch_size(batch_size, n, expected):
    assert batch_size_for(n, batch_size) == expected


@pytest.mark.parametrize("kind", META_BATCHES)
@given(n=st.integers(2, 60), batch_size=st.integers(1, 30), seed=st.integers(0, 9))
def test_an_epoch_trains_once_on_each_training_sample_and_no_other(kind, n, batch_size, seed):
    data = TrainingData(samples(n), samples(7, start=1000), samples(3, start=2000))
    pairs = epoch(kind, data, batch_size, seed)
    trained = [v for batch, _ in pairs for v in values(batch)]
    assert sorted(trained) == list(range(n))
    again = epoch(kind, data, batch_size, seed)
    assert [values(b) for pair in again for b in pair] == [values(b) for p in pairs for b in p]


def test_epochs_are_in_random_order():
    data = TrainingData(samples(50))
    rng = np.random.RandomState(0)
    first, second = (next(META_BATCHES["same"](data, 50, rng))[0] for _ in range(2))
    assert values(first) != values(second) != list(range(50))


def test_the_same_meta_batch_is_the_training_batch():
    assert all(batch is meta for batch, meta in epoch("same", TrainingData(samples(20)), 8))


def test_the_held_out_meta_batches_take_turns():
    data = TrainingData(samples(40), samples(9, start=1000))
    pairs = epoch("holdout", data, 4)
    shown = [values(meta) for _, meta in pairs]
    assert len(shown) == 10
    counts = np.bincount(np.concatenate(shown))[1000:]
    assert len(counts) == 9
    assert counts.max() - counts.min() <= 1


def test_samples_are_rows_with_weights_of_mean_one_and_positions():
    weight = np.array([1.0, 2.0, 3.0, 6.0])
    arrays = Arrays(np.arange(8, dtype=np.uint8).reshape(4, 2), np.array([0, 1, 0, 1]), weight)
    all_ = Samples.from_arrays(arrays, CPU, np.array([5, 6, 7, 8]))
    batch = all_.batch(torch.tensor([3, 0]))
    assert (all_.weight.mean(), all_.weight.dtype) == (1.0, torch.float32)
    assert batch.x.tolist() == [[6, 7], [0, 1]]
    assert batch.x.dtype == torch.uint8
    assert batch.y.tolist() == [1, 0]
    assert batch.positions.tolist() == [8, 5]
    assert batch.weight.tolist() == pytest.approx([2.0, 1 / 3])
    assert (len(all_), len(TrainingData(all_))) == (4, 4)


def test_rows_are_taken_together_and_those_of_no_weight_dropped():
    y = np.array([0, 1, 2, 0])
    arrays = Arrays(
        np.arange(4.0)[:, None],
        y,
        np.array([1.0, 0.0, 2.0, 0.0]),
        np.array(list("abcd")),
        np.array([[4.0], [5.0], [6.0], [7.0]], dtype=np.float32),
    )
    kept = arrays.without_zero_weights()
    rows = [[[0.0], [2.0]], [0, 2], [1, 2], ["a", "c"], [[4.0], [6.0]]]
    assert [column.tolist() for column in kept] == rows
    assert arrays._replace(weight=None).without_zero_weights().X is arrays.X


@given(st.permutations(range(5)))
def test_taking_rows_keeps_the_order_asked_for(order):
    arrays = Arrays(np.arange(5.0)[:, None], np.arange(5))
    assert arrays.take(np.array(order)).y.tolist() == list(order)


X32 = np.random.RandomState(0).randn(500, 3).astype(np.float32)
IMAGES = np.random.RandomState(0).randint(0, 256, (300, 3, 30, 40)).astype(np.uint8)  # two parts
WEIGHT = np.random.RandomState(1).randint(0, 4, 500).astype(np.float64)


@pytest.mark.parametrize(
    ("X", "weight", "axes"),
    [
        (X32, None, 0),
        (X32, WEIGHT, 0),
        (X32 * [1e-6, 1, 1e6] + np.array([0, 1e4, 1e7], np.float32), None, 0),
        (X32 * np.float32([1e-15, 1e15, 1]), WEIGHT, 0),
        ((10 * X32).astype(np.int64), None, 0),
        (IMAGES, None, (0, 2, 3)),
        (IMAGES, WEIGHT[:300], (0, 2, 3)),
        (X32[:, :, None], None, (0, 2)),
    ],
    ids=["table", "weights", "offsets", "sizes", "int", "uint8", "uint8 weights", "sequence"],
)
def test_moments_are_those_of_numpy_in_float64(X, weight, axes):
    rows = X if weight is None else np.repeat(X, weight.astype(int), axis=0)
    expected = rows.mean(axes, dtype=np.float64), rows.astype(np.float64).std(axes)
    got = moments(X, weight)
    for a, b in zip(got, expected, strict=True):
        assert a.dtype == (np.float64 if X.ndim == 2 else np.float32)
        assert a.shape == (3,) + (1,) * (X.ndim - 2)
        np.testing.assert_allclose(a.ravel(), b, rtol=1e-6, atol=1e-25)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.7, 1e8, 1e-30])
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_a_constant_feature_has_scale_one(value, weight):
    X = np.full((500, 1), value, np.float32)
    mean, scale = moments(X, weight)
    assert scale.tolist() == [1.0]
    assert mean[0] == pytest.approx(X[0, 0], rel=1e-6)


@pytest.mark.parametrize("size", [1e-40, 1e-44, 1e30])
def test_standardised_values_are_finite_at_the_ends_of_float32(size):
    X = np.zeros((1000, 1), np.float32)
    X[0] = size
    mean, scale = moments(X, None)
    Z = (torch.from_numpy(X) - torch.from_numpy(mean)) / torch.from_numpy(scale)
    assert torch.isfinite(Z).all()


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.floats(0.01, 0.9))
def test_a_split_is_disjoint_complete_and_stratified(sizes, fraction):
    y = np.random.RandomState(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    if max(sizes) == 1:
        with pytest.raises(ValueError, match="No sample can be held out"):
            holdout_split(y, fraction, np.random.RandomState(0))
        return
    keep, out = holdout_split(y, fraction, np.random.RandomState(0))
    assert sorted([*keep, *out]) == list(range(len(y)))
    for i, size in enumerate(sizes):
        held = int((y[out] == i).sum())
        assert (y[keep] == i).any()
        assert held == 0 if size == 1 else abs(held - fraction * size) <= 1
        assert size == 1 or held >= 1
