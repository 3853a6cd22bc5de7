"""The benchmarks' own machinery: runs that resume, tables, readers."""

import importlib.util
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


def load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.delitem(sys.modules, "_runs", raising=False)


def square(calls, fail_at, arm, seed):
    calls.append((arm, seed))
    if seed == fail_at:
        raise RuntimeError("the power failed")
    return (seed**2,)


def test_rows_that_are_there_are_not_run_again(tmp_path):
    runs = load("_runs")
    path, calls = tmp_path / "results" / "a.csv", []
    keys = [(arm, seed) for arm in (None, "maxl") for seed in range(3)]
    resume = partial(runs.resume, path, ["arm", "seed"], ["value"], n_jobs=1)
    with pytest.raises(RuntimeError, match="power"):
        resume(keys, partial(square, calls, 2))
    assert len(calls) == 3
    rows = resume(keys, partial(square, calls, None))
    assert calls[3:] == keys[2:]  # what was done before the failure is kept
    assert len(rows) == 6
    assert resume(keys, partial(square, calls, 0)) == rows
    assert path.read_text().startswith("# ")
    assert runs.column(rows, "value", arm=None).tolist() == [0, 1, 4]
    assert runs.column(rows, "value", arm="maxl", seed=2).tolist() == [4]


def test_a_mean_has_its_standard_error():
    runs = load("_runs")
    assert runs.mean_and_error(np.array([0.1, 0.3])) == "20.00 ± 10.00"
    assert runs.mean_and_error(np.array([1.0, 3.0]), 1, "+", 1) == "+2.0 ± 1.0"


def test_folders_and_archives_of_images_are_read(tmp_path):
    images = pytest.importorskip("PIL.Image")
    table = load("paper_table1")
    rng = np.random.RandomState(0)
    X = rng.randint(256, size=(4, 3, 32, 32)).astype(np.uint8)
    y = np.array([0, 1, 0, 1])
    np.savez(tmp_path / "svhn.npz", X_train=X, y_train=y, X_test=X[:2], y_test=y[:2])
    (train, labels), (test, _) = table.load("svhn", tmp_path)
    np.testing.assert_array_equal(train, X)
    assert labels.tolist() == [0, 1, 0, 1]
    assert len(test) == 2
    for part, number in (("train", 0), ("train", 1), ("test", 2), ("test", 3)):
        own = tmp_path / "ucf101" / part / "ab"[y[number]]
        own.mkdir(parents=True, exist_ok=True)
        images.fromarray(X[number].transpose(1, 2, 0)).save(own / f"{number}.png")
    (train, labels), (test, _) = table.load("ucf101", tmp_path)
    np.testing.assert_array_equal(train, X[:2])
    np.testing.assert_array_equal(test, X[2:])
    assert labels.tolist() == ["a", "b"]


def test_a_set_that_is_nowhere_says_where_to_put_it(tmp_path):
    with pytest.raises(SystemExit, match=r"cinic10 is not in torchvision: put cinic10\.npz"):
        load("paper_table1").load("cinic10", tmp_path)


def test_arms_of_cifar_share_a_stratified_subset(monkeypatch):
    cifar = load("cifar100_hierarchy")
    rng = np.random.RandomState(0)
    X, fine = rng.randint(256, size=(400, 3, 32, 32)).astype(np.uint8), np.arange(400) % 100
    monkeypatch.setattr(cifar, "load", lambda subset: (X, fine))
    a, b = (cifar.take(0.5, seed=1) for _ in range(2))
    np.testing.assert_array_equal(a[0], b[0])
    assert np.bincount(a[1]).tolist() == [2] * 100
    assert not np.array_equal(a[0], cifar.take(0.5, seed=2)[0])
    monkeypatch.setitem(cifar.NETWORKS, "small", "mlp")
    for arm in cifar.ARMS:
        accuracy, loss, seconds = cifar.run(20, 100, 1.0, "small", "default", 1, arm, 0)
        assert 0 <= accuracy <= 1
        assert loss > 0
        assert seconds >= 0
