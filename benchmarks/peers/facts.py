"""The numbers that texts quote of the peers."""

import numpy as np

from benchmarks.common.means import mean_and_error
from benchmarks.common.rows import machine_of, results
from benchmarks.peers.compared import BETTER, over_tables, times
from benchmarks.peers.grid import Grid, grid
from benchmarks.peers.runs import SIZES
from benchmarks.peers.subjects import OURS, SHOWN

NOT_MEASURED = "(not measured)"
PLACES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")


def means(of: Grid, column: str) -> dict[str, float]:
    """The mean over tables of each peer; more is better."""
    return {p: BETTER[column] * float(over_tables(of, p, column).mean()) for p in of.peers}


def ahead(of: Grid, column: str) -> list[str]:
    """Who is better than ours on the mean over the tables."""
    found = means(of, column)
    return [peer for peer in of.peers if found[peer] > found[OURS]]


def place(of: Grid, column: str) -> str:
    """Ours among all."""
    return f"{PLACES[len(ahead(of, column))]} of {len(of.peers)}"


def added(n: int, peer: str) -> str:
    """What the auxiliary labels of a setting add to none, in points."""
    found, none = grid(results("peers"), n), f"{OURS}-none"
    if found is None or not {peer, none} <= {*found.peers}:
        return NOT_MEASURED
    own, plain = (over_tables(found, name, "accuracy") for name in (peer, none))
    return mean_and_error(own - plain, sign="+")


def of_size(n: int) -> dict[str, str]:
    """The numbers of one number of training rows."""
    names = ("tables", "seconds", "time", *(f"place_{c}" for c in BETTER),
             *(f"ahead_{c}" for c in BETTER))  # fmt: skip
    of = grid(results("peers"), n, peers=SHOWN)
    if of is None:
        return dict.fromkeys(names, NOT_MEASURED)
    values = (
        f"{len(of.tables)}",
        f"{np.median(of.of(OURS, 'seconds')):.0f}",
        f"{times(of, OURS):.0f}",
        *(place(of, column) for column in BETTER),
        *(" and ".join(ahead(of, column)) or "none of them" for column in BETTER),
    )
    return dict(zip(names, values, strict=True))


def facts() -> dict[str, str]:
    """The numbers by name and size, and where the rows were made."""
    found = {f"{name}_{n}": fact for n in SIZES for name, fact in of_size(n).items()}
    seeds = {str(len(one.seeds)) for n in SIZES if (one := grid(results("peers"), n, peers=SHOWN))}
    found |= {"seeds": " to ".join(sorted(seeds, key=int))}
    found |= {f"learned_{n}": added(n, OURS) for n in SIZES}
    found |= {f"even_{n}": added(n, f"{OURS}-uniform") for n in SIZES}
    return {**found, "machine": machine_of("peers")}
