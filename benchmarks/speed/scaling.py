"""How time and memory grow with the data and with the network."""

from functools import partial
from typing import Any

from benchmarks.speed.cases import Case, Run, compare_epochs
from benchmarks.speed.one_fit import own_process
from benchmarks.speed.rows import Row, summarize
from sklearn_maxl.backbones import MLP, ConvNet

BOTH: dict[str, dict[str, Any]] = {"None": {"auxiliary": None}, "maxl": {}}


def scaling(run: Run) -> list[Row]:
    """How time and memory grow with the data and with the network."""
    rows = growing_samples(run)
    for case in growing_cases(run):
        rows += compare_epochs(run, "scaling", case, BOTH, "None", rounds=3)
    return rows


def growing_samples(run: Run) -> list[Row]:
    """One epoch, 100 features, each fit in a process of its own: resident memory less the data."""
    rows = []
    sizes = run.size((1000, 10_000, 100_000, 1_000_000), (400,))
    peaks: dict[tuple[int, str], int] = {}

    def fit(n: int, name: str) -> float:
        found = own_process(
            samples=n,
            features=100,
            auxiliary=BOTH[name].get("auxiliary", "maxl"),
            device=run.device,
        )
        peaks[n, name] = max(peaks.get((n, name), 0), int(found["bytes"]))
        return found["seconds"]

    methods = {(n, name): partial(fit, n, name) for n in sizes for name in BOTH}
    seconds = run.time(methods, 3)
    for n in sizes:
        rows += summarize(
            "scaling", run.device, f"samples: {n}", "None",
            {name: seconds[n, name] for name in BOTH}, n,
            peaks={name: peaks[n, name] for name in BOTH},
        )  # fmt: skip
    return rows


def growing_cases(run: Run) -> list[Case]:
    """Everything but the samples, one thing at a time."""
    found = [
        Case(f"features: {d}", MLP(), (d,), run.size(4000, 64, 16_000), 200)
        for d in run.size((10, 100, 1000, 10_000), (10,))
    ]
    found += [
        Case(f"classes: {c}", MLP(), (100,), run.size(4000, 64, 16_000), 200, c)
        for c in run.size((2, 10, 100, 1000), (20,))
    ]
    found += [
        Case(f"batch size: {size}", MLP(), (100,), run.size(8192, 64, 32_768), size)
        for size in run.size((32, 128, 512, 2048, 4096), (16,))
    ]
    found += [
        Case(f"hidden units: {h}", MLP((h,)), (100,), run.size(4000, 64, 16_000), 200)
        for h in run.size((32, 128, 512, 2048), (16,))
    ]
    found += [
        Case(f"ConvNet width: {w}", ConvNet(width=w), (1, 28, 28),
             *run.size((256, 128), (8, 4), (4096, 128)))
        for w in run.size((0.25, 0.5, 1.0, 2.0), (0.1,))
    ]  # fmt: skip
    return found
