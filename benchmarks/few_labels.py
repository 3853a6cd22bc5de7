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

import time
from itertools import product

import numpy as np
from _runs import EARLIER, RESULTS, Rows, column, resume
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import ConvNet

KEYS = ["setting", "focal_gamma", "arm", "seed"]
VALUES = ["accuracy", "log_loss", "seconds"]
SETTINGS = {
    "default": {},
    "small": {"backbone": ConvNet(channels=(16, 32, 64)), "batch_size": 50},
    "small, psi=2": {"backbone": ConvNet(channels=(16, 32, 64)), "batch_size": 50, "psi": 2},
}
GAMMAS = (0.0, 2.0)
ARMS = (None, "uniform", "random", "kmeans", "maxl")
SEEDS = range(12)


def run(setting: str, gamma: float, arm: str | None, seed: int) -> tuple:
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
    return round(accuracy, 6), round(loss, 6), round(seconds, 2)


def report(rows: Rows) -> None:
    def scores(setting: str, gamma: float, arm: str | None) -> np.ndarray:
        return 100 * column(rows, "accuracy", setting=setting, focal_gamma=gamma, arm=arm)

    def show(difference: np.ndarray) -> str:
        error = difference.std(ddof=1) / np.sqrt(len(difference))
        return f"{difference.mean():+.2f} +- {error:.2f}"

    print(
        "setting       gamma  arm      accuracy       to single, same loss   to single, gamma 0   s"
    )
    for setting, gamma, arm in product(SETTINGS, GAMMAS, ARMS):
        values = scores(setting, gamma, arm)
        error = values.std(ddof=1) / np.sqrt(len(values))
        seconds = column(rows, "seconds", setting=setting, focal_gamma=gamma, arm=arm).mean()
        print(
            f"{setting:13} {gamma:5}  {arm!s:8} {values.mean():.2f} +- {error:.2f}  "
            f"{show(values - scores(setting, gamma, None)):20}   "
            f"{show(values - scores(setting, 0.0, None)):20} {seconds:5.1f}"
        )


def main() -> None:
    runs = product(SETTINGS, GAMMAS, ARMS, SEEDS)
    report(resume(RESULTS / "few_labels.csv", KEYS, VALUES, runs, run))


if __name__ == "__main__":
    main()
