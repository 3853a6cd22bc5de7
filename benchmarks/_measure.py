"""How time, operations and memory are measured, and how the rows are kept.

    python benchmarks/_measure.py '{"samples": 1000, "features": 100, "auxiliary": null}'

run as a program, it is one fit in a process of its own, whose peak memory is then
that fit's; `speed.py` calls it so.
"""

import csv
import gc
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import skorch
import torch
from threadpoolctl import threadpool_limits
from torch.autograd import DeviceType
from torch.utils.flop_counter import FlopCounterMode

from sklearn_maxl import MAXLClassifier

Seconds = Callable[[], float]


# Time


def synchronize(device: str) -> None:
    """Wait for a GPU, which works on after Python has gone on."""
    if device != "cpu":
        torch.cuda.synchronize()


def timed(function: Callable[[], Any], device: str = "cpu", calls: int = 1) -> Seconds:
    """A function that tells how long a call takes: the mean of a few where one is too short."""

    def seconds() -> float:
        synchronize(device)
        start = time.perf_counter()
        for _ in range(calls):
            function()
        synchronize(device)
        return (time.perf_counter() - start) / calls

    return seconds


def interleaved(
    methods: Mapping[Any, Seconds], repetitions: int, warm_up: bool = True
) -> dict[Any, list[float]]:
    """Seconds of every method, in rounds (A B C, A B C, ...); the first round only warms up.

    What slows the machine for a while then slows all of them, and ratios within a
    round stay fair.
    """
    seconds: dict[Any, list[float]] = {name: [] for name in methods}
    for repetition in range(-warm_up, repetitions):
        for name, method in methods.items():
            value = method()
            if repetition >= 0:
                seconds[name].append(value)
    return seconds


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Give torch, BLAS and OpenMP `n` threads each."""
    before = torch.get_num_threads()
    with threadpool_limits(n):
        torch.set_num_threads(n)
        try:
            yield
        finally:
            torch.set_num_threads(before)


# Operations and memory


def operations(function: Callable[[], Any]) -> int:
    """Floating-point operations of matrix products and convolutions; the rest is not counted."""
    with FlopCounterMode(display=False) as counter:
        function()
    return int(counter.get_total_flops())


def peak_memory(function: Callable[[], Any], device: str = "cpu") -> int:
    """Most bytes that tensors made by a call hold at any one time.

    Exact, from what the allocator reports, and blind to what other processes do:
    the resident memory of a process also holds what was freed before.
    """
    gc.collect()
    if device == "cpu":
        return _peak_on_cpu(function)
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    function()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def _peak_on_cpu(function: Callable[[], Any]) -> int:
    profile = torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    )
    with _no_stderr():
        profile.start()
    try:
        function()
    finally:
        with _no_stderr():
            profile.stop()
    changes = [
        (event.start_ns(), event.nbytes())
        for event in profile.profiler.kineto_results.events()
        if event.name() == "[memory]" and event.device_type() == DeviceType.CPU
    ]
    changes.sort(key=lambda change: change[0])
    return max(accumulate(nbytes for _, nbytes in changes), default=0)


@contextmanager
def _no_stderr() -> Iterator[None]:
    """The profiler's library reports begin and end to the process's standard error."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


# Rows


@dataclass(frozen=True)
class Row:
    """One method in one case, beside the base method of that case."""

    section: str
    device: str
    case: str
    method: str
    base: str
    samples: int | str = ""
    """How many samples the seconds are for."""
    rounds: int | str = ""
    median_seconds: float | str = ""
    median_ratio: float | str = ""
    quartile_25: float | str = ""
    quartile_75: float | str = ""
    operations: int | str = ""
    operations_ratio: float | str = ""
    peak_mb: float | str = ""
    memory_ratio: float | str = ""


COLUMNS = tuple(field.name for field in fields(Row))


