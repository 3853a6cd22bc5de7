"""The settings of `auxiliary`, and how often and how the labels are learned."""

from dataclasses import replace
from functools import partial
from typing import Any

import torch

from benchmarks.speed.cases import Case, Estimator, Run, cases, compare_epochs
from benchmarks.speed.rows import Row, summarize
from benchmarks.speed.timing import timed
from sklearn_maxl.labels import Learned

ARMS: dict[str, dict[str, Any]] = {
    "None": {"auxiliary": None},
    "uniform": {"auxiliary": "uniform"},
    "random": {"auxiliary": "random"},
    "kmeans": {"auxiliary": "kmeans"},
    "human": {"auxiliary": "human"},
    "maxl": {"auxiliary": Learned(every=1)},
    **{f"maxl, meta_every={k}": {"auxiliary": Learned(every=k)} for k in (2, 4, 8)},
    "maxl, alternation='epoch'": {"auxiliary": Learned(every=1, alternation="epoch")},
    "maxl, auxiliary_weight_range=3": {"auxiliary": Learned(every=1, weight_range=3.0)},
}

FITS = ("None", "uniform", "kmeans", "maxl")  # arms that are measured as whole fits too


LOWER = {
    f"{name}, precision='bfloat16'": {**ARMS[name], "precision": "bfloat16"}
    for name in ("None", "maxl")
}


def arms(run: Run) -> list[Row]:
    """Every arm for an epoch, some as a whole fit, and how fast the machine multiplies."""
    rows = matrix_products(run)
    for case in cases(run):
        # Eight steps: one of them is an update of the generator with every=8.
        steps = run.size(8, 1)
        case = replace(case, samples=max(case.samples, steps * case.batch_size))
        rows += compare_epochs(run, "arms", case, {**ARMS, **LOWER}, "None")
        if case.name.startswith("VGG") and run.device == "cpu":
            continue  # 200 steps of an autoencoder of that size say nothing new
        rows += whole_fits(run, case)
    return rows


def whole_fits(run: Run, case: Case) -> list[Row]:
    """Fits from the start: k-means has clusters to find before the first step."""
    epochs = run.size(10, 1)
    fresh = {name: Estimator(case, run.device, max_epochs=epochs, **ARMS[name]) for name in FITS}
    seconds = run.time({name: timed(one.fit, run.device) for name, one in fresh.items()}, 3)
    name = f"{case.name}: a fit of {epochs} epochs"
    return summarize("arms", run.device, name, "None", seconds, epochs * case.samples)


def matrix_products(run: Run) -> list[Row]:
    """The rate of a large matrix product: what can be hoped for on this machine."""
    n = run.size(1024, 64, 8192)
    products, counts = {}, {}
    for dtype in (torch.float32, torch.bfloat16):
        a = torch.ones(n, n, dtype=dtype, device=run.device)
        name = str(dtype).removeprefix("torch.")
        products[name] = timed(partial(torch.mm, a, a), run.device, run.size(10, 1))
        counts[name] = 2 * n**3
    seconds = run.time(products, 5)
    case = f"matrix product, {n} x {n}"
    return summarize("arms", run.device, case, "float32", seconds, "", counts)
