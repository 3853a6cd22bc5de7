"""One step of MAXL: the gradients of both networks, as the paper's Algorithm 1 has them.

Pure torch: takes modules and tensors, leaves the gradients in ``.grad`` and
hands back what the history records. The optimizers' steps are the caller's.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Optimizer

from ._losses import (
    entropies,
    focal_losses,
    mean_label,
    negative_entropy,
    primary_loss,
    weighted_mean,
)
from ._meta_gradient import MetaProblem, Parameters, check_forward_mode
from ._virtual_step import parameters_of, virtual_step

MetaGradient = Callable[[MetaProblem], tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples on the device: x (n, ...), y (n,) int64, weight (n,) or None, labels (n,) or None."""

    x: Tensor
    y: Tensor
    weight: Tensor | None = None
    labels: Tensor | None = None

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Recipe:
    """The numbers of the method: gamma, w and lambda of the paper."""

    focal_gamma: float
    auxiliary_weight: float
    entropy_weight: float


def primary_step(f: nn.Module, batch: Batch, recipe: Recipe) -> dict[str, Tensor]:
    """Gradient of the primary loss alone: single-task training."""
    logits, _ = f(batch.x)
    loss = primary_loss(logits, batch.y, batch.weight, recipe.focal_gamma)
    loss.backward()
    return {"primary_loss": loss.detach()}


def multi_task_step(f: nn.Module, batch: Batch, Y: Tensor, recipe: Recipe) -> dict[str, Tensor]:
    """Line 1: gradient ``G`` of ``L = L_pri + w mean_n sum_k Y_nk l_nk`` for given labels ``Y``."""
    logits, auxiliary_logits = f(batch.x)
    primary = primary_loss(logits, batch.y, batch.weight, recipe.focal_gamma)
    losses = (Y * focal_losses(auxiliary_logits, recipe.focal_gamma)).sum(1)
    auxiliary = weighted_mean(losses, batch.weight)
    (primary + recipe.auxiliary_weight * auxiliary).backward()
    return {"primary_loss": primary.detach(), "auxiliary_loss": auxiliary.detach()}


def generator_step(
    f: nn.Module,
    batch: Batch,
    meta_batch: Batch,
    Y: Tensor,
    recipe: Recipe,
    optimizer: Optimizer,
    meta_gradient: MetaGradient,
    replay: Callable[[], None],
    check: bool = False,
) -> dict[str, Tensor]:
    """Lines 2 and 3: gradient of ``L_pri(t+) + lambda H`` with respect to the generator.

    Called after `multi_task_step`, whose gradient it shares, and before the
    optimizers' steps. ``Y`` carries the graph of the generator. With `check`, forward mode
    is tried out first.
    """
    problem = meta_problem(f, batch, meta_batch, Y.detach(), recipe, optimizer, replay)
    if check:
        check_forward_mode(problem)
    M, dM_dY = meta_gradient(problem)

    labels = Y.detach().requires_grad_()
    H = negative_entropy(mean_label(labels, batch.weight))
    (dH_dY,) = torch.autograd.grad(recipe.entropy_weight * H, labels)
    Y.backward(dM_dY + dH_dY)
    return {
        "meta_loss": M,
        "meta_gradient_norm": _norm_at_logits(Y.detach(), dM_dY),
        "entropy_gradient_norm": _norm_at_logits(Y.detach(), dH_dY),
    }


def meta_problem(
    f: nn.Module,
    batch: Batch,
    meta_batch: Batch,
    Y: Tensor,
    recipe: Recipe,
    optimizer: Optimizer,
    replay: Callable[[], None] = lambda: None,
) -> MetaProblem:
    """Write one step as functions of the parameters; ``f``'s ``.grad`` is read as ``G``."""
    t, gamma = parameters_of(f), recipe.focal_gamma
    w: float | Tensor = recipe.auxiliary_weight / len(batch)
    if batch.weight is not None:
        w = w * batch.weight.unsqueeze(1)

    def logits(t: Parameters, x: Tensor) -> tuple[Tensor, Tensor]:
        replay()
        # Cloned buffers take the update of the running statistics and are thrown
        # away: the statistics move once a step, with the training pass.
        buffers = {name: b.clone() for name, b in f.named_buffers()}
        return functional_call(f, {**t, **buffers}, (x,))

    def losses(t: Parameters) -> tuple[Tensor, Tensor]:
        primary, auxiliary = logits(t, batch.x)
        L_pri = primary_loss(primary, batch.y, batch.weight, gamma)
        return L_pri, focal_losses(auxiliary, gamma) * w

    def meta_loss(t: Parameters) -> Tensor:
        primary, _ = logits(t, meta_batch.x)
        return primary_loss(primary, meta_batch.y, meta_batch.weight, gamma)

    return MetaProblem(
        t=t,
        Y=Y,
        losses=losses,
        meta_loss=meta_loss,
        virtual_step=lambda G: virtual_step(optimizer, t, G),
        G={name: p.grad for name, p in t.items() if p.grad is not None},
    )


def label_statistics(Y: Tensor) -> dict[str, Tensor]:
    """What the history needs of the labels: the mass of each auxiliary class, the mean entropy."""
    return {"label_mass": Y.sum(0), "label_entropy": entropies(Y).mean()}


def _norm_at_logits(Y: Tensor, dY: Tensor) -> Tensor:
    """Norm of a gradient at the generator's logits: ``dz = Y * (dY - <Y, dY>)``."""
    return torch.linalg.vector_norm(Y * (dY - (Y * dY).sum(1, keepdim=True)))
