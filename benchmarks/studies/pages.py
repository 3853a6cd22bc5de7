"""What the documentation shows of the studies: their tables and numbers, from the rows alone."""

from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np

from benchmarks.common.means import mean_and_error
from benchmarks.common.rows import (
    Rows,
    column,
    grouped,
    machine_of,
    numbers,
    results,
    unique,
    where,
)
from benchmarks.common.tables import Table
from benchmarks.evidence.sets import TUNED_ON

NO_LABELS = "no auxiliary labels"


def few_labels(rows: Rows) -> Table:
    """Each arm beside the single task with the same loss, and with cross-entropy."""
    body = []
    arms = ("None", "uniform", "random", "kmeans", "maxl")
    settings, gammas = unique(rows, "setting"), unique(rows, "focal_gamma")
    for setting, gamma, arm in product(settings, gammas, arms):

        def score(arm: str, gamma: str, setting: str = setting) -> np.ndarray:
            return column(rows, "accuracy", setting=setting, focal_gamma=gamma, arm=arm)

        mine = where(rows, setting=setting, focal_gamma=gamma, arm=arm)
        values, single = score(arm, gamma), (arm, gamma) == ("None", "0.0")
        same_loss = "" if arm == "None" else mean_and_error(values - score("None", gamma), sign="+")
        plain = "" if single else mean_and_error(values - score("None", "0.0"), sign="+")
        loss, seconds = numbers(mine, "log_loss").mean(), numbers(mine, "seconds").mean()
        scores = (mean_and_error(values), same_loss, plain, f"{loss:.3f}", f"{seconds:.1f}")
        body.append((setting, gamma, f"``{arm}``", *scores))
    head = ("setting", "``focal_gamma``", "``auxiliary``", "accuracy in %",
            "minus single task, same loss", "minus single task, cross-entropy", "log-loss",
            "seconds")  # fmt: skip
    return Table(head, body)


def cheaper(rows: Rows, costs: Rows) -> Table:
    """Each variant beside the exact step, over the seeds that all variants have."""
    scores = ("validation_accuracy", "test_accuracy")
    count = {(r["data_set"], r["variant"]): float(r["operation_ratio"]) for r in costs}
    body = []
    for data_set in unique(rows, "data_set"):
        runs = {(r["variant"], r["seed"]): r for r in where(rows, data_set=data_set)}
        variants = dict.fromkeys(variant for variant, _ in runs)
        seeds = [s for v, s in runs if v == "maxl" and all((w, s) in runs for w in variants)]
        for variant in variants:
            cells = []
            for name in scores:
                values, exact = (
                    numbers([runs[v, s] for s in seeds], name) for v in (variant, "maxl")
                )
                own = variant == "maxl"
                cells.append(mean_and_error(values) if own else _difference(values, exact))
            operations = f"{count[data_set, variant]:.2f}"
            body.append((f"{data_set}, {len(seeds)} seeds", variant, operations, *cells))
    return Table(("data set", "variant", "operations", "validation", "test"), body)


def against_exact(rows: Rows, variant: str) -> str:
    """Validation accuracy of a variant minus that of the exact step, set by set."""
    said = []
    for name in unique(rows, "data_set"):
        own, exact = (
            column(rows, "validation_accuracy", data_set=name, variant=v) for v in (variant, "maxl")
        )
        said.append(f"{name} {_difference(own, exact)}")
    return ", ".join(said)


def cifar100_hierarchy(rows: Rows) -> Table:
    """Each arm beside the single task, over the seeds that both have."""
    keys = ("level", "finer", "fraction", "network", "preset", "epochs")
    body = []
    for setting, mine in grouped(rows, *keys).items():
        level, finer, fraction, *recipe = setting
        title = ", ".join([f"{level} of {finer}", f"{float(fraction):.0%}", *recipe])
        single = {r["seed"]: float(r["accuracy"]) for r in where(mine, arm="None")}
        for (arm,), own in grouped(mine, "arm").items():
            shared = [row for row in own if row["seed"] in single]
            base = np.array([single[row["seed"]] for row in shared])
            body.append(
                (
                    title,
                    f"``{arm}``",
                    mean_and_error(numbers(own, "accuracy")),
                    "" if arm == "None" else _difference(numbers(shared, "accuracy"), base),
                    f"{len(own)}",
                    f"{np.median(numbers(own, 'seconds')):.0f}",
                )
            )
    head = ("classes, share of the training images, network, recipe, epochs", "``auxiliary``",
            "accuracy in %", "minus single task", "seeds", "seconds")  # fmt: skip
    return Table(head, body)


