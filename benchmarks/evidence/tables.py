"""The tables of the page on the evidence."""

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.common.means import mean_and_error
from benchmarks.common.rows import numbers, results, unique, where
from benchmarks.common.tables import Table, heading
from benchmarks.evidence.arms import DECIDING, SMALL_TABLES
from benchmarks.evidence.choice import chosen, chosen_augmentation
from benchmarks.evidence.compared import (
    BEST,
    DEFAULT,
    Key,
    difference,
    marked,
    mean,
    rows_of_arms,
    scores,
    there,
    title,
    values,
)
from benchmarks.evidence.sets import is_table
from benchmarks.evidence.statistics import over_data_sets, p_text, p_value, wins_ties_losses

SLA = "self-supervised label augmentation"
EXPLAINED = {
    DEFAULT: "``MAXLClassifier()``",
    BEST: "the best plain network: no auxiliary task; loss, learning rate, weight decay "
    "and, for tables, network chosen on validation",
    "best single, augmented": "the same with ordinary augmentation, chosen on validation: shifts "
    "by up to one or two pixels, mirror images (not of digits), or both",
    "single, defaults": "``auxiliary=None``: a plain network with the settings of the default",
    "single, mean over turns": "the same network; its prediction is the mean over four turns of "
    "the image",
    "two networks": "two plain networks with the settings of the default, mean probabilities",
    "four networks": "four of them: the cost of the default's prediction, and a third more than "
    "that of its training",
    "turned": "plain network, the settings of the default; training images turned at random, and "
    "the mean over four turns at prediction",
    "turned, augmented": "the same, with ordinary augmentation too",
    SLA: "``auxiliary='uniform', psi=1``: one auxiliary class for each pair of class and turn "
    "(Lee, Hwang and Shin, ICML 2020)",
    f"{SLA}: primary head": "the same network, asked by its primary head",
    f"{SLA}: auxiliary head, upright": "the same network, asked by its auxiliary head, without "
    "turning the image",
    "uniform, views": "``auxiliary='uniform'``: the default without a label generator",
    "uniform, views: primary head": "the same network, asked by its primary head",
    "uniform, views: auxiliary head, upright": "the same network, asked by its auxiliary head, "
    "without turning the image",
    "uniform, views, augmented": "``auxiliary='uniform'`` with ordinary augmentation",
    "uniform, views, augmented: primary head": "the same network, asked by its primary head",
    "uniform, views, augmented: auxiliary head, upright": "the same network, asked by its "
    "auxiliary head, without turning the image",
    "uniform": "``auxiliary='uniform', views=None``: auxiliary labels that say nothing",
    "maxl, no views": "``views=None``: learned labels alone",
    "label smoothing": "plain network, the settings of the default, smoothing 0.1 (on tables with "
    "fewer than 500 rows that is the default)",
    "mixup": "plain network, the settings of the default, alpha 0.2",
}
# What decides on images, and what a reader who knows no arms calls it.
SHOWN = {
    DEFAULT: "MAXLClassifier()",
    "uniform, views": 'auxiliary="uniform"',
    "uniform, views: auxiliary head, upright": "the same, upright image only",
    "uniform, views, augmented": "the same, shifts, mirror images",
    "best single, augmented": "plain, shifts, mirror images",
    "turned": "plain, turned training images",
    "four networks": "four plain networks",
    "label smoothing": "plain, label smoothing",
}
# Arms that were run once, before each seed had test samples of its own.
EARLIER = {
    "frozen generator": "the default, its generator left at its first weights",
    "learned weights": "``auxiliary=Learned(weight_range=3)``",
    "maxl, paper": "``from_preset('neurips2019')`` with the network and epochs of the others",
    "single, focal": "``auxiliary=None, focal_gamma=2``: the paper's baseline",
    "best single, equal time": "the best plain network with three times the epochs",
    "random": "``auxiliary='random', views=None``",
    "kmeans": "``auxiliary='kmeans', views=None``",
    "human": "``auxiliary='human', views=None``: true finer labels",
    "guard": "``guard=True``, an option of the time: the better of both on held-out samples",
    "single, lr=0.01": "``auxiliary=None, lr=0.01``, for tables",
    "maxl, lr=0.01": "``lr=0.01``, for tables: the default before a fit chose the rate",
    "guard, lr=0.01": "``guard=True, lr=0.01``, for tables",
    "single, 100 units": "``auxiliary=None, backbone='mlp', lr=0.01``, for tables",
    "maxl, 100 units": "``backbone='mlp', lr=0.01``, for tables: the default before both",
}


def arms() -> Table:
    """What the arms are."""
    known = {arm for _, _, arm in rows_of_arms()}
    return Table(("arm", "what it is"), [row for row in EXPLAINED.items() if row[0] in known])


def overview(keys: Sequence[Key]) -> Table:
    """What decides, against the best plain network, a column for each set."""
    keys = there(keys, DEFAULT, BEST)
    body = [
        (name, *(mean_and_error(difference(key, arm, BEST), sign="+") for key in keys))
        for arm, name in SHOWN.items()
        if any(there([key], arm) for key in keys)
    ]
    plain = [mean_and_error(scores(key, BEST)) for key in keys]
    return Table(
        ("", *(f"{title(key)} images" for key in keys)),
        [*body, ("*accuracy of the best plain network, %*", *plain)],
    )


