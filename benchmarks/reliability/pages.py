"""What the documentation shows of Ctrl-C and of many fits, from the rows alone."""

from collections.abc import Callable

from benchmarks.common.rows import Rows, grouped, machine_of, numbers, results, where
from benchmarks.common.tables import Table


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


def facts() -> dict[str, str]:
    """Numbers of moments, and where the rows were made."""
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


TABLES: dict[str, Callable[[], Table]] = {
    "interrupts": lambda: interrupts(results("reliability_interrupts")),
    "leaks": lambda: leaks(results("reliability_leaks")),
}
FACTS = facts
