"""What predicts numbers from the rows of tables by default, and what else was tried?

    SKLEARN_MAXL_DATA=folder python -m benchmarks.studies.regression_of_tables

Numbers to predict are a column of the tables for tuning, from the other columns, the diabetes
data, and Friedman's three functions with noise of 0.3 standard deviations. Nothing is reported on
these elsewhere. The table is in docs/regression.rst.
"""

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

N = 200
MOST_TEST = 3_000
SEEDS = range(3)
FRIEDMAN = {"friedman1": make_friedman1, "friedman2": make_friedman2, "friedman3": make_friedman3}
COLUMNS = {
    "vehicle": (0, 5),
    "segmentation": (1, 15),
    "phoneme": (0, 3),
    "mfeat-factors": (0, 100),
}
SETS = ["diabetes", *FRIEDMAN, *(f"{name}/{k}" for name, of in COLUMNS.items() for k in of)]


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
    "without trials: max_epochs=30": lambda seed: ours(seed, max_epochs=30),
    "Members(dropout=0.3)": lambda seed: ours(seed, backbone=Members(dropout=0.3)),
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
        X, y = FRIEDMAN[name](N + MOST_TEST, random_state=seed)
        y = y + 0.3 * y.std() * rng.standard_normal(len(y))
    else:
        of, _, column = name.partition("/")
        X = table(of)[0]
        X, y = np.delete(X, int(column), axis=1), X[:, int(column)]
    order = rng.permutation(len(y))
    return X[order], y[order]


def run(name: str, method: str, seed: int) -> tuple:
    X, y = data(name, seed)
    model = METHODS[method](seed).fit(X[:N], y[:N])
    test = slice(N, N + MOST_TEST)
    return round(model.score(X[test], y[test]), 6), version()


def main() -> None:
    runs = product(SETS, METHODS, SEEDS)
    study("regression_of_tables", ["data_set", "method", "seed"], ["r2", "version"], runs, run)


if __name__ == "__main__":
    main()
