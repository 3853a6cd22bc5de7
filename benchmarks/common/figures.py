"""Figures of the documentation: one style, for light and dark pages, for screens of any width.

A figure consists of panels. A panel is as wide as a page on a telephone, so that its letters are
there as large as those of the text; on a wider page panels stand side by side.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import fill

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Panel = Callable[[], Figure]

WIDTH = 3.7  # inches
# Text stays text, and the same rows give the same bytes.
STYLE = {
    "svg.hashsalt": "sklearn_maxl",
    "svg.fonttype": "none",
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
    "legend.frameon": False,
    "savefig.transparent": True,
}
# The colour of text, then those of marks: Okabe and Ito's, told apart by everybody.
THEMES = {
    "light": ("#222832", "#d55e00", "#0072b2", "#009e73"),
    "dark": ("#ced6dd", "#f08a3c", "#56b4e9", "#2fc79a"),
}
OURS, BLUE, GREEN = "C0", "C1", "C2"
FAINT = {"color": "0.5", "alpha": 0.35, "lw": 0.8, "zorder": 0}


def style(theme: str) -> dict[str, object]:
    """Matplotlib's settings on a page of this theme."""
    text, *marks = THEMES[theme]
    coloured = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    return {**STYLE, **dict.fromkeys(coloured, text), "axes.prop_cycle": cycler(color=marks)}


def draw(panel: Panel, path: Path, theme: str = "light") -> None:
    """Make a panel and write it as SVG, whatever style was set before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(style(theme))
        panel().savefig(path, format="svg", metadata={"Date": None, "Creator": None})


@dataclass(frozen=True)
class Marks:
    """One kind of mark in a panel: a number for each name that has one."""

    of: Mapping[str, float]
    label: str = ""
    marker: str = "o"
    colour: str = BLUE
    spans: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """A line under the mark, from one number to the other."""
    filled: bool = True


def lines(
    title: str,
    names: Sequence[str],
    marks: Sequence[Marks],
    label: str,
    ours: Sequence[str] = (),
    said: Mapping[str, str] | None = None,
) -> Figure:
    """A line for each name, with the name above it and marks on it.

    `ours` are drawn in the colour of this package; `said` stands at the right end of a line.
    """
    labels = [kind.label for kind in marks if kind.label]
    title = fill(title, 32)
    height = 0.46 * len(names) + 0.75 + 0.2 * (title.count("\n") + 1) + 0.27 * len(labels)
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.subplots()
    across = axes.get_yaxis_transform()
    for row, name in enumerate(names):
        axes.axhline(row, **FAINT)
        of_ours = {"color": OURS, "weight": "bold"} if name in ours else {}
        at_both_ends = (0, "left", name), (1, "right", (said or {}).get(name, ""))
        for x, side, text in at_both_ends:
            axes.text(x, row - 0.2, text, ha=side, transform=across, in_layout=False, **of_ours)
        for kind in marks:
            colour = OURS if name in ours else kind.colour
            if name in kind.spans:
                axes.plot(kind.spans[name], (row, row), color=colour, lw=1.8)
            if name in kind.of:
                face = colour if kind.filled else "none"
                axes.plot(kind.of[name], row, kind.marker, color=colour, mfc=face, ms=7)
    for kind in marks:
        if kind.label:
            face = kind.colour if kind.filled else "none"
            axes.plot([], [], kind.marker, color=kind.colour, mfc=face, ms=7, label=kind.label)
    axes.set(ylim=(len(names) - 0.6, -0.85), yticks=[], xlabel=label)
    axes.spines["left"].set_visible(False)
    if labels:
        figure.suptitle(title, x=0, ha="left", fontsize=12, weight="bold")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0, handletextpad=0.2,
                    borderpad=0.1)  # fmt: skip
    else:
        axes.set_title(title)
    return figure


def zero(axes: Axes, at: float = 0) -> None:
    """A line where there is no difference."""
    axes.axvline(at, color="0.5", lw=1.2, zorder=0)


def rank_diagram(
    title: str, of: Mapping[str, float], distance: float, ours: Sequence[str] = ()
) -> Figure:
    """Average ranks by name; within the band nothing is told apart from the best."""
    names = sorted(of, key=of.__getitem__)
    ranks = {name: f"{of[name]:.1f}" for name in names}
    figure = lines(title, names, [Marks(of)], "average rank, 1 is the best", ours, ranks)
    (axes,) = figure.axes
    best = of[names[0]]
    axes.axvspan(best, best + distance, color="0.5", alpha=0.18, lw=0, zorder=0)
    axes.set_xlim(0.8, len(names) + 0.2)
    return figure
