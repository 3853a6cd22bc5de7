"""Processes of a process group for tests: how they start, and what they do."""

import logging
import multiprocessing
import os
import pickle
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.datasets import load_digits, load_iris
from skorch.callbacks import Callback, PrintLog
from torch import nn

import sklearn_maxl
from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl.backbones import MLP, Members
from sklearn_maxl.callbacks import Checkpoint
from sklearn_maxl.labels import Learned
from sklearn_maxl.optimizers import SGD

PACKAGE = sklearn_maxl.__file__
SECONDS = 300  # no test is to see the end of these, on a busy machine either


def together(
    n: int, work: Callable[..., Any], folder: Path, *given: Any, seconds: float = SECONDS
) -> list[Any]:
    """What ``work(rank, *given)`` gives in each of `n` processes of a group, errors included.

    None stands for a process that has ended without a word.
    """
    folder.mkdir(exist_ok=True)
    # A server that has imported all forks each process in no time, and has no threads.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "sklearn.datasets", "sklearn_maxl"])
    processes = [
        context.Process(target=one, args=(rank, n, folder, seconds, work, given, PACKAGE))
        for rank in range(n)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(2 * SECONDS)
        assert process.exitcode is not None, "a process hangs"
    files = [folder / f"{rank}.pickle" for rank in range(n)]
    return [pickle.loads(f.read_bytes()) if f.exists() else None for f in files]


def one(
    rank: int,
    n: int,
    folder: Path,
    seconds: float,
    work: Callable[..., Any],
    given: Any,
    package: str,
) -> None:
    """One of the processes."""
    assert package == PACKAGE, f"PYTHONPATH leads to {PACKAGE}, and pytest to {package}"
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder}/store",
        rank=rank,
        world_size=n,
        timeout=timedelta(seconds=seconds),
    )
    try:
        found = work(rank, *given)
    except Exception as error:
        found = error
    # Put in place at once: another process may wait for it.
    new = folder / f"{rank}.new"
    new.write_bytes(pickle.dumps(found))
    new.rename(folder / f"{rank}.pickle")
    torch.distributed.destroy_process_group()


# Fits that have to come out the same in one process and in several


def flat_network(shape: tuple[int, ...]) -> nn.Module:
    """A network of images without batch normalisation."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Tanh())


def normalised_first(shape: tuple[int, ...]) -> nn.Module:
    """Its running statistics are those of the inputs, whatever it learns."""
    return nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 6), nn.Tanh())


def dropping(shape: tuple[int, ...]) -> nn.Module:
    """A network that draws random numbers in each step."""
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Dropout(0.5))


def table(n: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Rows of all three classes."""
    X, y = load_iris(return_X_y=True)
    rows = np.random.RandomState(0).permutation(len(y))[:n]
    return X[rows], y[rows]


def small(auxiliary: Any = None, cls: Any = MAXLClassifier, **parameters: Any) -> Any:
    """An estimator of 20 steps on 100 rows: four batches of 25, five epochs."""
    own = {
        "backbone": MLP((8,)), "psi": 2, "optimizer": SGD(momentum=0.9), "lr": 0.05,
        "max_epochs": 5, "batch_size": 30, "random_state": 0,
    }  # fmt: skip
    if cls is MAXLClassifier:
        own["temperature"] = 1.0
    return cls(auxiliary=auxiliary, **{**own, **parameters})


def single_task() -> Any:
    return small().fit(*table())


def uniform() -> Any:
    return small("uniform").fit(*table())


def learned() -> Any:
    return small(Learned(every=1)).fit(*table())


def weighted() -> Any:
    w = np.random.RandomState(1).uniform(0.1, 5, size=100)
    labels = Learned(every=2, information_weight=0.3, weight_range=1.0)
    return small(labels).fit(*table(), sample_weight=w)


def by_double_backward() -> Any:
    labels = Learned(every=1, meta_gradient="double_backward")
    return small(labels).fit(*table())


def as_in_the_paper() -> Any:
    labels = Learned(every=1, alternation="epoch", meta_batch="holdout")
    return small(labels, validation_fraction=0.2).fit(*table())


def views() -> Any:
    X, y = load_digits(return_X_y=True)
    X = X[:100].reshape(-1, 1, 8, 8).astype(np.uint8)
    return small(Learned(every=1), backbone=flat_network, lr=0.02).fit(X, y[:100])


def members() -> Any:
    return small(Learned(every=1), backbone=Members((8,), n_members=3, dropout=0.0)).fit(*table())


def rank_without_rows() -> Any:
    X, y = table(7)  # batches of 3, 2 and 2 rows
    return small(Learned(every=1), batch_size=2, max_epochs=7).fit(X, y)


def numbers() -> Any:
    X, _ = table()
    model = small(Learned(every=1), MAXLRegressor, early_stopping=True, lr=0.01, psi=1)
    return model.fit(X[:, :3], X[:, 3])


def with_trials() -> Any:
    return small("auto", temperature="auto", max_epochs=3).fit(*table())


