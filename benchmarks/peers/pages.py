"""What the documentation can show of the peers: tables, figures and numbers by name."""

from collections.abc import Callable, Sequence
from functools import partial

from benchmarks.common.figures import Panel
from benchmarks.common.rows import results
from benchmarks.common.tables import Table
from benchmarks.peers import figures, tables
from benchmarks.peers.compared import BETTER
from benchmarks.peers.facts import facts
from benchmarks.peers.grid import Grid, grid
from benchmarks.peers.runs import MANY, SIZES
from benchmarks.peers.subjects import OURS, SHOWN

OF_GRID: dict[str, Callable[[Grid], Table]] = {
    "scores": tables.scores,
    "untuned": lambda of: tables.scores(of.untuned()),
    "ranks": tables.mean_ranks,
    **{column: partial(tables.table_by_table, column=column) for column in BETTER},
    "outcomes": tables.outcomes,
    "seconds": tables.seconds,
}
OF_FEW_TABLES = ("scores", *BETTER, "seconds")
TIMED = (*SHOWN, f"{OURS}-none")


def of_file(name: str, n: int) -> Table | str:
    """A table of the committed rows."""
    found = grid(results("peers"), n)
    return OF_GRID[name](found) if found else "Not measured yet."


def known(peers: Sequence[str] | None = None) -> dict[int, Grid]:
    """The committed rows of each size that is measured."""
    rows = results("peers")
    found = {n: grid(rows, n, peers=peers) for n in SIZES}
    return {n: one for n, one in found.items() if one is not None}


def beside_others() -> list[Panel]:
    """Accuracy and log-loss of all, both sizes."""
    of = known(SHOWN)
    return [partial(figures.beside_others, of, column) for column in BETTER] if of else []


def time_and_accuracy() -> list[Panel]:
    """A panel for each size."""
    return [partial(figures.time_and_accuracy, one) for one in known(TIMED).values()]


def ranks(n: int) -> list[Panel]:
    """Diagrams of the committed rows, of accuracy and of log-loss."""
    found = grid(results("peers"), n)
    return [figures.ranks(found, column) for column in BETTER] if found else []


TABLES = {
    **{f"{name}_{n}": partial(of_file, name, n) for n in SIZES for name in OF_GRID},
    **{f"{name}_{MANY}": partial(of_file, name, MANY) for name in OF_FEW_TABLES},
}
FIGURES: dict[str, Callable[[], list[Panel]]] = {
    "beside_others": beside_others,
    "time_and_accuracy": time_and_accuracy,
    **{f"ranks_{n}": partial(ranks, n) for n in SIZES},
}
FACTS = facts
