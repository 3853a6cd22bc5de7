"""Time of single-task training through the estimator against a bare torch loop.

    python benchmarks/overhead.py

Claim: ``auxiliary=None`` on the digits table takes at most 1.3 times a bare loop
over the same network, batches and epochs (construction and checks of the input
included). One process, one torch thread, repetitions interleaved, median of the
ratios. Writes results/overhead.csv with the machine's versions.
"""

import csv
import platform
import time
from pathlib import Path

import numpy as np
import sklearn
import skorch
import torch
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional as F

from sklearn_maxl import MAXLClassifier

RESULTS = Path(__file__).parent / "results" / "overhead.csv"
EPOCHS, BATCH_SIZE, REPETITIONS = 20, 128, 15


def bare_loop(X: np.ndarray, y: np.ndarray) -> None:
    """The least that trains the same network: no checks, no records, no callbacks."""
    X = StandardScaler().fit_transform(X).astype(np.float32)
    x, target = torch.from_numpy(X), torch.from_numpy(y)
    net = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.001, fused=True)
    for _ in range(EPOCHS):
        for index in torch.randperm(len(x)).split(BATCH_SIZE):
            optimizer.zero_grad()
            F.cross_entropy(net(x[index]), target[index]).backward()
            optimizer.step()


def ours(X: np.ndarray, y: np.ndarray) -> None:
    MAXLClassifier(
        auxiliary=None, max_epochs=EPOCHS, batch_size=BATCH_SIZE, device="cpu", random_state=0
    ).fit(X, y)


def plain_skorch(X: np.ndarray, y: np.ndarray) -> None:
    X = StandardScaler().fit_transform(X).astype(np.float32)
    net = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10))
    skorch.NeuralNetClassifier(
        net,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=0.001,
        batch_size=BATCH_SIZE,
        max_epochs=EPOCHS,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    ).fit(X, y)


def mlp_classifier(X: np.ndarray, y: np.ndarray) -> None:
    X = StandardScaler().fit_transform(X)
    MLPClassifier(
        batch_size=BATCH_SIZE, max_iter=EPOCHS, n_iter_no_change=EPOCHS + 1, alpha=0.0
    ).fit(X, y)


METHODS = {
    "bare torch loop": bare_loop,
    "MAXLClassifier(auxiliary=None)": ours,
    "skorch.NeuralNetClassifier": plain_skorch,
    "sklearn MLPClassifier": mlp_classifier,
}


def main() -> None:
    import warnings

    warnings.filterwarnings("ignore", category=sklearn.exceptions.ConvergenceWarning)
    torch.set_num_threads(1)
    X, y = load_digits(return_X_y=True)
    seconds: dict[str, list[float]] = {name: [] for name in METHODS}
    for repetition in range(REPETITIONS + 1):
        for name, method in METHODS.items():
            start = time.perf_counter()
            method(X, y)
            if repetition:  # the first one warms up
                seconds[name].append(time.perf_counter() - start)
    base = np.array(seconds["bare torch loop"])
    rows = []
    for name, values in seconds.items():
        ratio = np.array(values) / base
        low, middle, high = np.percentile(ratio, [25, 50, 75])
        rows.append((name, round(float(np.median(values)), 4), *np.round([middle, low, high], 3)))
        print(
            f"{name:32} {np.median(values):7.3f} s  {middle:5.2f} x  "
            f"quartiles {low:.2f} to {high:.2f}"
        )
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="") as file:
        file.write(
            f"# {platform.processor() or platform.machine()}, Python {platform.python_version()}, "
            f"torch {torch.__version__}, scikit-learn {sklearn.__version__}, "
            f"skorch {skorch.__version__}; one torch thread, "
            f"{REPETITIONS} interleaved repetitions\n"
        )
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["method", "median_seconds", "median_ratio", "quartile_25", "quartile_75"])
        writer.writerows(rows)


if __name__ == "__main__":
    main()
