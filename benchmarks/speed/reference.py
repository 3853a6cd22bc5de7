"""One epoch beside the paper's authors' two scripts, written anew in `reference_steps`."""

import copy
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.common.operations import operations
from benchmarks.speed.cases import Case, Estimator, Run, cases
from benchmarks.speed.memory import peak_memory
from benchmarks.speed.reference_steps import Reference
from benchmarks.speed.rows import Row, summarize
from benchmarks.speed.timing import Seconds, timed
from sklearn_maxl.labels import Learned
from sklearn_maxl.optimizers import SGD

PAPER: dict[str, Any] = {"optimizer": "sgd", "lr": 0.01, "focal_gamma": 2.0}
LEARNED = partial(Learned, optimizer=SGD(weight_decay=5e-4), lr=1e-3, every=1)

OURS: dict[str, dict[str, Any]] = {
    "single task": {"auxiliary": None},
    "exact": {"auxiliary": LEARNED()},
    "exact, alternation='epoch'": {"auxiliary": LEARNED(alternation="epoch")},
    "double_backward": {"auxiliary": LEARNED(meta_gradient="double_backward")},
}

THEIRS: dict[str, dict[str, Any]] = {
    "reference, exact": {},
    "reference, exact, with diagnostics": {"diagnostics": True},
    "reference, exact, unused gradients left out": {"frugal": True},
    "reference, first-order": {"first_order": True},
    "reference, first-order, with diagnostics": {"first_order": True, "diagnostics": True},
    "reference, first-order, unused gradients left out": {"first_order": True, "frugal": True},
}


def reference(run: Run) -> list[Row]:
    """An epoch of ours and of the authors' scripts: the same networks, batches and optimizers."""
    rows = []
    for case in cases(run):
        rows += compare_with_reference(run, Case(**{**vars(case), "settings": PAPER}))
    return rows


def compare_with_reference(run: Run, case: Case) -> list[Row]:
    """All rows twice: beside a single task, and beside our default."""
    ours = {name: Estimator(case, run.device, **settings) for name, settings in OURS.items()}
    peaks = {name: peak_memory(one.fit, run.device) for name, one in ours.items()}
    counts = {name: operations(one.more) for name, one in ours.items()}
    methods: dict[str, Seconds] = {name: one.epoch for name, one in ours.items()}
    net, batches = ours["exact"].clf.net_, batches_of(case, run.device)

    def make(**settings: Any) -> Reference:
        return Reference(copy.deepcopy(net.module_), copy.deepcopy(net.generator_), **settings)

    for name, settings in THEIRS.items():
        peaks[name] = peak_memory(lambda s=settings: make(**s).epoch(batches), run.device)
        trained = make(**settings)
        counts[name] = operations(partial(trained.epoch, batches))
        methods[name] = timed(partial(trained.epoch, batches), run.device)
    seconds = run.time(methods, 5)
    sizes = (seconds, case.samples, counts, peaks)
    return [
        row
        for base in ("single task", "exact")
        for row in summarize("reference", run.device, case.name, base, *sizes)
    ]


def batches_of(case: Case, device: str) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The samples of a case on the device, in as many batches as the classifier makes."""
    X, y, _ = case.data()
    parts = np.array_split(
        np.random.default_rng(1).permutation(len(y)), -(-len(y) // case.batch_size)
    )
    return [
        (torch.from_numpy(X[part]).to(device), torch.from_numpy(y[part]).to(device))
        for part in parts
    ]
