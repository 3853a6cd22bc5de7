"""
Five settings side by side
==========================

Do auxiliary labels help? The parameter ``auxiliary`` says where they come from. The parameter
``views`` says what the auxiliary task sees: the images as they are, or images turned by right
angles, with auxiliary classes for each turn. This example trains five settings of these two
parameters on 200 small images, and compares each with a plain network, the "single task".

All settings have the same splits, the same seeds and the same number of epochs. So the
comparison is *paired*: the difference to the single task is taken for each seed, and then
averaged. A split that is easy is easy for all settings, and does not count.

Run it with ``python examples/plot_five_settings.py``. It takes about a minute on two
cores, prints a table and writes ``five_settings.png`` to the current directory.
"""

import argparse
import math
import time

import matplotlib

matplotlib.use("Agg")  # writes files only: works without a screen

import matplotlib.pyplot as plt
import numpy as np
from joblib import Parallel, delayed, parallel_config
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import ConvNet

ARMS = {
    "single task": {"auxiliary": None},
    "k-means": {"auxiliary": "kmeans", "views": None},
    "uniform": {"auxiliary": "uniform", "views": None},
    "MAXL, no views": {"views": None},
    "MAXL": {},  # the default
}
N_TRAIN = 200
EPOCHS = 60

# %%
# One fit
# -------
# A seed decides both the split and everything random inside the classifier. The
# images go in as they are, of shape (n, channels, height, width): the network
# scales them itself.


def fit_once(name: str, seed: int) -> tuple[str, int, float, float]:
    """Train one arm on one split; return its name, seed, test accuracy and seconds."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X.reshape(-1, 1, 8, 8), y, train_size=N_TRAIN, stratify=y, random_state=seed
    )
    clf = MAXLClassifier(
        ConvNet(channels=(16, 32, 64)),
        batch_size=50,
        max_epochs=EPOCHS,
        random_state=seed,
        **ARMS[name],
    )
    start = time.perf_counter()
    clf.fit(X_train, y_train)
    seconds = time.perf_counter() - start
    return name, seed, clf.score(X_test, y_test), seconds


# %%
# All fits
# --------
# Two processes share the work. Each has one torch thread, so that they do not
# compete for the cores, and the result does not depend on how many there are.


def fit_all(n_seeds: int, n_jobs: int) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy and seconds of every arm and seed, each of shape (n_arms, n_seeds)."""
    slowest_first = [(name, seed) for name in reversed(ARMS) for seed in range(n_seeds)]
    accuracy, seconds = np.zeros((2, len(ARMS), n_seeds))
    with parallel_config("loky", n_jobs=n_jobs, inner_max_num_threads=1):
        fits = Parallel(return_as="generator_unordered")(
            delayed(fit_once)(*task) for task in slowest_first
        )
        for name, seed, score, duration in tqdm(
            fits, total=len(slowest_first), unit="fit", disable=None
        ):
            row = list(ARMS).index(name)
            accuracy[row, seed], seconds[row, seed] = score, duration
    return accuracy, seconds


# %%
# The table
# ---------


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """Mean over seeds and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))


def print_table(accuracy: np.ndarray, seconds: np.ndarray) -> None:
    """Print accuracy, paired difference to single task (both in points), and time."""
    n_seeds = accuracy.shape[1]
    print(f"\nDigits, {N_TRAIN} training images, {EPOCHS} epochs, {n_seeds} paired seeds")
    print("mean +- standard error over the seeds\n")
    print(f"{'':14}  {'accuracy in %':>15}  {'minus single task':>17}  {'s per fit':>9}")
    for row, name in enumerate(ARMS):
        mean, error = mean_and_error(100 * accuracy[row])
        cells = [f"{mean:.2f} +- {error:.2f}", "", f"{seconds[row].mean():.1f}"]
        if row:
            mean, error = mean_and_error(100 * (accuracy[row] - accuracy[0]))
            cells[1] = f"{mean:+.2f} +- {error:.2f}"
        print(f"{name:14}  {cells[0]:>15}  {cells[1]:>17}  {cells[2]:>9}")
    print(
        f"\n{n_seeds} seeds are few, and this is one data set. A difference of less than about\n"
        "two of its standard errors can be chance, and among four differences one easily is.\n"
        "Run more with --seeds, and compare the arms on your own data."
    )


# %%
# The figure
# ----------
# Every dot is a seed; the bar is the mean difference and its standard error.


def plot(accuracy: np.ndarray, path: str) -> None:
    """Draw the paired differences to single task."""
    names, n_seeds = list(ARMS)[1:], accuracy.shape[1]
    blue, grey = "#0072B2", "#767676"
    fig, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
    spread = np.linspace(-0.22, 0.22, n_seeds)  # seeds side by side, not on top of each other
    right = 100 * max(0.0, (accuracy[1:] - accuracy[0]).max())
    for position, name in enumerate(reversed(names)):
        difference = 100 * (accuracy[list(ARMS).index(name)] - accuracy[0])
        mean, error = mean_and_error(difference)
        colour = blue if name == "MAXL" else "#222222"
        ax.plot(difference, position + spread, "o", color=colour, alpha=0.3, ms=4, mec="none")
        ax.errorbar(mean, position, xerr=error, fmt="o", color=colour, ms=7, capsize=4, lw=2)
        label = f"{mean:+.2f} ± {error:.2f}".replace("-", "−")  # as on the axis
        ax.annotate(label, (right, position), xytext=(14, 0), textcoords="offset points",
                    va="center", color=colour)  # fmt: skip
    ax.axvline(0, color=grey, lw=1)
    ax.annotate(
        f"single task: {100 * accuracy[0].mean():.2f} %", (0, 1), xytext=(0, 4),
        xycoords=("data", "axes fraction"), textcoords="offset points", ha="center", color=grey,
    )  # fmt: skip
    ax.set_yticks(range(len(names)), names[::-1])
    ax.set_ylim(-0.5, len(names) - 0.5)
    ax.set_xlabel("test accuracy minus single task, same split and seed (points)")
    ax.set_title(
        f"Digits, {N_TRAIN} training images, {n_seeds} paired seeds: mean ± standard error",
        fontsize=10, loc="left", pad=20,
    )  # fmt: skip
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    fig.savefig(path, dpi=150)


# %%
# Run it
# ------
# The condition keeps the worker processes from starting the example again.

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Compare arms on digits.")
    parser.add_argument("--seeds", type=int, default=8, help="paired seeds, at least 2")
    parser.add_argument("--jobs", type=int, default=2, help="processes, one torch thread each")
    arguments = parser.parse_args()
    if arguments.seeds < 2:
        parser.error("a standard error needs at least 2 seeds")

    start = time.perf_counter()
    accuracy, seconds = fit_all(arguments.seeds, arguments.jobs)
    print_table(accuracy, seconds)
    plot(accuracy, "five_settings.png")
    print(f"\nFigure: five_settings.png. All of it took {time.perf_counter() - start:.0f} s.")