def full_data(rows: Rows) -> Table:
    """Each arm beside the single task and beside evenly spread labels."""
    body = []
    for (network, epochs), mine in grouped(rows, "network", "epochs").items():
        score = {arm: column(mine, "accuracy", arm=arm) for arm in unique(mine, "arm")}
        for arm, values in score.items():
            minus = [
                "" if arm == base else _difference(values, score[base])
                for base in ("None", "uniform")
            ]
            loss = f"{column(mine, 'log_loss', arm=arm).mean():.3f}"
            title = f"{network}, {epochs} epochs, {len(values)} seeds"
            body.append((title, f"``{arm}``", mean_and_error(values), *minus, loss))
    head = ("network", "``auxiliary``", "accuracy in %", "minus single task", "minus uniform",
            "log-loss")  # fmt: skip
    return Table(head, body)


def hidden_clusters(rows: Rows) -> Table:
    """Agreement of the labels with the clusters, and what else a fit gives."""
    body = []
    for (setting,), mine in grouped(rows, "setting").items():
        fitted = [row for row in mine if row["accuracy"]]
        entropy = f"{numbers(fitted, 'label_entropy').mean():.2f}" if fitted else ""
        found = mean_and_error(numbers(mine, "agreement"), 1)
        body.append((setting, found, entropy, mean_and_error(numbers(fitted, "accuracy"))))
    return Table(("setting", "agreement", "entropy of a label", "accuracy in %"), body)


def regression_of_tables(rows: Rows) -> Table:
    """Mean R2 of each method, and the difference to the network without an auxiliary task."""
    first = "auxiliary=None"
    plain = {(r["n"], r["data_set"], r["seed"]): float(r["r2"]) for r in where(rows, method=first)}
    body = []
    for (n, method), mine in grouped(rows, "n", "method").items():
        own = numbers(mine, "r2")
        minus = own - [plain[n, r["data_set"], r["seed"]] for r in mine]
        difference = "" if method == first else mean_and_error(minus, 1, sign="+", digits=3)
        seconds = f"{numbers(mine, 'seconds').mean():.1f}"
        body.append((n, method, f"{own.mean():.3f}", difference, seconds, f"{len(own)}"))
    return Table(("rows", "", "R2", "minus auxiliary=None", "seconds", "runs"), body)


def labels_across(rows: Rows) -> Table:
    """Each way to share out a tenth of a label, minus hard labels and minus even shares."""
    body = []
    for (n, arm), mine in grouped(rows, "n", "arm").items():
        cells = [f"{100 * numbers(mine, 'accuracy').mean():.2f}"]
        for base in ("hard labels", "evenly"):
            cells += _beside(rows, mine, ("n", "data_set"), arm=base)
        body.append((n, arm, *cells, f"{len(mine)}"))
    head = ("rows", "a tenth of each label goes to other classes", "accuracy in %",
            "minus hard labels", "log-loss", "minus evenly", "log-loss", "runs")  # fmt: skip
    return Table(head, body)


def meta_losses(rows: Rows) -> Table:
    """Labels of each meta loss: scores beside even ones, sharpness, and what moves them."""
    body = []
    for (arm,), mine in grouped(rows, "arm").items():
        beside = _beside(rows, mine, ("data_set",), arm="evenly spread labels")
        entropy = f"{numbers(mine, 'entropy').mean():.3f}"
        ends = []
        for name in ("ratio_first", "ratio_last"):
            found = [row for row in mine if row[name]]
            ends.append(f"{np.median(numbers(found, name)):.3g}" if found else "")
        accuracy = f"{100 * numbers(mine, 'accuracy').mean():.2f}"
        body.append((arm, accuracy, *beside, entropy, *ends, f"{len(mine)}"))
    head = ("meta loss on", "accuracy in %", "minus evenly", "log-loss", "entropy of a label",
            "ratio at first", "at last", "runs")  # fmt: skip
    return Table(head, body)


