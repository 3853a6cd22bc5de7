"""A signal at a moment of a call, and what the call leaves changed in the process."""

import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch.autograd import forward_ad
from torch.optim.optimizer import register_optimizer_step_pre_hook

import sklearn_maxl
from sklearn_maxl._environment import interrupts, random_state, threads, torch_state
from sklearn_maxl._maths import meta_gradient

PACKAGE = str(Path(sklearn_maxl.__file__).parent)

Action = Callable[[], object]


class Sent:
    """A signal that is sent in a call, and how many steps optimizers take after that."""

    def __init__(self) -> None:
        self.yes, self.steps_after = False, 0

    def send(self) -> None:
        """Press Ctrl-C."""
        self.yes = True
        signal.raise_signal(signal.SIGINT)

    def __enter__(self) -> "Sent":
        self._hook = register_optimizer_step_pre_hook(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        self._hook.remove()

    def _count(self, *_: object) -> None:
        self.steps_after += self.yes


def at_line(action: Action, number: int, sent: Sent, folder: str) -> int:
    """Run something with a signal at a line of the files in a folder; the lines that were run.

    Python is told to call a function before each line: the signal comes in there, as it would
    between two instructions. Number 0 sends none.
    """
    lines = 0

    def line(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines
        if event == "line":
            lines += 1
            if lines == number:
                sys.settrace(None)
                sent.send()
        return line

    def call(frame: FrameType, event: str, _: object) -> Any:
        return line if frame.f_code.co_filename.startswith(folder) else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        action()
    finally:
        sys.settrace(before)
    return lines


def at_time(action: Action, seconds: float, sent: Sent) -> None:
    """Run something with a signal after some time, from an alarm clock."""

    def ring(signum: int, frame: FrameType | None) -> None:
        sent.yes = True
        signal.default_int_handler(signum, frame)

    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        action()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def process_state() -> dict[str, object]:
    """All that belongs to the process or the thread and that a fit changes meanwhile."""
    return {
        "threads of torch": torch.get_num_threads(),
        "threads of Python": threading.active_count(),
        "default type": torch.get_default_dtype(),
        "default device": torch.empty(0).device,
        "gradients": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "autocast": (torch.is_autocast_enabled("cpu"), torch.is_autocast_cache_enabled()),
        "modes": (torch._C._len_torch_function_stack(), torch._C._len_torch_dispatch_stack()),
        "forward mode": forward_ad._current_level,
        "attention": (
            torch.backends.cuda.flash_sdp_enabled(),
            torch.backends.cuda.mem_efficient_sdp_enabled(),
            torch.backends.cuda.math_sdp_enabled(),
        ),
        "random numbers": (
            torch.get_rng_state().numpy().tobytes(),
            np.random.get_state()[1].tobytes(),  # noqa: NPY002
            hash(random.getstate()),
        ),
        "handlers of signals": [signal.getsignal(number) for number in interrupts.SIGNALS],
        "signals that wait": (dict(interrupts._handlers), interrupts._BLOCK.get()),
        "blocks": (threads._THREADS._before, torch_state._DEFAULT_DTYPE._before),
        "locks": (
            meta_gradient._PROCESS_STATE.locked(),
            "count=0" in repr(random_state._GLOBAL_STATE),
        ),
        "filters of warnings": len(warnings.filters),
    }


def changed(before: dict[str, object]) -> list[str]:
    """What is not as it was."""
    now = process_state()
    return [name for name, value in before.items() if now[name] != value]
