"""The numbers that the evidence's text quotes.

Means over sets leave out the sets that defaults were chosen on.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial

import numpy as np

from benchmarks.common.means import mean_and_error
from benchmarks.common.rows import machine_of, results
from benchmarks.evidence.arms import UNTUNED_IMAGES, UNTUNED_TABLES
from benchmarks.evidence.compared import (
    BEST,
    DEFAULT,
    Key,
    difference,
    mean,
    there,
    title,
    values,
)
from benchmarks.evidence.sets import is_table
from benchmarks.evidence.statistics import over_data_sets, p_text, p_value, wins_ties_losses
from benchmarks.evidence.tables import SLA, average, mean_differences
from benchmarks.package import holm

# Name of a fact -> the two arms whose difference it is; for each kind of data, its sets.
ON_IMAGES = {
    "default": (DEFAULT, BEST),
    "default_to_augmented": (DEFAULT, "best single, augmented"),
    "default_to_four": (DEFAULT, "four networks"),
    "default_to_turned": (DEFAULT, "turned"),
    "default_to_sla": (DEFAULT, SLA),
    "learned": (DEFAULT, "uniform, views"),
    "learned_without_views": ("maxl, no views", "uniform"),
    "primary_head": (f"{SLA}: primary head", BEST),
    "upright": (f"{SLA}: auxiliary head, upright", BEST),
    "over_turns": (SLA, BEST),
    "views_augmented": ("uniform, views, augmented", "best single, augmented"),
}
NOT_MEASURED = "(not measured)"
ON_TABLES = {
    "default": (DEFAULT, BEST),
    "default_to_plain": (DEFAULT, "single, defaults"),
    "default_to_smoothing": (DEFAULT, "label smoothing"),
    "default_to_four": (DEFAULT, "four networks"),
    "learned": (DEFAULT, "uniform"),
}


def each(keys: Sequence[Key], arm: str, reference: str) -> str:
    """The mean and error of each data set."""
    pairs = ((key, difference(key, arm, reference)) for key in there(keys, arm, reference))
    said = "; ".join(f"{title(key)}: {mean_and_error(d, sign='+')}" for key, d in pairs)
    return said or NOT_MEASURED


def points(keys: Sequence[Key], arm: str, reference: str) -> str:
    """The mean over data sets."""
    return f"{100 * average(mean_differences(keys, arm, reference)):+.2f}"


def told_apart(keys: Sequence[Key], arm: str, reference: str, sign: int) -> str:
    """In brackets, the data sets that are significantly better (1) or worse (-1)."""
    keys = there(keys, arm, reference)
    differences = [difference(key, arm, reference) for key in keys]
    p = holm([p_value(d) for d in differences])
    named = [
        f"{title(key)} {100 * d.mean():+.2f}"
        for key, d, q in zip(keys, differences, p, strict=True)
        if sign * d.mean() > 0 and q < 0.05
    ]
    return f" ({'; '.join(named)})" if named else ""


def counted(keys: Sequence[Key], arm: str, reference: str) -> str:
    """On how many sets it is significantly better and worse."""
    keys = there(keys, arm, reference)
    win, _, loss = wins_ties_losses([difference(key, arm, reference) for key in keys])
    return f"better on {win}, worse on {loss}"


def log_loss(keys: Sequence[Key], arm: str) -> str:
    """The mean log-loss of an arm over data sets."""
    losses = [mean(key, arm, "log_loss") for key in there(keys, arm)]
    return f"{np.mean(losses):.2f}" if losses else NOT_MEASURED


def cost_of_trials(n: int) -> str:
    """Seconds of the trials over those of the fit of the defaults, a median."""
    ratios = []
    for r in results("evidence_trials"):
        key, seed = (r["data_set"], int(r["n"])), int(r["seed"])
        plain = values(key, "four networks", "seconds").get(seed)
        default = values(key, DEFAULT, "seconds").get(seed)
        if key[1] == n and plain and default:
            ratios.append((float(r["seconds"]) - plain / 4) / default)
    return f"{np.median(ratios):.1f}" if ratios else NOT_MEASURED


def times_the_single_task(arm: str, of_tables: bool) -> str:
    """Operations of an arm in units of the single task's: the least and the most of its sets."""
    count = {
        (r["data_set"], r["n"], r["arm"]): float(r["operations"]) for r in results("evidence_cost")
    }
    ratios = {
        f"{operations / count[name, n, 'single, defaults']:.1f}": operations
        for (name, n, of), operations in count.items()
        if of == arm and is_table(name) == of_tables
    }
    if not ratios:
        return NOT_MEASURED
    return " to ".join(dict.fromkeys((min(ratios, key=float), max(ratios, key=float))))


def seeds(keys: Sequence[Key]) -> str:
    """How many seeds the sets have, the fewest and the most."""
    found = sorted(len(difference(key, DEFAULT, BEST)) for key in keys)
    return " to ".join(dict.fromkeys((f"{found[0]}", f"{found[-1]}"))) if found else NOT_MEASURED


def on_each(keys: Sequence[Key]) -> dict[str, str]:
    """Differences on images, set by set."""
    return {name: each(keys, *pair) for name, pair in ON_IMAGES.items()}


def over_all(keys: Sequence[Key]) -> dict[str, str]:
    """Differences on tables, over all of them."""
    found: dict[str, str] = {}
    more: dict[str, Callable[[Sequence[Key], str, str], str]] = {
        "default_better": partial(told_apart, sign=1),
        "default_worse": partial(told_apart, sign=-1),
        "default_p": lambda *pair: p_text(over_data_sets(mean_differences(*pair))),
    }
    for name, pair in ON_TABLES.items():
        says = {name: points, f"{name}_counts": counted}
        says |= {of: say for of, say in more.items() if of.startswith(f"{name}_")}
        measured = bool(there(keys, *pair))
        found |= {of: say(keys, *pair) if measured else NOT_MEASURED for of, say in says.items()}
    return found


@cache
def facts() -> dict[str, str]:
    """The numbers by name; those of images and of tables have it before their name."""
    tables = there(UNTUNED_TABLES, DEFAULT, BEST)
    losses = {"default": DEFAULT, "best": BEST, "smoothing": "label smoothing",
              "plain": "single, defaults", "four": "four networks"}  # fmt: skip
    return {
        **{f"images_{name}": fact for name, fact in on_each(UNTUNED_IMAGES).items()},
        **{f"tables_{name}": fact for name, fact in over_all(tables).items()},
        **{f"log_loss_{name}": log_loss(tables, arm) for name, arm in losses.items()},
        "image_seeds": seeds(there(UNTUNED_IMAGES, DEFAULT, BEST)),
        "table_seeds": seeds(tables),
        "n_problems": f"{len(tables)}",
        "n_tables": f"{len({name for name, _ in tables})}",
        "cost_200": cost_of_trials(200),
        "cost_1000": cost_of_trials(1000),
        "operations_views": times_the_single_task(DEFAULT, of_tables=False),
        "operations_no_views": times_the_single_task("maxl, no views", of_tables=False),
        "operations_tables": times_the_single_task(DEFAULT, of_tables=True),
        "machine": machine_of("evidence"),
        "tuning_machine": machine_of("evidence_tuning"),
    }
