"""MAXL steps that do less than the package's: what `cheaper` compares.

`CheapStep` has switches; with none of them set it is the package's step, to the bit.
"""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import Tensor, nn

from benchmarks.common.steps import auxiliary_term, gradient, with_step
from benchmarks.package import (
    AtParameters,
    Batch,
    MAXLNet,
    Parameters,
    Record,
    SoftLabels,
    Step,
    TrainingData,
    VirtualStep,
    exact,
    label_statistics,
    meta_problem,
    primary_loss,
    shuffled,
)
from sklearn_maxl import MAXLClassifier


class OnFeatures(nn.Module):
    """A generator's trunk of a hidden layer, or of none, on the multi-task network's features.

    `CheapStep` gives it the features; images, which the package tries it out with, count as zeros.
    """

    def __init__(self, n_features: int, hidden: int, input_shape: tuple[int, ...]):
        super().__init__()
        layers = [nn.Linear(n_features, hidden), nn.ReLU()] if hidden else []
        self.layers, self.n_features = nn.Sequential(*layers), n_features

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x if x.ndim == 2 else x.new_zeros(len(x), self.n_features))


class LastBlock(nn.Module):
    """The end of a multi-task network, with the same parameters, on what comes before it."""

    def __init__(self, net: nn.Module, start: int):
        super().__init__()
        self.trunk, self.primary_head = net.trunk[start:], net.primary_head
        self.auxiliary_head = net.auxiliary_head

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(hidden)
        return self.primary_head(features), self.auxiliary_head(features)


class DenseAtFirst(Callback):
    """The generator learns in every step, in a part of the epochs at the begin."""

    def __init__(self, part: float):
        self.part = part

    def on_epoch_begin(self, net: MAXLNet, **kwargs: Any) -> None:
        if not net.epochs_:
            self.labels = net.settings.labels
        early = len(net.epochs_) < self.part * net.max_epochs
        labels = clone(self.labels).set_params(every=1) if early else self.labels
        net.settings = replace(net.settings, labels=labels)


class Attend(Callback):
    """Gives a `CheapStep` what it can't see: the net, and which samples a batch holds."""

    def on_train_begin(self, net: MAXLNet, X: TrainingData, **kwargs: Any) -> None:
        net.pending_, train = None, X.train
        net.cache_ = net.module_.labels_at(train.y, None)  # uniform at first

    def on_epoch_begin(self, net: MAXLNet, dataset_train: TrainingData, **kwargs: Any) -> None:
        size, rng = net.settings.batch_size_of(len(dataset_train)), copy.deepcopy(net.random_state)
        self.indices = iter(shuffled(dataset_train.train, size, rng))

    def on_batch_begin(self, net: MAXLNet, **kwargs: Any) -> None:
        net.step_.net, net.step_.index = net, next(self.indices)


class CheapStep(Step):
    """The package's step, whose meta pass can be made smaller.

    Attributes
    ----------
    on_features : bool
        The generator reads the detached features of the multi-task network (`OnFeatures`).
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
    """

    on_features = False
    v_at = "virtual step"
    part = 1.0
    cached = False
    last_block = False

    net: MAXLNet
    index: Tensor

    def __init__(self, *args: Any):
        super().__init__(*args)
        # Not the package's `WithFallback`: its check holds G against the same samples' losses.
        self.meta_gradient = exact
        learned = (nn.Conv2d, nn.Linear)
        self.cut = [i for i, m in enumerate(self.module.trunk) if isinstance(m, learned)][-1]
        if self.last_block:
            self.end = AtParameters(LastBlock(self.module, self.cut))

    def gradients(self, train: Batch, meta: Batch, learn_labels: bool) -> Record:
        self.f.clear_gradients()
        net = self.module
        hidden = net.trunk[: self.cut](train.x)
        features = net.trunk[self.cut :](hidden)
        outputs = net.primary_head(features), net.auxiliary_head(features)
        primary, v, late = primary_loss(outputs[0], train, self.recipe), None, {}
        if self.net.pending_ is not None or (learn_labels and self.v_at == "now"):
            v = gradient(primary, self.f.t)
        if self.net.pending_ is not None:
            late = self._late_update(primary.detach(), v)
        task = self._labels(train, features.detach(), learn_labels)
        rest, record = auxiliary_term(outputs, train, task.Y.detach(), self.recipe)
        (primary + rest if v is None else rest).backward()
        for name, p in self.f.t.items() if v is not None else ():
            p.grad = v[name] if p.grad is None else p.grad + v[name]
        record.update(late, **label_statistics(task.detach()))
        if learn_labels:
            record.update(self._learn(train, hidden.detach(), task, primary.detach(), v))
        return record

    def _labels(self, train: Batch, features: Tensor, learn: bool) -> SoftLabels:
        """Labels of a batch, with a graph in the part that the generator learns on."""
        if self.cached and not learn:
            return SoftLabels(self.net.cache_[self.index])
        x = features if self.on_features else train.x
        n = self._part_of(len(train)) if learn else len(train)
        with torch.set_grad_enabled(learn):
            Y, _ = self.g(self.g.t, x[:n], train.y[:n])
        if n < len(train):
            with torch.no_grad():
                rest, _ = self.g(self.g.t, x[n:], train.y[n:])
            Y = torch.cat([Y, rest])
        if self.cached:
            self.net.cache_[self.index] = Y.detach()
        return SoftLabels(Y)

    def _part_of(self, n: int) -> int:
        return max(2, round(self.part * n))  # batch normalisation needs two

    def _learn(
        self,
        train: Batch,
        hidden: Tensor,
        task: SoftLabels,
        loss: Tensor,
        v: Parameters | None,
    ) -> Record:
        """Gradient of the generator, or a note to take it in the next step."""
        n, f, x, virtual_step = self._part_of(len(train)), self.f, train.x, self.virtual_step
        if self.last_block:
            f, x, virtual_step = self.end, hidden, VirtualStep(self.optimizer, self.end.t)
        batch, task = Batch(x[:n], train.y[:n]), SoftLabels(task.Y[:n])
        problem = meta_problem(f, batch, batch, task.Y.detach(), self.recipe, virtual_step)
        self.g.clear_gradients()
        if self.v_at == "next step":
            t = {name: p.detach().clone() for name, p in problem.t.items()}
            with torch.no_grad():
                step = virtual_step(problem.G)
            self.net.pending_ = replace(problem, t=t, virtual_step=lambda G: step), task
            return {}
        if self.v_at == "now":
            problem = replace(problem, meta_loss=along(loss, v))
        return self.generator_gradient(problem, task, None)

    def _late_update(self, loss: Tensor, v: Parameters) -> Record:
        """The update that the last step left for the primary gradient of this one."""
        problem, task = self.net.pending_
        self.net.pending_ = None
        record = self.generator_gradient(replace(problem, meta_loss=along(loss, v)), task, None)
        self.net.generator_optimizer_.step()
        self.g.clear_gradients()
        return record


def along(loss: Tensor, v: Parameters) -> Callable[[Parameters], Tensor]:
    """A meta loss whose value and gradient are already there."""
    return lambda t: loss + sum((v[name] * (p - p.detach())).sum() for name, p in t.items())


def cheap(**switches: Any) -> type[MAXLClassifier]:
    """A classifier that takes a `CheapStep`; it needs the callback `Attend`."""
    return with_step(type("CheapStep", (CheapStep,), switches))
