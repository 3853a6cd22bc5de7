"""Default settings against a scaled MLPClassifier on scikit-learn's bundled data sets.

Claim: ``MAXLClassifier()`` on raw features is not below ``make_pipeline(StandardScaler(),
MLPClassifier())`` by more than one standard error. Stratified 5-fold cross-validation, repeated
with seeds 0, 1, 2; the folds are the same for all, and each fold's difference is one pair.
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

from benchmarks.studies.study import study
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
    keys = ["data_set", "seed", "fold", "method"]
    runs = product(SETS, SEEDS, range(5), METHODS)
    study("bundled_sets", keys, ["accuracy", "seconds"], runs, run)


if __name__ == "__main__":
    main()
