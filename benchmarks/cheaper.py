"""Which cheaper form of the MAXL step keeps its accuracy? Ten paired seeds on two image sets.

    SKLEARN_MAXL_DATA=folder python benchmarks/cheaper.py

200 digits (8 x 8; ConvNet of 16, 32 and 64 channels, batches of 50, 100 epochs) and 500
images of Fashion-MNIST (averaged to 14 x 14, so that a network is trained to the end in
seconds; the same channels, 30 epochs); all else is default. A seed
decides the samples and the training alike, so that differences are paired. Each run is
scored on validation samples and on test samples, none of which it trained on: a setting is
to be chosen by the first, and what it is worth is to be read from the second. Digits: the
1,597 others in two halves. Fashion-MNIST: 2,500 others of the first 10,000 training images,
and 5,000 of the official test set, drawn once.

The variants that are no parameters of the package are in _cheap_nets.py. Writes
results/cheaper.csv, one row a run (rows that are there are not run again), and
results/cheaper_cost.csv: counted operations of 64 steps (matrix products and
convolutions) and seconds, both in units of single-task training; seconds are medians of
the ratios of three interleaved repetitions in one process.
"""

import argparse
import csv
import io
import os
import time
import warnings
from functools import cache
from itertools import pairwise, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from _cheap_nets import training_with
from _runs import EARLIER, RESULTS, column, machine, mean_and_error, read, resume
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from torch.utils.flop_counter import FlopCounterMode

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import ConvNet

PATH, COST_PATH = RESULTS / "cheaper.csv", RESULTS / "cheaper_cost.csv"
CONVNET = ConvNet((16, 32, 64))
SEEDS = range(10)
COST_COLUMNS = ["data_set", "variant", "operations", "operation_ratio", "second_ratio"]
REPETITIONS = 3
COST_EPOCHS = {"digits": 16, "fashion": 4}  # 64 steps

Samples = tuple[np.ndarray, np.ndarray]


class Variant(NamedTuple):
    """Parameters of the estimator, and switches of `CheapNet` (None: the package's net)."""

    parameters: dict[str, Any]
    switches: dict[str, Any] | None = None


LEAST = {"head": 64, "last_block": True, "v_at": "now"}
VARIANTS = {
    "single": Variant({"auxiliary": None}),
    "uniform": Variant({"auxiliary": "uniform"}),
    "maxl": Variant({"meta_every": 1}),
    "every 2": Variant({"meta_every": 2}),
    "every 4": Variant({"meta_every": 4}),
    "every 5": Variant({"meta_every": 5}),
    "every 8": Variant({"meta_every": 8}),
    "dense quarter, then every 8": Variant({"meta_every": 8}, {"dense": 0.25}),
    "half batch": Variant({"meta_every": 1}, {"part": 0.5}),
    "quarter batch": Variant({"meta_every": 1}, {"part": 0.25}),
    "half generator": Variant({"meta_every": 1, "generator__width": 0.5}),
    "quarter generator": Variant({"meta_every": 1, "generator__width": 0.25}),
    "linear head": Variant({"meta_every": 1}, {"head": 0}),
    "hidden head": Variant({"meta_every": 1}, {"head": 64}),
    "v now": Variant({"meta_every": 1}, {"v_at": "now"}),
    "v next step": Variant({"meta_every": 1}, {"v_at": "next step"}),
    "cached, every 4": Variant({"meta_every": 4}, {"cached": True}),
    "cached, every 8": Variant({"meta_every": 8}, {"cached": True}),
    "last block": Variant({"meta_every": 1}, {"last_block": True}),
    "every 4, half generator": Variant({"meta_every": 4, "generator__width": 0.5}),
    "every 2, hidden head": Variant({"meta_every": 2}, {"head": 64}),
    "every 4, hidden head": Variant({"meta_every": 4}, {"head": 64}),
    "every 4, v next step": Variant({"meta_every": 4}, {"v_at": "next step"}),
    "hidden head, last block, v now": Variant({"meta_every": 1}, LEAST),
    "every 4, hidden head, last block, v now": Variant({"meta_every": 4}, LEAST),
}


class DataSet(NamedTuple):
    """A function of the seed that gives training, validation and test samples; settings."""

    split: Any
    parameters: dict[str, Any]


def digits(seed: int) -> tuple[Samples, Samples, Samples]:
    X, y = load_digits(return_X_y=True)
    X = X.reshape(-1, 1, 8, 8)
    X, X_rest, y, y_rest = train_test_split(X, y, train_size=200, stratify=y, random_state=seed)
    X_val, X_test, y_val, y_test = train_test_split(
        X_rest, y_rest, test_size=0.5, stratify=y_rest, random_state=seed
    )
    return (X, y), (X_val, y_val), (X_test, y_test)


