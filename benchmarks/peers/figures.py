"""The figures of the peers."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmarks.common.figures import BLUE, OURS, WIDTH, Marks, Panel, lines, rank_diagram
from benchmarks.peers import compared, subjects
from benchmarks.peers.grid import Grid
from benchmarks.peers.subjects import title
from benchmarks.peers.tables import NAMES, UNITS

MINE = [title(peer) for peer in subjects.PEERS if peer.startswith(subjects.OURS)]
SCALES = {"accuracy": "mean accuracy, %", "log_loss": "mean log-loss, less is better"}


def ranks(grid: Grid, column: str) -> Panel:
    """A critical-difference diagram."""
    found = compared.ranks(grid, column)
    name = f"{NAMES[column]}, {grid.n:,} rows"
    of = {title(peer): rank for peer, rank in found.mean.items()}
    return partial(rank_diagram, name, of, found.critical_difference, MINE)


def means(grid: Grid, column: str) -> dict[str, float]:
    """The mean over tables and seeds of each peer, in the unit of the column."""
    factor, _ = UNITS[column]
    return {
        title(p): factor * float(compared.over_tables(grid, p, column).mean()) for p in grid.peers
    }


def beside_others(of: Mapping[int, Grid], column: str) -> Figure:
    """The mean of each peer with few and with more rows; who is best with more stands first."""
    found = {n: means(grid, column) for n, grid in of.items()}
    most = found[max(found)]
    shared = [name for name in most if all(name in others for others in found.values())]
    names = sorted(shared, key=lambda name: -compared.BETTER[column] * most[name])
    digits = 1 if column == "accuracy" else 2
    said = {name: " → ".join(f"{f[name]:.{digits}f}" for f in found.values()) for name in names}
    marks = [
        Marks({name: f[name] for name in names}, f"{n:,} training rows", filled=n == max(found))
        for n, f in found.items()
    ]
    heading = "Accuracy" if column == "accuracy" else "Log-loss"
    return lines(heading, names, marks, SCALES[column], MINE, said)


def time_and_accuracy(grid: Grid) -> Figure:
    """Each peer by the time of its fit and its mean accuracy: numbered, the best is 1."""
    figure = Figure(figsize=(WIDTH, 3.4 + 0.24 * len(grid.peers)))
    axes = figure.subplots()
    accuracy = means(grid, "accuracy")
    seconds = {title(p): float(np.median(grid.of(p, "seconds"))) for p in grid.peers}
    for place, name in enumerate(sorted(accuracy, key=lambda name: -accuracy[name]), 1):
        colour = OURS if name in MINE else BLUE
        at = seconds[name], accuracy[name]
        axes.plot(*at, "o", color=colour, mfc="none", ms=17)
        axes.annotate(f"{place}", at, ha="center", va="center_baseline", color=colour)
        axes.plot([], [], marker=f"${place}$", ls="", color=colour, ms=9, label=name)
    axes.set_xscale("log")
    axes.margins(x=0.1, y=0.1)
    axes.xaxis.set_major_locator(LogLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(xlabel="seconds of a fit, one thread")
    axes.set_title(f"Accuracy in %, {grid.n:,} training rows")
    axes.grid(color="0.5", alpha=0.2)
    figure.legend(loc="outside lower left", labelspacing=0.25)
    return figure
