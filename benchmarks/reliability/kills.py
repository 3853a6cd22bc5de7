"""Fits whose processes are killed with SIGKILL at random moments, again and again.

    python -m benchmarks.reliability.kills

Writes results/kills.csv, a row for each kill; docs/reproducibility.rst shows them. Takes a few
minutes on one core, and needs a system with SIGKILL and fork.

A child is forked for every try, and what the last child of a fit ends with is compared to what an
undisturbed one ends with.
"""

import argparse
import hashlib
import os
import signal
import tempfile
import time
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import joblib
import numpy as np
from sklearn.base import is_regressor
from torch import Tensor

from benchmarks.common.machine import processes
from benchmarks.common.rows import RESULTS, write
from benchmarks.package import container
from benchmarks.reliability.cases import CASES
from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl.callbacks import Checkpoint

KEYS = ("case", "fit", "kill")
VALUES = ("milliseconds", "found", "files_left_by_a_save", "broken_files", "same_bits")
Row = tuple[object, ...]


def digest(estimator: MAXLClassifier | MAXLRegressor) -> str:
    """A checksum of all that a fit leaves behind, but for the time that it took."""
    net = estimator.net_
    left: list[object] = [t for own in net.state().values() for t in own.values()]
    for optimizer in net.optimizers():
        for own in optimizer.state_dict()["state"].values():
            left += [own[name] for name in sorted(own)]
    for row in estimator.history_:
        left += [value for name, value in row.items() if name != "time"]
    left += [*estimator.history_.trials, *net.random_state.get_state()]
    return hashlib.sha256("".join(map(checksum, left)).encode()).hexdigest()


def checksum(value: object) -> str:
    """That of one value, whatever its layout in memory."""
    if isinstance(value, Tensor):
        value = value.numpy().copy(order="C")
    return str(joblib.hash(value))


def start(case: str, folder: Path, out: Path) -> int:
    """Begin a fit in a child; its number. The child writes a checksum when the fit has ended."""
    child = os.fork()
    if child:
        return child
    try:
        warnings.simplefilter("ignore")
        estimator, data = CASES[case]()
        estimator.set_params(callbacks=[Checkpoint(folder)]).fit(*data)
        out.write_text(digest(estimator))
    finally:
        os._exit(0)


def undisturbed(case: str, folder: Path) -> tuple[str, float]:
    """The checksum of a fit that nobody kills, and how long it takes."""
    import_all(case)
    out, begun = folder / "undisturbed", time.perf_counter()
    os.waitpid(start(case, folder / "runs", out), 0)
    return out.read_text(), time.perf_counter() - begun


@cache
def import_all(case: str) -> None:
    """Have what a fit imports late imported before children are forked: they are to train."""
    with tempfile.TemporaryDirectory() as folder:
        estimator, (X, y) = CASES[case]()
        estimator.set_params(callbacks=[Checkpoint(folder)], max_epochs=1)
        estimator.fit(X[:60:2], y[:60:2] if is_regressor(estimator) else np.arange(30) % 2)


def killed_until_it_ends(
    case: str, folder: Path, seconds: float, rng: np.random.RandomState, most: int
) -> tuple[list[Row], str]:
    """A row for each kill of one fit, `most` of them at most, and the checksum at its end."""
    rows: list[Row] = []
    runs, out = folder / "runs", folder / "ended"
    while not out.exists():
        child = start(case, runs, out)
        wait = rng.uniform(0, 0.9 * seconds)  # trials of numbers take most of a fit
        if len(rows) < most and not ended_within(child, wait):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            rows.append((round(1000 * wait), *state_of(runs)))
        elif len(rows) >= most:
            os.waitpid(child, 0)
    return rows, out.read_text()


def ended_within(child: int, seconds: float) -> bool:
    """Whether a child ends by itself within a time."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        if os.waitpid(child, os.WNOHANG)[0]:
            return True
        time.sleep(0.005)
    return False


def state_of(runs: Path) -> tuple[str, int, int]:
    """How far the checkpoint is, what else was left, and how many files are broken."""
    found, broken = "nothing", 0
    for path in sorted(runs.glob("*/*.safetensors"), reverse=True):  # the newest one last
        try:
            header, tensors = container.read(path)
        except ValueError:
            broken += 1
            continue
        training = header["training"]
        trials = sum(name.startswith("trial.") for name in tensors)
        epochs = None if training is None else training["n_epochs"]
        found = f"{trials} trials" if epochs is None else f"epoch {epochs}"
    return found, len(list(runs.glob("*/.*.tmp"))), broken


def run(case: str, fit: int, kills: int) -> Iterator[Row]:
    """The rows of one fit."""
    rng = np.random.RandomState([list(CASES).index(case), fit])
    with tempfile.TemporaryDirectory() as plain, tempfile.TemporaryDirectory() as disturbed:
        expected, seconds = undisturbed(case, Path(plain))
        rows, found = killed_until_it_ends(case, Path(disturbed), seconds, rng, kills)
    for number, row in enumerate(rows):
        yield case, fit, number, *row, found == expected


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="*", default=list(CASES), help="some of the fits")
    parser.add_argument("--fits", type=int, default=10, help="how many of each")
    parser.add_argument("--kills", type=int, default=8, help="how many of each fit, at most")
    parser.add_argument("--out", type=Path, default=RESULTS / "kills.csv")
    asked = parser.parse_args()
    rows = []
    for case in asked.cases:
        for fit in range(asked.fits):
            rows += run(case, fit, asked.kills)
            print(*rows[-1:], sep="\n", flush=True)
            write(asked.out, [processes(1)], (*KEYS, *VALUES), rows)
