"""Write docs/evidence.rst and docs/choosing.rst, and a figure, from the committed CSV files alone.

python benchmarks/evidence_report.py
"""

from _statistics import (
    average_ranks,
    critical_difference,
    over_data_sets,
    p_value,
    wins_ties_losses,
)
from collections.abc import Sequence
from functools import cache
from itertools import product
from pathlib import Path
from textwrap import fill

import matplotlib as mpl
import numpy as np
from _runs import mean_and_error
from _sets import OTHERWISE, TABLES, TUNED_ON
from evidence import (
    BASE,
    CHANGES,
    DECAY_CHANGES,
    DECIDING,
    IMAGE_IDEAS,
    ON_IMAGES,
    ON_TABLES,
    OTHER_SIZES,
    RATES_TRIED,
    SMALL_TABLES,
    TABLE_IDEAS,
    VIEW_CHANGES,
    WITHOUT_UPRIGHT,
    chosen,
    is_table,
    rate_setting,
)
from matplotlib import pyplot as plt
from report import Rows, read, table

from sklearn_maxl._training.choose_lr import CANDIDATES
from sklearn_maxl.comparison._statistics import holm

DOCS = Path(__file__).parents[1] / "docs"
DEFAULT, BEST = "maxl (default)", "best single"

Key = tuple[str, int]

EXPLAINED = {
    "maxl (default)": "``MAXLClassifier()``",
    "best single": "no auxiliary task; loss, learning rate, weight decay and, for tables, "
    "network chosen on validation",
    "single, defaults": "``auxiliary=None``",
    "single, focal": "``auxiliary=None, focal_gamma=2``: the paper's baseline",
    "best single, equal time": "the same with three times the epochs",
    "uniform": "``auxiliary='uniform', views=None``: teaches nothing",
    "uniform, views": "``auxiliary='uniform'``: the default without a label generator",
    "maxl, no views": "``views=None``: learned labels alone",
    "frozen generator": "the default, its generator left at its first weights",
    "learned weights": "``auxiliary_weight_range=3``",
    "maxl, paper": "``from_preset('neurips2019')`` with the network and epochs of the others",
    "random": "``auxiliary='random', views=None``",
    "kmeans": "``auxiliary='kmeans', views=None``",
    "human": "``auxiliary='human', views=None``: true finer labels",
    "label smoothing": "plain network, 0.1",
    "mixup": "plain network, alpha 0.2",
    "turned": "plain network, rotations as augmentation, mean over the turns at prediction",
    "two networks": "two plain networks, probabilities averaged",
    "guard": "``guard=True``",
    "single, lr=0.01": "``auxiliary=None, lr=0.01``, for tables",
    "uniform, lr=0.01": "``auxiliary='uniform', lr=0.01``, for tables",
    "maxl, lr=0.01": "``lr=0.01``, for tables: the default before a fit chose the rate",
    "guard, lr=0.01": "``guard=True, lr=0.01``, for tables",
    "single, 100 units": "``auxiliary=None, backbone='mlp', lr=0.01``, for tables",
    "uniform, 100 units": "``auxiliary='uniform', backbone='mlp', lr=0.01``, for tables",
    "maxl, 100 units": "``backbone='mlp', lr=0.01``, for tables: the default before both",
}


@cache
def report_rows() -> tuple[str, Rows]:
    return read("evidence")


@cache
def rows_of_arms() -> dict[tuple[str, str, str], Rows]:
    """The rows by data set, size and arm."""
    groups: dict[tuple[str, str, str], Rows] = {}
    for r in report_rows()[1]:
        groups.setdefault((r["data_set"], r["n"], r["arm"]), []).append(r)
    return groups


def values(key: Key, arm: str, column: str = "accuracy") -> dict[int, float]:
    """A column of an arm's rows, by seed."""
    name, n = key
    rows = rows_of_arms().get((name, str(n), arm), [])
    return {int(r["seed"]): float(r[column]) for r in rows}


def difference(key: Key, arm: str, reference: str, *others: str) -> np.ndarray:
    """Paired differences of two arms, over the seeds that both and the others have."""
    a, b = values(key, arm), values(key, reference)
    shared = a.keys() & b.keys()
    for other in others:
        shared &= values(key, other).keys()
    return np.array([a[seed] - b[seed] for seed in sorted(shared)])


def mean(key: Key, arm: str, column: str = "accuracy") -> float:
    return float(np.mean(list(values(key, arm, column).values())))


