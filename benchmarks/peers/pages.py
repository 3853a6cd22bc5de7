"""What the documentation can show of the peers: tables, figures and numbers by name."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.common.figures import draw
from benchmarks.common.rows import machine_of, results
from benchmarks.common.tables import Table
from benchmarks.peers import figures, tables
from benchmarks.peers.compared import BETTER
from benchmarks.peers.grid import Grid, grid
from benchmarks.peers.runs import MANY, SIZES

OF_GRID: dict[str, Callable[[Grid], Table]] = {
    "scores": tables.scores,
    "untuned": lambda of: tables.scores(of.untuned()),
    "ranks": tables.mean_ranks,
    **{column: partial(tables.table_by_table, column=column) for column in BETTER},
    "outcomes": tables.outcomes,
    "seconds": tables.seconds,
}
OF_FEW_TABLES = ("scores", *BETTER, "seconds")


def of_file(name: str, n: int) -> Table | str:
    """A table of the committed rows."""
    found = grid(results("peers"), n)
    return OF_GRID[name](found) if found else "Not measured yet."


def drawn(column: str, n: int, path: Path) -> None:
    """A diagram of the committed rows."""
    found = grid(results("peers"), n)
    if found is None:
        raise LookupError(f"No rows of peers with {n} training rows.")
    draw(partial(figures.ranks, found, column), path)


def facts() -> dict[str, str]:
    """Where the rows were made."""
    return {"machine": machine_of("peers")}


TABLES = {
    **{f"{name}_{n}": partial(of_file, name, n) for n in SIZES for name in OF_GRID},
    **{f"{name}_{MANY}": partial(of_file, name, MANY) for name in OF_FEW_TABLES},
}
FIGURES = {f"ranks_{column}_{n}": partial(drawn, column, n) for n in SIZES for column in BETTER}
FACTS = facts
