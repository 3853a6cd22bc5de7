"""One step of MAXL: the gradients of both networks, as the paper's Algorithm 1 has them.

Pure torch: takes modules and tensors, leaves the gradients in ``.grad`` and
hands back what the history records. The optimizers' steps are the caller's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer

from .at_parameters import Functional
from .losses import (
    classification_loss,
    entropies,
    focal_losses,
    mean_label,
    mutual_information,
    negative_entropy,
    regression_loss,
    weighted_mean,
)
from .meta_gradient import MetaProblem, Parameters, training_gradient
from .virtual_step import VirtualStep

MetaGradient = Callable[[MetaProblem], tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples on the device.

    x (n, ...), y (n,) int64: class, or bin of the target in regression; weight (n,),
    labels (n,) int64 within the block of the class, target (n, m): each may be None,
    target is so in classification. Where the auxiliary task has views, `view` are the
    samples as it sees them and `block` (n,) the numbers of the pairs of class and view.
    """

    x: Tensor
    y: Tensor
    weight: Tensor | None = None
    labels: Tensor | None = None
    target: Tensor | None = None
    view: Tensor | None = None
    block: Tensor | None = None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What the multi-task network takes: the samples, and their views if there are any."""
        return (self.x,) if self.view is None else (self.x, self.view)

    @property
    def labelled(self) -> tuple[Tensor, Tensor]:
        """What the label generator takes: the samples as the auxiliary task sees them, blocks."""
        return self.x if self.view is None else self.view, self.blocks

    @property
    def blocks(self) -> Tensor:
        """Number of each sample's block of auxiliary classes: its class, without views."""
        return self.y if self.block is None else self.block


class AuxiliaryTask(NamedTuple):
    """Soft labels ``Y`` (n, K) of a batch and, where they are learned, weights ``s`` (n,)."""

    Y: Tensor
    s: Tensor | None = None

    @property
    def targets(self) -> Tensor:
        """``A_nk = s_n Y_nk``: the auxiliary loss is linear in it."""
        return self.Y if self.s is None else self.s.unsqueeze(1) * self.Y

    def detach(self) -> "AuxiliaryTask":
        """The same without a graph."""
        return AuxiliaryTask(*(None if a is None else a.detach() for a in self))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Recipe:
    """The numbers of the method: gamma, w and lambda of the paper, and what came after it.

    `meta_scale` multiplies the meta-gradient; None divides it by the learning rate.
    `regression` names the primary loss of a regression.
    """

    focal_gamma: float
    auxiliary_weight: float
    entropy_weight: float
    information_weight: float = 0.0
    meta_scale: float | None = 1.0
    regression: str = "squared_error"


def primary_loss(outputs: Tensor, batch: Batch, recipe: Recipe) -> Tensor:
    """``L_pri`` of a batch."""
    if batch.target is None:
        return classification_loss(outputs, batch.y, batch.weight, recipe.focal_gamma)
    return regression_loss(outputs, batch.target, batch.weight, recipe.regression)


def primary_step(f: Functional, batch: Batch, recipe: Recipe) -> dict[str, Tensor]:
    """Gradient of the primary loss alone: single-task training."""
    outputs, _ = f(batch.x)
    loss = primary_loss(outputs, batch, recipe)
    loss.backward()
    return {"primary_loss": loss.detach()}


def multi_task_step(f: Functional, batch: Batch, A: Tensor, recipe: Recipe) -> dict[str, Tensor]:
    """Line 1: gradient ``G`` of ``L = L_pri + w mean_n sum_k A_nk l_nk`` for given ``A``."""
    outputs, auxiliary_logits = f(*batch.inputs)
    primary = primary_loss(outputs, batch, recipe)
    losses = (A * focal_losses(auxiliary_logits, recipe.focal_gamma)).sum(1)
    auxiliary = weighted_mean(losses, batch.weight)
    (primary + recipe.auxiliary_weight * auxiliary).backward()
    return {"primary_loss": primary.detach(), "auxiliary_loss": auxiliary.detach()}


def generator_step(
    problem: MetaProblem,
    task: AuxiliaryTask,
    weight: Tensor | None,
    recipe: Recipe,
    scale: float,
    meta_gradient: MetaGradient,
) -> dict[str, Tensor]:
    """Lines 2 and 3: gradient of ``scale L_pri(t+) + lambda H - mu I`` for the generator.

    ``task`` carries the graph of the generator, `problem` is the step it was made for.
    """
    M, dM_dA = meta_gradient(problem)
    dM_dA = scale * dM_dA

    labels = task.Y.detach().requires_grad_()
    (dR_dY,) = torch.autograd.grad(regulariser(labels, weight, recipe), labels)
    torch.autograd.backward([task.targets, task.Y], [dM_dA, dR_dY])
    Y, s = task.detach()
    dM_dY = dM_dA if s is None else s.unsqueeze(1) * dM_dA
    return {
        "meta_loss": M,
        "meta_gradient_norm": norm_at_logits(Y, dM_dY),
        "regulariser_gradient_norm": norm_at_logits(Y, dR_dY),
    }