def in_parts() -> Any:
    X, y = table()
    clf = small(Learned(every=1))
    for _ in range(3):
        clf.partial_fit(X, y, classes=[0, 1, 2])
    return clf


def further() -> Any:
    clf = small(Learned(every=1), warm_start=True, max_epochs=2)
    return clf.fit(*table()).fit(*table())


FITS = (
    single_task, uniform, learned, weighted, by_double_backward, as_in_the_paper, views, members,
    rank_without_rows, numbers, with_trials, in_parts, further,
)  # fmt: skip


def left_behind(estimator: Any) -> dict[str, Any]:
    """What a fit leaves behind, as plain arrays."""
    net = estimator.net_
    tensors = {f"{n}.{k}": t.numpy() for n, own in net.state().items() for k, t in own.items()}
    for i, optimizer in enumerate(net.optimizers()):
        for j, own in optimizer.state_dict()["state"].items():
            tensors |= {f"{i}.{j}.{k}": np.asarray(v) for k, v in own.items() if v is not None}
    return {
        "tensors": tensors,
        "history": [dict(row) for row in estimator.history_],
        "trials": estimator.history_.trials,
        "random_state": net.random_state.get_state()[1:3],
    }


def all_fits(rank: int = 0) -> dict[str, Any]:
    return {fit.__name__: left_behind(fit()) for fit in FITS}


def other_fits(rank: int) -> dict[str, Any]:
    """Fits that several processes make otherwise than one."""
    return {
        "normalised": left_behind(small("uniform", backbone=normalised_first).fit(*table())),
        "no seed": left_behind(
            small("uniform", random_state=None, backbone=dropping).fit(*table())
        ),
    }


# What one rank does otherwise than the others


class On(Callback):
    """Does something on one rank as an epoch ends."""

    def __init__(self, rank: int, after: int, act: Callable[[], None]):
        self.rank, self.after, self.act = rank, after, act

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if torch.distributed.get_rank() == self.rank and len(net.epochs_) == self.after:
            self.act()


def stop() -> None:
    raise KeyboardInterrupt


def die() -> None:
    os._exit(3)


def differs(rank: int, odd: int) -> Any:
    X, y = table()
    return small(lr=0.1 if rank == odd else 0.05).fit(X + (rank == odd), y)


def bad_data(rank: int) -> Any:
    X, y = table()
    X[rank, 0] = np.nan if rank else 0
    return small().fit(X, y)


def one_row_each(rank: int) -> Any:
    return small(backbone=normalised_first, batch_size=2).fit(*table())


def synchronised(rank: int) -> Any:
    return small(backbone=nn.Sequential(nn.Linear(4, 4), nn.SyncBatchNorm(4))).fit(*table())


def stops(rank: int) -> int:
    clf = small(callbacks=[On(1, 2, stop)]).fit(*table())
    return clf.n_iter_


def dies(rank: int) -> Any:
    clf = small(callbacks=[On(1, 2, die)])
    try:
        return clf.fit(*table())
    except RuntimeError as error:
        return str(error), hasattr(clf, "net_")


def stays_away(rank: int, folder: Path) -> Any:
    if rank:
        while not (folder / "0.pickle").exists():
            time.sleep(0.1)
        return None
    return small().fit(*table())


class Begins(Callback):
    """Notes which epochs begin, and dies in one. What it is told is no part of the fit."""

    begun: ClassVar[list[int]] = []
    dies_in: ClassVar[int | None] = None

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self.begun.append(len(net.epochs_))
        if len(net.epochs_) == self.dies_in:
            die()


def checkpointed(rank: int, folder: Path, dies_in: int | None) -> Any:
    Begins.dies_in = dies_in if rank else None
    labels = Learned(every=2)
    clf = small(labels, backbone=dropping, callbacks=[Checkpoint(folder), Begins()]).fit(*table())
    return left_behind(clf) | {"begun": Begins.begun}


def speaks(rank: int) -> tuple[list[str], list[str], list[str]]:
    """Lines of the log, what was printed, and the names of the callbacks of a rank."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("sklearn_maxl").addHandler(handler)
    printed: list[str] = []
    log = PrintLog(sink=printed.append)
    clf = small(verbose=1, max_epochs=2, callbacks=[log]).fit(*table())
    return lines, printed, [name for name, _ in clf.net_.callbacks_]


def by_itself(rank: int) -> list[Any]:
    """Fits that are none of the group's: each rank makes as many as its number says."""
    found: list[Any] = []

    def fit() -> None:
        found.append(left_behind(small("uniform").fit(*table())))

    for _ in range(rank):
        thread = threading.Thread(target=fit)
        thread.start()
        thread.join()
    context = multiprocessing.get_context("fork")
    if rank:
        receiver, sender = context.Pipe()
        child = context.Process(target=send_fit, args=(sender,), daemon=False)
        child.start()
        found.append(receiver.recv())
        child.join()
    return found


def send_fit(sender: Any) -> None:
    sender.send(left_behind(small("uniform").fit(*table())))
