"""Searches and comparisons on Dask's workers: the bits of serial ones, whoever is killed."""

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import scripts
from distributed import get_worker
from joblib import parallel_config
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_predict
from skorch.callbacks import Callback

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import MLP, ConvNet
from sklearn_maxl.comparison import compare

TESTS = Path(__file__).parent
EXAMPLE = TESTS.parent / "examples" / "dask_search.py"
TABLE = load_iris(return_X_y=True)
IMAGES = load_digits().images[:100, None], load_digits().target[:100]
KILLS = int(os.environ.get("KILLS", "1"))  # `KILLS=20 python -m pytest tests/test_dask.py -k loses`


class OnWorker(Callback):
    """Fails where no worker of Dask runs: joblib may compute in the process that asks."""

    def on_train_begin(self, net, **kwargs):
        get_worker()


class Kills(OnWorker):
    """Kills its process in the middle of a fit, the first time that one comes by."""

    def __init__(self, path):
        self.path = path

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            try:
                self.path.touch(exist_ok=False)
            except FileExistsError:
                return
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("dask")


@pytest.fixture(scope="module")
def example():
    return scripts.load(EXAMPLE)


@pytest.fixture(scope="module")
def client(example, folder):
    """A scheduler and two workers, as the commands of the docs start them."""
    address = ["--scheduler-file", str(folder / "scheduler.json"), "--host", "127.0.0.1"]
    worker = ["worker", *address, "--nthreads", "1", "--local-directory", str(folder)]
    started = [start(["scheduler", *address, "--port", "0"]), start(worker), start(worker)]
    try:
        with example.ResendingClient(scheduler_file=address[1], timeout=300) as client:
            yield client
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)  # a worker is a process and the one above it
            process.wait()


def start(command):
    """Run a command of dask's, which finds this file and the package."""
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *command, "--dashboard-address", "127.0.0.1:0"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@pytest.fixture
def on_dask(client):
    """All workers are there; what is in a block of it runs on them."""
    client.wait_for_workers(2, timeout=300)
    return partial(parallel_config, "dask", client=client)


def quick(*callbacks, backbone=None):
    return MAXLClassifier(
        MLP((4,)) if backbone is None else backbone,
        max_epochs=3, lr=0.01, temperature=1, callbacks=list(callbacks), random_state=0,
    )  # fmt: skip


# Losses, because they tell bits apart that accuracies do not.


def searched(clf, data):
    search = GridSearchCV(
        clf, {"psi": [2, 3, 5]}, scoring="neg_log_loss", cv=2, refit=False, error_score="raise"
    )
    found = search.fit(*data).cv_results_
    return all_differ([found[f"split{fold}_test_score"] for fold in range(2)])


def compared(clf, data):
    found = compare(clf, *data, cv=2, n_seeds=2, arms=("maxl", None), scoring="neg_log_loss")
    return all_differ(found.scores_)


def all_differ(scores):
    assert len(np.unique(scores)) == np.size(scores)
    return scores


@pytest.mark.parametrize(
    ("data", "backbone"), [(TABLE, MLP((4,))), (IMAGES, ConvNet((4, 4)))], ids=["table", "images"]
)
def test_a_search_gives_the_bits_of_a_serial_one(on_dask, data, backbone):
    serial = searched(quick(backbone=backbone), data)
    with on_dask():
        np.testing.assert_array_equal(searched(quick(OnWorker(), backbone=backbone), data), serial)


def test_predictions_of_a_cross_validation_are_the_bits_of_serial_ones(on_dask):
    serial = cross_val_predict(quick(), *TABLE, cv=2, method="predict_proba")
    with on_dask():
        found = cross_val_predict(quick(OnWorker()), *TABLE, cv=2, method="predict_proba")
    np.testing.assert_array_equal(found, serial)


def test_a_comparison_gives_the_bits_of_a_serial_one(on_dask):
    serial = compared(quick(), TABLE)
    with on_dask():
        np.testing.assert_array_equal(compared(quick(OnWorker()), TABLE), serial)


@pytest.mark.parametrize("time", range(KILLS))
@pytest.mark.parametrize("scores", [searched, compared])
def test_a_killed_worker_loses_nothing(on_dask, folder, scores, time):
    kills = Kills(folder / f"{scores.__name__}-{time}")
    serial = scores(quick(), TABLE)
    with on_dask():
        np.testing.assert_array_equal(scores(quick(kills), TABLE), serial)
    assert kills.path.exists()


def test_arrays_that_a_killed_worker_held_are_there_again(client):
    async def send():  # as joblib does
        return await client.scatter(TABLE[0], asynchronous=True, hash=False)

    sent = client.sync(send)
    assert client.submit(np.sum, sent).result() == TABLE[0].sum()
    for process in client.run(os.getpid, workers=list(client.who_has(sent)[sent.key])).values():
        os.kill(process, signal.SIGKILL)
    assert client.submit(np.sum, sent, pure=False).result(timeout=300) == TABLE[0].sum()
