"""The arms of MAXLRegressor on diabetes and on a noisy synthetic function, ten paired seeds.

Claim: R2 with the defaults is at least that of the single task minus one standard error.
Friedman's first function has a deviation of about 5, and so has its noise. Labels are learned in
every step; the rows of ``guard=True`` are of an option that is gone. An ``MLPRegressor`` (inputs
and target scaled) and ridge regression stand beside.
"""

import time
import warnings
from itertools import product

from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, make_friedman1
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.studies.earlier import EARLIER_ON_ROWS, labels_of
from benchmarks.studies.study import study
from sklearn_maxl import MAXLRegressor

METHODS = {
    "None": lambda seed: arm(seed, auxiliary=None),
    "uniform": lambda seed: arm(seed, auxiliary="uniform"),
    "random": lambda seed: arm(seed, auxiliary="random"),
    "kmeans": lambda seed: arm(seed, auxiliary="kmeans"),
    "maxl": lambda seed: arm(seed),
    "maxl, weight 0.1": lambda seed: arm(seed, auxiliary_weight=0.1),
    "scaled MLPRegressor": lambda seed: TransformedTargetRegressor(
        make_pipeline(StandardScaler(), MLPRegressor(random_state=seed)),
        transformer=StandardScaler(),
    ),
    "RidgeCV": lambda seed: make_pipeline(StandardScaler(), RidgeCV()),
}
SEEDS = range(10)


def arm(seed: int, auxiliary: str | None = "maxl", **parameters: object) -> MAXLRegressor:
    labels = {"auxiliary": labels_of(auxiliary)}
    return MAXLRegressor(random_state=seed, device="cpu", **EARLIER_ON_ROWS, **labels, **parameters)


def diabetes(seed: int) -> list:
    X, y = load_diabetes(return_X_y=True)
    return train_test_split(X, y, train_size=0.5, random_state=seed)


def friedman(seed: int) -> list:
    X, y = make_friedman1(2300, noise=5.0, random_state=seed)
    return train_test_split(X, y, train_size=300, random_state=seed)


SETS = {"diabetes": diabetes, "noisy Friedman": friedman}


def run(name: str, method: str, seed: int) -> tuple:
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    warnings.filterwarnings("ignore", "The auxiliary task")
    X_train, X_test, y_train, y_test = SETS[name](seed)
    start = time.perf_counter()
    model = METHODS[method](seed).fit(X_train, y_train)
    seconds = time.perf_counter() - start
    return round(model.score(X_test, y_test), 6), round(seconds, 2)


def main() -> None:
    keys, values = ["data_set", "method", "seed"], ["r2", "seconds"]
    study("regression", keys, values, product(SETS, METHODS, SEEDS), run)


if __name__ == "__main__":
    main()