def coarse_classes(rows: Rows) -> Table:
    """Each source of labels and each head, minus the network without them."""
    groups = [[r for r in rows if (r["data_set"] in TUNED_ON) is tuned] for tuned in (True, False)]
    body = []
    for n, arm, head in grouped(rows, "n", "arm", "head"):
        mine = [where(own, n=n, arm=arm, head=head) for own in groups]
        if arm == NO_LABELS:
            cells = [mean_and_error(numbers(own, "accuracy")) for own in mine]
            body.append((n, arm, head, cells[0], "", cells[1], ""))
        else:
            beside = [_beside(rows, own, ("n", "data_set"), arm=NO_LABELS) for own in mine]
            body.append((n, arm, head, *beside[0], *beside[1]))
    titles = ("rows", "labels", "head that predicts", "tables for tuning", "log-loss",
              "other tables", "log-loss")  # fmt: skip
    return Table(titles, body)


def views_distilled(rows: Rows) -> Table:
    """One pass and four turns of each arm, minus one pass without views, set by set."""
    return _of_images(rows, {"arm": NO_LABELS})


def unlabelled(rows: Rows) -> Table:
    """One pass and four turns of each arm, minus the same without other images, set by set."""
    return _of_images(rows, {"arm": "none"}, "reading")


def kept_in_one_pass(rows: Rows) -> str:
    """How much of the gain of four turns one pass of the distilled network has, set by set."""
    said = []
    for name in unique(rows, "data_set"):
        plain, turns, one = (
            column(rows, "accuracy", data_set=name, arm=arm, reading=reading).mean()
            for arm, reading in (
                (NO_LABELS, "one pass"),
                ("views", "four turns"),
                ("views, distilled", "one pass"),
            )
        )
        said.append(f"{(one - plain) / (turns - plain):.0%} on {name}")
    return ", ".join(said).replace("%", " %")


def _of_images(rows: Rows, base: dict[str, str], *same: str) -> Table:
    """Every arm and reading, minus another arm or, if it is `same`, its own reading of that."""
    body = []
    for (name, n, arm, reading), mine in grouped(rows, "data_set", "n", "arm", "reading").items():
        beside = _beside(rows, mine, ("data_set", "n", *same), **base)
        accuracy = mean_and_error(numbers(mine, "accuracy"))
        seconds = f"{np.median(numbers(mine, 'seconds')):.0f}"
        body.append((f"{name}, {n}", arm, reading, accuracy, *beside, seconds, f"{len(mine)}"))
    (arm,) = base.values()
    head = ("images", "", "asked in", "accuracy in %", f"minus {arm}", "log-loss", "seconds",
            "seeds")  # fmt: skip
    return Table(head, body)


def _beside(rows: Rows, mine: Rows, keys: tuple[str, ...], **base: str) -> tuple[str, str]:
    """Accuracy in points and log-loss of rows, minus those of another arm with the same seed.

    Nothing where the rows are that arm's own.
    """
    of = {(*(r[k] for k in keys), r["seed"]): r for r in where(rows, **base)}
    pairs = [(r, of[(*(r[k] for k in keys), r["seed"])]) for r in mine]
    if all(own is other for own, other in pairs):
        return "", ""
    gain, loss = (
        np.array([float(own[name]) - float(other[name]) for own, other in pairs])
        for name in ("accuracy", "log_loss")
    )
    return mean_and_error(gain, sign="+"), mean_and_error(loss, 1, sign="+", digits=3)


