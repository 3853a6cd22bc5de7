"""One step of MAXL, as the paper's Algorithm 1 has it: functions of the parameters.

The one definition of the step. ``f`` is a network as a function, ``f(t, x) -> (primary
outputs, auxiliary logits)``: `AtParameters` in a fit; whatever `torch.func.vmap` or
`torch.compile` is to work on elsewhere. The optimizers' steps are the caller's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer

from .at_parameters import AtParameters, Parameters
from .losses import (
    REGULARISERS,
    classification_loss,
    entropies,
    focal_losses,
    over_members,
    regression_loss,
    weighted_mean,
)
from .meta_gradient import MetaGradient, MetaProblem, training_gradient
from .parts import Part, Totals, along, of_whole, summed, whole
from .virtual_step import VirtualStep

Network = Callable[..., tuple[Tensor, Tensor]]
Record = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples on the device.

    x (n, ...), y (n,) int64: class, or bin of the target in regression; weight (n,),
    positions (n,) int64 of the labels in the block of the class, target (n, m): each may be
    None, target is so in classification. Where the auxiliary task has views, `view` are the
    samples as it sees them and `block` (n,) the numbers of the pairs of class and view.
    `part` is None where these are all samples of the batch. Else others are elsewhere, and losses
    are what these samples add to the mean over all.
    """

    x: Tensor
    y: Tensor
    weight: Tensor | None = None
    positions: Tensor | None = None
    target: Tensor | None = None
    view: Tensor | None = None
    block: Tensor | None = None
    part: Part | None = None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def n_whole(self) -> int:
        """Samples of the whole batch."""
        return len(self) if self.part is None else self.part.of

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


class SoftLabels(NamedTuple):
    """Soft labels ``Y`` (n, K) of a batch and, where they are learned, weights ``s`` (n,)."""

    Y: Tensor
    s: Tensor | None = None

    @property
    def targets(self) -> Tensor:
        """``A_nk = s_n Y_nk``: the auxiliary loss is linear in it."""
        return self.Y if self.s is None else self.s.unsqueeze(1) * self.Y

    def detach(self) -> "SoftLabels":
        """The same without a graph."""
        return SoftLabels(self.Y.detach(), None if self.s is None else self.s.detach())


@dataclass(frozen=True)
class Recipe:
    """The numbers of the method: gamma and w of the paper, and what a generator descends.

    `label_smoothing` is the share of a primary label that all classes have evenly;
    `regularisers` are the weights of terms of `REGULARISERS`, the paper's lambda among them;
    `meta_scale` multiplies the meta-gradient, None divides it by the learning rate;
    `regression` names the primary loss of a regression.
    """

    focal_gamma: float = 0.0
    label_smoothing: float = 0.0
    auxiliary_weight: float = 1.0
    regularisers: Mapping[str, float] = field(default_factory=dict)
    meta_scale: float | None = 1.0
    regression: str = "squared_error"


class Pass(NamedTuple):
    """One pass through the data, and which networks learn in it."""

    network: bool
    generator: bool


# The passes of an epoch: for both networks at once or, as in the NeurIPS 2019 code, for one
# after the other.
PASSES: dict[str, tuple[Pass, ...]] = {
    "batch": (Pass(network=True, generator=True),),
    "epoch": (Pass(network=True, generator=False), Pass(network=False, generator=True)),
}


def primary_loss(outputs: Tensor, batch: Batch, recipe: Recipe) -> Tensor:
    """``L_pri`` of a batch."""
    if batch.target is None:
        gamma, smoothing = recipe.focal_gamma, recipe.label_smoothing
        loss = classification_loss(outputs, batch.y, batch.weight, gamma, smoothing)
    else:
        loss = regression_loss(outputs, batch.target, batch.weight, recipe.regression)
    return of_whole(loss, batch.part)