def there(keys: Sequence[Key], *arms: str) -> list[Key]:
    """The sets that have rows of all these arms, two seeds at least."""
    return [k for k in keys if all(len(values(k, arm)) > 1 for arm in arms)]


def filled(text: str) -> str:
    """Paragraphs whose lines are as long as those of the other pages."""
    paragraphs = text.strip().split("\n\n")
    return "\n\n".join(
        fill(p, 99, break_long_words=False, break_on_hyphens=False) for p in paragraphs
    )


def title(key: Key) -> str:
    return f"{key[0]}, {key[1]:,}"


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
                mean_and_error(np.array(list(values(key, arm).values()))),
                mean_and_error(differences[arm], sign="+") if arm in p else "",
                f"{p[arm]:.3f}" if arm in p else "",
                f"{mean(key, arm, 'log_loss'):.3f}",
                f"{100 * mean(key, arm, 'calibration_error'):.1f}",
                f"{np.median(list(values(key, arm, 'seconds').values())):.0f}",
                f"{len(values(key, arm))}",
            )
            for arm in arms
        ]
        head = ("arm", "accuracy in %", "minus best single task", "p (Holm)", "log-loss",
                "calibration error in %", "seconds", "seeds")  # fmt: skip
        parts.append(f"{title(key)} images\n{'.' * 40}\n\n{table(head, body)}\n")
    return "\n".join(parts)


def tables() -> str:
    """One row for each table and size."""
    keys = there(SMALL_TABLES, DEFAULT, BEST)
    others = [a for a in EXPLAINED if a != BEST and len(there(keys, a)) == len(keys)]
    p = holm([p_value(difference(key, DEFAULT, BEST)) for key in keys])
    body = [
        (
            title(key) + (" (tuned on)" if key[0] in TUNED_ON else ""),
            mean_and_error(np.array(list(values(key, BEST).values()))),
            *(mean_and_error(difference(key, arm, BEST), sign="+") for arm in others),
            f"{p_of:.3f}",
        )
        for key, p_of in zip(keys, p, strict=True)
    ]
    head = ("table, rows", "best single, accuracy in %", *others, "p of the default (Holm)")
    return table(head, body)


def summary(keys: Sequence[Key]) -> str:
    """Every arm against the best single task over data sets."""
    body = []
    for arm in EXPLAINED:
        shared = there(keys, arm, BEST)
        if arm == BEST or not shared:
            continue
        differences = [difference(key, arm, BEST) for key in shared]
        means = np.array([d.mean() for d in differences])
        win, tie, loss = wins_ties_losses(differences)
        worst = shared[int(means.argmin())]
        body.append(
            (
                arm,
                f"{100 * means.mean():+.2f}",
                f"{over_data_sets(means):.3f}",
                f"{win} / {tie} / {loss}",
                f"{100 * means.min():+.2f} ({title(worst)})",
                f"{len(shared)}",
            )
        )
    head = ("arm", "mean difference in points", "p (Wilcoxon)", "win / tie / loss", "worst set",
            "sets")  # fmt: skip
    return table(head, body)


def guard_and_default(key: Key) -> tuple[np.ndarray, np.ndarray]:
    """Differences to the best single task with and without a guard, on the same seeds."""
    return difference(key, "guard", BEST, DEFAULT), difference(key, DEFAULT, BEST, "guard")


def guarded() -> str:
    """The default with and without its guard, on the seeds that the guard was run on."""
    body = []
    for name, keys in (("images", DECIDING), ("tables", SMALL_TABLES)):
        pairs = [guard_and_default(key) for key in there(keys, "guard", DEFAULT, BEST)]
        for says, side in (("without", 1), ("with", 0)):
            differences = [pair[side] for pair in pairs]
            if differences:
                means = [d.mean() for d in differences]
                win, tie, loss = wins_ties_losses(differences)
                figures = (np.mean(means), min(means), min(d.min() for d in differences))
                cells = (f"{100 * figure:+.2f}" for figure in figures)
                runs = sum(map(len, differences))
                body.append((name, says, *cells, f"{win} / {tie} / {loss}", f"{runs}"))
    head = (
        "sets",
        "guard",
        "mean difference",
        "worst set",
        "worst run",
        "win / tie / loss",
        "runs",
    )
    return table(head, body)


def chosen_singles() -> str:
    rows = read("evidence_single")[1]
    body = []
    for key in there([*DECIDING, *SMALL_TABLES], BEST):
        gamma, lr, decay, network = chosen(rows, *key)
        body.append((title(key), f"{gamma:g}", f"{lr:g}", f"{decay:g}", f'"{network}"'))
    return table(("set", "``focal_gamma``", "``lr``", "weight decay", "``backbone``"), body)


