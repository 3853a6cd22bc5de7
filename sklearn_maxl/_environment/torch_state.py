"""What counts inside a fit and a prediction, whatever the program around has set in torch.

A program may have switched gradients off, entered `torch.autocast`, or chosen another default
type or device. Networks are the same all the same: made on the CPU in float32, trained with
gradients, in the estimator's own precision. torch keeps these settings for each thread, apart
from the default type and the number of threads, which belong to the process.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from .process_wide import ProcessWide
from .threads import torch_threads

_DEFAULT_DTYPE = ProcessWide(torch.get_default_dtype, torch.set_default_dtype)


@contextmanager
def own_torch(n_threads: int | None) -> Iterator[None]:
    """Run a block with torch as it is at its start, on `n_threads`; then put everything back."""
    with ExitStack() as stack:
        stack.enter_context(torch_threads(n_threads))
        stack.enter_context(_DEFAULT_DTYPE.at(torch.float32))
        # The others only where they are set: blocks take time, and with an active device context
        # every operation takes longer.
        if torch.is_inference_mode_enabled() or not torch.is_grad_enabled():
            stack.enter_context(gradients_on())
        if torch.empty(0).device.type != "cpu":
            stack.enter_context(torch.device("cpu"))
        for device_type in ("cpu", "cuda", "mps", "xpu"):
            if torch.is_autocast_enabled(device_type):
                stack.enter_context(torch.autocast(device_type, enabled=False))
        yield


@contextmanager
def gradients_on() -> Iterator[None]:
    """Run a block that differentiates, also within `torch.no_grad` and `torch.inference_mode`."""
    with torch.inference_mode(False), torch.enable_grad():
        yield
