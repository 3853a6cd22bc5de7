"""What predicts numbers from the rows of tables by default, and what else was tried?

    SKLEARN_MAXL_DATA=folder python -m benchmarks.studies.regression_of_tables

Numbers to predict are a column of the tables for tuning, from the other columns, the diabetes
data, and Friedman's three functions with noise of 0.3 standard deviations. With 1,000 training
rows, only those that have some thousand. Nothing is reported on these elsewhere. The table is in
docs/regression.rst.
"""

import time
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, make_friedman1, make_friedman2, make_friedman3
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import RidgeCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.evidence.fits import version
from benchmarks.evidence.sets import table
from benchmarks.studies.study import study
from sklearn_maxl import MAXLRegressor
from sklearn_maxl.backbones import Members

MOST_TEST = 3_000
SEEDS = range(3)
FRIEDMAN = {"friedman1": make_friedman1, "friedman2": make_friedman2, "friedman3": make_friedman3}
COLUMNS = {
    "vehicle": (0, 5),
    "segmentation": (1, 15),
    "phoneme": (0, 3),
    "mfeat-factors": (0, 100),
}
ALL = ["diabetes", *FRIEDMAN, *(f"{name}/{k}" for name, of in COLUMNS.items() for k in of)]
FEW = ("diabetes", "vehicle/0", "vehicle/5")
SETS = {200: ALL, 1000: [name for name in ALL if name not in FEW]}


def ours(seed: int, **settings: Any) -> Any:
    return MAXLRegressor(**{"auxiliary": None, **settings}, device="cpu", random_state=seed)


def earlier(seed: int) -> Any:
    return ours(seed, backbone="mlp", optimizer="adam", lr=0.001, max_epochs=100, batch_size=32)


def scaled_mlp(seed: int) -> Any:
    model = make_pipeline(StandardScaler(), MLPRegressor(random_state=seed))
    return TransformedTargetRegressor(model, transformer=StandardScaler())


METHODS: dict[str, Callable[[int], Any]] = {
    "auxiliary=None": ours,
    "the default": lambda seed: ours(seed, auxiliary="maxl"),
    "without trials: max_epochs=60": lambda seed: ours(seed, max_epochs=60),
    "max_epochs=30": lambda seed: ours(seed, max_epochs=30),
    "no dropout": lambda seed: ours(seed, backbone=Members(dropout=0.0, periodic=True)),
    "dropout=0.1": lambda seed: ours(seed, backbone=Members(dropout=0.1, periodic=True)),
    "dropout=0.1, no waves": lambda seed: ours(seed, backbone=Members(dropout=0.1)),
    "MLP(), Adam, lr=0.001, 100 epochs": earlier,
    "MLPRegressor, scaled": scaled_mlp,
    "RandomForestRegressor": lambda seed: RandomForestRegressor(random_state=seed),
    "HistGradientBoostingRegressor": lambda seed: HistGradientBoostingRegressor(random_state=seed),
    "RidgeCV, scaled": lambda seed: make_pipeline(StandardScaler(), RidgeCV()),
}


def data(name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """All rows of a set in an order drawn at random."""
    rng = np.random.RandomState(seed)
    if name == "diabetes":
        X, y = load_diabetes(return_X_y=True)
    elif name in FRIEDMAN:
        X, y = FRIEDMAN[name](max(SETS) + MOST_TEST, random_state=seed)
        y = y + 0.3 * y.std() * rng.standard_normal(len(y))
    else:
        of, _, column = name.partition("/")
        X = table(of)[0]
        X, y = np.delete(X, int(column), axis=1), X[:, int(column)]
    order = rng.permutation(len(y))
    return X[order], y[order]


def run(n: int, name: str, method: str, seed: int) -> tuple:
    X, y = data(name, seed)
    start = time.process_time()
    model = METHODS[method](seed).fit(X[:n], y[:n])
    seconds = round(time.process_time() - start, 2)
    test = slice(n, n + MOST_TEST)
    return round(model.score(X[test], y[test]), 6), seconds, version()


def main() -> None:
    runs = [run for n, names in SETS.items() for run in product([n], names, METHODS, SEEDS)]
    keys, values = ["n", "data_set", "method", "seed"], ["r2", "seconds", "version"]
    study("regression_of_tables", keys, values, runs, run)


if __name__ == "__main__":
    main()
