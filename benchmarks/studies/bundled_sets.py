"""Default settings against a scaled MLPClassifier on scikit-learn's bundled data sets.

    python -m benchmarks.studies.bundled_sets

Claim: ``MAXLClassifier()`` on raw features is not below
``make_pipeline(StandardScaler(), MLPClassifier())`` by more than one standard
error. Stratified 5-fold cross-validation, repeated with seeds 0, 1, 2 (the same
folds for both; each fold's difference is one pair). Writes
results/bundled_sets.csv, one row per data set, seed, fold and method; rows that are there are
not run again.
"""

import time
import warnings
from itertools import product

from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.common.resume import resume
from benchmarks.common.rows import RESULTS
from benchmarks.studies.pages import bundled_sets
from sklearn_maxl import MAXLClassifier

SETS = {
    "iris": load_iris,
    "wine": load_wine,
    "breast cancer": load_breast_cancer,
    "digits": load_digits,
}
METHODS = {
    "MAXLClassifier()": lambda seed: MAXLClassifier(random_state=seed, device="cpu"),
    "auxiliary=None": lambda seed: MAXLClassifier(auxiliary=None, random_state=seed, device="cpu"),
    "scaled MLPClassifier()": lambda seed: make_pipeline(
        StandardScaler(), MLPClassifier(random_state=seed)
    ),
}
SEEDS = (0, 1, 2)


def run(name: str, seed: int, fold: int, method: str) -> tuple:
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    X, y = SETS[name](return_X_y=True)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    train, test = list(folds.split(X, y))[fold]
    start = time.perf_counter()
    score = METHODS[method](seed).fit(X[train], y[train]).score(X[test], y[test])
    return round(score, 6), round(time.perf_counter() - start, 3)


def main() -> None:
    runs = product(SETS, SEEDS, range(5), METHODS)
    keys = ["data_set", "seed", "fold", "method"]
    rows = resume(RESULTS / "bundled_sets.csv", keys, ["accuracy", "seconds"], runs, run)
    print(bundled_sets(rows).text())


if __name__ == "__main__":
    main()
