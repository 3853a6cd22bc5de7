"""What `verbose` shows, through the logger "sklearn_maxl"."""

import logging

import numpy as np

from .history import Row
from .shown_lines import ShownLines

logger = logging.getLogger("sklearn_maxl")

# Columns of the history that a line shows; with all of them it would not fit on a screen.
SHOWN = ("primary_loss", "auxiliary_loss", "validation_score", "meta_loss")


def show_log(verbose: int) -> None:
    """Make the lines of `verbose` visible where the program has set up no logging."""
    if verbose:
        logger.setLevel(logging.INFO)
        if not logger.hasHandlers():
            logger.addHandler(ShownLines())


def epoch_line(row: Row, last: int) -> str:
    """An epoch, the last of which has the number `last`; what was not measured is left out."""
    known = {name: row[name] for name in SHOWN if name in row and not np.isnan(row[name])}
    cells = [f"{name} {readable(float(value))}" for name, value in known.items()]
    return "  ".join([f"epoch {row['epoch']} of {last}", *cells, f"{row['time']:.2f} s"])


def readable(value: float) -> str:
    """Four digits after the point; a power of ten where those would say nothing."""
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.2e}"
