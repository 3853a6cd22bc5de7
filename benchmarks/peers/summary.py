"""What the rows of the peers say, as text for a terminal, and diagrams of the ranks."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.common.rows import Rows, unique, where
from benchmarks.evidence.compared import Key
from benchmarks.peers import tables
from benchmarks.peers.compared import BETTER
from benchmarks.peers.grid import Grid, grid

OVER_TABLES = {
    "Means over {} ± standard errors over seeds": tables.scores,
    "Mean ranks over {}": tables.mean_ranks,
}
PARTS = {
    "Accuracy in points, table by table; p with Holm's correction": partial(
        tables.table_by_table, column="accuracy"
    ),
    "Log-loss, table by table; p with Holm's correction": partial(
        tables.table_by_table, column="log_loss"
    ),
    "Where the difference is significant, with the corrected p": tables.outcomes,
    "Medians over all fits": tables.seconds,
}


def show(
    rows: Rows, sets: Sequence[Key] | None, peers: Sequence[str] | None, folder: Path | None
) -> None:
    """Print everything of each size; draw where a folder is given."""
    if not rows:
        print("No rows yet; `python -m benchmarks.peers run` makes them.")
    for n in sorted({int(row["n"]) for row in rows}):
        measured = unique(where(rows, n=n), "data_set")
        named = [t for t in measured if sets is None or (t, n) in sets]
        if not named:
            continue
        found = grid(rows, n, named, peers)
        if found is None:
            print(f"\n{n:,} training rows: nothing that ours and others share on two seeds.")
            continue
        print("\n" + "\n".join(text(found, named)))
        if folder is not None:
            draw_ranks(found, folder)


def text(of: Grid, named: Sequence[str]) -> list[str]:
    """Everything of a size, paragraph by paragraph; `named` are the tables that were asked for."""
    absent = [table for table in named if table not in of.tables]
    seeds, known = len(of.seeds), ", ".join(of.tables)
    parts = (
        f"{of.n:,} training rows, {seeds} seeds, tables: {known}.",
        tables.training_rows(of),
        f"Left out, as some peer lacks them: {', '.join(absent)}." if absent else "",
    )
    grids = {"all tables": of}
    if 0 < len(of.untuned().tables) < len(of.tables):
        grids["the tables that no default was chosen on"] = of.untuned()
    said = [" ".join(filter(None, parts))]
    for over, some in grids.items():
        said += [f"\n{name.format(over)}\n\n{t(some).text()}" for name, t in OVER_TABLES.items()]
    return [*said, *(f"\n{name}\n\n{table(of).text()}" for name, table in PARTS.items())]


def draw_ranks(of: Grid, folder: Path) -> None:
    """Diagrams of the ranks as SVG."""
    from benchmarks.common.figures import draw  # matplotlib is not needed to print
    from benchmarks.peers.figures import ranks

    for column in BETTER:
        draw(ranks(of, column), folder / f"peers_{column}_{of.n}.svg")
