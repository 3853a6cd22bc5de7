"""`predict_proba` beside the bare network."""

from functools import partial

import numpy as np
import torch
from torch import nn

from benchmarks.common.operations import operations
from benchmarks.package import rows_at_once
from benchmarks.speed.cases import Case, Estimator, Run
from benchmarks.speed.memory import peak_memory
from benchmarks.speed.rows import Row, summarize
from benchmarks.speed.timing import threads, timed
from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import MLP, ConvNet


def predict(run: Run) -> list[Row]:
    """`predict_proba` and the bare network, for one sample and for many."""
    rows = []
    large = run.size((100_000, 10_000), (200, 150), (100_000, 100_000))
    for name, backbone, shape, many in (
        ("MLP, 64 features", MLP(), (64,), large[0]),
        ("ConvNet, 28 x 28 x 1", ConvNet(width=run.size(1.0, 0.1)), (1, 28, 28), large[1]),
    ):
        one = Estimator(Case(name, backbone, shape, 256, 128), run.device).fit()
        X, _, _ = Case(name, backbone, shape, many, 128).data()
        for n in (1, 100, many):
            rows += compare_predictions(run, f"{name}: {n} samples", one.clf, X[:n])
    return rows


def compare_predictions(run: Run, name: str, clf: MAXLClassifier, X: np.ndarray) -> list[Row]:
    """Seconds of one call, from array to array."""
    calls = run.size(max(1, 200 // len(X)), 2)
    methods = {
        "bare network": partial(bare_probabilities, clf.net_.module_, X, run.device),
        "predict_proba": partial(clf.predict_proba, X),
    }
    with threads(1):
        counts = {method: operations(call) for method, call in methods.items()}
        peaks = {method: peak_memory(call, run.device) for method, call in methods.items()}
        seconds = run.time(
            {method: timed(call, run.device, calls) for method, call in methods.items()}, 9
        )
    return summarize("predict", run.device, name, "bare network", seconds, len(X), counts, peaks)


def bare_probabilities(net: nn.Module, X: np.ndarray, device: str) -> np.ndarray:
    """The network in the same batches as the estimator's, and nothing else."""
    net.eval()
    size = rows_at_once(X.shape[1:])
    with torch.inference_mode():
        parts = [
            torch.softmax(net.primary(part.to(device)), 1).cpu()
            for part in torch.from_numpy(X).split(size)
        ]
    return torch.cat(parts).numpy()
