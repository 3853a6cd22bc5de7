"""Runs that resume: one CSV row each, and a row that is there is not run again."""

import csv
import platform
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import sklearn
import torch
from joblib import Parallel, delayed

RESULTS = Path(__file__).parent / "results"

# Defaults of the time before `evidence.py` chose others; what was measured then keeps them.
EARLIER_RATES = {"lr": 0.001, "schedule": "constant", "optimizer": "adam"}
EARLIER = {**EARLIER_RATES, "views": None}
EARLIER_ON_TABLES = {**EARLIER, "backbone": "mlp"}

Rows = list[dict[str, str]]


def read(path: Path) -> Rows:
    """Rows of a CSV file with comment lines; none if there is no file."""
    if not path.exists():
        return []
    with path.open() as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def machine(n_jobs: int) -> str:
    """Hardware and versions, for the first line of a file."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine()
    return (
        f"{device}, Python {platform.python_version()}, torch {torch.__version__}, scikit-learn "
        f"{sklearn.__version__}; {n_jobs} process{'es' if n_jobs > 1 else ''} of one torch thread"
    )


def resume(
    path: Path,
    keys: Sequence[str],
    values: Sequence[str],
    runs: Iterable[tuple],
    run: Callable[..., tuple],
    n_jobs: int = 2,
) -> Rows:
    """Do the runs that have no row yet, write a row as each ends, and return all rows.

    `run` takes what `keys` name and returns what `values` name.
    """
    done = {tuple(row[key] for key in keys) for row in read(path)}
    missing = [key for key in runs if tuple(map(str, key)) not in done]
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            file.write(f"# {machine(n_jobs)}\n")
            writer.writerow([*keys, *values])
        results = Parallel(n_jobs=n_jobs, return_as="generator")(
            delayed(_one)(run, key) for key in missing
        )
        for key, result in zip(missing, results, strict=True):
            writer.writerow([*map(str, key), *result])
            file.flush()
    return read(path)


def _one(run: Callable[..., tuple], key: tuple) -> tuple:
    torch.set_num_threads(1)
    return run(*key)


def column(rows: Rows, name: str, **where: object) -> np.ndarray:
    """A column of the rows that agree with `where`, in the order of their seeds."""
    mine = [r for r in rows if all(r[key] == str(value) for key, value in where.items())]
    return np.array([float(r[name]) for r in sorted(mine, key=lambda r: int(r["seed"]))])


def mean_and_error(values: np.ndarray, factor: float = 100, sign: str = "", digits: int = 2) -> str:
    """Mean and standard error; in points by default."""
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{factor * values.mean():{sign}.{digits}f} ± {factor * error:.{digits}f}"
