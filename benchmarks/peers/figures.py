"""The figures of the peers."""

from matplotlib.figure import Figure

from benchmarks.common.figures import rank_diagram
from benchmarks.peers import compared
from benchmarks.peers.grid import Grid
from benchmarks.peers.tables import NAMES


def ranks(grid: Grid, column: str) -> Figure:
    """A critical-difference diagram."""
    found = compared.ranks(grid, column)
    label = f"average rank of {NAMES[column]} over {len(grid.tables)} tables (1 is the best)"
    return rank_diagram(found.mean, found.critical_difference, label)
