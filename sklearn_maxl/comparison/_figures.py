"""Figures of a comparison. matplotlib is imported when one is drawn, not before."""

import base64
import io
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from ._summary import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, told apart by all; the marks differ in shape as well.
BETTER, WORSE, UNDECIDED, GREY = "#0072B2", "#D55E00", "#222222", "#767676"
COLOUR_AND_MARK = {1: (BETTER, "^"), -1: (WORSE, "v"), 0: (UNDECIDED, "o")}  # by a row's effect


def draw_differences(summary: Summary, ax: "Axes | None" = None) -> "Axes":
    """A dot for every split, and mean with 95 % interval, for every arm."""
    if ax is None:
        ax = _pyplot().subplots(figsize=_size(summary), layout="constrained")[1]
    units, (reference, *others) = summary.units, summary.rows
    differences = units.factor * (summary.scores[1:] - summary.scores[0])
    right = max(0.0, differences.max(), *(units.factor * r.test.high for r in others if r.test))
    names = []
    for position, (row, dots) in enumerate(zip(others[::-1], differences[::-1], strict=True)):
        assert row.test
        colour, mark = COLOUR_AND_MARK[row.effect]
        spread = np.linspace(0.12, 0.36, len(dots))  # above the bar, side by side
        ax.plot(dots, position + spread, "o", color=colour, alpha=0.35, ms=4, mec="none")
        mean, low, high = (units.factor * v for v in (row.test.mean, row.test.low, row.test.high))
        ax.errorbar(
            mean, position, xerr=[[mean - low], [high - mean]], fmt=mark,
            color=colour, ms=8, mec="white", capsize=4, lw=2,
        )  # fmt: skip
        ax.annotate(
            f"{units.signed(row.test.mean)} ± {units.value(row.test.standard_error)}",
            (right, position), xytext=(14, 0), textcoords="offset points", va="center",
            color=colour,
        )  # fmt: skip
        names.append(_without_formulas(row.label))
    ax.axvline(0, color=GREY, lw=1, zorder=0)
    ax.annotate(
        f"{reference.label}: {units.value(reference.score)}", (0, 1), xytext=(0, 4),
        xycoords=("data", "axes fraction"), textcoords="offset points", ha="center", color=GREY,
    )  # fmt: skip
    ax.set_yticks(range(len(others)), names)
    ax.set_ylim(-0.5, len(others) - 0.5)
    unit = f"{units.points.strip()}; " if units.points else ""
    difference = f"{units.score.removesuffix(' in %')} minus {reference.label}"
    ax.set_xlabel(
        f"{_without_formulas(difference)}, same split and seed\n"
        f"({unit}dots: splits; bars: 95 % intervals)"
    )
    _tidy(ax, left=False)
    return ax


def draw_scores(summary: Summary, ax: "Axes") -> "Axes":
    """A line for every split across the arms, and the mean of each arm."""
    scores = summary.units.factor * summary.scores
    places = np.arange(len(scores))
    ax.plot(places, scores, "-o", color=BETTER, alpha=0.25, lw=1, ms=3, mec="none")
    ax.plot(places, scores.mean(axis=1), "D", color=UNDECIDED, ms=7, mec="white", zorder=3)
    ax.set_xticks(places, [_without_formulas(row.label) for row in summary.rows])
    ax.set_xlim(-0.3, len(scores) - 0.7)
    ax.set_ylabel(_without_formulas(summary.units.score))
    ax.grid(axis="y", color="#e4e4e4", lw=0.8)
    ax.set_axisbelow(True)
    _tidy(ax, left=True)
    return ax


def figures(summary: Summary) -> list[tuple[str, str]]:
    """(what it shows, SVG as a data URI) for each figure of a page."""
    _pyplot()
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    made = []
    for caption, draw in (
        ("Differences to the reference, split by split, with 95 % intervals", draw_differences),
        ("Scores: a line is one split and seed, a diamond the mean of an arm", draw_scores),
    ):
        # A figure of its own: no screen is needed and no global state is changed.
        figure = Figure(figsize=_size(summary), layout="constrained")
        draw(summary, figure.subplots())
        file = io.BytesIO()
        with rc_context({"svg.hashsalt": "sklearn_maxl"}):
            figure.savefig(file, format="svg", metadata={"Date": None})
        code = base64.b64encode(file.getvalue()).decode("ascii")
        made.append((caption, f"data:image/svg+xml;base64,{code}"))
    return made


def _pyplot() -> ModuleType:
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            'figures need matplotlib, which is not installed: pip install "sklearn_maxl[examples]".'
        ) from error
    return pyplot


def _size(summary: Summary) -> tuple[float, float]:
    return 7.0, 1.6 + 0.55 * max(len(summary.rows) - 1, 2)


def _without_formulas(text: str) -> str:
    """A dollar sign is not the start of a formula."""
    return text.replace("$", r"\$")


def _tidy(ax: "Axes", left: bool) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines["left"].set_visible(left)
    ax.tick_params(axis="y", length=0)
