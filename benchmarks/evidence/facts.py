"""The numbers that the evidence's text quotes."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from benchmarks.common.means import mean_and_error
from benchmarks.common.rows import machine_of, results
from benchmarks.evidence.arms import DECIDING
from benchmarks.evidence.compared import (
    BEST,
    DEFAULT,
    Key,
    difference,
    guard_and_default,
    mean,
    means,
    small_tables,
    there,
    title,
    values,
)
from benchmarks.evidence.statistics import over_data_sets, p_value, wins_ties_losses
from benchmarks.package import holm

FIXED = "maxl, lr=0.01"

Differences = Sequence[np.ndarray]


def points(differences: Differences) -> str:
    """The mean over data sets."""
    return f"{100 * means(differences).mean():+.2f}"


def each(keys: Sequence[Key], differences: Differences) -> str:
    """The mean and error of each data set."""
    pairs = zip(keys, differences, strict=True)
    return "; ".join(f"{title(key)} {mean_and_error(d, sign='+')}" for key, d in pairs)


def told_apart(keys: Sequence[Key], differences: Differences, sign: int) -> str:
    """In brackets, the data sets that are significantly better (1) or worse (-1)."""
    p = holm([p_value(d) for d in differences])
    named = [
        f"{title(key)} {100 * d.mean():+.2f}"
        for key, d, q in zip(keys, differences, p, strict=True)
        if sign * d.mean() > 0 and q < 0.05
    ]
    return f" ({'; '.join(named)})" if named else ""


def log_loss(keys: Sequence[Key], arm: str) -> str:
    """The mean log-loss of an arm over data sets."""
    return f"{np.mean([mean(key, arm, 'log_loss') for key in keys]):.2f}"


def cost_of_rates(n: int) -> str:
    """Seconds of the trials over those of the fit of the defaults, a median."""
    ratios = [
        (float(r["seconds"]) - values(key, "single, defaults", "seconds")[int(r["seed"])])
        / values(key, DEFAULT, "seconds")[int(r["seed"])]
        for r in results("evidence_rates")
        if (key := (r["data_set"], int(r["n"])))[1] == n
    ]
    return f"{np.median(ratios):.1f}"


@cache
def facts() -> dict[str, str]:
    """The numbers by name."""
    deciding, small = there(DECIDING, DEFAULT, BEST), small_tables()

    def to(keys: Sequence[Key], reference: str, arm: str = DEFAULT) -> Differences:
        return [difference(key, arm, reference) for key in keys]

    to_best, to_views = to(deciding, BEST), to(deciding, "uniform, views")
    on_tables, to_plain = to(small, BEST), to(small, "single, defaults")
    fixed = to(small, BEST, FIXED)
    guard, unguarded = zip(*map(guard_and_default, small), strict=True)
    win, tie, loss = wins_ties_losses(on_tables)
    return {
        "sets": each(deciding, to_best),
        "mean": points(to_best),
        "wins": f"{wins_ties_losses(to_best)[0]}",
        "uniform": points(to(deciding, "uniform")),
        "views": points(to_views),
        "views_sets": each(deciding, to_views),
        "on_tables": points(on_tables),
        "n_tables": f"{len(small)}",
        "tables_p": f"{over_data_sets(means(on_tables)):.3f}",
        "table_wins": f"{win}",
        "table_ties": f"{tie}",
        "table_losses": f"{loss}",
        "better": told_apart(small, on_tables, 1),
        "worse": told_apart(small, on_tables, -1),
        "fixed": points(fixed),
        "fixed_wins": f"{wins_ties_losses(fixed)[0]}",
        "fixed_losses": f"{wins_ties_losses(fixed)[2]}",
        "fixed_worse": told_apart(small, fixed, -1),
        "log_loss": log_loss(small, DEFAULT),
        "fixed_log_loss": log_loss(small, FIXED),
        "best_log_loss": log_loss(small, BEST),
        "plain": points(to_plain),
        "plain_wins": f"{wins_ties_losses(to_plain)[0]}",
        "plain_losses": f"{wins_ties_losses(to_plain)[2]}",
        "guard": points(guard),
        "guard_losses": f"{wins_ties_losses(guard)[2]}",
        "unguarded": points(unguarded),
        "unguarded_losses": f"{wins_ties_losses(unguarded)[2]}",
        "learned": points(to(small, "uniform")),
        "cost_200": cost_of_rates(200),
        "cost_1000": cost_of_rates(1000),
        "machine": machine_of("evidence"),
        "tuning_machine": machine_of("evidence_tuning"),
    }
