"""Which cheaper form of the MAXL step keeps its accuracy? Ten paired seeds on two image sets.

    SKLEARN_MAXL_DATA=folder python -m benchmarks.studies.cheaper

200 digits (8 x 8, 100 epochs, batches of 50) and 500 images of Fashion-MNIST (averaged to 14 x
14, so that a network is trained to the end in seconds; 30 epochs); ConvNet of 16, 32 and 64
channels. Each run is scored on validation samples and on test samples, none of which it trained
on: a setting is to be chosen by the first, and what it is worth is to be read from the second.
Digits: the 1,597 others in two halves. Fashion-MNIST: 2,500 others of the first 10,000 training
images, and 5,000 of the official test set, drawn once.

The variants that are no parameters of the package are in `cheap_nets`. results/cheaper_cost.csv
has counted operations of 64 steps and their seconds, in units of single-task training; seconds
are medians of the ratios of three repetitions, in turns with the single task in one process.
"""

import argparse
import time
import warnings
from functools import cache, partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from benchmarks.common.images import halved, strips
from benchmarks.common.operations import operations
from benchmarks.common.resume import resume
from benchmarks.common.rows import RESULTS
from benchmarks.common.scores import accuracy_and_loss
from benchmarks.studies.cheap_nets import Attend, DenseAtFirst, OnFeatures, cheap
from benchmarks.studies.earlier import EARLIER
from benchmarks.studies.pages import cheaper
from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import ConvNet
from sklearn_maxl.labels import Learned

CONVNET = ConvNet((16, 32, 64))
SEEDS = range(10)
REPETITIONS = 3
COST_EPOCHS = {"digits": 16, "fashion": 4}  # 64 steps

Samples = tuple[np.ndarray, np.ndarray]


def learned(every: int = 1, width: float = 1.0, **other: Any) -> dict[str, Any]:
    """Parameters of learned labels, from a generator of that part of the width."""
    return {"auxiliary": Learned(clone(CONVNET).set_params(width=width), every=every), **other}


def on_features(hidden: int, every: int = 1) -> dict[str, Any]:
    """The same from a small network on the features of the multi-task network."""
    return {"auxiliary": Learned(partial(OnFeatures, CONVNET.channels[-1], hidden), every=every)}


class Variant(NamedTuple):
    """Parameters of the estimator, and switches of `CheapStep` (None: the package's step)."""

    parameters: dict[str, Any]
    switches: dict[str, Any] | None = None


HEAD = {"on_features": True}
LEAST = {**HEAD, "last_block": True, "v_at": "now"}
VARIANTS = {
    "single": Variant({"auxiliary": None}),
    "uniform": Variant({"auxiliary": "uniform"}),
    "maxl": Variant(learned()),
    "every 2": Variant(learned(2)),
    "every 4": Variant(learned(4)),
    "every 5": Variant(learned(5)),
    "every 8": Variant(learned(8)),
    "dense quarter, then every 8": Variant(learned(8, callbacks=[DenseAtFirst(0.25)])),
    "half batch": Variant(learned(), {"part": 0.5}),
    "quarter batch": Variant(learned(), {"part": 0.25}),
    "half generator": Variant(learned(width=0.5)),
    "quarter generator": Variant(learned(width=0.25)),
    "linear head": Variant(on_features(0), HEAD),
    "hidden head": Variant(on_features(64), HEAD),
    "v now": Variant(learned(), {"v_at": "now"}),
    "v next step": Variant(learned(), {"v_at": "next step"}),
    "cached, every 4": Variant(learned(4), {"cached": True}),
    "cached, every 8": Variant(learned(8), {"cached": True}),
    "last block": Variant(learned(), {"last_block": True}),
    "every 4, half generator": Variant(learned(4, 0.5)),
    "every 2, hidden head": Variant(on_features(64, 2), HEAD),
    "every 4, hidden head": Variant(on_features(64, 4), HEAD),
    "every 4, v next step": Variant(learned(4), {"v_at": "next step"}),
    "hidden head, last block, v now": Variant(on_features(64), LEAST),
    "every 4, hidden head, last block, v now": Variant(on_features(64, 4), LEAST),
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
    """Images at half their side, and classes."""
    X, labels = strips(f"fashion_mnist_{part}")
    return halved(X).astype(np.float32), labels["y"].astype(int)


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
    kind = MAXLClassifier
    if switches is not None:
        kind, parameters = cheap(**switches), {**parameters, "callbacks": [Attend()]}
    clf = kind(random_state=seed, device="cpu", **EARLIER)
    return clf.set_params(**SETS[name].parameters, **parameters).set_params(**other).fit(X, y)


def run(name: str, variant: str, seed: int) -> tuple:
    warnings.filterwarnings("ignore", "The auxiliary task")
    train, *held_out = SETS[name].split(seed)
    start = time.perf_counter()
    clf = fit(name, variant, seed, *train)
    seconds = time.perf_counter() - start
    scores = [score for X, y in held_out for score in accuracy_and_loss(clf, X, y)]
    return *scores, round(seconds, 2)


def seconds_of(name: str, variant: str) -> float:
    """Of a fit of 64 steps."""
    start = time.perf_counter()
    short_fit(name, variant)
    return time.perf_counter() - start


def short_fit(name: str, variant: str) -> None:
    train, *_ = SETS[name].split(0)
    fit(name, variant, 0, *train, max_epochs=COST_EPOCHS[name])


def cost(name: str, variant: str) -> tuple:
    """Operations of a fit of 64 steps, and they and seconds in units of single-task training.

    The dry runs of two samples in a fit hardly count.
    """
    pairs = [
        (seconds_of(name, variant), seconds_of(name, "single")) for _ in range(REPETITIONS + 1)
    ]
    ratio = float(np.median([own / single for own, single in pairs[1:]]))  # the first warmed up
    own, single = (operations(partial(short_fit, name, v)) for v in (variant, "single"))
    return own, round(own / single, 3), round(ratio, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="how many")
    sets, n_seeds = vars(parser.parse_args()).values()
    runs = [(name, v, seed) for seed, name, v in product(SEEDS[:n_seeds], sets, VARIANTS)]
    values = ["validation_accuracy", "validation_log_loss", "test_accuracy", "test_log_loss"]
    keys = ["data_set", "variant"]
    rows = resume(
        RESULTS / "cheaper.csv", [*keys, "seed"], [*values, "seconds"], runs, run, n_jobs=1
    )
    values = ["operations", "operation_ratio", "second_ratio"]
    costs = resume(
        RESULTS / "cheaper_cost.csv", keys, values, product(SETS, VARIANTS), cost, n_jobs=1
    )
    print(cheaper(rows, costs).text())


if __name__ == "__main__":
    main()
