"""The tables of the page on the evidence."""

from collections.abc import Sequence

import numpy as np

from benchmarks.common.means import mean_and_error
from benchmarks.common.rows import results, unique, where
from benchmarks.common.tables import Table, heading
from benchmarks.evidence.arms import DECIDING, SMALL_TABLES
from benchmarks.evidence.choice import chosen
from benchmarks.evidence.compared import (
    BEST,
    DEFAULT,
    Key,
    difference,
    guard_and_default,
    mean,
    means,
    rows_of_arms,
    scores,
    small_tables,
    there,
    title,
    values,
)
from benchmarks.evidence.sets import TUNED_ON
from benchmarks.evidence.statistics import over_data_sets, p_value, wins_ties_losses
from benchmarks.package import CANDIDATES, holm

EXPLAINED = {
    "maxl (default)": "``MAXLClassifier()``",
    "best single": "the best plain network: no auxiliary task; loss, learning rate, weight decay "
    "and, for tables, network chosen on validation",
    "single, defaults": "``auxiliary=None``",
    "single, focal": "``auxiliary=None, focal_gamma=2``: the paper's baseline",
    "best single, equal time": "the same with three times the epochs",
    "uniform": "``auxiliary='uniform', views=None``: teaches nothing",
    "uniform, views": "``auxiliary='uniform'``: the default without a label generator",
    "maxl, no views": "``views=None``: learned labels alone",
    "frozen generator": "the default, its generator left at its first weights",
    "learned weights": "``auxiliary=Learned(weight_range=3)``",
    "maxl, paper": "``from_preset('neurips2019')`` with the network and epochs of the others",
    "random": "``auxiliary='random', views=None``",
    "kmeans": "``auxiliary='kmeans', views=None``",
    "human": "``auxiliary='human', views=None``: true finer labels",
    "label smoothing": "plain network, 0.1",
    "mixup": "plain network, alpha 0.2",
    "turned": "plain network, rotations as augmentation, mean over the turns at prediction",
    "two networks": "two plain networks, probabilities averaged",
    "guard": "``guard=True``, an option of the time: the better of both on held-out samples",
    "single, lr=0.01": "``auxiliary=None, lr=0.01``, for tables",
    "uniform, lr=0.01": "``auxiliary='uniform', lr=0.01``, for tables",
    "maxl, lr=0.01": "``lr=0.01``, for tables: the default before a fit chose the rate",
    "guard, lr=0.01": "``guard=True, lr=0.01``, for tables",
    "single, 100 units": "``auxiliary=None, backbone='mlp', lr=0.01``, for tables",
    "uniform, 100 units": "``auxiliary='uniform', backbone='mlp', lr=0.01``, for tables",
    "maxl, 100 units": "``backbone='mlp', lr=0.01``, for tables: the default before both",
}


def arms() -> Table:
    """What the arms are."""
    known = {arm for _, _, arm in rows_of_arms()}
    return Table(("arm", "what it is"), [row for row in EXPLAINED.items() if row[0] in known])


def images(keys: Sequence[Key]) -> str:
    """One table for each set of images: every arm."""
    parts = []
    for key in there(keys, DEFAULT, BEST):
        arms = [arm for arm in EXPLAINED if len(values(key, arm)) > 1]
        differences = {arm: difference(key, arm, BEST) for arm in arms if arm != BEST}
        p = dict(zip(differences, holm([p_value(d) for d in differences.values()]), strict=True))
        body = [
            (
                arm,
                mean_and_error(scores(key, arm)),
                mean_and_error(differences[arm], sign="+") if arm in p else "",
                f"{p[arm]:.3f}" if arm in p else "",
                f"{mean(key, arm, 'log_loss'):.3f}",
                f"{100 * mean(key, arm, 'calibration_error'):.1f}",
                f"{np.median(list(values(key, arm, 'seconds').values())):.0f}",
                f"{len(values(key, arm))}",
            )
            for arm in arms
        ]
        head = ("arm", "accuracy in %", "minus best plain network", "p (Holm)", "log-loss",
                "calibration error in %", "seconds", "seeds")  # fmt: skip
        parts.append(f"{heading(f'{title(key)} images', '.')}\n{Table(head, body).rst()}\n")
    return "\n".join(parts)


