"""How time is measured."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from threadpoolctl import threadpool_limits

Seconds = Callable[[], float]


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
