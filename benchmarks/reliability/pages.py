"""What the documentation shows of changed files, interruptions and kills, from the rows alone."""

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


def as_they_are(rows: Rows) -> Table:
    """The rows, with the names of their columns."""
    return Table(list(rows[0]), [tuple(row.values()) for row in rows])


def kills(rows: Rows) -> Table:
    """When fits were killed, and what they ended with."""
    body = []
    for (case,), mine in grouped(rows, "case").items():
        found = [row["found"] for row in mine]
        fits = {row["fit"]: row["same_bits"] for row in mine}
        same = sum(value == "True" for value in fits.values())
        counts = (
            len(mine),
            found.count("nothing"),
            sum("trials" in f for f in found),
            sum("epoch" in f for f in found),
            sum(int(row["files_left_by_a_save"]) for row in mine),
            sum(int(row["broken_files"]) for row in mine),
        )
        body.append((case, *map(str, counts), f"{same} of {len(fits)}"))
    head = ("fit", "kills", "before the first file", "between trials", "between epochs",
            "saves cut off", "broken files", "fits that ended in the same bits")  # fmt: skip
    return Table(head, body)


def command() -> str:
    """What changed the files."""
    return f"Command: ``{comments(RESULTS / 'reliability_files.csv')[1]}``"


def of_files() -> dict[str, str]:
    """Numbers of files."""
    rows = results("reliability_files")
    other = [row for row in rows if row["outcome"] not in HELD]
    return {
        "n_files": f"{count(rows):,}",
        "n_other": str(count(other)) if other else "none",
        "slowest": f"{numbers(rows, 'slowest_seconds').max():.1f}",
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


def of_kills() -> dict[str, str]:
    """Numbers of kills and of fits."""
    rows = results("kills")
    fits = {(row["case"], row["fit"]): row["same_bits"] for row in rows}
    return {
        "kills": str(len(rows)),
        "killed_fits": str(len(fits)),
        "same": str(sum(value == "True" for value in fits.values())),
        "kills_machine": machine_of("kills"),
    }


def facts() -> dict[str, str]:
    """Numbers in sentences, and where the rows were made."""
    of_tests = {"tests_machine": machine_of("reliability_tests")}
    return {**of_files(), **of_interrupts(), **of_kills(), **of_tests}


TABLES: dict[str, Callable[[], Table | str]] = {
    "command": command,
    "files": lambda: files(results("reliability_files")),
    "interrupts": lambda: interrupts(results("reliability_interrupts")),
    "leaks": lambda: as_they_are(results("reliability_leaks")),
    "tests": lambda: as_they_are(results("reliability_tests")),
    "kills": lambda: kills(results("kills")),
}
FACTS = facts
