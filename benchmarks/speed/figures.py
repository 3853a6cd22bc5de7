"""The figures of the sections."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmarks.common.figures import draw
from benchmarks.common.rows import Rows, unique, where
from benchmarks.speed.tables import PRODUCTS

# Okabe and Ito's colours, told apart by everybody; the shapes differ as well.
MARKS = {
    "median_ratio": ("time", "#0072B2", "o"),
    "operations_ratio": ("operations", "#D55E00", "D"),
    "memory_ratio": ("peak memory", "#009E73", "^"),
}
STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
}


def draw_section(rows: Rows, path: Path) -> None:
    """Draw a section: ratios by method, or seconds of a sample by size."""
    draw(partial(lines if rows[0]["section"] == "scaling" else dots, rows), path, STYLE)


def dots(rows: Rows) -> Figure:
    """Ratios to the base method, a panel a case; the line at 1 is the base itself."""
    base = rows[-1]["base"] if rows[-1]["section"] != "reference" else "single task"
    rows = [r for r in rows if r["base"] == base and not r["case"].startswith(PRODUCTS)]
    by_case = {case: where(rows, case=case) for case in unique(rows, "case")}
    height = sum(0.6 + 0.2 * len(mine) for mine in by_case.values())
    figure = Figure(figsize=(7.5, height + 0.6))
    heights = [len(mine) + 1 for mine in by_case.values()]
    panels = figure.subplots(len(by_case), 1, squeeze=False, sharex=True, height_ratios=heights)
    for panel, (case, mine) in zip(panels[:, 0], by_case.items(), strict=True):
        at = range(len(mine), 0, -1)
        for column, (label, colour, marker) in MARKS.items():
            points = [(float(r[column]), y) for r, y in zip(mine, at, strict=True) if r[column]]
            if points:
                panel.plot(*zip(*points, strict=True), marker, color=colour, label=label, ms=5)
        for row, y in zip(mine, at, strict=True):
            quartiles = float(row["quartile_25"]), float(row["quartile_75"])
            panel.plot(quartiles, (y, y), color=MARKS["median_ratio"][1], lw=2)
        panel.axvline(1, color="0.6", lw=0.8, zorder=0)
        panel.set_yticks(list(at), [r["method"] for r in mine])
        panel.set_title(case, loc="left", fontsize=9)
        panel.grid(axis="y", color="0.92")
    _ratio_axis(panels[-1, 0], f"times {base}")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=3, frameon=False)
    return figure


def _ratio_axis(panel: Any, label: str) -> None:
    low, high = panel.get_xlim()
    if high / max(low, 1e-9) > 5 or high > 6:
        panel.set_xscale("log")
        _plain_numbers(panel.xaxis, (1, 2, 5))
    panel.set_xlabel(label)


def _plain_numbers(axis: Any, subdivisions: Sequence[int]) -> None:
    """Ticks of a logarithmic axis as people write numbers."""
    axis.set_major_locator(LogLocator(subs=subdivisions))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))
    axis.set_minor_formatter(NullFormatter())


def lines(rows: Rows) -> Figure:
    """Seconds of one sample, a panel for each thing that grows."""
    kinds = list(dict.fromkeys(r["case"].split(":")[0] for r in rows))
    across = 3
    down = -(-len(kinds) // across)
    figure = Figure(figsize=(7.5, 2.4 * down + 0.4))
    panels = figure.subplots(down, across, squeeze=False)
    styles = {"None": ("#0072B2", "o"), "maxl": ("#D55E00", "D")}
    for panel, kind in zip(panels.flat, kinds, strict=False):
        for method, (colour, marker) in styles.items():
            mine = [r for r in rows if r["case"].split(":")[0] == kind and r["method"] == method]
            x = [float(r["case"].split(":")[1]) for r in mine]
            y = [1e6 * float(r["median_seconds"]) / int(r["samples"]) for r in mine]
            panel.loglog(x, y, marker=marker, color=colour, label=method, ms=4)
        panel.set_xlabel(kind)
        panel.set_ylim(bottom=panel.get_ylim()[0] / 1.2, top=panel.get_ylim()[1] * 1.2)
        many = kind in ("samples", "features", "classes")  # powers of ten; else of two
        _plain_numbers(panel.xaxis, (1,) if many else (1, 2, 5))
        _plain_numbers(panel.yaxis, (1, 2, 5))
        panel.grid(color="0.92")
    for panel in panels.flat[len(kinds) :]:
        panel.set_visible(False)
    for row in panels:
        row[0].set_ylabel("µs a sample")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False)
    return figure
