"""Write docs/results.rst from the committed CSV files, and nothing else.

python benchmarks/report.py
"""

import csv
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "results.rst"

Rows = list[dict[str, str]]


def read(name: str) -> tuple[str, Rows]:
    """The comment line with machine and versions, and the rows."""
    lines = (RESULTS / f"{name}.csv").read_text().splitlines()
    machine = lines[0].removeprefix("# ") if lines[0].startswith("#") else ""
    return machine, list(csv.DictReader(line for line in lines if not line.startswith("#")))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A list-table of reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (head, *rows):
        lines += [f"   {'* -' if i == 0 else '  -'} {cell}" for i, cell in enumerate(row)]
    return "\n".join(lines)


def mean_and_error(values: np.ndarray, sign: str = "") -> str:
    """Mean and standard error, in points."""
    error = values.std(ddof=1) / np.sqrt(len(values))
    return f"{100 * values.mean():{sign}.2f} ± {100 * error:.2f}"


def few_labels() -> str:
    machine, rows = read("few_labels")
    settings, gammas = ("default", "small", "small, psi=2"), ("0.0", "2.0")
    arms = ("None", "uniform", "random", "kmeans", "maxl")

    def column(name: str, *key: str) -> np.ndarray:
        mine = [r for r in rows if (r["setting"], r["focal_gamma"], r["arm"]) == key]
        return np.array([float(r[name]) for r in sorted(mine, key=lambda r: int(r["seed"]))])

    def minus(values: np.ndarray, single: np.ndarray) -> str:
        return "" if values is single else mean_and_error(values - single, "+")

    body = []
    for setting, gamma, arm in product(settings, gammas, arms):
        score = {g: column("accuracy", setting, g, "None") for g in gammas}
        values = score[gamma] if arm == "None" else column("accuracy", setting, gamma, arm)
        body.append(
            (
                setting,
                gamma,
                f"``{arm}``",
                mean_and_error(values),
                minus(values, score[gamma]),
                minus(values, score["0.0"]),
                f"{column('log_loss', setting, gamma, arm).mean():.3f}",
                f"{column('seconds', setting, gamma, arm).mean():.1f}",
            )
        )
    head = (
        "setting",
        "``focal_gamma``",
        "``auxiliary``",
        "accuracy in %",
        "minus single task, same loss",
        "minus single task, cross-entropy",
        "log-loss",
        "seconds",
    )
    return (
        "200 labelled digits\n-------------------\n\n"
        "Digits as 8 x 8 images, 200 stratified samples to train and 1,597 to test,\n"
        f"{len(values)} paired seeds, mean ± standard error. The differences are taken seed by\n"
        "seed. Settings are the defaults; the small network has 16, 32 and 64 channels and\n"
        "batches of 50. ``psi=2`` was picked from ten variations on other splits of the same\n"
        "images (seeds 100 to 105). Made by ``benchmarks/few_labels.py``.\n\n"
        f"{table(head, body)}\n\nMachine: {machine}.\n"
    )


def bundled_sets() -> str:
    machine, rows = read("bundled_sets")
    methods = list(dict.fromkeys(r["method"] for r in rows))
    body = []
    for name in dict.fromkeys(r["data_set"] for r in rows):
        score = {
            m: np.array(
                [float(r["accuracy"]) for r in rows if (r["data_set"], r["method"]) == (name, m)]
            )
            for m in methods
        }
        reference = score[methods[-1]]
        body.append(
            (
                name,
                *(mean_and_error(score[m]) for m in methods),
                *(mean_and_error(score[m] - reference, "+") for m in methods[:-1]),
            )
        )
    head = (
        "data set",
        *(f"``{m}``" for m in methods),
        *(f"``{m}`` minus MLPClassifier" for m in methods[:-1]),
    )
    return (
        "Defaults on scikit-learn's tables\n---------------------------------\n\n"
        "Five-fold cross-validation with three seeds (15 folds, the same for all), accuracy in %,\n"
        "mean ± standard error over folds. The folds of a seed overlap in their training data, so\n"
        "the errors are too small if anything. ``MLPClassifier()`` follows a ``StandardScaler``,\n"
        "the others take the raw features. Made by ``benchmarks/bundled_sets.py``.\n\n"
        f"{table(head, body)}\n\nMachine: {machine}.\n"
    )


def operations() -> str:
    _, rows = read("operations")
    body = [
        (r["network"], r["setting"], f"{int(r['operations_per_epoch']):,}", r["times_single_task"])
        for r in rows
    ]
    return (
        "Operations\n----------\n\n"
        "Floating-point operations of one epoch of four batches of 32 samples, counted by\n"
        "``torch.utils.flop_counter`` (matrix products and convolutions). Made by\n"
        "``benchmarks/operations.py``; the counts do not depend on the machine.\n\n"
        f"{table(('network', 'setting', 'operations', 'times single task'), body)}\n"
    )


def overhead() -> str:
    machine, rows = read("overhead")
    body = [
        (r["method"], r["median_seconds"], f"{r['median_ratio']}",
         f"{r['quartile_25']} to {r['quartile_75']}")
        for r in rows
    ]  # fmt: skip
    head = ("method", "median seconds", "times the bare loop", "quartiles")
    return (
        "Time around the training\n------------------------\n\n"
        "Digits as a table, one hidden layer of 100, batches of 128, 20 epochs. Made by\n"
        "``benchmarks/overhead.py``.\n\n"
        f"{table(head, body)}\n\nMachine: {machine}.\n"
    )


def main() -> None:
    parts = (few_labels(), bundled_sets(), operations(), overhead())
    PAGE.write_text(
        "Results\n=======\n\n"
        "What was measured, the unfavourable included. This page is written by\n"
        "``benchmarks/report.py`` from the files in ``benchmarks/results``.\n\n" + "\n".join(parts)
    )


if __name__ == "__main__":
    main()
