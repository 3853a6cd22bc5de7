"""Every check and tool on every estimator: what passes, what fails and with what."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from sklearn.utils.estimator_checks import check_estimator

from benchmarks.common.machine import processes
from benchmarks.common.rows import read, write
from benchmarks.compliance.subjects import SUBJECTS
from benchmarks.compliance.tools import (
    TOOLS,
    Case,
    NotForImagesError,
    images,
    images_as_rows,
    table,
)

COLUMNS = ("part", "estimator", "version", "check", "status", "exception", "message")


def checked(make: Callable[[], Any]) -> Iterator[tuple[str, str, str, str]]:
    """Name, status, exception and message of each of scikit-learn's checks."""
    for found in check_estimator(seeded(make()), on_fail=None, on_skip=None):
        yield (found["check_name"], found["status"], *described(found["exception"]))


def used(make: Callable[[], Any], grid: Any, X: Any, y: Any) -> Iterator[tuple[str, str, str, str]]:
    """The same of each tool."""
    for name, tool in TOOLS.items():
        try:
            tool(Case(seeded(make()), grid, X, y))
        except NotForImagesError:
            continue
        except Exception as error:
            yield (name, "failed", *described(error))
        else:
            yield (name, "passed", "", "")


def seeded(estimator: Any) -> Any:
    """The estimator with a seed; skorch has none and draws from torch's global state."""
    torch.manual_seed(0)
    known = estimator.get_params()
    return estimator.set_params(random_state=0) if "random_state" in known else estimator


def described(error: BaseException | None) -> tuple[str, str]:
    """Type and first line of an exception."""
    if error is None:
        return "", ""
    lines = str(error).strip().splitlines() or [""]
    return type(error).__name__, shorten(lines[0], 200, placeholder=" ...")


def rows_of(name: str) -> Iterator[tuple[str, ...]]:
    """All rows of one estimator."""
    subject = SUBJECTS[name]
    parts: dict[str, Any] = {"checks": checked(subject.make)}
    if subject.grid:
        parts["table"] = used(subject.make, subject.grid, *table())
    if subject.on_images:
        parts["images"] = used(subject.on_images, subject.grid, *images())
    if subject.on_rows:
        parts["rows"] = used(subject.on_rows, subject.grid, *images_as_rows())
    for part, found in parts.items():
        for row in found:
            print(name, part, *row, flush=True)
            yield (part, name, f"{subject.package} {version(subject.package)}", *row)


def run(names: Sequence[str], path: Path) -> None:
    """Run estimators anew; the rows of others stay."""
    torch.set_num_threads(1)
    kept = [tuple(row.values()) for row in read(path) if row["estimator"] not in names]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = [*kept, *(row for name in names for row in rows_of(name))]
    in_order = sorted(rows, key=lambda row: list(SUBJECTS).index(row[1]))
    write(path, [processes(1)], COLUMNS, in_order)
