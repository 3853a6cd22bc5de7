"""The figures of the sections."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmarks.common.figures import BLUE, GREEN, OURS, WIDTH, Marks, Panel, lines, zero
from benchmarks.common.rows import Rows, unique, where
from benchmarks.speed.tables import PRODUCTS

# The shapes differ as the colours do.
MARKS = {
    "median_ratio": ("time", BLUE, "o"),
    "operations_ratio": ("operations", OURS, "D"),
    "memory_ratio": ("peak memory", GREEN, "^"),
}


def section(rows: Rows) -> list[Panel]:
    """The panels of a section: ratios by method, or seconds of a sample by size."""
    if rows[0]["section"] == "scaling":
        kinds = dict.fromkeys(r["case"].split(":")[0] for r in rows)
        return [partial(growing, rows, kind) for kind in kinds]
    base = rows[-1]["base"] if rows[-1]["section"] != "reference" else "single task"
    rows = [r for r in rows if r["base"] == base and not r["case"].startswith(PRODUCTS)]
    return [partial(ratios, where(rows, case=case), base) for case in unique(rows, "case")]


def ratios(rows: Rows, base: str) -> Figure:
    """Ratios to the base method in one case; the line at 1 is the base itself."""
    kinds = []
    for column, (label, colour, marker) in MARKS.items():
        of = {r["method"]: float(r[column]) for r in rows if r[column]}
        spans = {r["method"]: (float(r["quartile_25"]), float(r["quartile_75"])) for r in rows}
        spans = spans if column == "median_ratio" else {}
        if of:
            kinds.append(Marks(of, label, marker, colour, spans))
    names = [r["method"] for r in rows]
    figure = lines(rows[0]["case"], names, kinds, f"times {base}")
    (axes,) = figure.axes
    zero(axes, at=1)
    low, high = axes.get_xlim()
    if high / max(low, 1e-9) > 5 or high > 6:
        axes.set_xscale("log")
        plain_numbers(axes.xaxis, (1, 2, 5) if high / max(low, 1e-9) < 50 else (1,))
    return figure


def plain_numbers(axis: Any, subdivisions: Sequence[int]) -> None:
    """Ticks of a logarithmic axis as people write numbers."""
    axis.set_major_locator(LogLocator(subs=subdivisions))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))
    axis.set_minor_formatter(NullFormatter())


def growing(rows: Rows, kind: str) -> Figure:
    """Seconds of one sample while one thing grows."""
    figure = Figure(figsize=(WIDTH, 2.9))
    axes = figure.subplots()
    for method, colour, marker in (("None", BLUE, "o"), ("maxl", OURS, "D")):
        mine = [r for r in rows if r["case"].split(":")[0] == kind and r["method"] == method]
        x = [float(r["case"].split(":")[1]) for r in mine]
        y = [1e6 * float(r["median_seconds"]) / int(r["samples"]) for r in mine]
        axes.loglog(x, y, marker=marker, color=colour, label=f"auxiliary={method}", ms=6)
    low, high = axes.get_ylim()
    axes.set_ylim(low / 1.2, high * 1.2)
    many = kind in ("samples", "features", "classes")  # powers of ten; else of two
    plain_numbers(axes.xaxis, (1,) if many else (1, 2, 5))
    plain_numbers(axes.yaxis, (1, 2, 5) if high / low < 30 else (1,))
    axes.set(xlabel=kind, ylabel="µs a sample")
    axes.set_title(kind)
    axes.grid(color="0.5", alpha=0.2)
    axes.legend(fontsize=12)
    return figure
