"""Random numbers that stay inside one fit.

Shuffles, splits and seeds come from the fit's own NumPy generator. Layers that
draw from torch's global state (initialisation, dropout) run inside
`isolated_rng`, which seeds that state, and puts it back afterwards.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
    on_gpu = device.type == "cuda"
    with _GLOBAL_STATE, torch.random.fork_rng(devices=[device] if on_gpu else []):
        seed_rng(seed, device)
        yield lambda: torch.cuda.get_rng_state(device) if on_gpu else torch.get_rng_state()


def seed_rng(seed: int, device: torch.device) -> None:
    """Seed the CPU and `device`; unlike `torch.manual_seed`, no other accelerator."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
