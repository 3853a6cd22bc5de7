"""Changed files by the thousand: what `load` makes of each.

    python -m benchmarks.reliability.files [--files 20000] [--seed 0]

Writes results/reliability_files.csv; docs/reliability.rst shows it. Prints the files that did what
none should, by number, and exits with 1 if there are any. 20,000 files take about ten minutes on
one core, the 100,000 of a night an hour. Needs Linux, for bounds of memory.

A child process works through the files under bounds of time and memory. If it dies, that is the
outcome of the file at hand, and another child goes on behind it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import torch

from benchmarks.common.machine import processes
from benchmarks.common.rows import RESULTS, write
from benchmarks.reliability.mutations import mutant
from benchmarks.reliability.outcomes import HELD, outcome
from benchmarks.reliability.subjects import subjects

COLUMNS = ("change", "outcome", "files", "slowest_seconds")
Found = dict[str, str | float]


def work(seed: int, start: int, stop: int) -> Iterator[Found]:
    """What becomes of the files of these numbers; each depends on seed and number alone."""
    torch.set_num_threads(1)
    known = subjects()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(start, stop):
            rng = Random(f"{seed} {number}")
            name = rng.choice(list(known))
            change, data = mutant(known[name].data, rng)
            about: Found = {"number": number, "subject": name, "change": change}
            yield {**about, "outcome": ""}  # what a child that dies leaves behind
            found = outcome(data, known[name], Path(folder) / "file")
            yield {**about, "outcome": found.name, "detail": found.detail, "seconds": found.seconds}


def watched(seed: int, n_files: int) -> Iterator[Found]:
    """The same, by children that may die."""
    at = 0
    while at < n_files:
        numbers = map(str, (seed, at, n_files))
        command = [sys.executable, "-m", "benchmarks.reliability.files", "--child", *numbers]
        last: Found = {}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for line in child.stdout:
                last = json.loads(line)
                if last["outcome"]:
                    yield last
        if not last:
            raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}.")
        if not last["outcome"]:
            yield {**last, "outcome": "crash", "detail": f"{child.returncode}", "seconds": 0.0}
        at = int(last["number"]) + 1


def rows_of(found: list[Found]) -> list[tuple[object, ...]]:
    """How many files of each kind of change had each outcome, and the slowest of them."""
    counts = Counter((f["change"], f["outcome"]) for f in found)
    slowest = {
        pair: max(float(f["seconds"]) for f in found if (f["change"], f["outcome"]) == pair)
        for pair in counts
    }
    return [(*pair, n, f"{slowest[pair]:.2f}") for pair, n in sorted(counts.items())]


def run(n_files: int, seed: int, path: Path) -> list[Found]:
    """Try files, write the rows, and give back what should not have happened."""
    found = []
    for one in watched(seed, n_files):
        found.append(one)
        if one["outcome"] not in HELD:
            print(*(one[key] for key in ("number", "subject", "outcome", "detail")), flush=True)
    comments = [
        processes(1),
        f"python -m benchmarks.reliability.files --files {n_files} --seed {seed}",
    ]
    write(path, comments, COLUMNS, rows_of(found))
    return [f for f in found if f["outcome"] not in HELD]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "reliability_files.csv")
    parser.add_argument("--child", type=int, nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child is None:
        sys.exit(1 if run(given.files, given.seed, given.out) else 0)
    for one in work(*given.child):
        print(json.dumps(one), flush=True)
