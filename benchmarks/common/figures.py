"""Figures of the documentation."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

# Text stays text, and the same rows give the same bytes.
SVG = {"svg.hashsalt": "sklearn_maxl", "svg.fonttype": "none"}


def draw(make: Callable[[], Figure], path: Path, style: Mapping[str, Any] | None = None) -> None:
    """Make a figure and write it as SVG, whatever style was set before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({**SVG, **(style or {})})
        make().savefig(path, format="svg", metadata={"Date": None, "Creator": None})
