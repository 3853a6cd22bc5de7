"""One fit by one and by two processes: seconds and bytes of a step.

    python -m benchmarks.studies.scaling [--smoke]

VGG-like networks on images that are made up, every process with one thread, gloo between them on
one machine. One process and two take turns, round by round; the seconds are those of epochs after
the first. Bytes are counted as they are handed to ``all_reduce``, beside the least: the gradient
and ``v`` of the multi-task network, and the gradient of the generator.

Writes results/scaling.csv and prints the table. It tells something only on a machine that does
nothing else and has a core for each process; the load is in the rows.
"""

import argparse
import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common.resume import resume
from benchmarks.common.rows import RESULTS
from benchmarks.studies import pages
from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import VGG16
from sklearn_maxl.labels import Learned

KEYS = ["width", "batch_size", "round", "processes"]
VALUES = ["seconds", "bytes", "least", "load"]
SIZES, ROUNDS = ((0.25, 64), (0.25, 256), (1.0, 64)), range(3)  # width, rows of a batch
STEPS = 2  # of an epoch
SMOKE = [(0.02, 8, 0, k) for k in (1, 2)]
RUNS = [(width, size, number, k) for width, size in SIZES for number in ROUNDS for k in (1, 2)]


def fit(rank: int, n: int, width: float, size: int, folder: str) -> None:
    """The fit of one process; rank 0 leaves what was found in a file."""
    torch.set_num_threads(1)
    sent: list[int] = []
    if n > 1:
        store = f"file://{folder}/store"
        torch.distributed.init_process_group("gloo", store, rank=rank, world_size=n)
        count_bytes(sent)
    rng = np.random.RandomState(0)
    X = rng.randint(256, size=(STEPS * size, 3, 32, 32)).astype(np.uint8)
    clf = MAXLClassifier(
        VGG16(width=width),
        auxiliary=Learned(every=1),
        views=None,
        device="cpu",
        batch_size=size,
        max_epochs=3,
        random_state=0,
    ).fit(X, np.arange(len(X)) % 10)
    f, g = (sum(p.numel() for p in net.parameters()) for net in clf.net_.networks())
    # The sums of an epoch, and that of the check of forward mode, are small beside those of steps.
    found = {
        "seconds": float(np.mean(clf.history_["time"][1:])) / STEPS,
        "bytes": sum(sent) // clf.net_.n_steps_,
        "least": 4 * (2 * f + g) * (n > 1),
    }
    if rank == 0:
        (Path(folder) / "found").write_bytes(pickle.dumps(found))
    if n > 1:
        torch.distributed.destroy_process_group()


def count_bytes(sent: list[int]) -> None:
    """Note how many bytes each sum has."""
    all_reduce = torch.distributed.all_reduce

    def counted(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        sent.append(tensor.nbytes)
        return all_reduce(tensor, *args, **kwargs)

    torch.distributed.all_reduce = counted


def run(width: float, size: int, number: int, n: int) -> tuple:
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(fit, (n, width, size, folder), nprocs=n)
        found = pickle.loads((Path(folder) / "found").read_bytes())
    return f"{found['seconds']:.3f}", found["bytes"], found["least"], f"{load:.1f}"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="tiny, into a file that is discarded")
    smoke = parser.parse_args(arguments).smoke
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scaling.csv" if smoke else RESULTS / "scaling.csv"
        print(pages.scaling(resume(path, KEYS, VALUES, SMOKE if smoke else RUNS, run, 1)).text())


if __name__ == "__main__":
    main()
