"""Memory-mapped samples: the bits of those in memory, and never all of them at a time."""

import signal
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from torch import nn

from benchmarks.speed.memory import peak_memory
from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._data import on_disk, samples
from sklearn_maxl._data.arrays import Arrays, largest, moments
from sklearn_maxl._data.on_disk import OnDisk, is_memory_mapped
from sklearn_maxl._data.samples import Samples
from sklearn_maxl.backbones import ConvNet
from sklearn_maxl.callbacks import Checkpoint
from sklearn_maxl.labels import Labels, Learned
from sklearn_maxl.plots import LabelMosaicDisplay

CPU, META = torch.device("cpu"), torch.device("meta")


@pytest.fixture
def mapped(tmp_path):
    """What turns an array into a memory map of a file."""

    def write(X, mode="r"):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.npy"
        np.save(path, X)
        return np.load(path, mmap_mode=mode)

    return write


@pytest.fixture
def read(monkeypatch):
    """The numbers of rows that are read at a time, where a few make a part."""
    monkeypatch.setattr(on_disk, "VALUES_OF_PART", 256)
    monkeypatch.setattr(samples, "INFERENCE_VALUES", 512)
    monkeypatch.setattr("sklearn_maxl._training.stack.AT_ONCE", 256)
    found, original = [], OnDisk.__getitem__

    def noted(self, key):
        rows = original(self, key)
        found.append(len(rows) if rows.ndim == self.ndim else 1)
        return rows

    monkeypatch.setattr(OnDisk, "__getitem__", noted)
    return found


def small(**params):
    return MAXLClassifier(**{"psi": 2, "max_epochs": 2, "lr": 0.01, "random_state": 0, **params})


def answers(model, X, y):
    """All that an estimator says of samples."""
    methods = ("predict_proba", "transform", "predict_auxiliary", "predict")
    found = [getattr(model, name)(X) for name in methods if hasattr(model, name)]
    if hasattr(model, "generate_auxiliary_labels"):
        found.append(model.generate_auxiliary_labels(X, y))
    return [*found, model.score(X, y)]


def assert_same_bits(model, X, y, X_on_disk, **given):
    in_memory = answers(clone(model).fit(X, y, **given), X, y)
    from_disk = answers(clone(model).fit(X_on_disk, y, **given), X_on_disk, y)
    for expected, found in zip(in_memory, from_disk, strict=True):
        np.testing.assert_array_equal(found, expected)


# The same bits as in memory

TABLES = {
    "float64": lambda X: X,
    "float32": lambda X: X.astype(np.float32),
    "float16": lambda X: X.astype(np.float16),
    "uint8": lambda X: (10 * X).astype(np.uint8),
    "int16": lambda X: (10 * X).astype(np.int16),
    "bool": lambda X: X > 2,
    "big-endian": lambda X: X.astype(">f8"),
    "Fortran order": np.asfortranarray,
    "large numbers": lambda X: X * 1e200,
}


@pytest.mark.parametrize("form", TABLES)
def test_tables_of_every_type_give_the_bits_of_those_in_memory(form, iris, mapped, read):
    X, y = TABLES[form](iris[0]), iris[1]
    assert_same_bits(small(), X, y, mapped(X))
    assert max(read) < len(X)


def test_views_of_a_memory_map_are_read_as_they_go(iris, images, mapped, read):
    X, y = iris
    rows = mapped(np.repeat(X, 2, axis=0))[::-2]
    assert is_memory_mapped(rows)
    assert_same_bits(small(), np.array(rows), y[::-1], rows)
    X, y = images
    last = mapped(X.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)  # channels last on disk
    assert_same_bits(small(backbone=ConvNet((4,))), X, y, last)
    assert max(read) < len(X)


