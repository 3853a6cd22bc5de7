"""The tables of the page on choosing settings."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from benchmarks.common.means import mean_and_error
from benchmarks.common.rows import Rows, grouped, numbers, results, where
from benchmarks.common.tables import Table
from benchmarks.evidence.sets import is_table
from benchmarks.evidence.settings import CHANGES, GONE, VIEW_CHANGES
from sklearn_maxl.backbones import MLP, Members

HEADS = ("joint", "half", "primary", "rule", "no_views")


def settings(of_tables: bool) -> Table:
    """Effect of each change on the sets for tuning, to the setting that it changes."""
    everything = [*CHANGES, *GONE, *VIEW_CHANGES]
    found: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    for row in results("evidence_tuning"):
        if row["setting"] in everything and is_table(row["data_set"]) == of_tables:
            of_set = found.setdefault((row["data_set"], row["n"]), {})
            of_set.setdefault(row["setting"], {})[row["seed"]] = float(row["accuracy"])

    def scores(key: tuple[str, str], setting: str) -> dict[str, float]:
        return found[key].get(setting, {})

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

    body = [
        (setting, *(effect(key, setting) for key in found))
        for setting in everything
        if any(scores(key, setting) for key in found)
    ]
    seeds = {k: len(scores(k, "single")) for k in found}
    head = ("setting", *(f"{name}, {n} ({seeds[name, n]} seeds)" for name, n in found))
    return Table(head, body)


def base_of(setting: str) -> str:
    """The setting without the change."""
    plain = ("maxl", "uniform", "maxl, views", "uniform, views")
    if setting.startswith("single") or setting in plain:
        return "single"
    return setting.split(", ")[0] + (", views" if ", views" in setting else "")


def tuning_differences(
    setting: str, reference: str, column: str, data_sets: Sequence[str], n: int | None = None
) -> np.ndarray:
    """A column of one setting minus that of another, over all runs that both have."""

    def values_of(name: str) -> dict[tuple[str, str, str], float]:
        return {
            (r["data_set"], r["n"], r["seed"]): float(r[column])
            for r in tuning_rows().get((name,), [])
            if r["data_set"] in data_sets and n in (None, int(r["n"]))
        }

    of, base = values_of(setting), values_of(reference)
    return np.array([of[key] - base[key] for key in sorted(of.keys() & base.keys())])


@cache
def tuning_rows() -> dict[tuple[str, ...], Rows]:
    """The rows of tuning, by setting."""
    return grouped(results("evidence_tuning"), "setting")


def effects(names: Sequence[str], reference: str, data_sets: Sequence[str]) -> Table:
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
    return Table(head, body)


# What a study of the defaults of tables tries, by the number of rows; the first is the default.
CHANGES_OF_TABLES: dict[int, dict[str, dict[str, Any]]] = {
    200: {
        "default": {},
        "backbone=Members(n_members=4)": {"backbone": Members(n_members=4)},
        "backbone=Members(dropout=0.1)": {"backbone": Members(dropout=0.1)},
        "backbone=Members(periodic=True)": {"backbone": Members(periodic=True)},
        "backbone=MLP((128, 128), dropout=0.3)": {"backbone": MLP((128, 128), dropout=0.3)},
        "backbone=MLP((400,), dropout=0.5)": {"backbone": MLP((400,), dropout=0.5)},
        "backbone=MLP()": {"backbone": MLP()},
        "label_smoothing=0": {"label_smoothing": 0.0},
        "label_smoothing=0.2": {"label_smoothing": 0.2},
        "lr=0.03": {"lr": 0.03},
        "lr=0.005": {"lr": 0.005},
        "lr=0.005, max_epochs=60": {"lr": 0.005, "max_epochs": 60},
        "max_epochs=20": {"max_epochs": 20},
        "max_epochs=6": {"max_epochs": 6},
        "max_epochs=20, temperature=1": {"max_epochs": 20, "temperature": 1.0},
    },
    1000: {
        "default": {},
        "backbone=Members()": {"backbone": Members()},
        "backbone=Members(dropout=0.2)": {"backbone": Members(dropout=0.2)},
        "backbone=Members(dropout=0.3, periodic=True)": {
            "backbone": Members(dropout=0.3, periodic=True),
        },
        "backbone=Members(n_members=4, dropout=0.2, periodic=True)": {
            "backbone": Members(n_members=4, dropout=0.2, periodic=True),
        },
        "backbone=Members((256, 256), n_members=4, dropout=0.2, periodic=True)": {
            "backbone": Members((256, 256), n_members=4, dropout=0.2, periodic=True),
        },
        "backbone=MLP((128, 128), dropout=0.2)": {"backbone": MLP((128, 128), dropout=0.2)},
        "backbone=MLP()": {"backbone": MLP()},
        "label_smoothing=0.1": {"label_smoothing": 0.1},
        "lr=0.03": {"lr": 0.03},
        "lr=0.005": {"lr": 0.005},
        "max_epochs=32": {"max_epochs": 32},
        "max_epochs=20": {"max_epochs": 20},
        "max_epochs=10": {"max_epochs": 10},
        "max_epochs=32, temperature=1": {"max_epochs": 32, "temperature": 1.0},
    },
}


def defaults_of_tables(rows: Rows, n: int) -> Table:
    """The default without an auxiliary task, and differences to it, paired by set and seed."""
    by_change = {
        change: {(r["data_set"], r["seed"]): r for r in mine}
        for (change,), mine in grouped(where(rows, n=n), "change").items()
    }
    of_default = by_change.get("default", {})
    body = []
    for change, mine in by_change.items():
        keys = sorted(mine.keys() & of_default.keys())
        own, default = ([rows[key] for key in keys] for rows in (mine, of_default))
        accuracy = numbers(own, "accuracy") - numbers(default, "accuracy")
        loss = numbers(own, "log_loss") - numbers(default, "log_loss")
        ratio = np.median(numbers(own, "seconds") / numbers(default, "seconds"))
        body.append(
            (
                f"``{change}``" if mine is not of_default else change,
                f"{100 * numbers(own, 'accuracy').mean():.2f}",
                mean_and_error(accuracy, sign="+"),
                f"{numbers(own, 'log_loss').mean():.3f}",
                mean_and_error(loss, factor=1, sign="+", digits=3),
                f"{ratio:.2f}",
                f"{len(keys)}",
            )
        )
    head = ("", "accuracy, %", "minus the default", "log-loss", "minus the default",
            "time to the default's", "runs")  # fmt: skip
    return Table(head, body)


def heads(rows: Rows) -> Table:
    """Accuracy by the head that predicts, after trainings of several lengths."""
    body = []
    for key, mine in grouped(rows, "data_set", "n", "width", "epochs").items():
        name, n, width, epochs = key
        small = "" if float(width) == 1 else f", {width} of the width"
        body.append(
            (
                f"{name}, {int(n):,}{small}",
                epochs,
                *(f"{100 * numbers(mine, head).mean():.1f}" for head in HEADS),
                f"{numbers(mine, 'share').mean():.2f}",
                f"{len(mine)}",
            )
        )
    head = ("images", "epochs", "views alone", "half each", "primary alone", "the rule",
            "``views=None``", "share of the primary head", "seeds")  # fmt: skip
    return Table(head, body)
