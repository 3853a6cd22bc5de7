"""Default settings against a scaled MLPClassifier on scikit-learn's bundled data sets.

    python benchmarks/bundled_sets.py

Claim: ``MAXLClassifier()`` on raw features is not below
``make_pipeline(StandardScaler(), MLPClassifier())`` by more than one standard
error. Stratified 5-fold cross-validation, repeated with seeds 0, 1, 2 (the same
folds for both; each fold's difference is one pair). Writes
results/bundled_sets.csv, one row per data set, seed, fold and method.
"""

import csv
import platform
import time
import warnings
from pathlib import Path

import numpy as np
import sklearn
import torch
from joblib import Parallel, delayed
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_maxl import MAXLClassifier

RESULTS = Path(__file__).parent / "results" / "bundled_sets.csv"
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
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    X, y = SETS[name](return_X_y=True)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    train, test = list(folds.split(X, y))[fold]
    start = time.perf_counter()
    score = METHODS[method](seed).fit(X[train], y[train]).score(X[test], y[test])
    return name, seed, fold, method, round(score, 6), round(time.perf_counter() - start, 3)


def main() -> None:
    jobs = [(n, s, f, m) for n in SETS for s in SEEDS for f in range(5) for m in METHODS]
    rows = Parallel(n_jobs=2)(delayed(run)(*job) for job in jobs)
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="") as file:
        file.write(
            f"# {platform.machine()}, Python {platform.python_version()}, "
            f"torch {torch.__version__}, scikit-learn {sklearn.__version__}; "
            "2 processes of one torch thread\n"
        )
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["data_set", "seed", "fold", "method", "accuracy", "seconds"])
        writer.writerows(rows)
    reference = "scaled MLPClassifier()"
    for name in SETS:
        scores = {m: np.array([r[4] for r in rows if r[0] == name and r[3] == m]) for m in METHODS}
        for method, values in scores.items():
            seconds = np.mean([r[5] for r in rows if r[0] == name and r[3] == method])
            difference = values - scores[reference]
            error = difference.std(ddof=1) / np.sqrt(len(difference))
            print(
                f"{name:14} {method:24} {100 * values.mean():6.2f} %  paired difference "
                f"{100 * difference.mean():+.2f} +- {100 * error:.2f}  {seconds:6.2f} s"
            )


if __name__ == "__main__":
    main()
