"""How a history shows itself in a notebook: curves, what was chosen, trials and last epochs.

The curves are SVG in the page's own text colour, so that they can be read on light and on dark
pages, and without matplotlib.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

# Column, name and colour; the colours stand out on white and on black.
LOSSES = (
    ("primary_loss", "primary loss", "#3f90da"),
    ("auxiliary_loss", "auxiliary loss", "#e76300"),
    ("meta_loss", "meta loss", "#d64550"),
)
SCORE = (("validation_score", "validation score", "#9a6dd7"),)
WIDTH, HEIGHT, LEFT, BOTTOM = 460, 150, 52, 18  # of a panel, in pixels, and its margins
LAST = 20  # epochs that the table shows
CELL = "text-align:left;padding:.15em .8em .15em 0;border:none;background:none;color:inherit"

Point = tuple[float, float]
Row = Mapping[str, Any]


def page(
    rows: Sequence[Row],
    columns: Sequence[str],
    cells: Iterable[Sequence[str]],
    about: Mapping[str, str],
    trials: Sequence[Mapping[str, Any]],
) -> str:
    """The whole: `cells` are those of the rows as text, in the order of the columns."""
    if not rows:
        return "no epochs yet"
    parts = [f"<div>{panel(rows, LOSSES)}{panel(rows, SCORE)}</div>"]
    if about:
        parts.append(table((), about.items()))
    if trials:
        known = [[_cell(value) for value in trial.values()] for trial in trials]
        parts.append(table(tuple(trials[0]), known))
    last = list(cells)[-LAST:]
    name = "all epochs" if len(last) == len(rows) else f"the last {len(last)} epochs"
    parts.append(folded(name, table(columns, last)))
    return f'<div style="max-width:100%;overflow-x:auto">{"".join(parts)}</div>'


def folded(name: str, content: str) -> str:
    """What shows itself when its name is clicked."""
    return f'<details><summary style="cursor:pointer">{escape(name)}</summary>{content}</details>'


def table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A table in the colours of the page."""
    rows = [_row("th", head)] if head else []
    rows += [_row("td", cells) for cells in body]
    return f'<table style="border:none;margin:.3em 0">{"".join(rows)}</table>'


def _row(tag: str, cells: Sequence[str]) -> str:
    inner = "".join(f'<{tag} style="{CELL}">{escape(cell)}</{tag}>' for cell in cells)
    return f'<tr style="background:none">{inner}</tr>'


def _cell(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def panel(rows: Sequence[Row], curves: Iterable[tuple[str, str, str]]) -> str:
    """A figure with the curves that have a value; nothing if none has."""
    known = [
        (name, colour, points)
        for column, name, colour in curves
        if (points := known_points(rows, column))
    ]
    if not known:
        return ""
    frame = Frame([point for *_, points in known for point in points])
    names = ", ".join(name for name, *_ in known)
    lines = [frame.curve(points, colour) for _, colour, points in known]
    label = escape(f"{names}: epochs {frame.x[0]:g} to {frame.x[1]:g}", quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{label}" '
        f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'style="max-width:100%;height:auto" font-family="sans-serif" font-size="11" '
        f'fill="currentColor">{frame.axes()}{legend(known)}{"".join(lines)}</svg>'
    )


def known_points(rows: Sequence[Row], column: str) -> list[Point]:
    """Epochs and values of a column, where there is a value."""
    points = ((float(row["epoch"]), float(row.get(column, math.nan))) for row in rows)
    return [(x, y) for x, y in points if math.isfinite(y)]


def legend(known: Iterable[tuple[str, str, object]]) -> str:
    """Names above the curves, in their colours."""
    names = "".join(
        f'<tspan fill="{colour}" dx="12">{escape(name)}</tspan>' for name, colour, _ in known
    )
    return f'<text x="{LEFT - 12}" y="12">{names}</text>'


class Frame:
    """From epochs and values to pixels, and the axes."""

    def __init__(self, points: Sequence[Point]):
        self.x, self.y = ((min(v), max(v)) for v in zip(*points, strict=True))
        self.top, self.bottom, self.right = 22, HEIGHT - BOTTOM, WIDTH - 10

    def place(self, point: Point) -> Point:
        """Where a point is; in the middle, if all have the same value."""
        (x, y), width = point, self.x[1] - self.x[0]
        across = (x - self.x[0]) / width if width else 0.5
        # Halved first: the difference of two large numbers may be none.
        height = self.y[1] / 2 - self.y[0] / 2
        up = (y / 2 - self.y[0] / 2) / height if height else 0.5
        return (
            LEFT + across * (self.right - LEFT),
            self.bottom - up * (self.bottom - self.top),
        )

    def curve(self, points: Sequence[Point], colour: str) -> str:
        """A line through the points; a dot where there is only one."""
        places = [self.place(point) for point in points]
        if len(places) == 1:
            ((x, y),) = places
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>'

    def axes(self) -> str:
        """Two lines, with the first and the last number at each."""
        x, y = LEFT - 6, self.bottom + 4
        path = f"{x},{self.top} {x},{y} {self.right},{y}"
        line = f'<polyline points="{path}" fill="none" stroke="currentColor" opacity=".4"/>'
        (first, last), (low, high) = self.x, self.y
        heights = [(high, self.top + 8), (low, self.bottom)] if high > low else [(low, 80)]
        values = "".join(
            f'<text x="{LEFT - 10}" y="{y}" text-anchor="end">{value:.3g}</text>'
            for value, y in heights
        )
        epochs = f'<text x="{LEFT}" y="{HEIGHT - 2}">epoch {first:g}</text>'
        if last > first:
            epochs += f'<text x="{self.right}" y="{HEIGHT - 2}" text-anchor="end">{last:g}</text>'
        return line + values + epochs
