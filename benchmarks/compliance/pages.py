"""What the documentation shows of the checks and tools, from the rows alone."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from textwrap import shorten

from benchmarks.common.rows import Rows, machine_of, results, unique, where
from benchmarks.common.tables import Table

PARTS = {"table": "table", "images": "images", "rows": "images as rows"}
STATUSES = ("passed", "failed", "skipped")


def totals(rows: Rows) -> Table:
    """How many checks each estimator passes."""
    checks = where(rows, part="checks")
    counts = Counter((row["estimator"], row["status"]) for row in checks)
    versions = {row["estimator"]: row["version"] for row in checks}
    body = [
        (f"``{name}``", of, *(str(counts[name, status]) for status in STATUSES))
        for name, of in versions.items()
    ]
    return Table(("estimator", "of", *STATUSES), body)


def failed_checks(rows: Rows) -> Table:
    """The checks that any estimator fails, and with what exception."""
    failed = where(rows, part="checks", status="failed")
    names = unique(rows, "estimator")
    found = {(row["check"], row["estimator"]): row["exception"] for row in failed}
    ran = {(row["check"], row["estimator"]) for row in where(rows, part="checks")}
    body = [
        (f"``{check}``", *(cell(found.get((check, n)), (check, n) in ran) for n in names))
        for check in sorted({row["check"] for row in failed})
    ]
    return Table(("check", *(f"``{name}``" for name in names)), body)


def tools(rows: Rows) -> Table:
    """The tools, and with what exception they fail."""
    rows = [row for row in rows if row["part"] in PARTS]
    columns = list(dict.fromkeys((row["estimator"], row["part"]) for row in rows))
    found = {(row["check"], row["estimator"], row["part"]): row["exception"] for row in rows}
    body = [
        (tool, *(cell(found.get((tool, *c)), (tool, *c) in found) for c in columns))
        for tool in unique(rows, "check")
    ]
    heads = (f"``{name}``, {PARTS[part]}" for name, part in columns)
    return Table(("tool", *heads), body)


def reasons(rows: Rows) -> str:
    """What the tools that failed said: a line for each message."""
    told: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row["part"] in PARTS and row["status"] == "failed":
            said = shorten(f"{row['exception']}: {row['message']}", 110, placeholder=" ...")
            told.setdefault((row["check"], said.replace("`", "'")), []).append(row["estimator"])
    lines = {key: ", ".join(dict.fromkeys(names)) for key, names in told.items()}
    return "\n".join(f"- {tool} ({names}): ``{said}``" for (tool, said), names in lines.items())


def cell(exception: str | None, ran: bool) -> str:
    """What happened, in a word."""
    if not ran:
        return "–"
    return f"``{exception}``" if exception else "passes"


OF_ROWS: dict[str, Callable[[Rows], Table | str]] = {
    "totals": totals,
    "failed_checks": failed_checks,
    "tools": tools,
    "reasons": reasons,
}


def of_file(name: str) -> Table | str:
    """A table of the committed rows."""
    return OF_ROWS[name](results("compliance"))


def facts() -> dict[str, str]:
    """Where the rows were made."""
    return {"machine": machine_of("compliance")}


TABLES = {name: partial(of_file, name) for name in OF_ROWS}
FACTS = facts
