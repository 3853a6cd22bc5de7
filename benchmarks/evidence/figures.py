"""The figures of the evidence."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from benchmarks.common.figures import BLUE, GREEN, Marks, Panel, lines, rank_diagram, zero
from benchmarks.common.means import standard_error
from benchmarks.evidence.arms import UNTUNED_IMAGES
from benchmarks.evidence.compared import (
    BEST,
    DEFAULT,
    Key,
    difference,
    marked,
    mean,
    there,
    title,
    values,
)
from benchmarks.evidence.statistics import average_ranks, critical_difference
from benchmarks.evidence.tables import EXPLAINED, SHOWN

FARTHEST = -6  # points; what is worse is written, so that it does not squeeze the others
OURS = (SHOWN[DEFAULT], DEFAULT)


def points(key: Key, arms: Sequence[str]) -> dict[str, np.ndarray]:
    """Differences to the best plain network in points, of the arms that the set has."""
    found = {arm: 100 * difference(key, arm, BEST) for arm in arms}
    return {arm: d for arm, d in found.items() if len(d) > 1}


def marks(found: Mapping[str, np.ndarray], label: str = "", **style: object) -> Marks:
    """Means with two standard errors; what is far below is left out."""
    near = {name: d for name, d in found.items() if d.mean() >= FARTHEST}
    of = {name: float(d.mean()) for name, d in near.items()}
    width = {name: 2 * standard_error(d) for name, d in near.items()}
    spans = {name: (of[name] - width[name], of[name] + width[name]) for name in near}
    return Marks(of, label, spans=spans, **style)  # type: ignore[arg-type]


def on_images(keys: Sequence[Key]) -> Figure:
    """What a reader has to know of the images, all sets in one panel."""
    kinds = []
    for key, style in zip(keys, ({"colour": BLUE}, {"colour": GREEN, "marker": "D"}), strict=False):
        found = {SHOWN[arm]: d for arm, d in points(key, list(SHOWN)).items()}
        kinds.append(marks(found, title(key), **style))
    names = [name for name in SHOWN.values() if any(name in kind.of for kind in kinds)]
    figure = lines("Minus the best plain network", names, kinds, "points of accuracy", OURS)
    zero(figure.axes[0])
    return figure


def all_arms(key: Key) -> Figure:
    """Every arm on one set of images, the single heads of a network left out."""
    found = points(key, [arm for arm in EXPLAINED if arm != BEST and ": " not in arm])
    kind = marks(found)
    far = {arm: f"−{-d.mean():.0f}" for arm, d in found.items() if arm not in kind.of}
    figure = lines(marked(key), list(found), [kind], "points of accuracy", OURS, far)
    zero(figure.axes[0])
    return figure


def summary() -> list[Panel]:
    """The sets that no default was chosen on."""
    keys = there(UNTUNED_IMAGES, DEFAULT, BEST)
    return [partial(on_images, keys)] if keys else []


def images(keys: Sequence[Key]) -> list[Panel]:
    """Every arm on every set of images."""
    return [partial(all_arms, key) for key in there(keys, DEFAULT, BEST)]


def ranks(keys: Sequence[Key]) -> list[Panel]:
    """A critical-difference diagram; ranks compare means, so of arms with the same seeds."""
    keys = there(keys, DEFAULT, BEST)
    if not keys:
        return []
    arms = [
        a for a in EXPLAINED if all(values(k, a).keys() == values(k, BEST).keys() for k in keys)
    ]
    of = average_ranks({a: np.array([mean(k, a) for k in keys]) for a in arms})
    distance = critical_difference(len(arms), len(keys))
    return [partial(rank_diagram, f"accuracy on {len(keys)} problems", of, distance, OURS)]
