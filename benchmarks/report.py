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

SCORES = ("validation_accuracy", "test_accuracy")

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
        "seed. Settings are the defaults, with labels learned in every step\n"
        "(``meta_every=1``); the small network has 16, 32 and 64 channels and\n"
        "batches of 50. ``psi=2`` was picked from ten variations on other splits of the same\n"
        "images (seeds 100 to 105). The seconds of ``kmeans`` are of a machine that did other\n"
        "work beside. Made by ``benchmarks/few_labels.py``.\n\n"
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


def hidden_clusters() -> str:
    machine, rows = read("hidden_clusters")
    body = []
    for setting in dict.fromkeys(r["setting"] for r in rows):
        mine = [r for r in rows if r["setting"] == setting]
        found = np.array([float(r["agreement"]) for r in mine])
        fitted = [r for r in mine if r["accuracy"]]
        accuracy = np.array([float(r["accuracy"]) for r in fitted])
        entropy = np.array([float(r["label_entropy"]) for r in fitted])
        body.append(
            (
                setting,
                f"{found.mean():.2f} ± {found.std(ddof=1) / np.sqrt(len(found)):.2f}",
                f"{entropy.mean():.2f}" if fitted else "",
                mean_and_error(accuracy) if fitted else "",
            )
        )
    head = ("setting", "agreement", "entropy of a label", "accuracy in %")
    return (
        ".. _hidden:\n\nClusters hidden in classes\n--------------------------\n\n"
        "Three classes in ten dimensions, each of three Gaussian clusters that the classifier is\n"
        "not told of. Agreement is the adjusted mutual information of the generated labels and\n"
        "the clusters within a class, for 600 held-out samples: 0 is chance, 1 the same grouping.\n"
        f"{len(found)} seeds, mean ± standard error; ``psi=3``, 60 epochs, ``meta_every=1``,\n"
        "all else default. The\n"
        "greatest entropy is log 3 = 1.10. The meta-gradient finds structure once it is not\n"
        "drowned by the entropy term; the information term clusters without it. The task is too\n"
        "easy to tell whether any of this helps. Made by ``benchmarks/hidden_clusters.py``.\n\n"
        f"{table(head, body)}\n\nMachine: {machine}.\n"
    )


def regression() -> str:
    machine, rows = read("regression")
    body = []
    for name in dict.fromkeys(r["data_set"] for r in rows):
        methods = dict.fromkeys(r["method"] for r in rows)
        score = {
            m: np.array([float(r["r2"]) for r in rows if (r["data_set"], r["method"]) == (name, m)])
            for m in methods
        }
        for method, values in score.items():
            body.append(
                (
                    name,
                    f"``{method}``",
                    mean_and_error(values),
                    "" if method == "None" else mean_and_error(values - score["None"], "+"),
                )
            )
    head = ("data set", "``auxiliary``, or method", "100 R2", "minus single task")
    return (
        ".. _regression-results:\n\nRegression\n----------\n\n"
        "``MAXLRegressor`` on diabetes (half of 442 samples to train) and on Friedman's first\n"
        "function with noise of deviation 5 (300 samples to train, 2,000 to test). R2 on the test\n"
        f"samples times 100, {len(values)} paired seeds, mean ± standard error. With learned\n"
        "labels the score is within one standard error of the single task's on both; but taken\n"
        "seed by seed, they cost a little on Friedman's function, as uniform ones do, and a guard\n"
        "takes back a part. Ridge regression beats all networks on both. Made by\n"
        "``benchmarks/regression.py``.\n\n"
        f"{table(head, body)}\n\nMachine: {machine}.\n"
    )


def cheaper() -> str:
    machine, rows = read("cheaper")
    _, costs = read("cheaper_cost")
    count = {(r["data_set"], r["variant"]): float(r["operation_ratio"]) for r in costs}
    body = []
    for data_set in dict.fromkeys(r["data_set"] for r in rows):
        runs = {(r["variant"], r["seed"]): r for r in rows if r["data_set"] == data_set}
        variants = dict.fromkeys(variant for variant, _ in runs)
        seeds = [s for v, s in runs if v == "maxl" and all((w, s) in runs for w in variants)]

        def column(variant: str, name: str, runs=runs, seeds=seeds) -> np.ndarray:
            return np.array([float(runs[variant, s][name]) for s in seeds])

        for variant in variants:
            differences = (
                mean_and_error(column(variant, name) - column("maxl", name), "+") for name in SCORES
            )
            operations = f"{count[data_set, variant]:.2f}"
            if variant == "maxl":
                differences = (mean_and_error(column("maxl", n)) for n in SCORES)
            body.append((f"{data_set}, {len(seeds)} seeds", variant, operations, *differences))
    head = ("data set", "variant", "operations", "validation", "test")
    return (
        ".. _cheaper:\n\nCheaper steps\n-------------\n\n"
        "Which cheaper form of the step keeps the accuracy? 200 digits and 500 images of\n"
        "Fashion-MNIST (14 x 14); ConvNet of 16, 32 and 64 channels. Operations in units of the\n"
        "single task; accuracy in %, as paired differences to *maxl* (its own row: the accuracy\n"
        "itself), mean ± standard error. A default was to be chosen by validation accuracy, the\n"
        "test samples only report. *every k*: ``meta_every=k``; *half batch*: the meta pass on a\n"
        "part of the batch; *half generator*: fewer channels; *head*: labels from a head on the\n"
        "detached trunk; *v now*, *v next step*: the meta loss's gradient at the weights before\n"
        "the step, or from the next batch's own training pass; *cached*: labels are kept between\n"
        "updates of the generator; *last block*: only its parameters count as moved by the\n"
        "labels. Learned labels gain nothing over the single task here, so that none of the\n"
        "cheaper forms has anything to lose. Made by ``benchmarks/cheaper.py``.\n\n"
        f"{table(head, body)}\n\nMachine: {machine}.\n"
    )


