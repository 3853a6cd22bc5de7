"""What the documentation shows of files, interruptions, kills and many fits, from the rows alone."""

from collections.abc import Callable

from benchmarks.common.rows import (
    RESULTS,
    Rows,
    comments,
    grouped,
    machine_of,
    numbers,
    results,
    unique,
    where,
)
from benchmarks.common.tables import Table
from benchmarks.reliability.outcomes import HELD

CHANGES = {
    "bytes": "bytes: cut off, bits flipped, parts missing",
    "header": "header, with a right checksum",
    "tensors": "tensors, with a right checksum",
}


def files(rows: Rows) -> Table:
    """How many files of each kind of change had each outcome."""
    outcomes = [*HELD, *(name for name in unique(rows, "outcome") if name not in HELD)]
    body = [
        (told, *(str(count(where(rows, change=change, outcome=name))) for name in outcomes))
        for change, told in CHANGES.items()
    ]
    total = ("all", *(str(count(where(rows, outcome=name))) for name in outcomes))
    return Table(("what was changed", *outcomes), [*body, total])


def count(rows: Rows) -> int:
    """Files in these rows."""
    return int(numbers(rows, "files").sum()) if rows else 0


def interrupts(rows: Rows) -> Table:
    """What became of the moments of each case."""
    kinds = ("kept", "as_before", "raised", "fell")
    body = []
    for (case,), own in grouped(rows, "case").items():
        counts = [int(numbers(own, kind).sum()) for kind in ("moments", *kinds)]
        body.append((case, *map(str, counts)))
    heads = ("interrupted", "moments", "fitted", "as before", "search ended", "fell")
    return Table(heads, body)


def leaks(rows: Rows) -> Table:
    """What the process holds after so many fits."""
    heads = list(rows[0])
    return Table(heads, [tuple(row.values()) for row in rows])


def of_files() -> dict[str, str]:
    """Numbers of files, and the command that changed them."""
    rows = results("reliability_files")
    other = [row for row in rows if row["outcome"] not in HELD]
    return {
        "n_files": f"{count(rows):,}",
        "n_other": str(count(other)) if other else "none",
        "slowest": f"{numbers(rows, 'slowest_seconds').max():.1f}",
        "command": comments(RESULTS / "reliability_files.csv")[1],
        "machine": machine_of("reliability_files"),
    }


def of_interrupts() -> dict[str, str]:
    """Numbers of moments and of fits."""
    rows = results("reliability_interrupts")
    after, fits = results("reliability_leaks"), "fits"
    return {
        "moments": f"{int(numbers(rows, 'moments').sum()):,}",
        "lines": f"{int(numbers(where(rows, way='a line of the package'), 'moments').sum()):,}",
        "fell": str(int(numbers(rows, "fell").sum())),
        "fits": after[-1][fits],
        "interrupts_machine": machine_of("reliability_interrupts"),
        "leaks_machine": machine_of("reliability_leaks"),
    }


def facts() -> dict[str, str]:
    """Numbers in sentences, and where the rows were made."""
    return {**of_files(), **of_interrupts()}


TABLES: dict[str, Callable[[], Table]] = {
    "files": lambda: files(results("reliability_files")),
    "interrupts": lambda: interrupts(results("reliability_interrupts")),
    "leaks": lambda: leaks(results("reliability_leaks")),
}
FACTS = facts
