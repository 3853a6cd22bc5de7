"""The K-Means arm: clusters within each class, of an autoencoder's features."""

import copy
import pickle

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.metrics import adjusted_mutual_info_score
from torch import nn

from sklearn_maxl._data.arrays import Arrays, moments
from sklearn_maxl._networks.trunk import Frame
from sklearn_maxl._tasks.auxiliary import Hierarchy
from sklearn_maxl.backbones import MLP, ConvNet
from sklearn_maxl.labels import KMeans, LabelInput, fitted_copy, restored_copy
from sklearn_maxl.labels import _kmeans as _kmeans
from sklearn_maxl.labels._kmeans import cluster_centres, comparable, feature_moments

CLASSES = np.arange(2)


def arrays(X, y, weight=None):
    return Arrays(np.asarray(X), np.asarray(y), weight)


def task_of(data, psi=2, classes=CLASSES, build=None, scaling=None, **params):
    """What a fit tells the labels."""
    shape = data.X.shape[1:]
    build = build or (MLP((20,)) if len(shape) == 1 else ConvNet((4, 8))).build
    frame = Frame(build, shape, moments(data.X, None) if scaling is None else scaling)
    return LabelInput(classes, psi, data, frame, **params)


def make_source(*args, **params):
    return fitted_copy(KMeans(), task_of(*args, **params))


def assign(source, data, seed=0):
    """The number of each label among those of all classes."""
    positions = source.assign(data, np.random.RandomState(seed))
    assert (positions >= 0).all()
    assert (positions < source.psi_[data.y]).all()
    return Hierarchy(source.psi_).block_starts[data.y] + positions


def nearest(source, X, y):
    """The same for any samples."""
    Y = source.soft_labels(X, y)
    assert Y.shape == (len(X), source.psi_.sum())
    assert Y.dtype == np.float32
    assert set(Y.sum(1)) == set(Y.max(1)) == {1.0}
    return Y.argmax(1)


def groups(shape=(2,), dtype=np.float32):
    """Two classes of two far-apart groups of ten."""
    rng = np.random.RandomState(0)
    centre = np.repeat([10.0, 90.0, 160.0, 240.0], 10).reshape(-1, *[1] * len(shape))
    return arrays((centre + rng.uniform(-5, 5, (40, *shape))).astype(dtype), np.repeat([0, 1], 20))


def blobs(n=600, seed=0):
    """A table of three classes with three known sub-clusters each, and the sub-clusters."""
    rng = np.random.RandomState(seed)
    finer = rng.permutation(n) % 9
    X = np.c_[rng.randn(9, 12)[finer] * 4 + rng.randn(n, 12), 5 * rng.randn(n, 5)]
    return arrays(X, finer // 3), finer


def agreement(labels, finer, y):
    """Mean over the classes of what the labels tell of finer ones within the class."""
    return np.mean(
        [adjusted_mutual_info_score(finer[y == i], labels[y == i]) for i in np.unique(y)]
    )


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((2,), np.float32),
        ((2,), np.float64),
        ((3, 4, 4), np.float32),
        ((3, 4, 4), np.uint8),
    ],
)
def test_groups_within_a_class_become_its_labels(shape, dtype):
    data = groups(shape, dtype)
    source = make_source(data)
    labels = assign(source, data)
    assert (Hierarchy(source.psi_).owner[labels] == data.y).all()
    assert [len(set(labels[a : a + 10])) for a in (0, 10, 20, 30)] == [1, 1, 1, 1]
    assert len(set(labels)) == 4
    again = assign(make_source(data), data)
    assert (again == labels).all()
    assert (nearest(source, data.X, data.y) == labels).all()


def test_clusters_are_found_on_standardised_samples():
    data = groups()
    data.X[:, 1] *= 1e6  # the second feature would drown the first
    data.X[:, 1] = np.random.RandomState(1).permutation(data.X[:, 1])
    scaling = np.zeros(2, np.float32), np.array([100.0, 1e10], np.float32)
    source = make_source(data, build=MLP().build, scaling=scaling)
    labels = assign(source, data)
    assert [len(set(labels[a : a + 10])) for a in (0, 10, 20, 30)] == [1, 1, 1, 1]


