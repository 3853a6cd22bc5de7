"""What was to be reached, and what was measured."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.common.rows import Rows
from benchmarks.common.tables import Table
from benchmarks.speed.numbers import number


class Goal(NamedTuple):
    """What was to be reached, and what was measured."""

    text: str
    device: str
    case: str
    measured: str
    reached: bool


class Limit(NamedTuple):
    """A bound on one column of one method."""

    section: str
    case: str
    method: str
    base: str
    column: str
    bound: float
    text: str
    least: bool = False
    """Whether the bound is the least that will do, not the most."""


IMAGES = "VGG-16|ConvNet"
LIMITS = (
    Limit("arms", IMAGES, "maxl", "None", "operations_ratio", 4.05,
          "``maxl``: at most 4.05 times the operations of ``None``"),
    Limit("arms", IMAGES, "maxl", "None", "median_ratio", 4.5,
          "``maxl``: at most 4.5 times the seconds of ``None``"),
    Limit("arms", IMAGES, "maxl", "None", "memory_ratio", 2.2,
          "``maxl``: at most 2.2 times the peak memory of ``None``"),
    Limit("arms", IMAGES, "maxl, meta_every=8", "None", "operations_ratio", 2.0,
          "the default, ``Learned(every=8)``: at most 2 times the operations of ``None``"),
    Limit("arms", IMAGES, "maxl, meta_every=8", "None", "median_ratio", 2.0,
          "the default, ``Learned(every=8)``: at most 2 times the seconds of ``None``"),
    Limit("reference", IMAGES, "reference, exact", "exact", "median_ratio", 1.6,
          "the authors' exact script takes at least 1.6 times our seconds", True),
    Limit("reference", IMAGES, "reference, first-order", "exact", "median_ratio", 1.8,
          "the authors' first-order script takes at least 1.8 times our seconds", True),
    Limit("reference", IMAGES, "reference, exact", "exact", "memory_ratio", 1 / 0.7,
          "at least 30 % less peak memory than the exact script (ratio 1.43)", True),
    Limit("single", "ConvNet", "MAXLClassifier(auxiliary=None)", "bare torch loop",
          "median_ratio", 1.10, "at most 1.10 times a bare loop on images"),
    Limit("single", "MLP .*digits", "MAXLClassifier(auxiliary=None)", "bare torch loop",
          "median_ratio", 1.25, "at most 1.25 times a bare loop on a small table"),
    Limit("defaults", "", "MAXLClassifier()", "MLPClassifier()", "median_ratio", 4.0,
          "a small table, all defaults: at most 4 times ``MLPClassifier()``"),
    Limit("scaling", "samples", "None|maxl", "None", "peak_mb", 1536,
          "at most 1.5 GB (1,536 MB) beyond the data"),
    Limit("import", "", "import sklearn_maxl", "", "median_ratio", 1.1,
          "at most 1.1 times importing torch, scikit-learn and skorch"),
)  # fmt: skip


def limits(rows: Rows) -> Iterator[Goal]:
    """Every bound, case by case."""
    for limit in LIMITS:
        for row in rows:
            if not (concerns(limit, row) and row[limit.column]):
                continue
            value = float(row[limit.column])
            reached = value >= limit.bound if limit.least else value <= limit.bound
            name = row["case"] + (f", {row['method']}" if "|" in limit.method else "")
            yield Goal(limit.text, row["device"], name, number(value), reached)


def concerns(limit: Limit, row: dict[str, str]) -> bool:
    """Whether a bound is one for this row; whole or long fits of a case have none."""
    return (
        limit.section == row["section"]
        and row["method"] in limit.method.split("|")
        and limit.base in ("", row["base"])
        and bool(re.match(limit.case, row["case"]))
        and ": " not in row["case"].removeprefix("samples: ")
    )


def faster_than(rows: Rows, other: str, case: str, text: str) -> Iterator[Goal]:
    """Seconds of ours over those of another, where both are there."""
    ours = "MAXLClassifier(auxiliary=None)"
    mine = [r for r in rows if r["section"] == "single" and re.match(case, r["case"])]
    seconds = {(r["device"], r["case"], r["method"]): float(r["median_seconds"]) for r in mine}
    for device, name, method in seconds:
        if method == other:
            ratio = seconds[device, name, ours] / seconds[device, name, other]
            yield Goal(text, device, name, number(ratio), ratio <= 1)


def linear(rows: Rows) -> Iterator[Goal]:
    """Seconds of a sample among many, over those of one among 10,000."""
    found = [r for r in rows if r["case"].startswith("samples: ")]
    each = {
        (r["device"], r["method"], int(r["samples"])): float(r["median_seconds"])
        / int(r["samples"])
        for r in found
    }
    for device, method, n in each:
        if n > 10_000 and (device, method, 10_000) in each:
            ratio = each[device, method, n] / each[device, method, 10_000]
            yield Goal(
                "seconds of a sample within 10 % of those with 10,000 samples",
                device, f"samples: {n}, {method}", number(ratio), 0.9 <= ratio <= 1.1,
            )  # fmt: skip


def goals(rows: Rows) -> list[Goal]:
    """Everything that was to be reached and was measured."""
    return [
        *limits(rows),
        *faster_than(
            rows, "skorch.NeuralNetClassifier", "ConvNet|MLP .*digits", "faster than skorch"
        ),
        *faster_than(
            rows, "sklearn MLPClassifier", "MLP .*100,000", "no slower than MLPClassifier"
        ),
        *linear(rows),
    ]


def table(found: list[Goal]) -> Table:
    """The goals, one a row."""
    body = [
        (goal.text, goal.device, goal.case, goal.measured, "reached" if goal.reached else "**no**")
        for goal in found
    ]
    return Table(("goal", "on", "case", "measured", ""), body)