def training_loss(
    f: Network, t: Parameters, batch: Batch, A: Tensor | None, recipe: Recipe
) -> tuple[Tensor, Record]:
    """Line 1: ``L = L_pri + w mean_n sum_k A_nk l_nk``; without ``A`` the primary loss alone."""
    outputs, auxiliary_logits = f(t, *batch.inputs)
    primary = primary_loss(outputs, batch, recipe)
    if A is None:
        return primary, {"primary_loss": primary.detach()}
    losses = (A * focal_losses(auxiliary_logits, recipe.focal_gamma)).sum(-1)
    auxiliary = of_whole(weighted_mean(losses, batch.weight), batch.part)
    L = primary + recipe.auxiliary_weight * auxiliary
    return L, {"primary_loss": primary.detach(), "auxiliary_loss": auxiliary.detach()}


def training_losses(
    f: Network, t: Parameters, batch: Batch, recipe: Recipe
) -> tuple[Tensor, Tensor]:
    """``L_pri`` and all auxiliary losses ``l_nk``, on the training batch."""
    outputs, auxiliary_logits = f(t, *batch.inputs)
    losses = focal_losses(auxiliary_logits, recipe.focal_gamma)
    return primary_loss(outputs, batch, recipe), over_members(losses)


def auxiliary_losses(f: Network, t: Parameters, batch: Batch, recipe: Recipe) -> Tensor:
    """``l_nk`` alone, shape (n, K)."""
    return over_members(focal_losses(f(t, *batch.inputs)[1], recipe.focal_gamma))


def meta_loss(f: Network, t: Parameters, batch: Batch, recipe: Recipe) -> Tensor:
    """Line 2: ``L_pri`` on the meta batch."""
    return primary_loss(f(t, batch.x)[0], batch, recipe)


def coefficient_of(batch: Batch, recipe: Recipe) -> float | Tensor:
    """What an auxiliary loss ``l_nk`` is multiplied by: w, 1/N and the sample's weight."""
    w = recipe.auxiliary_weight / len(batch)
    if batch.part is not None:
        w *= batch.part.rows / batch.part.of
    return w if batch.weight is None else w * batch.weight.unsqueeze(1)


def multi_task_step(f: AtParameters, batch: Batch, A: Tensor | None, recipe: Recipe) -> Record:
    """Line 1: leave the gradient ``G`` of the training loss in ``.grad``."""
    L, record = training_loss(f, f.t, batch, A, recipe)
    L.backward()
    return record


def meta_problem(
    f: AtParameters,
    batch: Batch,
    meta_batch: Batch,
    A: Tensor,
    recipe: Recipe,
    virtual_step: VirtualStep,
    replay: Callable[[], None] = lambda: None,
    shared: bool = True,
    total: Totals = whole,
) -> MetaProblem:
    """Write one step as functions of the parameters, each on the same random numbers.

    With `shared`, ``f``'s ``.grad`` is ``G``, as `multi_task_step` left it;
    without, ``G`` is computed here and nothing of ``f`` changes. `total` gives sums over the
    processes that have the other parts of the batches.
    """

    def losses(t: Parameters) -> tuple[Tensor, Tensor]:
        replay()
        return training_losses(f, t, batch, recipe)

    def auxiliary(t: Parameters) -> Tensor:
        replay()
        return auxiliary_losses(f, t, batch, recipe)

    def meta(t: Parameters) -> Tensor:
        replay()
        return meta_loss(f, t, meta_batch, recipe)

    coefficient = coefficient_of(batch, recipe)
    # A copy, because at its own parameters the network would move its running statistics.
    t = dict(f.t)
    if shared:
        G = {name: p.grad for name, p in t.items() if p.grad is not None}
    else:
        G = summed(total, training_gradient(losses, t, coefficient * A))
    return MetaProblem(
        t=t,
        Y=A,
        losses=losses,
        auxiliary_losses=auxiliary,
        coefficient=coefficient,
        meta_loss=meta,
        virtual_step=virtual_step,
        G=G,
        total=total,
    )


