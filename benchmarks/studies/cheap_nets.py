"""MAXL steps that do less than the package's: what `cheaper` compares.

`CheapNet` is the package's net with one step of its own. Its switches are class
attributes; with none of them set it takes the package's step, to the bit.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch
from skorch import NeuralNet
from torch import Tensor, nn

from benchmarks.package import (
    AuxiliaryTask,
    Batch,
    Functional,
    MAXLNet,
    MetaProblem,
    Parameters,
    TrainingData,
    VirtualStep,
    directional_derivative,
    exact,
    focal_losses,
    generator_step,
    label_statistics,
    masked_softmax,
    meta_problem,
    parameters_of,
    primary_loss,
    scale_of,
    weighted_mean,
    with_net,
)

Record = dict[str, Tensor]


class LabelHead(nn.Module):
    """Soft labels from features of another network: Mask SoftMax of a small head."""

    def __init__(self, n_features: int, hidden: int, blocks: Tensor):
        super().__init__()
        layers = [nn.Linear(n_features, hidden), nn.ReLU()] if hidden else []
        self.head = nn.Sequential(*layers, nn.Linear(hidden or n_features, blocks.shape[1]))
        self.register_buffer("blocks", blocks.clone())

    def task(self, features: Tensor, y: Tensor) -> tuple[Tensor, None]:
        """Labels, as the package's generator has them; no weights."""
        return masked_softmax(self.head(features), self.blocks[y]), None


class LastBlock(nn.Module):
    """The end of a multi-task network, with the same parameters, on what comes before it."""

    def __init__(self, net: nn.Module, start: int):
        super().__init__()
        self.trunk, self.primary_head = net.trunk[start:], net.primary_head
        self.auxiliary_head = net.auxiliary_head

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(hidden)
        return self.primary_head(features), self.auxiliary_head(features)


class Pending(NamedTuple):
    """A generator update that waits for the primary gradient of the next batch."""

    problem: MetaProblem
    slope: dict[str, Any]
    task: AuxiliaryTask