def summarize(
    section: str,
    device: str,
    case: str,
    base: str,
    seconds: Mapping[str, Sequence[float]],
    samples: int | Mapping[str, int] | str = "",
    counts: Mapping[str, int] | None = None,
    peaks: Mapping[str, int] | None = None,
) -> list[Row]:
    """Rows of one case: medians, and ratios to `base` taken round by round."""
    counts, peaks = counts or {}, peaks or {}
    rows = []
    for name, values in seconds.items():
        low, middle, high = np.percentile(np.divide(values, seconds[base]), [25, 50, 75])
        rows.append(
            Row(
                section,
                device,
                case,
                name,
                base,
                samples[name] if isinstance(samples, Mapping) else samples,
                len(values),
                _digits(float(np.median(values)), 5),
                *(_digits(float(ratio), 4) for ratio in (middle, low, high)),
                counts.get(name, ""),
                _ratio(counts, name, base),
                round(peaks[name] / 2**20, 3) if name in peaks else "",
                _ratio(peaks, name, base),
            )
        )
        print(f"{section}, {case}: {_line(rows[-1])}", flush=True)
    return rows


def _digits(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def _ratio(values: Mapping[str, int], name: str, base: str) -> float | str:
    return _digits(values[name] / values[base], 4) if name in values and values.get(base) else ""


def _line(row: Row) -> str:
    text = (
        f"{row.method:45} {row.median_seconds:10} s  {row.median_ratio:6} x "
        f"({row.quartile_25} to {row.quartile_75})"
    )
    more = {"operations": row.operations_ratio, "memory": row.memory_ratio}
    return text + "".join(f"  {name} {value} x" for name, value in more.items() if value != "")


def machine(device: str) -> str:
    """Hardware and versions, for a comment in the file."""
    name = torch.cuda.get_device_name() if device != "cpu" else _processor()
    return (
        f"{name}, Python {platform.python_version()}, torch {torch.__version__}, scikit-learn "
        f"{sklearn.__version__}, skorch {skorch.__version__}, numpy {np.__version__}"
    )


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    text = information.read_text() if information.exists() else ""
    named = re.search(r"model name\s*:\s*(.+)", text)
    return named.group(1).strip() if named else platform.machine()


def read(path: Path) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Comments by "section, device", and rows; nothing if there is no file."""
    if not path.exists():
        return {}, []
    lines = path.read_text().splitlines()
    comments = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
    return comments, list(csv.DictReader(line for line in lines if not line.startswith("#")))


def write(path: Path, section: str, device: str, comment: str, rows: Sequence[Row]) -> None:
    """Replace the rows of one section and device, and leave the others as they are."""
    comments, kept = read(path)
    comments[f"{section}, {device}"] = comment
    kept = [row for row in kept if (row["section"], row["device"]) != (section, device)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        file.writelines(f"# {key}: {text}\n" for key, text in sorted(comments.items()))
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
        writer.writerows(vars(row) for row in rows)


# One fit in a process of its own


def own_process(**settings: Any) -> dict[str, float]:
    """Seconds and peak memory of one fit (see `fit_once`), in a fresh Python."""
    done = subprocess.run(
        [sys.executable, __file__, json.dumps(settings)], capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def fit_once(
    samples: int, features: int, auxiliary: str | None, batch_size: int = 200, device: str = "cpu"
) -> dict[str, float]:
    """One epoch on a table of float32: seconds of `fit`, and bytes of the process beyond the data.

    A fit of a few rows comes first, so that what a process does only once is not in
    the seconds.
    """
    rng = np.random.default_rng(0)
    X = rng.standard_normal((samples, features), dtype=np.float32)
    y = X[:, :10].argmax(1)
    settings = {"backbone": "mlp", "auxiliary": auxiliary, "batch_size": batch_size}
    clf = MAXLClassifier(**settings, max_epochs=1, device=device, random_state=0)
    clf.fit(X[: 2 * batch_size], y[: 2 * batch_size])
    seconds = timed(lambda: clf.fit(X, y), device)()
    return {"seconds": seconds, "bytes": peak_resident() - X.nbytes}


def peak_resident() -> int:
    """Most bytes that this process has held so far.

    From the kernel's own record of this program: `resource.getrusage` keeps, across
    the start of a new program, the peak of the one that started it.
    """
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"VmHWM:\s*(\d+) kB", status.read_text())):
        return int(found.group(1)) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    print(json.dumps(fit_once(**json.loads(sys.argv[1]))))
