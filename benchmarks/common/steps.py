"""What ideas for another step share: an estimator that takes it, the two losses apart."""

import torch
from torch import Tensor

from benchmarks.package import Batch, Parameters, Recipe, Record, Step, training_loss
from sklearn_maxl import MAXLClassifier


def with_step(step: type[Step]) -> type[MAXLClassifier]:
    """The classifier, with another step."""
    return type(step.__name__, (MAXLClassifier,), {"step_class": step})


def auxiliary_term(
    outputs: tuple[Tensor, Tensor], batch: Batch, A: Tensor, recipe: Recipe
) -> tuple[Tensor, Record]:
    """The training loss of a pass whose primary part is a constant, and what to record."""
    primary, logits = outputs
    return training_loss(lambda *_: (primary.detach(), logits), {}, batch, A, recipe)


def gradient(loss: Tensor, t: Parameters) -> dict[str, Tensor]:
    """Gradient of one of two losses of the same pass; zeros where the loss does not reach."""
    values = torch.autograd.grad(loss, list(t.values()), retain_graph=True, materialize_grads=True)
    return dict(zip(t, values, strict=True))
