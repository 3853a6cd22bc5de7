"""Rows of the CSV files with the results, and the comments above them."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parents[1] / "results"

Rows = list[dict[str, str]]


def read(path: Path) -> Rows:
    """Rows of a CSV file with comment lines; none if there is no file."""
    if not path.exists():
        return []
    with path.open() as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def comments(path: Path) -> list[str]:
    """The comment lines of a file; none if there is no file."""
    if not path.exists():
        return []
    with path.open() as file:
        return [line.removeprefix("# ").rstrip("\n") for line in file if line.startswith("#")]


def results(name: str) -> Rows:
    """Rows of a file in results/."""
    return read(RESULTS / f"{name}.csv")


def machine_of(name: str) -> str:
    """What the first line of a file in results/ says: hardware and versions."""
    return comments(RESULTS / f"{name}.csv")[0]


def write(
    path: Path, comments: Iterable[str], columns: Sequence[str], rows: Iterable[Iterable[object]]
) -> None:
    """Write a file anew."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        file.writelines(f"# {comment}\n" for comment in comments)
        csv.writer(file, lineterminator="\n").writerows([columns, *rows])


def where(rows: Rows, **values: object) -> Rows:
    """The rows that have these values."""
    return [r for r in rows if all(r[key] == str(value) for key, value in values.items())]


def numbers(rows: Rows, name: str) -> np.ndarray:
    """A column as numbers, in the order of the rows."""
    return np.array([float(row[name]) for row in rows])


def column(rows: Rows, name: str, **values: object) -> np.ndarray:
    """A column of the rows that have these values, in the order of their seeds."""
    return numbers(sorted(where(rows, **values), key=lambda row: int(row["seed"])), name)


def grouped(rows: Rows, *names: str) -> dict[tuple[str, ...], Rows]:
    """The rows by their values in some columns, in the order of the first of each."""
    groups: dict[tuple[str, ...], Rows] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return groups


def unique(rows: Rows, name: str) -> list[str]:
    """Every value of a column once, in the order of the rows."""
    return list(dict.fromkeys(row[name] for row in rows))