def serving(rows: Rows) -> Table:
    """Milliseconds of an answer, with so many clients and rows."""
    body = []
    for row in rows:
        every = float(row["replace_every"])
        took = [f"{float(row[name]):.1f}" for name in ("p50", "p99", "max", "cpu")]
        replaced = f"every {every:g} s" if every else "no"
        rate = f"{float(row['per_second']):.0f}"
        last = (rate, row["failed"], row["load"])
        body.append((row["clients"], row["rows"], replaced, *took, *last))
    head = ("clients", "rows", "new file", "median", "99 %", "longest", "processor", "a second",
            "failed", "load")  # fmt: skip
    return Table(head, body)


def larger_than_memory(rows: Rows) -> Table:
    """Peak memory of a fit and a prediction beyond the process before them, and their speed."""
    body = []
    for row in rows:
        rates = (_images_a_second(row, call) for call in ("fit", "predict"))
        body.append((row["megabytes"], row["way"], f"{float(row['peak']) / 2**20:.0f}", *rates))
    head = ("MB of images", "given as", "peak memory in MB", "images a second, fit", "prediction")
    return Table(head, body)


def scaling(rows: Rows) -> Table:
    """Seconds of a step by one process and by two, their ratio within a round, and bytes."""
    body = []
    for width in unique(rows, "width"):
        for size in unique(rows, "batch_size"):
            one, two = (where(rows, width=width, batch_size=size, processes=str(k)) for k in (1, 2))
            if one and two:
                ratios = numbers(one, "seconds") / numbers(two, "seconds")
                seconds = [f"{np.median(numbers(own, 'seconds')):.3f}" for own in (one, two)]
                more = numbers(two, "bytes").mean() / numbers(two, "least").mean()
                load = f"{numbers(one + two, 'load').max():.1f}"
                spread = f"{ratios.min():.2f} to {ratios.max():.2f}"
                ends = (f"{np.median(ratios):.2f}", spread, f"{more:.3f}", load)
                body.append((width, size, *seconds, *ends))
    head = ("width", "rows of a batch", "one process", "two", "times as fast", "in rounds",
            "bytes / least", "load")  # fmt: skip
    return Table(head, body)


def _images_a_second(row: dict[str, str], call: str) -> str:
    """By the clock, and by the processor's time alone."""
    clock, processor = (
        float(row["images"]) / float(row[f"{kind}_{call}"]) for kind in ("seconds", "cpu")
    )
    return f"{clock:.0f} ({processor:.0f})"


def _difference(values: np.ndarray, base: np.ndarray) -> str:
    return mean_and_error(values - base, sign="+")


# Names of studies, and of the files with their rows.
OF_ROWS: dict[str, Callable[..., Table]] = {
    "few_labels": few_labels,
    "cheaper": cheaper,
    "cifar100_hierarchy": cifar100_hierarchy,
    "full_data": full_data,
    "regression_of_tables": regression_of_tables,
    "labels_across": labels_across,
    "meta_losses": meta_losses,
    "coarse_classes": coarse_classes,
    "views_distilled": views_distilled,
    "unlabelled": unlabelled,
    "hidden_clusters": hidden_clusters,
    "serving": serving,
    "larger_than_memory": larger_than_memory,
    "scaling": scaling,
}
FILES = {"cheaper": ("cheaper", "cheaper_cost")}


def of_file(name: str) -> Table:
    """A table of the committed rows."""
    return OF_ROWS[name](*map(results, FILES.get(name, (name,))))


def facts() -> dict[str, str]:
    """The machine of each study, how many seeds some have, and what a text quotes."""
    found = {f"{name}.machine": machine_of(name) for name in OF_ROWS}
    for name in ("few_labels", "hidden_clusters"):
        found[f"{name}.seeds"] = f"{len(unique(results(name), 'seed'))}"
    load = sorted(unique(results("larger_than_memory"), "load"), key=float)
    found["larger_than_memory.load"] = f"{load[0]} to {load[-1]}"
    found["serving.requests"] = results("serving")[0]["requests"]
    found["kept"] = kept_in_one_pass(results("views_distilled"))
    return {**found, "every_8": against_exact(results("cheaper"), "every 8")}


TABLES = {name: partial(of_file, name) for name in OF_ROWS}
FACTS = facts