def test_the_units_of_a_table_do_not_matter():
    data, _ = blobs(90)
    labels = assign(make_source(data, 3, np.arange(3)), data)
    other = arrays(data.X * 2.0 ** np.linspace(-40, 40, 17).round(), data.y)
    again = assign(make_source(other, 3, np.arange(3)), other)
    assert (again == labels).all()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n", [150, 600])
def test_known_sub_clusters_are_recovered(n, seed):
    data, finer = blobs(n, seed)
    source = make_source(data, 3, np.arange(3), MLP().build)
    labels = assign(source, data, seed)
    assert agreement(labels, finer, data.y) > 0.8


@pytest.mark.parametrize("as_images", [True, False])
def test_clusters_of_odd_and_even_digits_are_digits(as_images):
    X, digit = load_digits(return_X_y=True)
    X, digit = X[:800], digit[:800]
    if as_images:
        X = X.reshape(-1, 1, 8, 8).astype(np.uint8)
    data = arrays(X, digit % 2)
    source = make_source(data, 5, build=(ConvNet((16, 32)) if as_images else MLP()).build)
    labels = assign(source, data)
    assert agreement(labels, digit, data.y) > 0.6
    (features,) = source._features(data.X)
    chance = np.random.RandomState(0).permutation(labels)
    assert spread(features, labels) < 0.8 * spread(features, chance)


def spread(features, labels):
    """Mean squared distance to the mean of the same label."""
    return sum(((own - own.mean(0)) ** 2).sum() for own in by_label(features, labels))


def by_label(features, labels):
    return [features[labels == i] for i in np.unique(labels)]


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
    other = np.arange(8, dtype=np.float32)[:, None]
    data = arrays(np.concatenate([X, other]), np.repeat([0, 1], [len(X), 8]))
    labels = assign(make_source(data, [3, 4]), data)
    assert len(set(labels[: len(X)])) == used
    assert set(labels[: len(X)]) <= {0, 1, 2}
    assert set(labels[len(X) :]) == {3, 4, 5, 6}


@pytest.mark.parametrize("n", [1, 2, 3, 70])
@pytest.mark.parametrize("shape", [(3,), (1, 5, 5)])
def test_samples_that_are_all_the_same_are_one_cluster(n, shape):
    data = arrays(np.full((n, *shape), 0.3, np.float32), np.zeros(n, np.int64))
    labels = assign(make_source(data, 3), data)
    assert (labels == 0).all()


@pytest.mark.parametrize("n_features", [1, 2])
def test_a_narrow_trunk_still_tells_samples_apart(n_features):
    data = arrays(np.arange(12.0)[:, None], np.zeros(12, np.int64))
    source = make_source(data, 4, build=lambda shape: nn.Linear(1, n_features))
    labels = assign(source, data)
    assert len(set(labels)) == 4
    assert (np.diff(labels) != 0).sum() == 3  # neighbours belong together


def test_centres_stay_and_a_class_that_comes_later_is_clustered_then():
    data = groups()
    first, both = arrays(data.X[:20], data.y[:20]), data
    source = make_source(data)
    labels = assign(source, first)
    with pytest.raises(NotFittedError, match="class number 1"):
        nearest(source, data.X, data.y)
    centres, encoder = source.centres_[0], source.encoder_
    state = copy.deepcopy(encoder.state_dict())
    again = assign(source, both, 1)
    assert source.centres_[0] is centres
    assert source.encoder_ is encoder
    assert all(torch.equal(state[name], value) for name, value in encoder.state_dict().items())
    assert (again[:20] == labels).all()
    assert set(again[20:]) == {2, 3}
    shifted = nearest(source, np.array([[12.0, 8.0], [88.0, 91.0]], np.float32), np.array([0, 0]))
    assert shifted.tolist() == [labels[0], labels[10]]


