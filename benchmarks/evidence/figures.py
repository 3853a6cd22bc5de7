"""The figures of the page on the evidence."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from benchmarks.common.figures import BLUE, rank_diagram
from benchmarks.common.means import standard_error
from benchmarks.evidence.compared import BEST, DEFAULT, Key, difference, marked, mean, there, values
from benchmarks.evidence.statistics import average_ranks, critical_difference
from benchmarks.evidence.tables import EXPLAINED, SLA

ORANGE, GREY = "#d55e00", "0.45"
FARTHEST = -6  # points; what is worse is written, so that it does not squeeze the others


def colour(arm: str) -> str:
    """The default, what has views of the auxiliary task, and everything else."""
    if arm == DEFAULT:
        return ORANGE
    return BLUE if arm.startswith((SLA, "uniform, views")) else GREY


def images(keys: Sequence[Key]) -> Figure:
    """Every arm on every set of images: points to the best plain network, standard errors."""
    keys = there(keys, DEFAULT, BEST)
    arms = [arm for arm in EXPLAINED if arm != BEST and there(keys, arm)]
    figure = Figure(figsize=(4 + 2.4 * len(keys), 0.3 * len(arms) + 0.9), layout="constrained")
    for axes, key in zip(figure.subplots(1, len(keys), sharey=True, squeeze=False)[0], keys,
                         strict=True):  # fmt: skip
        for place, arm in enumerate(arms):
            d = 100 * difference(key, arm, BEST)
            if len(d) and d.mean() < FARTHEST:
                at_the_left = axes.get_yaxis_transform()
                axes.text(0.01, place, f"← {d.mean():.0f}", va="center", transform=at_the_left)
            elif len(d):
                axes.errorbar(d.mean(), place, xerr=2 * standard_error(d), fmt="o", ms=4,
                              color=colour(arm))  # fmt: skip
        axes.set_xlim(left=max(FARTHEST, axes.get_xlim()[0]))
        axes.axvline(0, color="0.7", lw=0.8, zorder=0)
        axes.set(title=marked(key), xlabel="points", ylim=(len(arms) - 0.5, -0.5))
        axes.set(yticks=range(len(arms)), yticklabels=arms)
        axes.title.set_size(9)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(left=False)
        axes.grid(axis="y", color="0.93")
    return figure


def ranks(keys: Sequence[Key]) -> Figure:
    """A critical-difference diagram; ranks compare means, so of arms with the same seeds."""
    keys = there(keys, DEFAULT, BEST)
    if not keys:
        empty = Figure(figsize=(6, 1))
        empty.text(0.5, 0.5, "Not measured yet.", ha="center")
        return empty
    arms = [
        a for a in EXPLAINED if all(values(k, a).keys() == values(k, BEST).keys() for k in keys)
    ]
    of = average_ranks({a: np.array([mean(k, a) for k in keys]) for a in arms})
    distance = critical_difference(len(arms), len(keys))
    return rank_diagram(of, distance, f"average rank over {len(keys)} sets (1 is the best)")
