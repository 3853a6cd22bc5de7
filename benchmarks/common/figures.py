"""Figures of the documentation."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

# Text stays text, and the same rows give the same bytes.
SVG = {"svg.hashsalt": "sklearn_maxl", "svg.fonttype": "none"}


def save(figure: Figure, path: Path) -> None:
    """Write a figure as SVG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(SVG):
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
