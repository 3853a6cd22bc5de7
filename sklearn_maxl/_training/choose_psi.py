"""``psi="auto"``: a short trial of each number of auxiliary classes, judged on held-out data.

The paper's own numbers (2, 3, 5, 10; its Table 1) are tried. Together the trials
take half the epochs of the fit, so the choice costs at most half of it again.
"""

from dataclasses import replace
from typing import Any

import torch

from .._data.data import Samples
from .net import logger
from .progress import Task
from .runs import Plan, hold_out, replaced, run, stream

CANDIDATES = (5, 2, 10, 3)  # the first stays where nothing can be tried, or losses are equal
SHARE = 0.5  # of the fit's epochs, for all trials together


def trials(max_epochs: int) -> dict[int, int]:
    """Numbers to try, and the epochs of each trial, for a fit of so many epochs.

    Fits of less than eight epochs try fewer numbers, fits of less than four none.
    """
    affordable = int(SHARE * max_epochs)
    candidates = CANDIDATES[:affordable]
    if len(candidates) < 2:
        return {}
    return dict.fromkeys(candidates, affordable // len(candidates))


def choose_psi(estimator: Any, plan: Plan, task: Task) -> tuple[int, dict[int, float]]:
    """The number with the least primary loss on held-out samples, and the losses of all.

    Each trial trains fresh networks, from the same start and on the same batches,
    without the part that it is judged on.
    """
    planned = trials(estimator.max_epochs)
    if not planned:
        return CANDIDATES[0], {}
    parts = dict(plan.parts)
    if "validation" in parts:
        held = parts.pop("validation")
    else:
        rng = stream(plan.start, 0)
        parts["train"], held = hold_out(parts["train"], estimator.validation_fraction, rng)
    shared = replace(plan, parts=parts)
    losses = {}
    for psi, epochs in planned.items():
        trial = replaced(
            estimator, max_epochs=epochs, early_stopping=False, callbacks=None, verbose=0
        )
        with task.training(f"trial of psi={psi}", epochs) as training:
            net = run(trial, shared, estimator.auxiliary, psi, task=training).net
        losses[psi] = net.loss_on(Samples.from_arrays(held, torch.device(net.device)))
        if estimator.verbose:
            logger.info("psi %d: held-out loss %.4f after %d epochs", psi, losses[psi], epochs)
    return min(losses, key=losses.__getitem__), losses