def stacked_seeds() -> str:
    machine, rows = read("stacked_seeds")
    names = ("network", "arm", "n_seeds", "time_ratio", "largest_difference")
    head = ("network", "``auxiliary``", "seeds", "time", "largest difference")
    return (
        "Several seeds at once\n---------------------\n\n"
        "An experiment, not part of the package: networks of several seeds as one with stacked\n"
        "parameters (``torch.func.vmap``). Time in units of that of separate runs on one core,\n"
        "and the largest difference of a predicted probability between both. Made by\n"
        "``benchmarks/stacked_seeds.py``.\n\n"
        f"{table(head, [[row[name] for name in names] for row in rows])}\n\nMachine: {machine}.\n"
    )


def options() -> str:
    machine, rows = read("options")
    settings = list(dict.fromkeys(r["setting"] for r in rows))
    body = []
    for name in dict.fromkeys(r["data_set"] for r in rows):
        mine = [r for r in rows if r["data_set"] == name]
        score = {
            s: np.array([float(r["accuracy"]) for r in mine if r["setting"] == s]) for s in settings
        }
        single = score["auxiliary=None"]
        for setting, values in score.items():
            chosen = [r["chosen"] for r in mine if r["setting"] == setting]
            told = ", ".join(f"{chosen.count(c)} x {c}" for c in sorted(set(chosen)))
            body.append(
                (
                    name,
                    f"``{setting}``",
                    mean_and_error(values),
                    "" if values is single else mean_and_error(values - single, "+"),
                    told.replace("_", " ") if setting in ("psi='auto'", "guard=True") else "",
                )
            )
    head = ("data set", "setting", "accuracy in %", "minus single task", "chosen")
    return (
        ".. _option-results:\n\nOptions\n-------\n\n"
        "What came after the paper, beside the defaults with ``meta_every=1``: 200 digits as\n"
        "images (ConvNet of 16, 32\n"
        "and 64 channels, batches of 50, 60 epochs) and 100 rows of three tables, the rest to\n"
        f"test. {len(values)} paired seeds, mean ± standard error. The numbers of the options\n"
        "were not tuned. Made by ``benchmarks/options.py``.\n\n"
        f"{table(head, body)}\n\nMachine: {machine}.\n"
    )


def cifar100() -> str:
    machine, rows = read("cifar100_hierarchy")
    keys = ("level", "finer", "fraction", "network", "preset", "epochs")
    body = []
    for setting in dict.fromkeys(tuple(r[k] for k in keys) for r in rows):
        mine = [r for r in rows if tuple(r[k] for k in keys) == setting]
        arms = dict.fromkeys(r["arm"] for r in mine)
        score = {a: {r["seed"]: float(r["accuracy"]) for r in mine if r["arm"] == a} for a in arms}
        level, finer, fraction, network, preset, epochs = setting
        for arm, values in score.items():
            shared = [s for s in values if s in score["None"]]
            difference = np.array([values[s] - score["None"][s] for s in shared])
            seconds = np.median([float(r["seconds"]) for r in mine if r["arm"] == arm])
            body.append(
                (
                    f"{level} of {finer}, {float(fraction):.0%}, {network}, {preset}, {epochs}",
                    f"``{arm}``",
                    mean_and_error(np.array(list(values.values()))),
                    "" if arm == "None" else mean_and_error(difference, "+"),
                    f"{len(values)}",
                    f"{seconds:.0f}",
                )
            )
    head = (
        "classes, share of the training images, network, recipe, epochs",
        "``auxiliary``",
        "accuracy in %",
        "minus single task",
        "seeds",
        "seconds",
    )
    return (
        ".. _cifar:\n\nCIFAR-100 at two levels\n-----------------------\n\n"
        "The classes of one level, with as many auxiliary classes for each as the finer level\n"
        "has; 10,000 test images. Paired seeds, mean ± standard error. The small network has 32,\n"
        "64 and 128 channels. Made by ``benchmarks/cifar100_hierarchy.py``; later runs add seeds.\n"
        "The seconds are of a machine that did other work beside.\n\n"
        f"{table(head, body)}\n\nMachine: {machine}.\n"
    )


def main() -> None:
    parts = (
        few_labels(),
        options(),
        cheaper(),
        stacked_seeds(),
        cifar100(),
        regression(),
        hidden_clusters(),
        bundled_sets(),
    )
    PAGE.write_text(
        "Results\n=======\n\n"
        "What was measured, the unfavourable included. This page is written by\n"
        "``benchmarks/report.py`` from the files in ``benchmarks/results``. The page on\n"
        ":doc:`evidence` is newer and larger: this one was made with the defaults of its time,\n"
        '``lr=0.001``, ``schedule="constant"`` and ``views=None``. Time, operations and memory\n'
        "have :doc:`a page of their own <speed>`.\n\n" + "\n".join(parts)
    )


if __name__ == "__main__":
    main()
