"""Do the generated labels find structure within classes that nobody told them of?

Three classes in ten dimensions, each the union of three Gaussian clusters that lie anywhere (unit
variance, centres of variance 4.5 in every direction). The classifier is told the classes. How
well do the labels that it generates for 600 held-out samples agree with the hidden clusters? By
adjusted mutual information within each class, averaged: 1 is agreement, 0 chance. Labels are
learned in every step.
"""

import time
from itertools import product

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score

from benchmarks.studies.earlier import earlier_on_tables
from benchmarks.studies.study import study
from sklearn_maxl import MAXLClassifier
from sklearn_maxl.labels import Learned

CLASSES, CLUSTERS, FEATURES, SAMPLES = 3, 3, 10, 600
SETTINGS = {
    "random labels": None,
    "default": Learned(every=1),
    "meta_scale='inverse_lr'": Learned(every=1, meta_scale="inverse_lr"),
    "information_weight=0.1": Learned(every=1, information_weight=0.1),
    "both": Learned(every=1, meta_scale="inverse_lr", information_weight=0.1),
    "information_weight=0.1, no meta-gradient": Learned(
        every=1, meta_scale=0.0, information_weight=0.1
    ),
    "k-means": "kmeans",
}
SEEDS = range(10)


def make_data(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X, y and the hidden clusters, twice as many samples as are trained on."""
    rng = np.random.RandomState(seed)
    centres = 1.5 * np.sqrt(2) * rng.normal(size=(CLASSES * CLUSTERS, FEATURES))
    hidden = rng.randint(len(centres), size=2 * SAMPLES)
    X = centres[hidden] + rng.normal(size=(len(hidden), FEATURES))
    return X, hidden % CLASSES, hidden


def agreement(labels: np.ndarray, hidden: np.ndarray, y: np.ndarray) -> float:
    """Adjusted mutual information within a class, mean over classes."""
    return float(
        np.mean([adjusted_mutual_info_score(hidden[y == i], labels[y == i]) for i in np.unique(y)])
    )


def run(setting: str, seed: int) -> tuple:
    X, y, hidden = make_data(seed)
    X_train, y_train = X[:SAMPLES], y[:SAMPLES]
    X, y, hidden = X[SAMPLES:], y[SAMPLES:], hidden[SAMPLES:]
    if SETTINGS[setting] is None:
        labels = np.random.RandomState(seed).randint(CLUSTERS, size=len(y))
        return round(agreement(labels, hidden, y), 4), "", "", ""
    start = time.perf_counter()
    clf = MAXLClassifier(auxiliary=SETTINGS[setting], psi=CLUSTERS, max_epochs=60)
    clf.set_params(device="cpu", random_state=seed, **earlier_on_tables(SAMPLES))
    clf.fit(X_train, y_train)
    seconds = time.perf_counter() - start
    labels = clf.generate_auxiliary_labels(X, y).argmax(1)
    entropy = clf.history_[-1]["label_entropy"]
    found = round(agreement(labels, hidden, y), 4)
    return found, round(clf.score(X, y), 4), round(entropy, 4), round(seconds, 2)


def main() -> None:
    values = ["agreement", "accuracy", "label_entropy", "seconds"]
    study("hidden_clusters", ["setting", "seed"], values, product(SETTINGS, SEEDS), run)


if __name__ == "__main__":
    main()