def draw_ranks(keys: Sequence[Key], arms: Sequence[str], path: Path) -> None:
    """Critical-difference diagram: average ranks, and the distance that counts."""
    ranks = average_ranks({a: np.array([mean(k, a) for k in keys]) for a in arms})
    distance = critical_difference(len(arms), len(keys))
    order = sorted(ranks, key=ranks.__getitem__)
    figure, axes = plt.subplots(figsize=(7, 0.35 * len(order) + 1), layout="constrained")
    axes.hlines(range(len(order)), 1, [ranks[a] for a in order], color="0.85", zorder=1)
    axes.scatter([ranks[a] for a in order], range(len(order)), color="#0072b2", zorder=2)
    best = ranks[order[0]]
    axes.axvspan(best, best + distance, color="#e69f00", alpha=0.25, lw=0)
    axes.text(best + distance, len(order) - 0.6, "critical difference ", ha="right", va="bottom")
    axes.set(yticks=range(len(order)), yticklabels=order, ylim=(len(order) - 0.4, -0.6))
    axes.set(xlabel=f"average rank over {len(keys)} sets (1 is the best)", xlim=(1, len(order)))
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
    # The same bytes from the same rows.
    with mpl.rc_context({"svg.hashsalt": "sklearn_maxl", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def ranks() -> str:
    """Both diagrams."""
    figures = []
    for name, keys in (("images", DECIDING), ("tables", SMALL_TABLES)):
        keys = there(keys, DEFAULT, BEST)
        # Ranks compare means, so of the same seeds.
        arms = [
            a for a in EXPLAINED if all(values(k, a).keys() == values(k, BEST).keys() for k in keys)
        ]
        if len(keys) < 2 or len(arms) < 3:
            continue
        path = DOCS / "figures" / f"evidence_ranks_{name}.svg"
        draw_ranks(keys, arms, path)
        figures.append(
            f".. figure:: figures/{path.name}\n\n   Average ranks of accuracy, {name}. What lies "
            "in the shaded part is not told from\n   the best by Nemenyi's test at 0.05.\n"
        )
    return "\n".join(figures)


def cost() -> str:
    rows = read("evidence_cost")[1]
    sets = list(dict.fromkeys((r["data_set"], r["n"]) for r in rows))
    arms = list(dict.fromkeys(r["arm"] for r in rows))

    def ratio(key: tuple[str, str], arm: str) -> str:
        mine = [r for r in rows if (r["data_set"], r["n"], r["arm"]) == (*key, arm)]
        base = [r for r in rows if (r["data_set"], r["n"], r["arm"]) == (*key, "single, defaults")]
        return f"{float(mine[0]['operations']) / float(base[0]['operations']):.2f}" if mine else ""

    head = ("arm", *(f"{name}, {n}" for name, n in sets))
    return table(head, [(arm, *(ratio(key, arm) for key in sets)) for arm in arms])


def facts() -> dict[str, str]:
    """The figures that the first paragraphs quote."""
    deciding = there(DECIDING, DEFAULT, BEST)
    to_best = [difference(k, DEFAULT, BEST) for k in deciding]
    to_uniform = [difference(k, DEFAULT, "uniform") for k in deciding]
    to_views = [difference(k, DEFAULT, "uniform, views") for k in deciding]
    small = there(SMALL_TABLES, DEFAULT, BEST)
    on_tables = [difference(k, DEFAULT, BEST) for k in small]
    win, tie, loss = wins_ties_losses(on_tables)
    image_wins = wins_ties_losses(to_best)

    def told_apart(differences: Sequence[np.ndarray], sign: int) -> str:
        p = holm([p_value(d) for d in differences])
        named = [
            f"{title(k)} {100 * d.mean():+.2f}"
            for k, d, q in zip(small, differences, p, strict=True)
            if sign * d.mean() > 0 and q < 0.05
        ]
        return f" ({'; '.join(named)})" if named else ""

    to_plain = [difference(k, DEFAULT, "single, defaults") for k in small]
    plain = wins_ties_losses(to_plain)
    learned = [difference(k, DEFAULT, "uniform") for k in small]
    fixed = [difference(k, "maxl, lr=0.01", BEST) for k in small]
    with_guard, without = zip(*(guard_and_default(k) for k in small), strict=True)
    return {
        "sets": "; ".join(
            f"{title(k)} {mean_and_error(d, sign='+')}"
            for k, d in zip(deciding, to_best, strict=True)
        ),
        "mean": f"{100 * np.mean([d.mean() for d in to_best]):+.2f}",
        "wins": f"{image_wins[0]}",
        "uniform": f"{100 * np.mean([d.mean() for d in to_uniform]):+.2f}",
        "views": f"{100 * np.mean([d.mean() for d in to_views]):+.2f}",
        "views_sets": "; ".join(
            f"{title(k)} {mean_and_error(d, sign='+')}"
            for k, d in zip(deciding, to_views, strict=True)
        ),
        "on_tables": f"{100 * np.mean([d.mean() for d in on_tables]):+.2f}",
        "n_tables": f"{len(small)}",
        "table_wins": f"{win}",
        "table_ties": f"{tie}",
        "table_losses": f"{loss}",
        "better": told_apart(on_tables, 1),
        "worse": told_apart(on_tables, -1),
        "log_loss": f"{np.mean([mean(k, DEFAULT, 'log_loss') for k in small]):.2f}",
        "fixed": f"{100 * np.mean([d.mean() for d in fixed]):+.2f}",
        "fixed_wins": f"{wins_ties_losses(fixed)[0]}",
        "fixed_losses": f"{wins_ties_losses(fixed)[2]}",
        "fixed_worse": told_apart(fixed, -1),
        "fixed_log_loss": f"{np.mean([mean(k, 'maxl, lr=0.01', 'log_loss') for k in small]):.2f}",
        "best_log_loss": f"{np.mean([mean(k, BEST, 'log_loss') for k in small]):.2f}",
        "tables_p": f"{over_data_sets(np.array([d.mean() for d in on_tables])):.3f}",
        "plain": f"{100 * np.mean([d.mean() for d in to_plain]):+.2f}",
        "plain_wins": f"{plain[0]}",
        "plain_losses": f"{plain[2]}",
        "guard": f"{100 * np.mean([d.mean() for d in with_guard]):+.2f}",
        "guard_losses": f"{wins_ties_losses(with_guard)[2]}",
        "unguarded_losses": f"{wins_ties_losses(without)[2]}",
        "unguarded": f"{100 * np.mean([d.mean() for d in without]):+.2f}",
        "learned": f"{100 * np.mean([d.mean() for d in learned]):+.2f}",
        "machine": report_rows()[0],
    }


def evidence_page() -> str:
    there_are = {r["arm"] for r in report_rows()[1]}
    rows = [(arm, text) for arm, text in EXPLAINED.items() if arm in there_are]
    known = facts()
    return PAGE.format(
        **known,
        verdict=filled(VERDICT.format(**known)),
        open=OPEN.strip(),
        arms=table(("arm", "what it is"), rows),
        image_summary=summary(DECIDING),
        images=images(DECIDING),
        other_sizes=images(OTHER_SIZES),
        without_upright=images(WITHOUT_UPRIGHT),
        table_summary=summary(SMALL_TABLES),
        tables=tables(),
        rates=rates_chosen(),
        cost_200=cost_of_rates(200),
        cost_1000=cost_of_rates(1000),
        ranks=ranks(),
        guard_table=guarded(),
        chosen=chosen_singles(),
        cost=cost(),
    )


def settings(of_tables: bool) -> str:
    """Effect of each change on the sets for tuning, to the setting that it changes."""
    everything = [*CHANGES, *VIEW_CHANGES]
    rows = [
        r
        for r in tuning_rows()
        if r["setting"] in everything and is_table(r["data_set"]) == of_tables
    ]
    sets = list(dict.fromkeys((r["data_set"], r["n"]) for r in rows))

    def scores(key: tuple[str, str], setting: str) -> dict[str, float]:
        return {
            r["seed"]: float(r["accuracy"])
            for r in rows
            if (r["data_set"], r["n"], r["setting"]) == (*key, setting)
        }

    def effect(key: tuple[str, str], setting: str) -> str:
        of, base = scores(key, setting), scores(key, base_of(setting))
        shared = sorted(of.keys() & base.keys())
        if not shared:
            return ""
        if setting == base_of(setting):
            return f"{100 * np.mean(list(of.values())):.2f}"
        differences = np.array([of[s] - base[s] for s in shared])
        if len(shared) == 1:
            return f"{100 * differences[0]:+.2f}"
        return mean_and_error(differences, sign="+")

    def base_of(setting: str) -> str:
        if setting.startswith("single") or setting in ("maxl", "uniform"):
            return "single"
        if setting in ("maxl, views", "uniform, views"):
            return "single"
        return setting.split(", ")[0] + (", views" if ", views" in setting else "")

    body = [
        (setting, *(effect(key, setting) for key in sets))
        for setting in everything
        if any(scores(key, setting) for key in sets)
    ]
    seeds = {k: len(scores(k, "single")) for k in sets}
    head = ("setting", *(f"{name}, {n} ({seeds[name, n]} seeds)" for name, n in sets))
    return table(head, body)


def tuning_differences(
    setting: str, reference: str, column: str, data_sets: Sequence[str], n: int | None = None
) -> np.ndarray:
    """A column of one setting minus that of another, over all runs that both have."""

    def values_of(name: str) -> dict[tuple[str, str, str], float]:
        return {
            (r["data_set"], r["n"], r["seed"]): float(r[column])
            for r in tuning_rows()
            if r["setting"] == name and r["data_set"] in data_sets and n in (None, int(r["n"]))
        }

    of, base = values_of(setting), values_of(reference)
    return np.array([of[key] - base[key] for key in sorted(of.keys() & base.keys())])


@cache
def tuning_rows() -> Rows:
    return read("evidence_tuning")[1]


def effects(names: Sequence[str], reference: str, data_sets: Sequence[str]) -> str:
    """Settings against one of them, each over all runs that both have."""
    body = []
    for name in names:
        accuracy, loss, gap = (
            tuning_differences(name, reference, column, data_sets)
            for column in ("accuracy", "log_loss", "calibration_error")
        )
        if name == reference or len(accuracy) < 2:
            continue
        cells = (
            mean_and_error(accuracy, sign="+"),
            mean_and_error(loss, 1, sign="+", digits=3),
            mean_and_error(gap, sign="+"),
        )
        body.append((name, *cells, f"{len(accuracy)}"))
    head = (f"to {reference}", "accuracy", "log-loss", "calibration error", "runs")
    return table(head, body)


def rates_tried() -> str:
    """One rate for all tables, or one that a fit chooses: differences to the first."""
    first, *others = RATES_TRIED
    kinds = {
        "as they are": TUNED_ON,
        "numbers as categories": [name for name in OTHERWISE if name.endswith("binned")],
        "noisy classes": [name for name in OTHERWISE if name.endswith("noisy")],
    }
    body = []
    for (kind, names), n, arm in product(kinds.items(), (200, 1000), ("single", "maxl")):
        reference = rate_setting(arm, first)
        cells = []
        for lr in others:
            accuracy, loss = (
                tuning_differences(rate_setting(arm, lr), reference, column, names, n)
                for column in ("accuracy", "log_loss")
            )
            cells += [mean_and_error(accuracy, sign="+"), mean_and_error(loss, 1, sign="+")]
        body.append((f"{kind}, {n} rows", arm, *cells, f"{len(accuracy)}"))
    what = [lr if isinstance(lr, float) else "chosen" for lr in others]
    columns = (f"{lr}: {unit}" for lr, unit in product(what, ("points", "log-loss")))
    return table(("tables", "arm", *columns, "runs"), body)


def rates_chosen() -> str:
    """How often a fit took which rate, beside the rate of the best single task."""
    rates = [str(lr) for lr in CANDIDATES]
    rows, candidates = read("evidence_rates")[1], read("evidence_single")[1]
    body = []
    for key in there(SMALL_TABLES, DEFAULT, BEST):
        mine = [r["lr"] for r in rows if (r["data_set"], r["n"]) == (key[0], str(key[1]))]
        counts = (str(mine.count(lr)) for lr in rates)
        body.append((title(key), *counts, f"{chosen(candidates, *key)[1]:g}"))
    return table(("table, rows", *(f"{lr} chosen" for lr in rates), "best single task"), body)


def cost_of_rates(n: int) -> str:
    """Seconds of the trials over those of the fit of the defaults, a median."""
    ratios = [
        (float(r["seconds"]) - values(key, "single, defaults", "seconds")[int(r["seed"])])
        / values(key, DEFAULT, "seconds")[int(r["seed"])]
        for r in read("evidence_rates")[1]
        if (key := (r["data_set"], int(r["n"])))[1] == n
    ]
    return f"{np.median(ratios):.1f}"


def heads() -> str:
    """Accuracy by the head that predicts, after trainings of several lengths."""
    rows = read("short_trainings")[1]
    body = []
    for key in dict.fromkeys((r["data_set"], r["n"], r["width"], r["epochs"]) for r in rows):
        mine = [r for r in rows if (r["data_set"], r["n"], r["width"], r["epochs"]) == key]
        name, n, width, epochs = key
        small = "" if float(width) == 1 else f", {width} of the width"
        body.append(
            (
                f"{name}, {int(n):,}{small}",
                epochs,
                *(
                    f"{100 * np.mean([float(r[head]) for r in mine]):.1f}"
                    for head in ("joint", "half", "primary", "rule", "no_views")
                ),
                f"{np.mean([float(r['share']) for r in mine]):.2f}",
                f"{len(mine)}",
            )
        )
    head = ("images", "epochs", "views alone", "half each", "primary alone", "the rule",
            "``views=None``", "share of the primary head", "seeds")  # fmt: skip
    return table(head, body)


README = DOCS.parent / "README.md"
MARKS = ("<!-- evidence: written by benchmarks/evidence_report.py -->", "<!-- end of evidence -->")
README_ARMS = (
    *("maxl (default)", "uniform, views", "maxl, no views", "uniform", "label smoothing"),
    *("mixup", "turned", "two networks"),
)


def readme_table() -> str:
    """Differences to the best single task on the deciding sets, in Markdown."""
    keys = there(DECIDING, DEFAULT, BEST)
    lines = [
        "| minus the best plain network, points | " + " | ".join(map(title, keys)) + " |",
        "|---" * (len(keys) + 1) + "|",
    ]
    for arm in README_ARMS:
        if len(there(keys, arm)) == len(keys):
            cells = [mean_and_error(difference(key, arm, BEST), sign="+") for key in keys]
            lines.append(f"| {arm} | " + " | ".join(cells) + " |")
    plain = [mean_and_error(np.array(list(values(key, BEST).values()))) for key in keys]
    lines.append("| *accuracy of the best plain network, %* | " + " | ".join(plain) + " |")
    return "\n".join(lines)


def readme(text: str) -> str:
    """The README with its figures anew."""
    before, rest = text.split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    found = filled(README_VERDICT.format(**facts()))
    return f"{before}{MARKS[0]}\n\n{found}\n\n{readme_table()}\n\n{MARKS[1]}{after}"


def choosing_page() -> str:
    base = ", ".join(f"``{k}={v!r}``" for k, v in BASE.items())
    return CHOOSING.format(
        base=base,
        images=settings(of_tables=False),
        tables=settings(of_tables=True),
        decay=effects(list(DECAY_CHANGES), next(iter(DECAY_CHANGES)), TABLES),
        table_rates=rates_tried(),
        table_ideas=effects(list(TABLE_IDEAS), ON_TABLES, TABLES),
        image_ideas=effects(list(IMAGE_IDEAS), ON_IMAGES, ["digits-images"]),
        heads=heads(),
        verdict=CHOOSING_VERDICT.strip(),
        machine=read("evidence_tuning")[0],
    )


README_VERDICT = """On images with few labels, yes. Against the best plain network (loss, learning
rate and weight decay chosen on validation) the defaults gain {mean} points on the mean of four
sets. It is the *views* that help, auxiliary classes for each class and turn of an image: with them,
labels that are learned and labels that are not differ by {views} points. Learned labels alone
gain nothing that could be told from zero. On tables, the defaults differ from the best plain
network by {on_tables} points on the mean of {n_tables} problems, significantly better on
{table_wins} and worse on {table_losses}: more where classes are many, nothing where they are noisy;
labels that are learned add {learned} points to ones that are not. Paired seeds, mean ± standard
error, two CPU cores, made by `benchmarks/evidence.py`:"""

VERDICT = """**On images with few labels the defaults help, and what helps is the views, not the
learned labels.** Against the best single task the defaults gain {mean} points on the mean of
four sets ({sets}), significantly on {wins} of the four. Against uniform labels without views it is
{uniform} points. But the same views with uniform labels, which teach nothing but the class and
the turn, are as good: learned labels add {views} points to them ({views_sets}).

Views take a network that has room for them and is trained to the end. After a few epochs, or with
few filters, a fit gives the primary head a say; ``views=None`` is then a little better still.

**On tables they gain where classes are many, and lose nowhere that could be told from chance.**
Over {n_tables} problems the defaults differ from the best single task by {on_tables} points on the
mean (Wilcoxon's test over problems: p = {tables_p}); {table_wins} significantly better{better},
{table_losses} worse{worse}, and {table_ties} not told apart. The best single task has its network
(that of the defaults, wide with dropout, or one of 100 units), loss, learning rate and weight decay
chosen for each table, on several draws of it; the defaults choose the learning rate alone, anew in
each fit, from the rows that it is given. To the plain network with the *same* settings
(``auxiliary=None``) the difference is {plain} points, significantly better on {plain_wins} problems
and worse on {plain_losses}. Here too, uniform labels do what learned ones do: these add {learned}
points to them.

The choice of the rate is what that takes. With the one rate that is best on the mean,
``lr=0.01``, the difference to the best single task is {fixed} points, {fixed_wins} problems are
significantly better and {fixed_losses} worse{fixed_worse}. A guard does not find that out, because
both of its candidates have the rate. It costs two more fits; with ``guard=True`` the mean is
{guard} points, with {guard_losses} problems significantly worse, and {unguarded} without it, with
{unguarded_losses}, on the same runs. So it is not on by default.

The defaults are too sure where classes are noisy, as in adult, churn and credit-g: the mean
log-loss over all problems is {log_loss} ({fixed_log_loss} with ``lr=0.01``), and {best_log_loss} of
the best single task."""

OPEN = """
- Ten seeds tell differences of half a point on most tables, and no smaller ones: twice as many are
  a matter of an hour (``--seeds 20``).
- Some arms have fewer seeds than the others, as their rows say; those of the suite that have no row
  are not run.
- The suite knows 10,000 images of Fashion-MNIST and of CIFAR-100 and tables of any size
  (``--sets letter:10000``); they are not run.
- How probabilities get better on tables with noisy classes.
- Images at full size, deep backbones and training of hundreds of epochs wait for a GPU.
- Views of other kinds than rotations, and views of tables, were not measured.
"""

CHOOSING_VERDICT = """
What moved the score: **views** on images, and the **learning rate**, on tables most of all; a
cosine schedule and, on tables, weight decay give better probabilities. Holding data out for the
meta loss, hard labels, embeddings of numbers and values swapped between rows cost accuracy on
tables. On tables no one rate is right: a fit that looks for its own gains on categories and on
noisy classes, more on the mean than any rate for all, and loses up to a quarter of a point where
0.01 is right anyway. What did not move it beyond the noise: where the labels come from, if they do
not contradict the class (learned, frozen at random weights, or uniform), every setting of the label
generator (``generator_lr``, its optimizer, ``meta_every``, ``meta_scale``, ``entropy_weight``,
``information_weight``, learned weights of the samples), ``psi``, ``auxiliary_weight`` between 0.3
and 3 or falling to zero, the temperature of the labels, gradient surgery on the trunk, several
inner steps, labels that change once an epoch only, generators of other sizes, and one that sees
hidden values. So keep views for images and the search for the rate for tables, and leave the rest.

For tables, it is the **network**: with 400 hidden units, dropout of 0.5 and the rate of 0.01,
auxiliary labels of any kind gain about half a point on the four tables, while the plain network
gains nothing from more units, whatever its rate. Of dropout 0.3 and 0.5, equal in accuracy, the
one with the lower log-loss is the default.
"""

PAGE = """.. This page is written by benchmarks/evidence_report.py.

Does it help?
=============

{verdict}

What was compared
-----------------

Ten paired seeds where no other number is given: a seed draws the training samples, the first
weights and the batches of all arms, and differences are taken seed by seed before they are
averaged (mean ± standard error). The reference is the **best single task**: no auxiliary task,
and the loss (cross-entropy or focal), the learning rate (0.001, 0.003, 0.01), the weight
decay (0, 0.1) and, for tables, the network ("auto", "mlp") that did best on held-out parts of the
*training* samples, for each set and size. The defaults have no such choice. Scores are taken on
the official test samples, or on what a split leaves over; nothing was chosen by them. Defaults
were tuned (:doc:`choosing`) on 200 digits, 500 images of Fashion-MNIST and the tables that are
marked, with other seeds and without official test samples; all else was only reported on.

Fashion-MNIST is halved to 14 x 14 and CIFAR-100 (20 classes) to 16 x 16 pixels, learned by the
default ``ConvNet`` at half its width, in 100 epochs (30 for 2,000 images of Fashion-MNIST, 50 for
CIFAR-100), so that all of it fits two cores. Digits and tables have the default networks.

{arms}

Images with few labels
----------------------

All arms over the sets. Win, tie and loss are t-tests of each set at 0.05, corrected for
the number of sets (Holm); the test over sets is Wilcoxon's, for which four are few: its p-value
can't be less than 0.125.

{image_summary}

{images}

Other numbers of labels
-----------------------

{other_sizes}

Images without an upright direction
-----------------------------------

The 8 x 8 digits, each turned at random by some right angle once and for all. The label is the
digit, or the turn itself. In the second case an image of one class, turned by the auxiliary task,
looks like one of another class.

Views help most here, although nothing is upright. Where a turn does not change the class, plain
rotations in training (``turned``) are better still: give ``augment`` a function that turns.

{without_upright}

Tables
------

{table_summary}

Each table with 200 and 1,000 training rows (wine, breast cancer and vehicle: with half of all rows
where there are fewer). Differences to the best single task in points.

{tables}

{ranks}

How many of the fits chose which learning rate. All arms of a seed that leave ``lr`` to the package
have the same, label smoothing, mixup and the two networks too. The trials take {cost_200} times as
long as the fit of the defaults with 200 rows, and {cost_1000} times with 1,000 (medians).

{rates}

The guard
---------

``guard=True`` tries both without a tenth of the samples, which then decide, and trains the winner
on all. Its single task has the settings of the defaults. Differences to the best single task in
points, on the same runs.

{guard_table}

What it costs
-------------

Floating-point operations of a training epoch, as multiples of the single task's. A prediction with
views costs four single ones.

{cost}

The best single tasks
---------------------

What validation chose for each set.

{chosen}

What is open
------------

{open}

Machine: {machine}. The rows name the commit that made them. Made by
``python benchmarks/evidence.py choose``, ``report`` and ``cost``; this page by
``python benchmarks/evidence_report.py``.
"""

CHOOSING = """.. This page is written by benchmarks/evidence_report.py.

Choosing settings
=================

{verdict}

One change at a time, on the sets for tuning: 200 digits as images, 500 images of Fashion-MNIST,
2,500 of CIFAR-100 in 10 classes, and 200 rows of four tables. Scores are taken on samples that are
neither in a training part nor in an official test set, on seeds of their own. All settings have
{base} where they do not say otherwise. A row of ``single`` shows its accuracy in %; the others show
differences in points to the setting without the change: ``maxl, psi=2`` to ``maxl``, ``maxl`` and
``uniform`` to ``single``, with and without views. A figure without an error is of one seed. With
so few seeds a difference of less than two standard errors is noise, and more than a few here are.

Images
------

{images}

Tables
------

{tables}

The learning rate, with the network and the weight decay that tables have by default: one for all,
or one that each fit chooses (``lr="auto"``). Differences to 0.01 over the four tables: as they are;
with each number replaced by the quarter of its column that it lies in, as one of four categories;
and with a fifth of the rows, to train and to score on, in classes drawn at random.

{table_rates}

Weight decay (AdamW), at a learning rate of 0.01: mean differences over the
four tables, with 200 and 1,000 rows, paired by table and seed (points, log-loss, points).

{decay}

What is not in the package
--------------------------

Ideas that were tried in ``benchmarks/_ideas.py`` and, by what follows, not built in. Gradient
surgery changes the auxiliary gradient of the trunk where it conflicts with the primary one:
"project" takes out the conflicting part, "drop" all of it. Hard labels are one-hot, with the
gradient of soft ones. With "inner steps" the meta loss is taken after several virtual steps on the
batch, by double backward. "Both heads predict" adds what the auxiliary head says of the class,
as views do. "Labels over hidden values" have a generator that reads the features of the multi-task
network. "Embeddings" make periodic features of each number, "noise" and "swapped values" change a
batch at random; the network has 100 units where it does not say otherwise. On the four tables:

{table_ideas}

On 200 digits:

{image_ideas}

Which head predicts
-------------------

With views, the auxiliary head predicts once it has learned its task, and until then the primary
head has a share in it, by how far the views are behind on training samples (``views`` in
:class:`~sklearn_maxl.MAXLClassifier`). Mean accuracy in % of one network asked in every way, beside
one without views, on the images for tuning, where a difference of a point is often chance. The
limits of that rule were set by eye on such trainings, before these.

{heads}

Machine: {machine}. Made by ``python benchmarks/evidence.py tune`` and
``python benchmarks/short_trainings.py``.

Earlier figures on some of the same questions, with ten seeds, are in :doc:`results`.
"""


def main() -> None:
    (DOCS / "evidence.rst").write_text(evidence_page())
    (DOCS / "choosing.rst").write_text(choosing_page())
    README.write_text(readme(README.read_text()))


if __name__ == "__main__":
    main()
