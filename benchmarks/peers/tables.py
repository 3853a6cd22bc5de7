"""The tables of the peers."""

import numpy as np

from benchmarks.common.means import mean_and_error
from benchmarks.common.tables import Table
from benchmarks.evidence.statistics import p_text
from benchmarks.peers.compared import (
    BETTER,
    REFERENCES,
    Verdict,
    minus_ours,
    over_tables,
    ranks,
    times,
    verdicts,
)
from benchmarks.peers.grid import Grid
from benchmarks.peers.subjects import OURS, title

# A factor that makes the unit, and digits.
UNITS = {"accuracy": (100, 2), "log_loss": (1, 3)}
NAMES = {"accuracy": "accuracy", "log_loss": "log-loss"}


def said(values: np.ndarray, column: str, sign: str = "") -> str:
    """A mean with its error, in the unit of its column."""
    factor, digits = UNITS[column]
    return mean_and_error(values, factor, sign, digits)


def named(peer: str) -> str:
    """The name of a peer; ours is to be found at a glance."""
    return f"**{title(peer)}**" if peer == OURS else title(peer)


def scores(grid: Grid) -> Table:
    """Means over the tables; the best accuracy first."""
    body = []
    order = sorted(grid.peers, key=lambda p: -over_tables(grid, p, "accuracy").mean())
    for peer in order:
        cells = [named(peer)]
        for column in BETTER:
            cells.append(said(over_tables(grid, peer, column), column))
            to_ours = said(minus_ours(grid, peer, column), column, "+")
            cells.append("" if peer == OURS else to_ours)
        area = np.nanmean(grid.of(peer, "roc_auc"))  # none where the test rows lack a class
        gap = over_tables(grid, peer, "calibration_error").mean()
        body.append((*cells, f"{100 * area:.2f}", f"{100 * gap:.1f}"))
    head = ("", "accuracy in %", "minus ours", "log-loss", "minus ours", "ROC AUC in %",
            "calibration error in %")  # fmt: skip
    return Table(head, body)


def mean_ranks(grid: Grid) -> Table:
    """Mean ranks over tables; Friedman's test and Nemenyi's distance below."""
    found = {column: ranks(grid, column) for column in BETTER}
    body = [
        (named(peer), *(f"{of.mean[peer]:.2f}" for of in found.values()))
        for peer in sorted(grid.peers, key=found["accuracy"].mean.__getitem__)
    ]
    below = [
        ("*critical difference*", *(f"{of.critical_difference:.2f}" for of in found.values())),
        ("*p of Friedman's test*", *(_p(of.p) for of in found.values())),
    ]
    return Table(("mean rank", *(NAMES[column] for column in BETTER)), [*body, *below])


def table_by_table(grid: Grid, column: str) -> Table:
    """Ours minus each reference, with the test's p-value; a star where it is below 0.05."""
    body: list[list[str]] = [[table] for table in grid.tables]
    references = [r for r in REFERENCES if r in grid.peers]
    for reference in references:
        for cells, verdict in zip(body, verdicts(grid, reference, column), strict=True):
            star = " *" if verdict.sign else ""
            cells += [said(verdict.differences, column, "+") + star, p_text(verdict.p)]
    heads = [part for r in references for part in (f"ours minus {title(r)}", "p")]
    return Table((NAMES[column], *heads), body)


def outcomes(grid: Grid) -> Table:
    """On which tables ours is significantly better and worse."""
    body = []
    for column in BETTER:
        for reference in (r for r in REFERENCES if r in grid.peers):
            found = verdicts(grid, reference, column)
            body.append((NAMES[column], title(reference), _where(found, 1), _where(found, -1)))
    return Table(("", "ours against", "better on", "worse on"), body)


def seconds(grid: Grid) -> Table:
    """Median times of a fit; the quickest first."""
    of = {p: np.median(grid.of(p, "seconds")) for p in grid.peers}
    body = []
    for peer in sorted(of, key=of.__getitem__):
        ratio = f"{times(grid, peer):.2f}" if "MLPClassifier" in of else ""
        wall = np.median(grid.of(peer, "wall_seconds"))
        body.append((named(peer), f"{of[peer]:.2f}", f"{wall:.2f}", ratio))
    head = ("time of a fit", "processor's seconds", "wall seconds", "times MLPClassifier")
    return Table(head, body)


def training_rows(grid: Grid) -> str:
    """A sentence on the tables that have fewer rows than asked for; nothing where none has."""
    rows = grid.of(OURS, "training_rows")[:, 0].astype(int)
    few = [f"{t} {r:,}" for t, r in zip(grid.tables, rows, strict=True) if r < grid.n]
    return f"Fewer training rows: {', '.join(few)}." if few else ""


def _where(found: list[Verdict], sign: int) -> str:
    names = [f"{v.table} ({p_text(v.p)})" for v in found if v.sign == sign]
    return f"{len(names)} of {len(found)}" + (f": {', '.join(names)}" if names else "")


def _p(p: float) -> str:
    return "" if np.isnan(p) else p_text(p)