def images(keys: Sequence[Key]) -> str:
    """One table for each set of images: every arm."""
    parts = []
    for key in there(keys, DEFAULT, BEST):
        body = []
        for arm in (arm for arm in EXPLAINED if len(values(key, arm)) > 1):
            to_best, to_default = (difference(key, arm, other) for other in (BEST, DEFAULT))
            body.append(
                (
                    arm,
                    mean_and_error(scores(key, arm)),
                    mean_and_error(to_best, sign="+") if arm != BEST else "",
                    mean_and_error(to_default, sign="+") if arm != DEFAULT else "",
                    p_text(p_value(to_default)) if arm != DEFAULT else "",
                    f"{mean(key, arm, 'log_loss'):.3f}",
                    f"{100 * mean(key, arm, 'calibration_error'):.1f}",
                    f"{len(values(key, arm))}",
                )
            )
        head = ("arm", "accuracy in %", "minus best plain network", "minus the default", "p",
                "log-loss", "calibration error in %", "seeds")  # fmt: skip
        parts.append(f"{heading(f'{marked(key)} images', '.')}\n{Table(head, body).rst()}\n")
    return "\n".join(parts) or "Not measured yet."


def tables() -> Table:
    """One row for each table and size."""
    keys = there(SMALL_TABLES, DEFAULT, BEST)
    others = [a for a in EXPLAINED if a != BEST and len(there(keys, a)) == len(keys)]
    body = [
        (
            marked(key),
            mean_and_error(scores(key, BEST)),
            *(mean_and_error(difference(key, arm, BEST), sign="+") for arm in others),
        )
        for key in keys
    ]
    head = ("table, rows", "best plain network, accuracy in %", *others)
    return Table(head, body)


def mean_differences(
    keys: Sequence[Key], arm: str, reference: str, column: str = "accuracy"
) -> dict[Key, float]:
    """The mean difference of each set that has both."""
    shared = there(keys, arm, reference)
    return {key: float(difference(key, arm, reference, column).mean()) for key in shared}


def average(means: Mapping[Key, float]) -> float:
    return float(np.mean(list(means.values())))


def summary(keys: Sequence[Key], reference: str) -> Table:
    """Every arm against one of them over data sets."""
    body = []
    for arm in EXPLAINED:
        found = mean_differences(keys, arm, reference)
        if arm == reference or not found:
            continue
        losses = mean_differences(keys, arm, reference, "log_loss")
        win, tie, loss = wins_ties_losses([difference(key, arm, reference) for key in found])
        worst = min(found, key=found.__getitem__)
        body.append(
            (
                arm,
                f"{100 * average(found):+.2f}",
                p_text(over_data_sets(found)),
                f"{win} / {tie} / {loss}",
                f"{100 * found[worst]:+.2f} ({title(worst)})",
                f"{average(losses):+.3f}",
                f"{len(found)}",
            )
        )
    head = (f"minus {reference}", "accuracy, points", "p (Wilcoxon)", "win / tie / loss",
            "worst", "log-loss", "problems")  # fmt: skip
    return Table(head, body)


def earlier() -> Table:
    """The arms of an earlier run against the best plain network of that run."""
    file = "evidence_earlier"
    sets = {(name, int(n)) for name, n, _ in rows_of_arms(file)}
    body = []
    for arm, what in EARLIER.items():
        of_arm = [key for key in sets if values(key, arm, file=file)]
        cells, runs = [], 0
        for of_tables in (False, True):
            keys = [key for key in of_arm if is_table(key[0]) == of_tables]
            found = [difference(key, arm, BEST, file=file) for key in keys]
            runs += sum(map(len, found))
            means = [d.mean() for d in found if len(d)]
            cells.append(f"{100 * np.mean(means):+.2f} ({len(means)})" if means else "")
        body.append((arm, what, *cells, f"{runs}"))
    head = ("minus best plain network", "what it is", "images (sets)", "tables (problems)", "runs")
    return Table(head, body)


def chosen_singles() -> Table:
    """What validation chose for each set."""
    rows, augmented = results("evidence_single"), results("evidence_augmentation")
    body = []
    for key in there([*DECIDING, *SMALL_TABLES], BEST):
        gamma, lr, decay, network = chosen(rows, *key)
        augmentation = "" if is_table(key[0]) else chosen_augmentation(augmented, *key)
        cells = (f"{gamma:g}", f"{lr:g}", f"{decay:g}", f'"{network}"', augmentation)
        body.append((title(key), *cells))
    head = ("set", "``focal_gamma``", "``lr``", "weight decay", "``backbone``", "augmentation")
    return Table(head, body)


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


def trials_chosen() -> Table:
    """How often the trials chose the short training, and their temperatures."""
    body = []
    for key in SMALL_TABLES:
        mine = where(results("evidence_trials"), data_set=key[0], n=key[1])
        if not mine:
            continue
        short = numbers(mine, "max_epochs") < numbers(mine, "most_epochs")
        low, middle, high = np.quantile(numbers(mine, "temperature"), (0, 0.5, 1))
        cells = (f"{short.sum()} of {len(mine)}", f"{middle:.2f}", f"{low:.2f} to {high:.2f}")
        body.append((title(key), *cells))
    return Table(("table, rows", "a third of the epochs", "temperature", "least to most"), body)
