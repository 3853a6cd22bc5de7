"""What many fits in one process leave behind: memory, open files, threads, networks.

    python -m benchmarks.reliability.leaks [--fits 200]

Every fit is of a new estimator, in turn a table with trials, images with views, one that is saved
and loaded, one that fails and one that is interrupted. Writes results/reliability_leaks.csv, which
docs/interrupts.rst shows. 200 take about a minute of one core.
"""

import argparse
import gc
import os
import signal
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from sklearn.base import clone

from benchmarks.common.machine import processes
from benchmarks.common.rows import RESULTS, write
from benchmarks.reliability.interrupts import FITS, X, Y, quiet, with_parameters
from sklearn_maxl import MAXLClassifier
from sklearn_maxl._networks.trunk import Network

COLUMNS = ("fits", "memory (MB)", "open files", "threads", "networks")


def table() -> None:
    """A fit with trials, and all that it can be asked."""
    clf = with_parameters(temperature="auto").fit(X, Y)
    clf.predict_proba(X)
    clf.generate_auxiliary_labels(X, Y)


def images() -> None:
    """Images with views."""
    case = FITS["images with views"]
    clone(case.estimator).set_params(max_epochs=1).fit(*case.data).predict(case.data[0])


def saved() -> None:
    """A file, and what is loaded from it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "fitted.safetensors")
        with_parameters().fit(X, Y).save(path)
        MAXLClassifier.load(path).partial_fit(X, Y)


def failed() -> None:
    """A fit that diverges."""
    with suppress(ValueError):
        with_parameters(lr=1e300).fit(X, Y)


def interrupted() -> None:
    """A fit that Ctrl-C ends."""

    def press(progress: float) -> float:
        if progress > 0.5:
            signal.raise_signal(signal.SIGINT)
        return 1.0

    with suppress(KeyboardInterrupt):
        with_parameters(schedule=press).fit(X, Y)


TURNS: tuple[Callable[[], None], ...] = (table, images, saved, failed, interrupted)


def kept_by_fits(n: int) -> None:
    """Fit so many times, in turn."""
    with quiet():
        for i in range(n):
            TURNS[i % len(TURNS)]()


def held() -> dict[str, float]:
    """What the process holds now."""
    gc.collect()
    files = Path("/proc/self/fd")
    status = Path("/proc/self/statm")
    pages = int(status.read_text().split()[1]) if status.exists() else 0
    return {
        "memory (MB)": round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1) if pages else np.inf,
        "open files": len(list(files.iterdir())) if files.exists() else 0,
        "threads": threading.active_count(),
        "networks": sum(issubclass(type(o), Network) for o in gc.get_objects()),
    }


def run(fits: int, steps: int = 8) -> None:
    """Measure after each part of the fits."""
    rows = []
    for done in range(0, fits + 1, max(1, fits // steps)):
        if done:
            kept_by_fits(fits // steps)
        rows.append((done, *held().values()))
        print(*rows[-1], flush=True)
    write(RESULTS / "reliability_leaks.csv", [processes(1)], COLUMNS, rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fits", type=int, default=200)
    run(parser.parse_args().fits)
