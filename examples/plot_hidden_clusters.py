"""
Do the labels find hidden clusters?
===================================

Each of three classes consists of three clusters, which the classifier is not told about. Do
the auxiliary labels find them? It depends on two parameters of ``Learned``:

- With the defaults, hardly. The entropy term is smallest when *every* sample has the same even
  label. The meta-gradient contains the learning rate as a factor and is small beside it.
- ``meta_scale="inverse_lr"`` divides by the learning rate. Now the gradient of the primary
  loss decides, and it finds much of the structure by itself.
- ``information_weight=0.1`` favours labels that are sharp for each sample and even over all
  samples. That is clustering, and finds the clusters with or without the meta-gradient.

Agreement is measured within each class by adjusted mutual information: 0 is chance, 1 is
the same grouping. ``python -m benchmarks.studies.hidden_clusters`` does it in ten dimensions.

Run it with ``python examples/plot_hidden_clusters.py``. It takes half a minute on two
cores and writes ``hidden_clusters.png``.
"""

import argparse

import matplotlib

matplotlib.use("Agg")  # writes files only: works without a screen

import matplotlib.pyplot as plt
import numpy as np
from joblib import Parallel, delayed
from sklearn.metrics import adjusted_mutual_info_score

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.labels import Learned

CLASSES, CLUSTERS = 3, 3
SETTINGS = {
    "random labels": None,
    "default": {},
    'meta_scale="inverse_lr"': {"meta_scale": "inverse_lr"},
    "information_weight=0.1": {"information_weight": 0.1},
}

# %%
# The data
# --------
# Nine clusters on a grid in the plane, dealt to the three classes at random.


def make_data(seed: int, n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples, their classes, and the clusters that stay hidden."""
    rng = np.random.RandomState(seed)
    centres = 5.0 * np.array([[i, j] for i in range(CLUSTERS) for j in range(CLASSES)])
    centres = rng.permutation(centres)
    hidden = rng.randint(len(centres), size=n)
    X = centres[hidden] + rng.normal(size=(n, 2))
    return X, hidden % CLASSES, hidden


# %%
# One fit
# -------


def auxiliary_labels(name: str, seed: int) -> np.ndarray:
    """The most likely auxiliary label of each sample."""
    X, y, _ = make_data(seed)
    if SETTINGS[name] is None:
        return CLUSTERS * y + np.random.RandomState(seed).randint(CLUSTERS, size=len(y))
    labels = Learned(every=1, **SETTINGS[name])
    clf = MAXLClassifier(auxiliary=labels, psi=CLUSTERS, max_epochs=60, random_state=seed)
    return clf.fit(X, y).generate_auxiliary_labels(X, y).argmax(axis=1)


def agreement(labels: np.ndarray, seed: int) -> float:
    """Adjusted mutual information with the hidden clusters, mean over classes."""
    _, y, hidden = make_data(seed)
    return float(
        np.mean(
            [adjusted_mutual_info_score(hidden[y == i], labels[y == i]) for i in range(CLASSES)]
        )
    )


# %%
# The picture
# -----------
# The colour of a point is its class, its marker the auxiliary label within the class.


def plot(labels: dict[str, np.ndarray], scores: dict[str, np.ndarray], path: str) -> None:
    """The first seed's labels, and the agreement of all seeds."""
    X, y, _ = make_data(0)
    figure, axes = plt.subplots(1, len(SETTINGS), figsize=(13, 3.8), sharey=True)
    for axis, (name, found) in zip(axes, labels.items(), strict=True):
        for i in range(CLASSES):
            for k, marker in enumerate("ox^"):
                own = (y == i) & (found == CLUSTERS * i + k)
                axis.scatter(*X[own].T, s=16, marker=marker, color=f"C{i}", linewidths=1)
        error = scores[name].std(ddof=1) / np.sqrt(len(scores[name]))
        axis.set_title(f"{name}\nagreement {scores[name].mean():.2f} ± {error:.2f}", fontsize=10)
        axis.set(xticks=[], yticks=[])
    figure.suptitle("Colour: class.  Marker: auxiliary label within the class.", fontsize=10)
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Fit, print and draw."""
    parser = argparse.ArgumentParser(description="Do auxiliary labels find hidden clusters?")
    parser.add_argument("--seeds", type=int, default=10, help="data sets (default: 10)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--output", default="hidden_clusters.png")
    arguments = parser.parse_args()

    runs = [(name, seed) for name in SETTINGS for seed in range(arguments.seeds)]
    labels = dict(
        zip(
            runs,
            Parallel(n_jobs=arguments.jobs)(delayed(auxiliary_labels)(*key) for key in runs),
            strict=True,
        )
    )
    scores = {
        name: np.array([agreement(labels[name, seed], seed) for seed in range(arguments.seeds)])
        for name in SETTINGS
    }
    for name, values in scores.items():
        error = values.std(ddof=1) / np.sqrt(len(values))
        print(f"{name:26} agreement with the hidden clusters {values.mean():.2f} +- {error:.2f}")
    plot({name: labels[name, 0] for name in SETTINGS}, scores, arguments.output)
    print(f"wrote {arguments.output}")


if __name__ == "__main__":
    main()
