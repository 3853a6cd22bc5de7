"""The training that the 2019 and 2021 scripts of the paper's authors do, to compare with.

Written anew from the paper's equations and from what is known of those scripts:

- an epoch is two passes over the data: the multi-task network learns from every batch,
  then the label generator learns from every batch;
- in the first pass the generated labels are not detached, so every backward pass also
  runs through the generator, for gradients that nobody uses;
- the cosine between the gradients of the two losses on the trunk is recorded for every
  batch of that pass, which takes two backward passes more (`diagnostics`);
- the exact script differentiates the virtual step of plain SGD by a second-order graph;
- the first-order script estimates the same by a central difference along the
  meta-gradient ``v`` with a step of ``0.01 / |v|``, in place, with a forward and a whole
  backward pass at either end. Its entropy term reaches no gradient of the generator.

The scripts take the backward pass of the generator's loss to all parameters. `frugal`
leaves out what is then not used: what the method itself costs, without the detours.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

Batches = Sequence[tuple[Tensor, Tensor]]


@dataclass
class Reference:
    """A multi-task network ``f`` and a label generator ``g``, trained as by the authors' scripts.

    ``f(x)`` are the logits of both heads, ``g(x, y)`` the soft labels. Both are trained in
    place, by plain SGD with the paper's learning rates.
    """

    f: nn.Module
    g: nn.Module
    first_order: bool = False
    diagnostics: bool = False
    frugal: bool = False
    gamma: float = 2.0
    entropy_weight: float = 0.2
    lr: float = 0.01
    generator_lr: float = 1e-3
    generator_decay: float = 5e-4

    def __post_init__(self) -> None:
        self.f.train()
        self.g.train()
        self.virtual = copy.deepcopy(self.f) if self.first_order else None
        self.weights = [p for p in self.f.parameters() if p.requires_grad]
        self.generator_weights = [p for p in self.g.parameters() if p.requires_grad]
        self.optimizer = torch.optim.SGD(self.weights, lr=self.lr)
        self.generator_optimizer = torch.optim.SGD(
            self.generator_weights, lr=self.generator_lr, weight_decay=self.generator_decay
        )
        self.cosines: list[Tensor] = []

    def epoch(self, batches: Batches) -> None:
        """Every batch once for each network, one network after the other."""
        for x, y in batches:
            self.multi_task_step(x, y)
        for x, y in batches:
            self.generator_step(x, y)

    def multi_task_step(self, x: Tensor, y: Tensor) -> None:
        """The multi-task network learns both tasks, with the labels generated now."""
        self.optimizer.zero_grad()
        self.generator_optimizer.zero_grad()
        if self.frugal:
            with torch.no_grad():
                Y = self.g(x, y)
        else:
            Y = self.g(x, y)
        primary, auxiliary = self.losses(x, y, Y)
        if self.diagnostics:
            self.cosines.append(self.similarity(primary, auxiliary))
        (primary + auxiliary).backward()
        self.optimizer.step()

    def generator_step(self, x: Tensor, y: Tensor) -> None:
        """The generator learns by the primary loss after a virtual step."""
        self.optimizer.zero_grad()
        self.generator_optimizer.zero_grad()
        (self.central_difference if self.first_order else self.second_order)(x, y)
        self.generator_optimizer.step()

    def losses(self, x: Tensor, y: Tensor, Y: Tensor) -> tuple[Tensor, Tensor]:
        """Primary and auxiliary focal loss of a batch."""
        outputs, logits = self.f(x)
        return self.primary(outputs, y), focal(logits, Y, self.gamma)

    def primary(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Focal loss of the classes."""
        return focal(outputs, F.one_hot(y, outputs.shape[1]).to(outputs.dtype), self.gamma)

    def similarity(self, primary: Tensor, auxiliary: Tensor) -> Tensor:
        """Cosine between the gradients of the two losses on the trunk."""
        trunk = [p for p in self.f.trunk.parameters() if p.requires_grad]
        one, other = (
            torch.cat([d.flatten() for d in torch.autograd.grad(loss, trunk, retain_graph=True)])
            for loss in (primary, auxiliary)
        )
        return F.cosine_similarity(one, other, dim=0).detach()

    def second_order(self, x: Tensor, y: Tensor) -> None:
        """Gradient of ``L_pri(t - a grad L(t)) + lambda H``, through the virtual step."""
        Y = self.g(x, y)
        primary, auxiliary = self.losses(x, y, Y)
        names = [name for name, p in self.f.named_parameters() if p.requires_grad]
        G = torch.autograd.grad(primary + auxiliary, self.weights, create_graph=True)
        moved = {name: p - self.lr * d for name, p, d in zip(names, self.weights, G, strict=True)}
        # Statistics of the virtual network are thrown away.
        buffers = {name: b.clone() for name, b in self.f.named_buffers()}
        outputs, _ = functional_call(self.f, {**moved, **buffers}, (x,))
        loss = self.primary(outputs, y) + self.entropy_weight * negative_entropy(Y)
        if self.frugal:
            loss.backward(inputs=self.generator_weights)
        else:
            loss.backward()

    def central_difference(self, x: Tensor, y: Tensor) -> None:
        """The same without its entropy term, by two more passes at shifted weights."""
        assert self.virtual is not None
        Y = self.g(x, y)
        primary, auxiliary = self.losses(x, y, Y)
        G = torch.autograd.grad(primary + auxiliary, self.weights)
        moved = [p for p in self.virtual.parameters() if p.requires_grad]
        with torch.no_grad():
            for p, weight, d in zip(moved, self.weights, G, strict=True):
                p.copy_(weight - self.lr * d)
        M = self.primary(self.virtual(x)[0], y)
        v = torch.autograd.grad(M, moved, materialize_grads=True)
        epsilon = 0.01 / torch.linalg.vector_norm(torch.cat([d.flatten() for d in v]))
        above = self.gradient_at_shift(x, y, Y, v, epsilon)
        below = self.gradient_at_shift(x, y, Y, v, -epsilon)
        for p, a, b in zip(self.generator_weights, above, below, strict=True):
            p.grad = -self.lr * (a - b) / (2 * epsilon)

    def gradient_at_shift(
        self, x: Tensor, y: Tensor, Y: Tensor, v: Sequence[Tensor], epsilon: Tensor
    ) -> list[Tensor]:
        """Gradient of the training loss for the generator, with weights shifted for a while."""
        self.generator_optimizer.zero_grad()
        with torch.no_grad():
            for p, d in zip(self.weights, v, strict=True):
                p.add_(epsilon * d)
        primary, auxiliary = self.losses(x, y, Y)
        inputs = self.generator_weights if self.frugal else None
        (primary + auxiliary).backward(inputs=inputs, retain_graph=True)
        with torch.no_grad():
            for p, d in zip(self.weights, v, strict=True):
                p.sub_(epsilon * d)
        return [torch.zeros_like(p) if p.grad is None else p.grad for p in self.generator_weights]


def focal(logits: Tensor, target: Tensor, gamma: float) -> Tensor:
    """Mean of ``-sum_k q_k (1 - p_k)^gamma log p_k``, by way of the probabilities."""
    p = torch.softmax(logits, dim=1)
    return -(target * (1 - p) ** gamma * torch.log(p + 1e-20)).sum(1).mean()


def negative_entropy(Y: Tensor) -> Tensor:
    """``H = sum_k m_k log m_k`` of the mean label ``m``."""
    m = Y.mean(0)
    return (m * torch.log(m + 1e-20)).sum()
