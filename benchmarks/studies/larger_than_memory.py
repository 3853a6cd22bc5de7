"""Memory and speed of a fit on images in a file, against the same images in memory.

``python -m benchmarks.studies.larger_than_memory`` writes random images into a temporary folder,
trains a tiny network on them for an epoch and predicts them, each run in a fresh process; the two
ways to give the images take turns. The files are removed.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.studies.study import study
from sklearn_maxl import MAXLClassifier

ROOT = Path(__file__).parents[2]
SHAPE = (3, 128, 128)  # of uint8: 49 kB an image
MEGABYTES = (256, 1024, 4096)
WAYS = ("in memory", "memory map")
KEYS = ["megabytes", "way"]
VALUES = [
    *("images", "load", "before", "peak"),
    *("seconds_fit", "cpu_fit", "seconds_predict", "cpu_predict"),
]
EVERY = 0.01  # seconds between two looks at the memory


def anonymous(process: int | str = "self") -> int:
    """Bytes in memory that belong to no file (Linux); 0 where the process has ended."""
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"RssAnon:\s*(\d+) kB", status)
    return int(found.group(1)) * 1024 if found else 0


def write(path: Path, megabytes: int) -> None:
    """The same random images again and again, part by part."""
    n = images_in(megabytes)
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (n, *SHAPE))
    some = np.random.default_rng(0).integers(0, 256, (100, *SHAPE), dtype=np.uint8)
    for start in range(0, n, 100):
        images[start : start + 100] = some[: n - start]
    images.flush()


def images_in(megabytes: int) -> int:
    return megabytes * 2**20 // int(np.prod(SHAPE))


def classes(n: int) -> np.ndarray:
    return np.arange(n) % 10


def patches(shape: tuple[int, ...]) -> nn.Module:
    """A network that has little to compute, so that the reading counts."""
    return nn.Sequential(nn.Conv2d(shape[0], 8, 16, stride=16), nn.ReLU(), nn.Flatten())


def fit_once(path: str, way: str) -> list[float]:
    """Bytes before the images are there; seconds, and those of the processor, of two calls."""
    torch.set_num_threads(1)
    settings = {"auxiliary": None, "batch_size": 64, "max_epochs": 1, "random_state": 0}
    clf = MAXLClassifier(patches, **settings)
    few = np.array(np.load(path, mmap_mode="r")[:100])
    clf.fit(few, classes(len(few))).predict(few)  # what a process does only once
    before = anonymous()
    X = np.load(path, mmap_mode="r" if way == "memory map" else None)
    return [before, *timed(lambda: clf.fit(X, classes(len(X)))), *timed(lambda: clf.predict(X))]


def timed(call: Callable[[], object]) -> tuple[float, float]:
    start, of_processor = time.perf_counter(), time.process_time()
    call()
    took = time.perf_counter() - start, time.process_time() - of_processor
    return round(took[0], 2), round(took[1], 2)


def run(megabytes: int, way: str) -> tuple:
    """A run in a process of its own; its memory is looked at from outside."""
    load = round(os.getloadavg()[0] / (os.cpu_count() or 1), 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npy"
        write(path, megabytes)
        command = [sys.executable, "-m", "benchmarks.studies.larger_than_memory", str(path), way]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        peak = 0
        while child.poll() is None:
            peak = max(peak, anonymous(child.pid))
            time.sleep(EVERY)
        if child.returncode:
            raise RuntimeError(f"{way}, {megabytes} MB: the run ended with {child.returncode}")
        before, *times = json.loads(child.communicate()[0])
    return images_in(megabytes), load, before, peak - before, *times


def main() -> None:
    study("larger_than_memory", KEYS, VALUES, product(MEGABYTES, WAYS), run, n_jobs=1)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(fit_once(*sys.argv[1:])))
    else:
        main()
