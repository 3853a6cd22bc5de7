"""The arms on 200 labelled digits (8 x 8 images), twelve paired seeds, two losses.

    python benchmarks/few_labels.py

Question: with few labels, does MAXL beat single-task training, is that more than
uniform soft labels give, and what does the focal loss of the paper do? Two
networks: the default one, and a small one with batches of 50, at psi 5 and 2. Labels
are learned in every step; all else is default. ``psi=2`` was picked from ten
variations on seeds 100 to 105, that is, on other splits of the same images than
those reported here. A seed decides the split (stratified, 200 to train, the other
1,597 to test) and the training alike, so that differences are paired. Nothing was
selected on the test samples. Writes
results/few_labels.csv, one row per run; rows that are there are not run again.
"""

import csv
import platform
import time
from itertools import product
from pathlib import Path

import numpy as np
import sklearn
import torch
from _runs import EARLIER
from joblib import Parallel, delayed
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import ConvNet

RESULTS = Path(__file__).parent / "results" / "few_labels.csv"
COLUMNS = ["setting", "focal_gamma", "arm", "seed", "accuracy", "log_loss", "seconds"]
SETTINGS = {
    "default": {},
    "small": {"backbone": ConvNet(channels=(16, 32, 64)), "batch_size": 50},
    "small, psi=2": {"backbone": ConvNet(channels=(16, 32, 64)), "batch_size": 50, "psi": 2},
}
GAMMAS = (0.0, 2.0)
ARMS = (None, "uniform", "random", "kmeans", "maxl")
SEEDS = range(12)


def run(setting: str, gamma: float, arm: str | None, seed: int) -> list:
    torch.set_num_threads(1)
    X, y = load_digits(return_X_y=True)
    X = X.reshape(-1, 1, 8, 8)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, train_size=200, stratify=y, random_state=seed
    )
    clf = MAXLClassifier(auxiliary=arm, focal_gamma=gamma, meta_every=1, random_state=seed)
    clf.set_params(**EARLIER)
    clf.set_params(device="cpu")
    clf.set_params(**SETTINGS[setting])
    start = time.perf_counter()
    clf.fit(X_train, y_train)
    seconds = time.perf_counter() - start
    probabilities = clf.predict_proba(X_test)
    accuracy = float((probabilities.argmax(1) == y_test).mean())
    loss = log_loss(y_test, probabilities)
    return [setting, gamma, str(arm), seed, round(accuracy, 6), round(loss, 6), round(seconds, 2)]


def read() -> dict[tuple, list]:
    if not RESULTS.exists():
        return {}
    with RESULTS.open() as file:
        rows = list(csv.reader(line for line in file if not line.startswith("#")))[1:]
    return {(r[0], float(r[1]), r[2], int(r[3])): r for r in rows}


def report(rows: dict[tuple, list]) -> None:
    def scores(setting: str, gamma: float, arm: str | None) -> np.ndarray:
        return np.array([100 * float(rows[setting, gamma, str(arm), s][4]) for s in SEEDS])

    def show(difference: np.ndarray) -> str:
        error = difference.std(ddof=1) / np.sqrt(len(difference))
        return f"{difference.mean():+.2f} +- {error:.2f}"

    print(
        "setting       gamma  arm      accuracy       to single, same loss   to single, gamma 0   s"
    )
    for setting, gamma, arm in product(SETTINGS, GAMMAS, ARMS):
        values = scores(setting, gamma, arm)
        error = values.std(ddof=1) / np.sqrt(len(values))
        seconds = np.mean([float(rows[setting, gamma, str(arm), seed][6]) for seed in SEEDS])
        print(
            f"{setting:13} {gamma:5}  {arm!s:8} {values.mean():.2f} +- {error:.2f}  "
            f"{show(values - scores(setting, gamma, None)):20}   "
            f"{show(values - scores(setting, 0.0, None)):20} {seconds:5.1f}"
        )


def main() -> None:
    rows = read()
    runs = product(SETTINGS, GAMMAS, ARMS, SEEDS)
    missing = [(n, g, arm, seed) for n, g, arm, seed in runs if (n, g, str(arm), seed) not in rows]
    done = Parallel(n_jobs=2, return_as="generator")(delayed(run)(*key) for key in missing)
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if not rows:
            file.write(
                f"# {platform.machine()}, Python {platform.python_version()}, torch "
                f"{torch.__version__}, scikit-learn {sklearn.__version__}; 2 processes of one "
                "torch thread\n"
            )
            writer.writerow(COLUMNS)
        for row in done:
            writer.writerow(row)
            file.flush()
    report(read())


if __name__ == "__main__":
    main()
