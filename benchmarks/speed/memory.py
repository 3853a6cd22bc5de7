"""How peak memory is measured: that of tensors, and that of a process."""

import gc
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch.autograd import DeviceType


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
        acc_events=True,  # torch 2.10 warns else
        activities=[torch.profiler.ProfilerActivity.CPU],
        profile_memory=True,
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
