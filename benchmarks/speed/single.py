"""A fit with ``auxiliary=None`` beside a bare torch loop, skorch and scikit-learn."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import skorch
import torch
from sklearn.datasets import load_digits, make_classification
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional as F

from benchmarks.common.operations import operations
from benchmarks.speed.cases import N_CLASSES, Run
from benchmarks.speed.memory import peak_memory
from benchmarks.speed.rows import Row, summarize
from benchmarks.speed.timing import threads, timed
from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import MLP, ConvNet


@dataclass(frozen=True)
class Fit:
    """What all methods of a comparison are to train, on standardised inputs."""

    name: str
    X: np.ndarray
    y: np.ndarray
    backbone: Any
    batch_size: int
    epochs: int
    device: str = "cpu"
    n_threads: int = 1

    def standardised(self) -> np.ndarray:
        """The inputs as all but ours want them: float32, mean 0 and deviation 1."""
        if self.X.ndim == 2:
            return StandardScaler().fit_transform(self.X).astype(np.float32)
        X = self.X.astype(np.float32)
        axes = (0, 2, 3)
        return (X - X.mean(axes, keepdims=True)) / X.std(axes, keepdims=True)

    def network(self) -> nn.Module:
        """The same trunk as ours with its head, without what standardises."""
        trunk = self.backbone.build(self.X.shape[1:])
        with torch.no_grad():
            n_features = trunk.eval()(torch.zeros(2, *self.X.shape[1:])).shape[1]
        head = nn.Linear(n_features, len(np.unique(self.y)))
        return nn.Sequential(trunk, head).train().to(self.device)


def bare_loop(fit: Fit) -> nn.Module:
    """The least that trains the same network: no checks, no records, no callbacks."""
    x = torch.from_numpy(fit.standardised()).to(fit.device)
    target = torch.from_numpy(fit.y).to(fit.device)
    net = fit.network()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.001, fused=True)
    for _ in range(fit.epochs):
        for index in torch.randperm(len(x), device=fit.device).split(fit.batch_size):
            optimizer.zero_grad()
            F.cross_entropy(net(x[index]), target[index]).backward()
            optimizer.step()
    return net


def ours(fit: Fit) -> MAXLClassifier:
    """The estimator, from the raw inputs; without trials, as the others."""
    return MAXLClassifier(
        fit.backbone,
        auxiliary=None,
        lr=0.001,
        temperature=1.0,
        max_epochs=fit.epochs,
        batch_size=fit.batch_size,
        n_threads=fit.n_threads,
        device=fit.device,
        random_state=0,
    ).fit(fit.X, fit.y)


def plain_skorch(fit: Fit) -> skorch.NeuralNetClassifier:
    """What a user of skorch would write."""
    return skorch.NeuralNetClassifier(
        fit.network(),
        criterion=nn.CrossEntropyLoss,
        optimizer=partial(torch.optim.Adam, fused=True),
        lr=0.001,
        batch_size=fit.batch_size,
        max_epochs=fit.epochs,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
        device=fit.device,
    ).fit(fit.standardised(), fit.y)


def mlp_classifier(fit: Fit) -> MLPClassifier:
    """scikit-learn's own, for tables; its inputs stay float64."""
    return MLPClassifier(
        fit.backbone.hidden_layer_sizes,
        batch_size=fit.batch_size,
        max_iter=fit.epochs,
        n_iter_no_change=fit.epochs + 1,
        alpha=0.0,
    ).fit(StandardScaler().fit_transform(fit.X), fit.y)


SINGLE: dict[str, Callable[[Fit], Any]] = {
    "bare torch loop": bare_loop,
    "MAXLClassifier(auxiliary=None)": ours,
    "skorch.NeuralNetClassifier": plain_skorch,
    "sklearn MLPClassifier": mlp_classifier,
}


def single(run: Run) -> list[Row]:
    """Whole fits of one plain network, by ours and by others."""
    rows = []
    for fit in fits(run):
        methods = dict(SINGLE)
        if fit.X.ndim != 2 or run.device != "cpu":
            methods.pop("sklearn MLPClassifier")
        calls = {name: partial(method, fit) for name, method in methods.items()}
        torch_calls = {name: call for name, call in calls.items() if "sklearn" not in name}
        with threads(fit.n_threads):
            counts = {name: operations(call) for name, call in torch_calls.items()}
            peaks = {name: peak_memory(call, run.device) for name, call in torch_calls.items()}
            seconds = run.time(
                {name: timed(call, run.device) for name, call in calls.items()},
                15 if len(fit.X) < 10_000 else 5,
            )
        rows += summarize(
            "single", run.device, fit.name, "bare torch loop", seconds,
            fit.epochs * len(fit.X), counts, peaks,
        )  # fmt: skip
    return rows


def fits(run: Run) -> list[Fit]:
    """Two sets of images, a small table, and a large one on one and on two threads."""
    digits, labels = load_digits(return_X_y=True)
    small = run.size(slice(None), slice(160))
    digits, labels = digits[small], labels[small]
    rng = np.random.default_rng(0)
    n = run.size(2000, 32)
    images = rng.integers(256, size=(n, 1, 28, 28), dtype=np.uint8)
    X, y = make_classification(run.size(100_000, 400), n_informative=10, random_state=0)
    convnet, on = ConvNet(width=run.size(1.0, 0.1)), run.device
    found = [
        Fit("ConvNet, digits 8 x 8", digits.reshape(-1, 1, 8, 8).astype(np.uint8), labels,
            convnet, 128, run.size(5, 1), on),
        Fit(f"ConvNet, {n:,} images 28 x 28", images, np.arange(n) % N_CLASSES, convnet, 128,
            run.size(1, 1, 5), on),
        Fit("MLP (100,), digits as a table", digits, labels, MLP(), 128, run.size(20, 1), on),
        Fit(f"MLP (100,), {len(X):,} rows x 20", X, y, MLP(), 200, run.size(3, 1), on),
    ]  # fmt: skip
    if on == "cpu":
        found.append(
            Fit(f"{found[-1].name}, two threads", X, y, MLP(), 200, run.size(3, 1), n_threads=2)
        )
    return found
