"""Runs that resume: one CSV row each, and a row that is there is not run again."""

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from joblib import Parallel, delayed

from benchmarks.common.machine import processes
from benchmarks.common.rows import Rows, read


def resume(
    path: Path,
    keys: Sequence[str],
    values: Sequence[str],
    runs: Iterable[tuple],
    run: Callable[..., tuple | list[tuple]],
    n_jobs: int = 2,
) -> Rows:
    """Do the runs that have no row yet, write their rows as each ends, and return all rows.

    `run` takes what `keys` name and returns what `values` name, or a list of such rows.
    """
    done = {tuple(row[key] for key in keys) for row in read(path)}
    missing = [key for key in runs if tuple(map(str, key)) not in done]
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            file.write(f"# {processes(n_jobs)}\n")
            writer.writerow([*keys, *values])
        results = Parallel(n_jobs=n_jobs, return_as="generator")(
            delayed(_one)(run, key) for key in missing
        )
        for key, result in zip(missing, results, strict=True):
            found = result if isinstance(result, list) else [result]
            writer.writerows([*map(str, key), *values] for values in found)
            file.flush()
    return read(path)


def _one(run: Callable[..., tuple | list[tuple]], key: tuple) -> tuple | list[tuple]:
    torch.set_num_threads(1)
    return run(*key)
