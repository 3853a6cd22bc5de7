"""How well a trained network does on samples that were held out."""

import torch
from sklearn.metrics import accuracy_score, r2_score
from torch import Tensor

from .._data.data import Samples
from .._maths.step import Recipe, primary_loss


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
        return float(primary_loss(outputs.to(samples.y.device), samples.all(), recipe))