class CheapNet(MAXLNet):
    """`MAXLNet` whose meta pass can be made smaller.

    Attributes
    ----------
    head : int or None
        Labels come from a head on the detached features of the multi-task net, with so
        many hidden units (0: linear); None leaves the label generator.
    v_at : {"virtual step", "now", "next step"}
        Where the primary gradient of the meta loss is taken: where the package does;
        at the weights before the step, on the training batch; or from the training pass
        of the step that follows, so that the generator's update comes one step late.
    part : float
        Part of the batch that the meta pass is taken on; batches are in random order.
    cached : bool
        Steps that don't update the generator take the labels that it last gave the
        samples (uniform ones at first), and don't evaluate it.
    last_block : bool
        Only the parameters from the last convolution or linear layer of the trunk on
        count as moved by the labels; what comes before is not passed through again.
    dense : float
        Part of the epochs, at the begin, in which every step updates the generator.
    """

    head: int | None = None
    v_at = "virtual step"
    part = 1.0
    cached = False
    last_block = False
    dense = 0.0
    stochastic_ = False  # none of the networks here draws random numbers

    def initialize_module(self) -> "CheapNet":
        if self.head is None:
            super().initialize_module()
        else:
            NeuralNet.initialize_module(self)
            net = self.module_
            head = partial(LabelHead, net.n_features, self.head, net.blocks)
            self.generator_ = self.initialized_instance(head, {})
        trunk = self.module_.trunk
        learned = [i for i, m in enumerate(trunk) if isinstance(m, nn.Conv2d | nn.Linear)]
        self.cut_, self.pending_ = learned[-1], None
        return self

    def train_for(self, data: TrainingData, epochs: int, *task: Any) -> None:
        """Let every batch know which samples it holds: `labels` is of no other use here."""
        if self.cached:
            index = torch.arange(len(data.train), device=data.train.y.device)
            data = replace(data, train=replace(data.train, labels=index))
            self.cache_ = self.module_.uniform_labels(data.train.y)
        super().train_for(data, epochs, *task)

    def train_step(self, batch: tuple[Batch, Batch], **fit_params: Any) -> dict[str, Any]:
        early = len(self.epochs_) < self.dense * self.max_epochs
        return self._step(*batch, early or self._is_due(self.meta_every))

    def _step(self, train: Batch, meta: Batch, learn_labels: bool) -> dict[str, Any]:
        f, due = self.module_, learn_labels
        self.n_steps_ += 1
        self.optimizer_.zero_grad()
        hidden = f.trunk[: self.cut_](train.x)
        features = f.trunk[self.cut_ :](hidden)
        primary = primary_loss(f.primary_head(features), train, self.recipe)
        record: Record = {"primary_loss": primary.detach()}
        v = None
        if self.pending_ is not None or (due and self.v_at == "now"):
            v = gradient(primary, parameters_of(f))
        if self.pending_ is not None:
            record.update(self._late_update(v, primary.detach()))
        task = self._labels(train, features.detach(), due)
        losses = focal_losses(f.auxiliary_head(features), self.recipe.focal_gamma)
        auxiliary = weighted_mean((task.Y.detach() * losses).sum(1), train.weight)
        record["auxiliary_loss"] = auxiliary.detach()
        if v is None:
            (primary + self.recipe.auxiliary_weight * auxiliary).backward()
        else:
            (self.recipe.auxiliary_weight * auxiliary).backward()
            add_gradient(parameters_of(f), v)
        record.update(label_statistics(task.detach()))
        if due:
            record.update(self._learn(train, hidden.detach(), task, v, primary.detach()))
        self.optimizer_.step()
        if due and self.v_at != "next step":
            self.generator_optimizer_.step()
        return {"loss": record["primary_loss"], "record": record}

    def _labels(self, train: Batch, features: Tensor, learn: bool) -> AuxiliaryTask:
        """Labels of a batch, with a graph in the part that the generator learns on."""
        if self.cached and not learn:
            return AuxiliaryTask(self.cache_[train.labels])
        x = train.x if self.head is None else features
        n = self._part_of(len(train)) if learn else len(train)
        with torch.set_grad_enabled(learn):
            Y, _ = self.generator_.task(x[:n], train.y[:n])
        if n < len(train):
            with torch.no_grad():
                rest, _ = self.generator_.task(x[n:], train.y[n:])
            Y = torch.cat([Y, rest])
        if self.cached:
            self.cache_[train.labels] = Y.detach()
        return AuxiliaryTask(Y)

    def _part_of(self, n: int) -> int:
        return max(2, round(self.part * n))  # batch normalisation needs two

    def _learn(
        self,
        train: Batch,
        hidden: Tensor,
        task: AuxiliaryTask,
        v: Parameters | None,
        loss: Tensor,
    ) -> Record:
        """Gradient of the generator, or a note to take it in the next step."""
        n = self._part_of(len(train))
        f, step = self.f_, self.virtual_step_
        if self.last_block:
            f = Functional(LastBlock(self.module_, self.cut_))
            step = VirtualStep(self.optimizer_, f.t)
        x = hidden if self.last_block else train.x
        batch = Batch(x[:n], train.y[:n], None if train.weight is None else train.weight[:n])
        task = AuxiliaryTask(task.Y[:n])
        problem = meta_problem(f, batch, batch, task.Y.detach(), self.recipe, step)
        if self.v_at == "next step":
            with torch.no_grad():
                _, slope = problem.virtual_step(problem.G)
            before = {name: p.detach().clone() for name, p in problem.t.items()}
            self.pending_ = Pending(replace(problem, t=before), slope, task)
            return {}
        # Not the package's `Dependable`: its check holds G against the same samples' losses.
        meta_gradient = exact
        if self.v_at == "now":
            with torch.no_grad():
                _, slope = problem.virtual_step(problem.G)
            meta_gradient = along(v, slope, loss)
        return self._generator_gradient(problem, task, batch.weight, meta_gradient)

    def _late_update(self, v: Parameters, loss: Tensor) -> Record:
        """The update that the last step left for the primary gradient of this one."""
        problem, slope, task = self.pending_
        self.pending_ = None
        record = self._generator_gradient(problem, task, None, along(v, slope, loss))
        self.generator_optimizer_.step()
        return record

    def _generator_gradient(
        self,
        problem: MetaProblem,
        task: AuxiliaryTask,
        weight: Tensor | None,
        meta_gradient: Callable[[MetaProblem], tuple[Tensor, Tensor]],
    ) -> Record:
        self.generator_optimizer_.zero_grad()
        scale = scale_of(self.recipe, self.optimizer_)
        return generator_step(problem, task, weight, self.recipe, scale, meta_gradient)


def gradient(loss: Tensor, t: Parameters) -> dict[str, Tensor]:
    """Gradient of one of two losses of the same pass; zeros where the loss does not reach."""
    values = torch.autograd.grad(
        loss, list(t.values()), retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return dict(zip(t, values, strict=True))


def add_gradient(t: Parameters, v: Parameters) -> None:
    """Add to ``.grad``."""
    for name, p in t.items():
        p.grad = v[name] if p.grad is None else p.grad + v[name]


def along(
    v: Parameters, slope: dict[str, Any], loss: Tensor
) -> Callable[[MetaProblem], tuple[Tensor, Tensor]]:
    """A meta-gradient whose primary gradient is already there."""

    def meta_gradient(problem: MetaProblem) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            u = {name: slope[name] * v[name] for name in slope}
        (dl,) = directional_derivative(lambda t: (problem.auxiliary_losses(t),), problem.t, u)
        return loss, problem.coefficient * dl

    return meta_gradient


@contextmanager
def training_with(switches: dict[str, Any] | None) -> Iterator[None]:
    """Have estimators train a `CheapNet` with these switches; None leaves the package's net."""
    if switches is None:
        yield
        return
    with with_net(type("CheapNet", (CheapNet,), switches)):
        yield
