"""What the documentation shows of the changed files, from the rows alone."""

from benchmarks.common.rows import (
    RESULTS,
    Rows,
    comments,
    machine_of,
    numbers,
    results,
    unique,
    where,
)
from benchmarks.common.tables import Table
from benchmarks.reliability.outcomes import HELD

NAME = "reliability_files"
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


def of_file() -> Table:
    """The table of the committed rows."""
    return files(results(NAME))


def command() -> str:
    """What made the rows."""
    return f"Command: ``{comments(RESULTS / f'{NAME}.csv')[1]}``"


def facts() -> dict[str, str]:
    """Numbers in sentences, and where the rows were made."""
    rows = results(NAME)
    other = [row for row in rows if row["outcome"] not in HELD]
    return {
        "n_files": f"{count(rows):,}",
        "n_other": str(count(other)) if other else "none",
        "slowest": f"{numbers(rows, 'slowest_seconds').max():.1f}",
        "machine": machine_of(NAME),
    }


TABLES = {"files": of_file, "command": command}
FACTS = facts
