"""The rows of one size that can be compared: what all peers have."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.common.rows import Rows, unique, where
from benchmarks.evidence.sets import TUNED_ON
from benchmarks.peers.subjects import OURS, PEERS


@dataclass(frozen=True)
class Grid:
    """Every peer on every table with every seed.

    Attributes
    ----------
    n : int
        Training rows.
    peers, tables, seeds : list
        What the axes of `values` stand for.
    rows : dict
        A row of results by peer, table and seed.
    """

    n: int
    peers: list[str]
    tables: list[str]
    seeds: list[int]
    rows: dict[tuple[str, str, int], dict[str, str]]

    def values(self, column: str) -> np.ndarray:
        """A column, (peers, tables, seeds)."""
        return np.array(
            [
                [[float(self.rows[p, t, s][column]) for s in self.seeds] for t in self.tables]
                for p in self.peers
            ]
        )

    def of(self, peer: str, column: str) -> np.ndarray:
        """A column of one peer, (tables, seeds)."""
        return self.values(column)[self.peers.index(peer)]

    def untuned(self) -> "Grid":
        """Without the tables that defaults of ours were chosen on, with other rows."""
        return replace(self, tables=[t for t in self.tables if t not in TUNED_ON])


def grid(
    rows: Rows, n: int, tables: Iterable[str] | None = None, peers: Sequence[str] | None = None
) -> Grid | None:
    """What the peers of a size share; None without ours, another peer or two seeds.

    A peer is in it with all its rows or, where it is not among `peers`, not at all; tables that
    a peer lacks, and seeds that one of its tables lacks, are left out for all.
    """
    of = {
        (r["peer"], r["data_set"], int(r["seed"])): r
        for r in where(rows, n=n)
        if (peers is None or r["peer"] in peers) and (tables is None or r["data_set"] in tables)
    }
    known = [peer for peer in PEERS if any(peer == p for p, _, _ in of)]
    seeds = {(p, t): {s for q, u, s in of if (q, u) == (p, t)} for p, t, _ in of}
    shared = [t for t in unique(rows, "data_set") if all((p, t) in seeds for p in known)]
    sets_of_seeds = [seeds[p, t] for p in known for t in shared]
    common = sorted(set.intersection(*sets_of_seeds)) if sets_of_seeds else []
    if OURS not in known or len(known) < 2 or len(common) < 2:
        return None
    return Grid(n, known, shared, common, of)