def tables() -> Table:
    """One row for each table and size."""
    keys = small_tables()
    others = [a for a in EXPLAINED if a != BEST and len(there(keys, a)) == len(keys)]
    p = holm([p_value(difference(key, DEFAULT, BEST)) for key in keys])
    body = [
        (
            title(key) + (" (tuned on)" if key[0] in TUNED_ON else ""),
            mean_and_error(scores(key, BEST)),
            *(mean_and_error(difference(key, arm, BEST), sign="+") for arm in others),
            f"{p_of:.3f}",
        )
        for key, p_of in zip(keys, p, strict=True)
    ]
    head = ("table, rows", "best plain network, accuracy in %", *others, "p of the default (Holm)")
    return Table(head, body)


def summary(keys: Sequence[Key]) -> Table:
    """Every arm against the best plain network over data sets."""
    body = []
    for arm in EXPLAINED:
        shared = there(keys, arm, BEST)
        if arm == BEST or not shared:
            continue
        differences = [difference(key, arm, BEST) for key in shared]
        found = means(differences)
        win, tie, loss = wins_ties_losses(differences)
        worst = shared[int(found.argmin())]
        body.append(
            (
                arm,
                f"{100 * found.mean():+.2f}",
                f"{over_data_sets(found):.3f}",
                f"{win} / {tie} / {loss}",
                f"{100 * found.min():+.2f} ({title(worst)})",
                f"{len(shared)}",
            )
        )
    head = ("arm", "mean difference in points", "p (Wilcoxon)", "win / tie / loss", "worst set",
            "sets")  # fmt: skip
    return Table(head, body)


def guarded() -> Table:
    """The default with and without its guard, on the seeds that the guard was run on."""
    body = []
    for name, keys in (("images", DECIDING), ("tables", SMALL_TABLES)):
        pairs = [guard_and_default(key) for key in there(keys, "guard", DEFAULT, BEST)]
        for says, side in (("without", 1), ("with", 0)):
            differences = [pair[side] for pair in pairs]
            if differences:
                found = means(differences)
                win, tie, loss = wins_ties_losses(differences)
                figures = (found.mean(), found.min(), min(d.min() for d in differences))
                cells = (f"{100 * figure:+.2f}" for figure in figures)
                runs = sum(map(len, differences))
                body.append((name, says, *cells, f"{win} / {tie} / {loss}", f"{runs}"))
    head = ("sets", "guard", "mean difference", "worst set", "worst run", "win / tie / loss",
            "runs")  # fmt: skip
    return Table(head, body)


def chosen_singles() -> Table:
    """What validation chose for each set."""
    rows = results("evidence_single")
    body = []
    for key in there([*DECIDING, *SMALL_TABLES], BEST):
        gamma, lr, decay, network = chosen(rows, *key)
        body.append((title(key), f"{gamma:g}", f"{lr:g}", f"{decay:g}", f'"{network}"'))
    return Table(("set", "``focal_gamma``", "``lr``", "weight decay", "``backbone``"), body)


def cost() -> Table:
    """Operations of the arms, in units of the single task."""
    rows = results("evidence_cost")
    sets = list(dict.fromkeys((r["data_set"], r["n"]) for r in rows))
    count = {(r["data_set"], r["n"], r["arm"]): float(r["operations"]) for r in rows}

    def ratio(name: str, n: str, arm: str) -> str:
        if (name, n, arm) not in count:
            return ""
        return f"{count[name, n, arm] / count[name, n, 'single, defaults']:.2f}"

    head = ("arm", *(f"{name}, {n}" for name, n in sets))
    return Table(head, [(arm, *(ratio(*key, arm) for key in sets)) for arm in unique(rows, "arm")])


def rates_chosen() -> Table:
    """How often a fit took which rate, beside the rate of the best plain network."""
    rates = [str(lr) for lr in CANDIDATES]
    rows, candidates = results("evidence_rates"), results("evidence_single")
    body = []
    for key in small_tables():
        mine = [r["lr"] for r in where(rows, data_set=key[0], n=key[1])]
        counts = (str(mine.count(lr)) for lr in rates)
        body.append((title(key), *counts, f"{chosen(candidates, *key)[1]:g}"))
    return Table(("table, rows", *(f"{lr} chosen" for lr in rates), "best plain network"), body)
