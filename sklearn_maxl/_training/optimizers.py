"""Optimizers by name, and what "auto" is; others come as functions of (parameters, lr)."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

# One fused kernel instead of several operations per parameter: a third of the
# time on small networks.
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": partial(torch.optim.SGD, fused=True),
    "adam": partial(torch.optim.Adam, fused=True),
    "adamw": partial(torch.optim.AdamW, fused=True),
}


# Weight decay of "auto" on tables: there networks see few samples many times and
# become surer than they should.
DECAYING = partial(torch.optim.AdamW, weight_decay=0.1, fused=True)


def resolve_optimizer(
    optimizer: Any, input_shape: tuple[int, ...] = (), regression: bool = False
) -> Callable[..., torch.optim.Optimizer]:
    """Turn a name, an optimizer class or a function into ``f(parameters, lr=...)``.

    "auto" depends on the task, and on whether a sample is a table's row.
    """
    if not isinstance(optimizer, str):
        return optimizer
    if optimizer == "auto":
        return DECAYING if len(input_shape) == 1 and not regression else OPTIMIZERS["adam"]
    return OPTIMIZERS[optimizer]


def resolve_lr(lr: float | str, input_shape: tuple[int, ...], regression: bool = False) -> float:
    """The learning rate; "auto" depends on the task, and on whether a sample is a table's row.

    For those it is the rate where none can be chosen (`_auto_lr.py`): in `partial_fit`.
    """
    if not isinstance(lr, str):
        return lr
    if regression:
        return 0.001
    return 0.01 if len(input_shape) == 1 else 0.003
