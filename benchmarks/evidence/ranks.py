"""Critical-difference diagrams: average ranks of the arms, and the distance that counts."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from benchmarks.evidence.compared import BEST, DEFAULT, Key, mean, there, values
from benchmarks.evidence.statistics import average_ranks, critical_difference
from benchmarks.evidence.tables import EXPLAINED


def ranks(keys: Sequence[Key]) -> Figure:
    """The diagram of some sets; ranks compare means, so of arms with the same seeds."""
    keys = there(keys, DEFAULT, BEST)
    arms = [
        a for a in EXPLAINED if all(values(k, a).keys() == values(k, BEST).keys() for k in keys)
    ]
    of = average_ranks({a: np.array([mean(k, a) for k in keys]) for a in arms})
    distance = critical_difference(len(arms), len(keys))
    order = sorted(of, key=of.__getitem__)
    figure = Figure(figsize=(7, 0.35 * len(order) + 1), layout="constrained")
    axes = figure.subplots()
    axes.hlines(range(len(order)), 1, [of[a] for a in order], color="0.85", zorder=1)
    axes.scatter([of[a] for a in order], range(len(order)), color="#0072b2", zorder=2)
    best = of[order[0]]
    axes.axvspan(best, best + distance, color="#e69f00", alpha=0.25, lw=0)
    axes.text(best + distance, len(order) - 0.6, "critical difference ", ha="right", va="bottom")
    axes.set(yticks=range(len(order)), yticklabels=order, ylim=(len(order) - 0.4, -0.6))
    axes.set(xlabel=f"average rank over {len(keys)} sets (1 is the best)", xlim=(1, len(order)))
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
    return figure