def test_nothing_is_known_before_the_first_data():
    data = groups()
    with pytest.raises(NotFittedError, match="class number 0"):
        nearest(make_source(data), data.X, data.y)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_a_copy_goes_on_alike(copied):
    data = groups((1, 4, 4))
    source = make_source(data)
    first = arrays(data.X[:20], data.y[:20])
    fresh = copied(source)
    labels = assign(source, first)
    assert (assign(fresh, first) == labels).all()
    other = copied(source)
    assert (nearest(other, first.X, first.y) == labels).all()
    later = assign(source, data, 1)
    assert set(other.centres_) == {0}
    assert (assign(other, data, 1) == later).all()


@pytest.mark.parametrize("shape", [(3,), (1, 4, 4)])
def test_clusters_are_made_again_from_their_state(shape):
    data = groups(shape)
    source = make_source(data)
    first = arrays(data.X[:20], data.y[:20])
    labels = assign(source, first)
    other = restored_copy(KMeans(), source.state(), task_of(data))
    assert (nearest(other, first.X, first.y) == labels).all()
    assert set(other.centres_) == {0}
    assert (assign(other, data, 1) == assign(source, data, 1)).all()


def test_a_fit_leaves_the_object_that_it_was_given_alone():
    data, kmeans = groups(), KMeans()
    assign(fitted_copy(kmeans, task_of(data)), data)
    assert vars(kmeans) == {}


def test_a_pickle_holds_no_data():
    data = arrays(np.random.RandomState(0).rand(3000, 5), np.arange(3000) % 2)
    source = make_source(data, build=MLP((10,)).build)
    assign(source, data)
    assert len(pickle.dumps(source)) < 10_000


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to use")
def test_what_was_made_on_a_gpu_goes_on_without_it():
    data = groups()
    source = make_source(data)
    labels = assign(source, arrays(data.X[:20], data.y[:20]))
    source._device = "cuda"
    other = pickle.loads(pickle.dumps(source))
    assert (nearest(other, data.X[:20], data.y[:20]) == labels).all()
    assert set(assign(other, data)[20:]) == {2, 3}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("shape", [(2,), (3, 4, 4)])
def test_on_a_gpu_the_weights_are_kept_on_the_cpu(shape):
    data = groups(shape)
    source = make_source(data, device="cuda")
    labels = assign(source, data)
    assert [len(set(labels[a : a + 10])) for a in (0, 10, 20, 30)] == [1, 1, 1, 1]
    assert {value.device.type for value in source.encoder_.state_dict().values()} == {"cpu"}
    source._device = "cpu"
    assert (nearest(source, data.X, data.y) == labels).all()


def labels_and_centres(build, seed):
    data, _ = blobs(150)
    source = make_source(data, 4, np.arange(3), build)
    labels = assign(source, data, seed)
    return [labels, *(source.centres_[i] for i in range(3))]


@pytest.mark.parametrize("build", [MLP().build, MLP((16,), dropout=0.5).build])
def test_the_same_seed_gives_the_same_bits_in_turn_and_in_threads(build):
    in_turn = [labels_and_centres(build, seed) for seed in (0, 1, 0, 1)]
    jobs = [delayed(labels_and_centres)(build, seed) for seed in (0, 1, 0, 1)]
    at_once = Parallel(n_jobs=2, backend="threading")(jobs)
    for k, result in enumerate([*in_turn[2:], *at_once]):
        for one, other in zip(result, in_turn[k % 2], strict=True):
            np.testing.assert_array_equal(one, other)
    assert any((a != b).any() for a, b in zip(in_turn[0][1:], in_turn[1][1:], strict=True))


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_no_global_state_changes(dropout):
    data = groups()
    source = make_source(data, build=MLP((8,), dropout=dropout).build, n_threads=1)
    np.random.seed(3)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    torch.set_num_threads(2)
    try:
        assign(source, data)
        nearest(source, data.X, data.y)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002