SETTINGS = {
    "trials one by one": {"auxiliary": "auto"},
    "early stopping": {"early_stopping": True},
    "held out for the meta loss": {"auxiliary": Learned(meta_batch="holdout", every=1)},
    "no auxiliary task": {"auxiliary": None},
    "random labels": {"auxiliary": "random"},
    "clusters": {"auxiliary": "kmeans"},
    "psi": {"psi": "auto", "max_epochs": 4},
    "class weights": {"class_weight": "balanced"},
    "augmentation": {"augment": lambda x: x + 0.1 * torch.randn_like(x)},
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_gives_the_bits_of_data_in_memory(setting, iris, mapped, read):
    X, y = iris
    assert_same_bits(small(**SETTINGS[setting]), X, y, mapped(X))
    assert max(read) < len(X)


@pytest.mark.parametrize("setting", ["early stopping", "clusters", "no auxiliary task"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_images_give_the_bits_of_those_in_memory(setting, dtype, images, mapped, read, monkeypatch):
    monkeypatch.setattr("sklearn_maxl.labels._autoencoder.MIN_STEPS", 5)
    monkeypatch.setattr("sklearn_maxl._training.evaluation.SAMPLES_FOR_GAP", 50)
    X, y = images[0].astype(dtype), images[1]
    assert_same_bits(small(backbone=ConvNet((4,)), **SETTINGS[setting]), X, y, mapped(X))
    assert max(read) < len(X)


def test_rows_become_images_as_they_are_read(images, mapped, read):
    X, y = images
    rows = mapped(X.reshape(len(X), -1))
    assert_same_bits(small(backbone=ConvNet((4,)), input_shape=(1, 8, 8)), X, y, rows)
    assert max(read) < len(X)


def test_weights_and_finer_labels(iris, mapped, read):
    X, y = iris
    weight = np.arange(len(y)) % 3.0  # a third of the samples is left out
    assert_same_bits(small(), X, y, mapped(X), sample_weight=weight)
    finer = 2 * y + np.arange(len(y)) % 2
    assert_same_bits(small(auxiliary="human"), X, y, mapped(X), auxiliary_labels=finer)
    assert max(read) < len(X)


def test_regression(mapped, read):
    X, y = (array[:150] for array in load_diabetes(return_X_y=True))
    assert_same_bits(MAXLRegressor(max_epochs=2, random_state=0), X, y, mapped(X))
    assert max(read) < len(X)


def test_going_on_with_a_fit(iris, mapped, read):
    X, y = iris
    models = [small(warm_start=True).fit(X, y), small(warm_start=True).fit(mapped(X), y)]
    models[0].fit(X, y).partial_fit(X[:50], y[:50])
    models[1].fit(mapped(X), y).partial_fit(mapped(X)[:50], y[:50])
    expected, found = (model.predict_proba(X) for model in models)
    np.testing.assert_array_equal(found, expected)
    assert max(read) < len(X)


class AboveTheMiddle(Labels):
    """A user's own labels, by a column of the samples."""

    def fit(self, task):
        self.psi_ = np.full(len(task.classes), 2)
        self.middle_ = float(np.median(task.rows.X[:, 0]))
        return self

    def assign(self, rows, rng):
        return (rows.X[:, 0] > self.middle_).astype(int)


def test_labels_of_a_user_are_given_what_they_can_index(iris, mapped):
    assert_same_bits(small(auxiliary=AboveTheMiddle()), *iris, mapped(iris[0]))


def test_a_checkpoint_knows_the_samples_again(iris, tmp_path, mapped):
    X, y = (10 * iris[0]).astype(np.int16), iris[1]
    folder = tmp_path / "kept"
    for these in (X, mapped(X), mapped(X)[:100]):
        small(callbacks=[Checkpoint(folder)]).fit(these, y[: len(these)])
    assert len([path for path in folder.iterdir() if path.is_dir()]) == 2


def test_a_plot_of_samples_on_disk(images, mapped):
    X, y = images
    clf = small(backbone=ConvNet((4,)), max_epochs=1).fit(X, y)
    shown = LabelMosaicDisplay.from_estimator(clf, mapped(X), y).images
    expected = LabelMosaicDisplay.from_estimator(clf, X, y).images
    np.testing.assert_array_equal(shown, expected)


# No copy of all of them


def patches(shape):
    """A network whose features take little memory."""
    return nn.Sequential(nn.Conv2d(shape[0], 4, 16, stride=16), nn.Flatten())


def peak(call):
    """The most bytes that NumPy has held at a time within a call."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int16])
@pytest.mark.parametrize("shape", [(3, 64, 64), (3 * 64 * 64,)])
def test_no_array_of_all_samples_is_made(dtype, shape, mapped, monkeypatch):
    monkeypatch.setattr(on_disk, "VALUES_OF_PART", 2**15)
    monkeypatch.setattr(samples, "INFERENCE_VALUES", 2**15)
    rng = np.random.default_rng(0)
    X = mapped(rng.integers(100, size=(240, *shape)).astype(dtype))
    y = np.arange(240) % 3
    clf = small(
        backbone=patches if len(shape) > 1 else nn.Linear(shape[0], 4),
        max_epochs=1,
        batch_size=8,
        early_stopping=True,
        views=None,
    )
    assert peak(lambda: clf.fit(X, y)) < X.nbytes / 2
    assert peak(lambda: clf.predict_proba(X)) < X.nbytes / 2


def test_a_prediction_holds_no_more_tensors_of_more_samples(images, monkeypatch):
    monkeypatch.setattr(samples, "INFERENCE_VALUES", 512)
    X, y = images
    clf = small(backbone=ConvNet((4,)), max_epochs=1).fit(X, y)
    few, many = (peak_memory(lambda n=n: clf.transform(X[:n])) for n in (16, 160))
    assert 0 < many <= few


class Writes(nn.Module):
    """A user's network that writes into its input."""

    raw_inputs = True

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 5)

    def forward(self, x):
        x -= 0.5
        return self.layer(x)


@pytest.mark.parametrize("mode", ["r", "r+"])
def test_nothing_is_written_into_the_file(mode, iris, mapped):
    X = mapped(iris[0].astype(np.float32), mode)
    before = X.tobytes()

    def augment(x):
        return x.mul_(1.01)

    for params in ({}, {"augment": augment}):
        small(backbone=Writes(), **params).fit(X, iris[1]).predict(X)
    assert X.tobytes() == before


def test_what_is_memory_mapped(iris, mapped):
    X = mapped(iris[0])
    for view in (X, X[3:], X.T, np.asarray(X), X.reshape(-1, 2, 2)):
        assert is_memory_mapped(view)
    for other in (iris[0], X.copy(), X[[1, 2]], X + 1, X.tolist(), X.astype(str), None):
        assert not is_memory_mapped(other)


@pytest.mark.usefixtures("ctrl_c_is_heard")
def test_ctrl_c_ends_a_look_at_the_file(iris, mapped, read, monkeypatch):
    original = OnDisk.__getitem__

    def interrupted(self, key):
        if len(read) == 1:
            signal.raise_signal(signal.SIGINT)
        return original(self, key)

    monkeypatch.setattr(OnDisk, "__getitem__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        small().fit(mapped(iris[0]), iris[1])
    assert len(read) == 2


# Rows that are read when they are asked for


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    path = tmp_path_factory.mktemp("numbers") / "X.npy"
    np.save(path, np.random.default_rng(0).integers(-50, 50, size=(40, 2, 3)))
    return np.load(path, mmap_mode="r")


@given(st.lists(st.integers(0, 39), min_size=1), st.data())
def test_rows_are_those_of_the_array(numbers, index, data):
    rows, expected = OnDisk(numbers), np.asarray(numbers, np.float64)
    if data.draw(st.booleans(), "of some"):
        rows, expected = rows.take(np.array(index)), expected[index]
    if data.draw(st.booleans(), "in another shape"):
        rows, expected = rows.in_shape((3, 2, 1)), expected.reshape(-1, 3, 2, 1)
    assert (rows.shape, rows.ndim, rows.nbytes) == (expected.shape, expected.ndim, expected.nbytes)
    start = data.draw(st.integers(0, len(expected) - 1), "start")
    keys = (start, slice(start, None), slice(None, None, -2), np.array([start, 0, start]))
    for key in (*keys, np.arange(len(rows)) > start, (slice(None), 1), (start, 0, 1)):
        found = rows[key]
        np.testing.assert_array_equal(found, expected[key])
        assert found.dtype == np.float64
    assert np.asarray(rows, np.float32).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
def test_moments_and_sizes_are_those_of_the_array(dtype, mapped):
    X = np.random.default_rng(0).integers(0, 100, size=(600, 3, 32, 32)).astype(dtype)
    weight = np.arange(1.0, 301)
    on_file = OnDisk(mapped(X)).take(np.arange(0, 600, 2))
    np.testing.assert_array_equal(largest(on_file), X[::2].max((0, 2, 3)))
    expected, found = moments(X[::2], weight), moments(on_file, weight)
    np.testing.assert_array_equal(found, expected)


def test_samples_go_to_an_accelerator_that_has_room(iris, mapped, monkeypatch):
    arrays = Arrays(OnDisk(mapped(iris[0])), iris[1])
    there = Samples.from_arrays(arrays, META)
    assert isinstance(there.X, torch.Tensor)
    assert there.X.device == there.y.device == META
    monkeypatch.setattr(samples, "fits", lambda n_bytes, device: False)
    left = Samples.from_arrays(arrays, META)
    assert left.X is arrays.X
    assert left.y.device == CPU
    assert left.batch(torch.tensor([3, 5])).x.device == META


# Wrong uses


def last(X, value):
    changed = X.copy()
    changed[-1, -1] = value
    return changed


WRONG = {
    "NaN": (lambda X: last(X, np.nan), r"Input X contains NaN.*imputer transformer"),
    "NaN of float16": (lambda X: last(X, np.nan).astype(np.float16), "Input X contains NaN"),
    "inf": (lambda X: last(X, np.inf), "Input X contains infinity"),
    "huge": (lambda X: last(X, 1e305), r"X holds numbers beyond 1e\+300 in column 3"),
    "lost": (lambda X: last(X, 1e200), r"X holds numbers as large as 1e\+200 in column 3"),
    "complex": (lambda X: X + 1j, "Complex data not supported"),
    "one axis": (lambda X: X.ravel(), "Expected 2D array, got 1D array"),
    "text": (lambda X: np.where(X > 2, "a", "b"), "X holds text"),
    "one row": (lambda X: X[:1], "inconsistent numbers of samples"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_in_a_file_is_said_as_of_an_array(case, iris, mapped, read):
    change, message = WRONG[case]
    for X in (change(iris[0]), mapped(change(iris[0]))):
        with pytest.raises(ValueError, match=f"(?s){message}"):
            small().fit(X, iris[1])


def test_predictions_check_what_they_read(iris, mapped):
    X, y = iris
    clf = small().fit(X, y)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        clf.predict(mapped(last(X, np.nan)))
    with pytest.raises(ValueError, match="X has 3 features, but MAXLClassifier is expecting 4"):
        clf.predict(mapped(X)[:, :3])