def generator_step(
    problem: MetaProblem,
    task: SoftLabels,
    weight: Tensor | None,
    recipe: Recipe,
    scale: float,
    meta_gradient: MetaGradient,
    part: Part | None = None,
) -> Record:
    """Line 3: the generator's gradient of ``scale L_pri(t+) + R`` in its ``.grad``.

    ``task`` carries the graph of the generator, `problem` is the step it was made for. Of a part
    of a batch it is what the part adds.
    """
    others = None
    if part is not None:
        weight = weight_of_part(task.Y, weight, part)
        own = label_sums(task.Y, weight)
        total, found = along(problem.total, own)
        problem = replace(problem, total=total)
    M, dM_dA = meta_gradient(problem)
    dM_dA = scale * dM_dA
    if part is not None:
        others = found() - own
    dR_dY = regulariser_gradient(task.Y, weight, recipe, others)
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
    """``R``, the sum of the recipe's terms: the paper's ``lambda H``, and what it adds."""
    terms = (c * REGULARISERS[name](Y, weight) for name, c in recipe.regularisers.items() if c)
    return sum(terms, start=Y.new_zeros(()))


def regulariser_gradient(
    Y: Tensor, weight: Tensor | None, recipe: Recipe, others: Tensor | None = None
) -> Tensor:
    """``dR/dY``; zeros without any term.

    The samples of other parts of the batch count by their `label_sums`: one sample more stands
    for them, with their mean label and all of their weight. That is exact for terms of the mean
    label and for means over samples.
    """
    Y = Y.detach().requires_grad_()
    if others is None or weight is None:
        R = regulariser(Y, weight, recipe)
    else:
        mass, total = others[:-1].clamp_min(0), others[-1:].clamp_min(0)
        mean = mass / total.clamp_min(torch.finfo(total.dtype).tiny)
        R = regulariser(torch.cat([Y, mean.unsqueeze(0)]), torch.cat([weight, total]), recipe)
    return torch.autograd.grad(R, Y)[0] if R.requires_grad else torch.zeros_like(Y)


def weight_of_part(Y: Tensor, weight: Tensor | None, part: Part) -> Tensor:
    """Weights of the samples of a part: 0 where none of them count."""
    w = Y.new_ones(len(Y)) if weight is None else weight
    return w * (part.rows / len(Y))


def label_sums(Y: Tensor, weight: Tensor) -> Tensor:
    """What other parts of a batch need of the labels: their weighted sum, the sum of weights."""
    return torch.cat([weight @ Y.detach(), weight.sum().unsqueeze(0)])


def gradient_similarity(
    f: AtParameters, batch: Batch, A: Tensor, recipe: Recipe, replay: Callable[[], None]
) -> Tensor:
    """Cosine between the gradients of the two losses on the shared trunk; 0 where one is zero."""
    t = dict(f.t)  # no running statistics are moved
    trunk = [p for name, p in t.items() if name.startswith("trunk.")]
    replay()
    L_pri, losses = training_losses(f, t, batch, recipe)
    primary, auxiliary = (
        torch.cat([g.flatten() for g in torch.autograd.grad(
            loss, trunk, retain_graph=True, materialize_grads=True
        )])
        for loss in (L_pri, (coefficient_of(batch, recipe) * A * losses).sum())
    )  # fmt: skip
    return F.cosine_similarity(primary, auxiliary, dim=0, eps=torch.finfo(primary.dtype).tiny)


def label_statistics(task: SoftLabels, part: Part | None = None) -> Record:
    """What the history needs of the labels: the mass of each auxiliary class, the mean entropy.

    Where weights are learned, their mean and the mean of their squares too. Of a part of a batch
    it is what the part adds.
    """
    mass = task.Y.sum(0)
    if part is not None:
        mass = mass * (part.rows / len(task.Y))
    means = {"label_entropy": entropies(task.Y).mean()}
    if task.s is not None:
        means.update(generated_weight=task.s.mean(), squared_generated_weight=(task.s**2).mean())
    return {"label_mass": mass, **{name: of_whole(mean, part) for name, mean in means.items()}}


def norm_at_logits(Y: Tensor, dY: Tensor) -> Tensor:
    """Norm of a gradient at the generator's logits: ``dz = Y * (dY - <Y, dY>)``."""
    return torch.linalg.vector_norm(Y * (dY - (Y * dY).sum(1, keepdim=True)))
