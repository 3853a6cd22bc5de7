"""What the README says of the peers: the text in readme.md, and a table of both sizes."""

from pathlib import Path
from textwrap import fill

from benchmarks.common.rows import results
from benchmarks.common.tables import Table
from benchmarks.peers.compared import over_tables, times
from benchmarks.peers.facts import facts
from benchmarks.peers.grid import Grid, grid
from benchmarks.peers.runs import SIZES
from benchmarks.peers.subjects import OURS, SHOWN, title

TEXT = Path(__file__).with_name("readme.md")


def overview(of: dict[int, Grid]) -> Table:
    """Accuracy, log-loss and time for each number of rows; who is best with more is first."""

    def cells(peer: str) -> tuple[str, ...]:
        found = (
            [f"{100 * over_tables(one, peer, 'accuracy').mean():.1f}" for one in of.values()],
            [f"{over_tables(one, peer, 'log_loss').mean():.2f}" for one in of.values()],
            [f"{times(one, peer):.2g}" for one in of.values()],
        )
        name = f"`{title(peer)}`"
        row = (name, *(cell for both in found for cell in both))
        return tuple(f"**{cell}**" for cell in row) if peer == OURS else row

    last = of[max(of)]
    order = sorted(last.peers, key=lambda p: -over_tables(last, p, "accuracy").mean())
    heads = [
        f"{column}, {n:,} rows" for column in ("accuracy in %", "log-loss", "time") for n in of
    ]
    return Table(("", *heads), [cells(peer) for peer in order])


def block() -> str:
    """The text between the marks."""
    rows = results("peers")
    found = {n: grid(rows, n, peers=SHOWN) for n in SIZES}
    of = {n: one for n, one in found.items() if one is not None}
    said = fill(
        TEXT.read_text().format(**facts()), 99, break_long_words=False, break_on_hyphens=False
    )
    return f"{said}\n\n{overview(of).markdown()}"
