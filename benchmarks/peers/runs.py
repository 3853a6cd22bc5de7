"""The fits of the peers, resumable and with one CSV row each."""

import time
import warnings
from collections.abc import Sequence

from threadpoolctl import threadpool_limits

from benchmarks.common.resume import resume
from benchmarks.common.rows import RESULTS
from benchmarks.evidence.compared import Key
from benchmarks.evidence.fits import version
from benchmarks.evidence.sets import BUNDLED, TABLES, split, whole
from benchmarks.peers.scores import scores
from benchmarks.peers.subjects import PEERS

SIZES = (200, 1000)
MANY = 10_000  # of which two tables have enough
SETS: list[Key] = [(name, n) for n in SIZES for name in (*TABLES, *BUNDLED)]
SETS += [("adult", MANY), ("letter", MANY)]
KEYS = ["data_set", "n", "peer", "seed"]
VALUES = [
    *("training_rows", "accuracy", "log_loss", "roc_auc", "calibration_error"),
    *("seconds", "wall_seconds", "package", "version"),
]


def enough(n_rows: int, n: int) -> bool:
    """Whether a table has rows to score on besides `n` to train on: a third of them."""
    return 3 * n_rows >= 4 * n


def large_enough(sets: Sequence[Key]) -> list[Key]:
    """The tables with enough rows; the others are named."""
    rows = {key: len(whole(key[0], "train")[1]) for key in sets}
    for (name, n), n_rows in rows.items():
        if not enough(n_rows, n):
            print(f"{name} is skipped with {n:,} training rows: it has {n_rows:,} in all.")
    return [key for key in sets if enough(rows[key], key[1])]


def installed(peers: Sequence[str]) -> list[str]:
    """The peers that are there; the others are named."""
    for peer in peers:
        if not PEERS[peer].is_installed():
            print(f"{peer} is skipped: {PEERS[peer].package} is not installed.")
    return [peer for peer in peers if PEERS[peer].is_installed()]


def run(sets: Sequence[Key], peers: Sequence[str], seeds: int, jobs: int) -> None:
    """All peers on all tables, seed by seed."""
    there, known = large_enough(sets), installed(peers)
    runs = [(*key, peer, seed) for seed in range(seeds) for key in there for peer in known]
    resume(RESULTS / "peers.csv", KEYS, VALUES, runs, peer_run, jobs)


def peer_run(name: str, n: int, peer: str, seed: int) -> tuple:
    """One fit: seconds are the processor's and the clock's, of the fit alone."""
    warnings.simplefilter("ignore")
    data = split(name, n, seed, "test")
    clf = PEERS[peer].make(seed)
    with threadpool_limits(1):
        processor, clock = time.process_time(), time.perf_counter()
        clf.fit(data.X, data.y)
        seconds = time.process_time() - processor, time.perf_counter() - clock
        found = scores(clf, data.X_test, data.y_test)
    spent = (round(s, 4) for s in seconds)
    return len(data.y), *found, *spent, PEERS[peer].version(), version()
