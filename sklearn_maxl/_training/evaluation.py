"""How a trained network does on samples: outputs in batches, score and loss."""

from collections.abc import Callable

import numpy as np
import torch
from sklearn.metrics import accuracy_score, r2_score
from torch import Tensor

from .._data.batches import TrainingData
from .._data.on_disk import OnDisk
from .._data.samples import Samples, rows_at_once
from .._environment.interrupts import let_through
from .._maths.step import Recipe, primary_loss
from .._networks.multi_task import MultiTaskNet
from .._tasks.views import SAMPLES_FOR_GAP, primary_share


def apply(
    function: Callable[..., Tensor],
    device: torch.device,
    X: np.ndarray | Tensor | OnDisk,
    *rows: np.ndarray | Tensor,
) -> np.ndarray:
    """Evaluate ``function(x, *rows)`` over all samples, in batches.

    The networks that it uses are in eval mode and on `device`, where they bring what they
    prepare: ``x``.
    """
    size = rows_at_once(tuple(X.shape[1:]))
    outputs = np.empty(0)
    with torch.inference_mode():
        for start in range(0, len(X), size):
            let_through()
            x, *others = (torch.as_tensor(a[start : start + size]) for a in (X, *rows))
            found = function(x, *(o.to(device) for o in others)).cpu().numpy()
            if start == 0:
                # Made once. Small arrays that are kept, one for each batch, would lie between the
                # large ones that are freed, and memory could not be used again.
                outputs = np.empty((len(X), *found.shape[1:]), found.dtype)
            outputs[start : start + size] = found
    return outputs


def score(outputs: Tensor, samples: Samples) -> float:
    """Accuracy, or in regression the mean R2 of the targets; weighted."""
    weight = None if samples.weight is None else samples.weight.cpu()
    if samples.target is None:
        return float(accuracy_score(samples.y.cpu(), outputs.argmax(1), sample_weight=weight))
    if len(samples) < 2:  # R2 is not defined
        return -float(((outputs - samples.target.cpu()) ** 2).mean())
    return float(r2_score(samples.target.cpu(), outputs, sample_weight=weight))


def loss(outputs: Tensor, samples: Samples, recipe: Recipe) -> float:
    """Mean primary loss."""
    with torch.inference_mode():
        return float(primary_loss(outputs.to(samples.y.device), samples.without_inputs(), recipe))


def set_primary_share(
    net: MultiTaskNet, device: torch.device, data: TrainingData, trained: bool
) -> None:
    """Set how much the primary head counts in predictions, by what the auxiliary head knows.

    All of it, where that head is not `trained`.
    """
    if not net.both_heads:
        return
    share = 1.0
    if trained:
        some = data.train.evenly(SAMPLES_FOR_GAP)
        heads: list[Callable[[Tensor], Tensor]] = [net.joint_of, net.primary_of]
        if data.prepare is not None:  # the samples are not prepared yet
            heads = [net.joint, net.primary]
        joint, primary = (
            score(torch.from_numpy(apply(head, device, some.X)), some) for head in heads
        )
        share = primary_share(joint, primary)
    net.primary_share.fill_(share)
