"""Learning rate schedules: the part of training that is over -> a factor.

Both optimizers follow the same one; it changes from epoch to epoch.
"""

import math
from collections.abc import Callable, Sequence

from torch.optim import Optimizer

Schedule = Callable[[float], float]


def constant(progress: float) -> float:
    """The learning rate stays as it is."""
    return 1.0


def halving(progress: float) -> float:
    """Halved after each quarter of training: the paper's 50 epochs of 200."""
    return float(0.5 ** math.floor(4 * progress))


def cosine(progress: float) -> float:
    """Half a cosine wave, down to zero (Loshchilov and Hutter, ICLR 2017, without restarts)."""
    return (1 + math.cos(math.pi * progress)) / 2


SCHEDULES: dict[str, Schedule] = {"constant": constant, "halving": halving, "cosine": cosine}


class Rates:
    """Sets the learning rates of optimizers to a factor of what they were at first.

    The optimizers are not kept here: a copy or a pickle of both must fit together.
    """

    def __init__(self, schedule: Schedule, max_epochs: int, optimizers: Sequence[Optimizer]):
        self.schedule = schedule
        self.max_epochs = max_epochs
        self.first = [[group["lr"] for group in o.param_groups] for o in optimizers]
        self.epoch = 0

    def hold(self, optimizers: Sequence[Optimizer]) -> None:
        """From here on the first rates, for training whose end is not planned."""
        if self.schedule is constant:
            return
        self.schedule = constant
        for optimizer, first in zip(optimizers, self.first, strict=True):
            for group, lr in zip(optimizer.param_groups, first, strict=True):
                group["lr"] = lr

    def next_epoch(self, optimizers: Sequence[Optimizer]) -> None:
        """Set the rates of the epoch that begins; more epochs than planned keep the last ones."""
        if self.schedule is constant:  # a user's callback may have set them
            return
        progress = min(self.epoch, self.max_epochs - 1) / self.max_epochs
        self.epoch += 1
        factor = self.schedule(progress)
        if not (isinstance(factor, (int, float)) and 0 <= factor < math.inf):
            raise ValueError(
                f"schedule must return a factor of the learning rate that is finite and not "
                f"negative, but returned {factor!r} for progress {progress}."
            )
        for optimizer, first in zip(optimizers, self.first, strict=True):
            for group, lr in zip(optimizer.param_groups, first, strict=True):
                group["lr"] = lr * factor
