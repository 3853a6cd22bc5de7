"""A training that does not fit into the memory: said with its cure, and what it held is freed."""

import gc
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .settings import Settings

# What torch says of the CPU's memory, for which it has no error of its own.
OF_CPU = ("can't allocate memory", "not enough memory")


@contextmanager
def out_of_memory_explained(settings: Settings, n_samples: int) -> Iterator[None]:
    """Say what may be lowered where a device has too little memory for a training.

    The error that torch raises holds the functions that it came through, and with them the
    networks and a batch with all that was computed of it.
    """
    try:
        yield
        return
    except RuntimeError as error:
        of_torch = isinstance(error, torch.OutOfMemoryError)
        if not of_torch and not any(part in str(error) for part in OF_CPU):
            raise
        said = str(error).strip().splitlines()[0]
        traceback.clear_frames(error.__traceback__)
    gc.collect()
    empty_cache = getattr(getattr(torch, settings.device.type, None), "empty_cache", None)
    if empty_cache is not None:
        empty_cache()
    precision = settings.precision
    other = ", take precision='bfloat16'" if precision == "float32" else ""
    raise torch.OutOfMemoryError(
        f"The device {str(settings.device)!r} has too little memory for a training with batch_size="
        f"{settings.batch_size_of(n_samples)} and precision={precision!r}; lower batch_size or psi"
        f"{other}, or take a smaller backbone. torch says: {said}"
    ) from None