def test_the_number_of_threads_does_not_change_the_centres():
    features = np.random.RandomState(0).randn(3000, 30)
    threads = torch.get_num_threads()
    centres = []
    for n in (1, 2, 4):
        with _kmeans.threadpool_limits(n, user_api="openmp"):
            centres.append(cluster_centres(features, 5, None, np.random.RandomState(0)))
    assert torch.get_num_threads() == threads
    np.testing.assert_array_equal(centres[1], centres[0])
    np.testing.assert_array_equal(centres[2], centres[0])


def test_large_classes_are_clustered_by_a_part_of_their_samples(monkeypatch):
    monkeypatch.setattr(_kmeans, "MAX_SAMPLES", 100)
    sizes = []
    original = _kmeans.cluster_centres
    monkeypatch.setattr(
        _kmeans, "cluster_centres", lambda X, *rest: sizes.append(len(X)) or original(X, *rest)
    )
    data, finer = blobs(600)
    weight = np.random.RandomState(0).uniform(0.5, 2, 600)
    source = make_source(data, 3, np.arange(3), MLP().build)
    labels = assign(source, data._replace(weight=weight))
    assert sizes == [100, 100, 100]
    assert agreement(labels, finer, data.y) > 0.8


def test_the_memory_of_large_data_is_bounded(monkeypatch):
    seen = []
    original = _kmeans.comparable
    monkeypatch.setattr(
        _kmeans, "comparable", lambda X, *rest: seen.append(len(X)) or original(X, *rest)
    )
    data = arrays(
        np.random.RandomState(0).rand(1500, 1, 32, 32).astype(np.float32), np.arange(1500) % 2
    )
    source = make_source(data, build=lambda shape: nn.Sequential(nn.AvgPool2d(8), nn.Flatten()))
    labels = assign(source, data)
    assert max(seen) == 512
    assert (nearest(source, data.X[:700], data.y[:700]) == labels[:700]).all()


def test_unit_weights_are_no_weights_and_others_move_the_centres():
    data = groups()
    plain = assign(make_source(data), data)
    unit = assign(make_source(data), data._replace(weight=np.ones(40)))
    assert (unit == plain).all()
    features = np.array([[0.0], [1.0], [10.0]])
    weight = np.array([3.0, 1.0, 1.0])
    centres = cluster_centres(features, 2, weight, np.random.RandomState(0))
    np.testing.assert_allclose(np.sort(centres.ravel()), [0.25, 10.0])
    other = cluster_centres(features, 2, 1e-30 * weight, np.random.RandomState(0))
    np.testing.assert_allclose(other, centres)


def test_comparable_features_are_bounded_and_keep_their_order():
    H = np.random.RandomState(0).randn(50, 3).astype(np.float32) * [1, 1e3, 0]
    H[0] = [1e4, 0, 0]
    rows = comparable(H, *feature_moments(H.astype(np.float32), None))
    assert (np.linalg.norm(rows, axis=1) <= 1).all()
    assert (rows[:, 2] == 0).all()
    line = np.linspace(-3, 3, 20, dtype=np.float32)[:, None]
    assert (np.diff(comparable(line, *feature_moments(line, None)).ravel()) > 0).all()


def test_rounding_is_no_feature():
    H = np.ones((30, 2), np.float32)
    H[:, 0] = np.arange(30)
    H[::2, 1] += 1e-6
    rows = comparable(H, *feature_moments(H, None))
    assert np.abs(rows[:, 1]).max() <= 1e-5


class Exploding(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 3)

    def forward(self, x):
        return self.linear(x) * torch.inf


def test_an_autoencoder_that_diverges_is_an_error():
    data = groups()
    source = make_source(data, build=lambda shape: Exploding())
    with pytest.raises(ValueError, match="autoencoder of auxiliary='kmeans' diverged"):
        assign(source, data)
    assert source.encoder_ is None
