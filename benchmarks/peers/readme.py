"""What the README says of the peers: a sentence, and a table of both sizes."""

from textwrap import fill

from benchmarks.common.means import mean_and_error
from benchmarks.common.rows import results
from benchmarks.common.tables import Table
from benchmarks.peers.compared import BETTER, over_tables, ranks, times
from benchmarks.peers.grid import Grid, grid
from benchmarks.peers.runs import SIZES
from benchmarks.peers.subjects import OURS, PEERS

# One of ours: three that hardly differ would take each other's ranks.
SHOWN = [peer for peer in PEERS if not peer.startswith(f"{OURS}-")]
TEXT = (
    "More accurate than the default on small tables, on the mean: {ahead_accuracy}. With a lower "
    "log-loss: {ahead_log_loss}. With the defaults of all, in one thread: mean accuracy and "
    "log-loss, mean ranks among all that are listed, and the time of a fit in units of "
    "`MLPClassifier`'s. "
    "{tables_200} tables with 200 training rows and {tables_1000} with 1,000, {seeds} seeds with "
    "test rows of their own, made by `python -m benchmarks.peers run`. What auxiliary labels add "
    "there, learned ones, evenly spread ones (both minus `auxiliary=None`, points): {learned_200} "
    "and {even_200} with 200 rows, {learned_1000} and {even_1000} with 1,000."
)


def added(n: int, peer: str) -> str:
    """What the auxiliary labels of a setting add to none."""
    found = grid(results("peers"), n)
    assert found is not None
    own, plain = (over_tables(found, name, "accuracy") for name in (peer, f"{OURS}-none"))
    return mean_and_error(own - plain, sign="+")


def ahead(of: dict[int, Grid], column: str) -> str:
    """Who is better than ours on the mean over the tables, for each number of rows."""

    def better(found: Grid) -> list[str]:
        score = {p: BETTER[column] * over_tables(found, p, column).mean() for p in found.peers}
        return [peer for peer in found.peers if score[peer] > score[OURS]]

    names = {n: " and ".join(better(found)) or "none" for n, found in of.items()}
    return ", ".join(f"{name} with {n:,} rows" for n, name in names.items())


def overview(of: dict[int, Grid]) -> Table:
    """Accuracy, log-loss, their ranks and times, for each number of rows."""

    def cells(found: Grid, peer: str) -> tuple[str, ...]:
        accuracy, loss = (over_tables(found, peer, c).mean() for c in ("accuracy", "log_loss"))
        first, second = (ranks(found, c).mean[peer] for c in ("accuracy", "log_loss"))
        return (
            f"{100 * accuracy:.1f} ({first:.1f})",
            f"{loss:.3f} ({second:.1f})",
            f"{times(found, peer):.2g}",
        )

    last = of[max(of)]
    order = sorted(last.peers, key=lambda p: ranks(last, "accuracy").mean[p])
    body = [
        (f"`{peer}`", *(cell for found in of.values() for cell in cells(found, peer)))
        for peer in order
    ]
    heads = (
        head for n in of for head in (f"{n:,} rows: accuracy, % (rank)", "log-loss (rank)", "time")
    )
    return Table(("", *heads), body)


def block() -> str:
    """The text between the marks."""
    rows = results("peers")
    found = {n: grid(rows, n, peers=SHOWN) for n in SIZES}
    of = {n: one for n, one in found.items() if one is not None}
    facts = {
        **{f"ahead_{column}": ahead(of, column) for column in BETTER},
        "seeds": " to ".join(dict.fromkeys(str(len(one.seeds)) for one in of.values())),
        **{f"tables_{n}": str(len(one.tables)) for n, one in of.items()},
        **{f"learned_{n}": added(n, OURS) for n in of},
        **{f"even_{n}": added(n, f"{OURS}-uniform") for n in of},
    }
    said = fill(TEXT.format(**facts), 99, break_long_words=False, break_on_hyphens=False)
    return f"{said}\n\n{overview(of).markdown()}"
