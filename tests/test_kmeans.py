"""The K-Means arm: clusters within each class."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from sklearn_maxl._auxiliary import owner
from sklearn_maxl._kmeans import KMeansSource

CLASSES = np.arange(2)


def arrays(X, y):
    return SimpleNamespace(X=np.asarray(X), y=np.asarray(y))


def groups(shape=(2,), dtype=np.float32):
    """Two classes of two far-apart groups of ten."""
    rng = np.random.RandomState(0)
    centre = np.repeat([10.0, 90.0, 160.0, 240.0], 10).reshape(-1, *[1] * len(shape))
    return arrays((centre + rng.uniform(-5, 5, (40, *shape))).astype(dtype), np.repeat([0, 1], 20))


@pytest.mark.parametrize(
    ("shape", "dtype"), [((2,), np.float32), ((3, 4, 4), np.float32), ((3, 4, 4), np.uint8)]
)
def test_groups_within_a_class_become_its_labels(shape, dtype):
    data = groups(shape, dtype)
    scaling = np.float32(128), np.float32(64)
    source = KMeansSource(2, CLASSES, *scaling)
    labels = source.assign(data, np.random.RandomState(0))
    assert (owner(source.psi)[labels] == data.y).all()
    assert [len(set(labels[a : a + 10])) for a in (0, 10, 20, 30)] == [1, 1, 1, 1]
    assert len(set(labels)) == 4
    again = KMeansSource(2, CLASSES, *scaling).assign(data, np.random.RandomState(0))
    assert (again == labels).all()
    assert (source.nearest(data.X, data.y) == labels).all()


def test_clusters_are_found_on_standardised_features():
    data = groups()
    data.X[:, 1] *= 1e6  # the second feature would drown the first
    data.X[:, 1] = np.random.RandomState(1).permutation(data.X[:, 1])
    data.X[:, 0] *= 100
    source = KMeansSource(2, CLASSES, np.zeros(2, np.float32), np.array([1.0, 1e10], np.float32))
    labels = source.assign(data, np.random.RandomState(0))
    assert [len(set(labels[a : a + 10])) for a in (0, 10, 20, 30)] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("X", "used"),
    [
        ([[1.0], [2.0]], 2),
        ([[1.0]], 1),
        ([[1.0], [1.0], [1.0]], 1),
        ([[1.0], [1.0], [2.0], [1.0]], 2),
    ],
)
def test_a_class_with_fewer_distinct_samples_than_psi_uses_part_of_its_block(X, used):
    X = np.array(X, np.float32)
    source = KMeansSource([3, 4], CLASSES, np.float32(0), np.float32(1))
    other = np.arange(8, dtype=np.float32)[:, None]
    y = np.repeat([0, 1], [len(X), 8])
    labels = source.assign(arrays(np.concatenate([X, other]), y), np.random.RandomState(0))
    assert len(set(labels[: len(X)])) == used
    assert set(labels[: len(X)]) <= {0, 1, 2}
    assert set(labels[len(X) :]) == {3, 4, 5, 6}


def test_centres_stay_and_a_class_that_comes_later_is_clustered_then():
    data = groups()
    first, both = arrays(data.X[:20], data.y[:20]), data
    source = KMeansSource(2, CLASSES, np.float32(0), np.float32(1))
    labels = source.assign(first, np.random.RandomState(0))
    with pytest.raises(NotFittedError, match="class number 1"):
        source.nearest(data.X, data.y)
    model = source.models[0]
    again = source.assign(both, np.random.RandomState(1))
    assert source.models[0] is model
    assert (again[:20] == labels).all()
    assert set(again[20:]) == {2, 3}
    shifted = source.nearest(np.array([[12.0, 8.0], [88.0, 91.0]], np.float32), np.array([0, 0]))
    assert shifted.tolist() == [labels[0], labels[10]]
