"""How displays look: colours, panels, labels; matplotlib is imported here, when it is needed."""

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.typing import ColorType

AxesLike: TypeAlias = "Axes | Sequence[Axes] | np.ndarray | None"
"""What displays take as `ax`."""

# Ten colours that are told apart with colour-vision deficiencies (M. A. Petroff, "Accessible
# color sequences for data visualization", 2021). Okabe and Ito's have eight, digits ten classes.
PALETTE = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6",
    "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip
GREY = "#737679"  # what explains: reference lines, notes; as easy to read on white as on black
MARKERS = "o^sDvPX<>p"


def pyplot() -> ModuleType:
    """matplotlib.pyplot, or the sentence that says how to get it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Plots need matplotlib, which is not installed: pip install 'sklearn_maxl[plot]'."
        ) from error
    return plt


def colours(n: int) -> "list[ColorType]":
    """`n` colours; beyond the palette, an even walk through a map that is safe as well."""
    if n <= len(PALETTE):
        return list(PALETTE[:n])
    return list(pyplot().get_cmap("viridis")(np.linspace(0, 1, n)))


def panels(
    ax: AxesLike,
    n_rows: int = 1,
    n_columns: int = 1,
    *,
    size: tuple[float, float],
    **grid: Sequence[float],
) -> "list[Axes]":
    """The axes to draw on, `n_rows` * `n_columns` of them.

    `ax` is None (a new figure of this `size`), axes (split into as many as are needed)
    or a sequence of as many axes. `grid` goes to matplotlib's ``GridSpec``.
    """
    plt = pyplot()
    n = n_rows * n_columns
    if isinstance(ax, (Sequence, np.ndarray)):
        axes = list(np.asarray(ax, dtype=object).ravel())
        if len(axes) != n:
            raise ValueError(f"ax must be axes or a sequence of {n} axes, got {len(axes)}.")
        return axes
    if ax is None:
        figure = plt.figure(figsize=size, layout="constrained")
        cells = figure.add_gridspec(n_rows, n_columns, **grid)
    elif n == 1:
        return [ax]
    else:
        place = ax.get_subplotspec()
        if place is None:  # placed by hand: there is no grid to split
            raise ValueError(f"ax has no place in a grid to split; pass a sequence of {n} axes.")
        ax.set_axis_off()
        figure = ax.figure
        cells = place.subgridspec(n_rows, n_columns, **grid)
    return [figure.add_subplot(cells[i]) for i in range(n)]


def bare(ax: "Axes") -> None:
    """Leave the two spines that carry ticks."""
    ax.spines[["top", "right"]].set_visible(False)


def epoch_axis(ax: "Axes") -> None:
    """Epochs along x, with ticks at whole ones."""
    ax.set_xlabel("epoch")
    ax.locator_params(axis="x", integer=True)
    bare(ax)


def label_lines(ax: "Axes", *, direct: bool) -> None:
    """Name the lines that have a name: at their ends, or, where there is no room, in a legend.

    Names that would overlap are moved apart.
    """
    lines = [line for line in ax.get_lines() if not str(line.get_label()).startswith("_")]
    if not direct:
        ax.legend(frameon=False, fontsize=9)
        return
    low, high = ax.get_ylim()
    ax.set_ylim(low, high)  # names are placed for this height
    points = ax.get_window_extent().height * 72 / ax.figure.dpi
    ends = []
    for line in lines:
        xs, ys = (np.asarray(values, dtype=float) for values in line.get_data())
        known = ys[np.isfinite(ys)]
        if len(known):
            ends.append((float(known[-1]), line, xs[-1]))
    ends.sort(key=lambda end: end[0])
    wanted = [(y - low) / (high - low) * points for y, _, _ in ends]
    for (y, line, x), at, place in zip(ends, wanted, spread(wanted, 12.0), strict=True):
        ax.annotate(
            str(line.get_label()), (x, y), xytext=(6, place - at), textcoords="offset points",
            color=line.get_color(), va="center", fontsize=9, annotation_clip=False,
        )  # fmt: skip


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """Sorted positions moved as little as needed to be `gap` apart, around their centres."""

    def lowest(group: list[float]) -> float:
        return sum(group) / len(group) - gap * (len(group) - 1) / 2

    groups: list[list[float]] = []  # neighbours that push each other apart
    for position in positions:
        group = [position]
        while groups and lowest(group) < lowest(groups[-1]) + gap * len(groups[-1]):
            group = groups.pop() + group
        groups.append(group)
    return [lowest(group) + gap * i for group in groups for i in range(len(group))]
