"""Random numbers that stay inside one fit.

Shuffles, splits and seeds come from the fit's own NumPy generator. Layers that
draw from torch's global state (initialisation, dropout) run inside
`isolated_rng`, which seeds that state, and puts it back afterwards.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor

# The global state belongs to the process: fits in several threads take turns.
_GLOBAL_STATE = threading.RLock()


@contextmanager
def isolated_rng(seed: int, device: torch.device) -> Iterator[Callable[[], Tensor]]:
    """Run a block on torch's global random state as if just seeded, then restore that state.

    Only the CPU's state and that of `device` are touched. Yields a function that
    reads the current state of `device`.
    """
    own = _of_accelerator(device)
    if own is None:
        forked, state = torch.random.fork_rng(devices=[]), torch.get_rng_state
    else:
        forked = torch.random.fork_rng(devices=[device], device_type=device.type)
        state = partial(own.get_rng_state, device)
    with _GLOBAL_STATE, forked:
        seed_rng(seed, device)
        yield state


def seed_rng(seed: int, device: torch.device) -> None:
    """Seed the CPU and `device`; unlike `torch.manual_seed`, no other accelerator."""
    torch.default_generator.manual_seed(seed)
    own = _of_accelerator(device)
    if own is not None:
        # Apple's machines have one GPU, and torch no context to choose it.
        chosen = getattr(own, "device", nullcontext)
        with chosen(device):
            own.manual_seed(seed)


def _of_accelerator(device: torch.device) -> Any:
    """What holds a device's own random state, ``torch.cuda`` for CUDA's; None for the CPU."""
    module = getattr(torch, device.type, None)
    return module if hasattr(module, "get_rng_state") else None