def scale_of(recipe: Recipe, optimizer: Optimizer) -> float:
    """What the meta-gradient is multiplied by; `optimizer` is the multi-task network's."""
    if recipe.meta_scale is not None:
        return recipe.meta_scale
    lr = float(optimizer.param_groups[0]["lr"])
    return 1 / lr if lr else 1.0  # without a step there is no meta-gradient to scale


def regulariser(Y: Tensor, weight: Tensor | None, recipe: Recipe) -> Tensor:
    """``lambda H - mu I``: keeps all auxiliary classes in use and, with mu, the labels sharp."""
    R = recipe.entropy_weight * negative_entropy(mean_label(Y, weight))
    if recipe.information_weight:
        R = R - recipe.information_weight * mutual_information(Y, weight)
    return R


def meta_problem(
    f: Functional,
    batch: Batch,
    meta_batch: Batch,
    A: Tensor,
    recipe: Recipe,
    virtual_step: VirtualStep,
    replay: Callable[[], None] = lambda: None,
    shared: bool = True,
) -> MetaProblem:
    """Write one step as functions of the parameters.

    With `shared`, ``f``'s ``.grad`` is ``G``, as `multi_task_step` left it;
    without, ``G`` is computed here and nothing of ``f`` changes.
    """
    losses = losses_of(f, batch, recipe, replay)

    def meta_loss(t: Parameters) -> Tensor:
        replay()
        outputs, _ = f.at(t, meta_batch.x)
        return primary_loss(outputs, meta_batch, recipe)

    def auxiliary_losses(t: Parameters) -> Tensor:
        replay()
        _, auxiliary_logits = f.at(t, *batch.inputs)
        return focal_losses(auxiliary_logits, recipe.focal_gamma)

    coefficient = coefficient_of(batch, recipe)
    return MetaProblem(
        t=f.t,
        Y=A,
        losses=losses,
        auxiliary_losses=auxiliary_losses,
        coefficient=coefficient,
        meta_loss=meta_loss,
        virtual_step=virtual_step,
        G={name: p.grad for name, p in f.t.items() if p.grad is not None}
        if shared
        else training_gradient(losses, f.t, coefficient * A),
    )


def losses_of(
    f: Functional, batch: Batch, recipe: Recipe, replay: Callable[[], None] = lambda: None
) -> Callable[[Parameters], tuple[Tensor, Tensor]]:
    """``t -> (L_pri, l)`` on a batch."""

    def losses(t: Parameters) -> tuple[Tensor, Tensor]:
        replay()
        outputs, auxiliary_logits = f.at(t, *batch.inputs)
        return (
            primary_loss(outputs, batch, recipe),
            focal_losses(auxiliary_logits, recipe.focal_gamma),
        )

    return losses


def coefficient_of(batch: Batch, recipe: Recipe) -> float | Tensor:
    """What an auxiliary loss ``l_nk`` is multiplied by: w, 1/N and the sample's weight."""
    w = recipe.auxiliary_weight / len(batch)
    return w if batch.weight is None else w * batch.weight.unsqueeze(1)


def gradient_similarity(
    f: Functional,
    batch: Batch,
    A: Tensor,
    recipe: Recipe,
    replay: Callable[[], None] = lambda: None,
) -> Tensor:
    """Cosine between the gradients of the two losses on the shared trunk; 0 where one is zero."""
    trunk = [p for name, p in f.t.items() if name.startswith("trunk.")]
    L_pri, losses = losses_of(f, batch, recipe, replay)(f.t)
    primary, auxiliary = (
        torch.cat([g.flatten() for g in torch.autograd.grad(
            loss, trunk, retain_graph=True, allow_unused=True, materialize_grads=True
        )])
        for loss in (L_pri, (coefficient_of(batch, recipe) * A * losses).sum())
    )  # fmt: skip
    return F.cosine_similarity(primary, auxiliary, dim=0, eps=torch.finfo(primary.dtype).tiny)


def label_statistics(task: AuxiliaryTask) -> dict[str, Tensor]:
    """What the history needs of the labels: the mass of each auxiliary class, the mean entropy.

    Where weights are learned, their mean and the mean of their squares too.
    """
    statistics = {"label_mass": task.Y.sum(0), "label_entropy": entropies(task.Y).mean()}
    if task.s is not None:
        statistics.update(
            generated_weight=task.s.mean(), squared_generated_weight=(task.s**2).mean()
        )
    return statistics


def norm_at_logits(Y: Tensor, dY: Tensor) -> Tensor:
    """Norm of a gradient at the generator's logits: ``dz = Y * (dY - <Y, dY>)``."""
    return torch.linalg.vector_norm(Y * (dY - (Y * dY).sum(1, keepdim=True)))