@cache
def fashion_file(part: str) -> Samples:
    """Images, at half their side, and classes of a file whose pixels are strips of WebP."""
    from PIL import Image

    path = Path(os.environ["SKLEARN_MAXL_DATA"]) / f"fashion_mnist_{part}.npz"
    with np.load(path) as file:
        offsets, (_, _, height, width) = file["offsets"], file["shape"]
        stream, y = file["webp"].tobytes(), file["y"]
    strips = [
        np.asarray(Image.open(io.BytesIO(stream[a:b])).convert("L")) for a, b in pairwise(offsets)
    ]
    images = np.concatenate([s.reshape(-1, 1, height // 2, 2, width // 2, 2) for s in strips])
    return images.mean((3, 5)).astype(np.float32), y.astype(int)


def fashion(seed: int) -> tuple[Samples, Samples, Samples]:
    X, y = fashion_file("train10k")
    X, X_rest, y, y_rest = train_test_split(X, y, train_size=500, stratify=y, random_state=seed)
    X_val, _, y_val, _ = train_test_split(
        X_rest, y_rest, train_size=2500, stratify=y_rest, random_state=seed
    )
    X_test, y_test = fashion_file("test")
    X_test, _, y_test, _ = train_test_split(
        X_test, y_test, train_size=5000, stratify=y_test, random_state=0
    )
    return (X, y), (X_val, y_val), (X_test, y_test)


SETS = {
    "digits": DataSet(digits, {"backbone": CONVNET, "batch_size": 50}),
    "fashion": DataSet(fashion, {"backbone": CONVNET, "max_epochs": 30}),
}


def fit(name: str, variant: str, seed: int, X: Any, y: Any, **other: Any) -> MAXLClassifier:
    parameters, switches = VARIANTS[variant]
    clf = MAXLClassifier(random_state=seed, device="cpu", **EARLIER)
    clf.set_params(**SETS[name].parameters, generator=clone(CONVNET))
    clf.set_params(**parameters, **other)
    with training_with(switches):
        return clf.fit(X, y)


def run(name: str, variant: str, seed: int) -> tuple:
    warnings.filterwarnings("ignore", "The auxiliary task")
    train, *held_out = SETS[name].split(seed)
    start = time.perf_counter()
    clf = fit(name, variant, seed, *train)
    seconds = time.perf_counter() - start
    scores = []
    for X, y in held_out:
        probabilities = clf.predict_proba(X)
        accuracy = float((clf.classes_[probabilities.argmax(1)] == y).mean())
        scores += [round(accuracy, 6), round(log_loss(y, probabilities), 6)]
    return *scores, round(seconds, 2)


def operations(name: str, variant: str) -> int:
    """Of a fit of 64 steps; its dry runs of two samples hardly count."""
    train, *_ = SETS[name].split(0)
    with FlopCounterMode(display=False) as counter:
        fit(name, variant, 0, *train, max_epochs=COST_EPOCHS[name])
    return counter.get_total_flops()


def timed(name: str, variant: str) -> float:
    train, *_ = SETS[name].split(0)
    start = time.perf_counter()
    fit(name, variant, 0, *train, max_epochs=COST_EPOCHS[name])
    return time.perf_counter() - start


def measure_costs(name: str, variants: list[str]) -> list[tuple]:
    """Operations and seconds of some variants, in units of single-task training."""
    variants = ["single", *variants]
    seconds = np.array([[timed(name, v) for v in variants] for _ in range(REPETITIONS + 1)])[1:]
    ratios = np.median(seconds / seconds[:, :1], axis=0)  # the first repetition warmed up
    counts = [operations(name, v) for v in variants]
    return [
        (name, variant, count, round(count / counts[0], 3), round(float(ratio), 2))
        for variant, count, ratio in zip(variants, counts, ratios, strict=True)
    ][1:]


def add_costs() -> None:
    """Measure the variants that have no row yet."""
    torch.set_num_threads(1)
    done, new = {(r["data_set"], r["variant"]) for r in read(COST_PATH)}, not COST_PATH.exists()
    missing = {name: [v for v in VARIANTS if (name, v) not in done] for name in SETS}
    with COST_PATH.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            file.write(f"# {machine(1)}\n")
            writer.writerow(COST_COLUMNS)
        for name, variants in missing.items():
            if variants:
                writer.writerows(measure_costs(name, variants))


def report(rows: list[dict[str, str]]) -> None:
    costs = {(r["data_set"], r["variant"]): r for r in read(COST_PATH)}
    for name, part in product(SETS, ("validation", "test")):
        print(f"\n{name}, {part} accuracy; differences in points")
        print(f"{'':39}  ops  time accuracy       to maxl         to single")
        for variant in VARIANTS:
            report_line(rows, costs, name, variant, f"{part}_accuracy")


def report_line(
    rows: list[dict[str, str]], costs: dict, name: str, variant: str, score: str
) -> None:
    """A variant's mean, and its difference to others over the seeds that both have."""
    own = {r["seed"] for r in rows if r["data_set"] == name and r["variant"] == variant}

    def values(other: str) -> np.ndarray:
        return column([r for r in rows if r["seed"] in own], score, data_set=name, variant=other)

    if not own:
        return
    mine, cost = values(variant), costs.get((name, variant), {})
    differences = [
        mean_and_error(mine - values(other), sign="+") if len(values(other)) == len(mine) else "-"
        for other in ("maxl", "single")
    ]
    print(
        f"{variant:39} {cost.get('operation_ratio', ''):>5} {cost.get('second_ratio', ''):>5} "
        f"{mean_and_error(mine):14} {differences[0]:15} {differences[1]}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="how many")
    sets, n_seeds = vars(parser.parse_args()).values()
    runs = [(name, v, seed) for seed, name, v in product(SEEDS[:n_seeds], sets, VARIANTS)]
    values = ["validation_accuracy", "validation_log_loss", "test_accuracy", "test_log_loss"]
    rows = resume(PATH, ["data_set", "variant", "seed"], [*values, "seconds"], runs, run, n_jobs=1)
    add_costs()
    report(rows)


if __name__ == "__main__":
    main()
