"""Figures of the documentation."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

# Text stays text, and the same rows give the same bytes.
SVG = {"svg.hashsalt": "sklearn_maxl", "svg.fonttype": "none"}
BLUE = "#0072b2"


def draw(make: Callable[[], Figure], path: Path, style: Mapping[str, Any] | None = None) -> None:
    """Make a figure and write it as SVG, whatever style was set before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({**SVG, **(style or {})})
        make().savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def rank_diagram(of: Mapping[str, float], distance: float, label: str) -> Figure:
    """Average ranks by name; within the band nothing is told apart from the best."""
    order = sorted(of, key=of.__getitem__)
    figure = Figure(figsize=(7, 0.35 * len(order) + 1), layout="constrained")
    axes = figure.subplots()
    axes.hlines(range(len(order)), 1, [of[a] for a in order], color="0.85", zorder=1)
    axes.scatter([of[a] for a in order], range(len(order)), color=BLUE, zorder=2)
    best = of[order[0]]
    axes.axvspan(best, best + distance, color="#e69f00", alpha=0.25, lw=0)
    axes.text(best + distance, len(order) - 0.6, "critical difference ", ha="right", va="bottom")
    axes.set(yticks=range(len(order)), yticklabels=order, ylim=(len(order) - 0.4, -0.6))
    axes.set(xlabel=label, xlim=(1, len(order)))
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
    return figure
