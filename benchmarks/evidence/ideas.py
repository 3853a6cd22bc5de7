"""Ideas that the package does not have, for a trial on the sets for tuning.

Each is settings of an arm: another step, a callback, a network. The gradient surgeries change the
step of the multi-task network alone: the meta-gradient stays that of the unchanged step.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.special import log_softmax
from skorch.callbacks import Callback
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.common.steps import auxiliary_term, gradient, with_step
from benchmarks.package import (
    Batch,
    MAXLNet,
    MetaProblem,
    Record,
    SoftLabels,
    Step,
    primary_loss,
    rule_for,
)
from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import MLP
from sklearn_maxl.labels import Learned


class FadingWeight(Callback):
    """The auxiliary weight falls to zero, in a straight line over the epochs."""

    def on_epoch_begin(self, net: MAXLNet, **kwargs: Any) -> None:
        left = 1 - len(net.epochs_) / net.max_epochs
        net.recipe_ = replace(net.recipe_, auxiliary_weight=left)


def project(auxiliary: Tensor, primary: Tensor) -> Tensor:
    """Without the part against the primary gradient (Yu et al., NeurIPS 2020, on one side)."""
    return auxiliary - (auxiliary @ primary) / (primary @ primary) * primary


def drop(auxiliary: Tensor, primary: Tensor) -> Tensor:
    """Nothing (Du et al., 2018: only where the gradients agree)."""
    return torch.zeros_like(auxiliary)


class Surgery(Step):
    """Changes the auxiliary gradient of the trunk where it conflicts with the primary one."""

    operation: ClassVar[Callable[[Tensor, Tensor], Tensor]]

    def multi_task_gradients(self, train: Batch, A: Tensor | None) -> Record:
        if A is None:
            return super().multi_task_gradients(train, A)
        outputs = self.f(self.f.t, *train.inputs)
        rest, record = auxiliary_term(outputs, train, A, self.recipe)
        primary = gradient(primary_loss(outputs[0], train, self.recipe), self.f.t)
        auxiliary = gradient(rest, self.f.t)
        shared = [name for name in self.f.t if name.startswith("trunk.")]
        g, h = (torch.cat([x[name].flatten() for name in shared]) for x in (primary, auxiliary))
        if g @ h < 0:
            parts = self.operation(h, g).split([auxiliary[name].numel() for name in shared])
            auxiliary.update(zip(shared, parts, strict=True))
        for name, p in self.f.t.items():
            p.grad = primary[name] + auxiliary[name].view_as(p)
        return record


class OtherLabels(Step):
    """Changes the soft labels."""

    change: ClassVar[Callable[[Tensor], Tensor]]

    def auxiliary_task(self, batch: Batch, learn: bool) -> SoftLabels | None:
        task = super().auxiliary_task(batch, learn)
        return None if task is None else task._replace(Y=self.change(task.Y))


def tempered(temperature: float, Y: Tensor) -> Tensor:
    """The labels as their softmax gives them at a temperature."""
    logits = Y.clamp_min(torch.finfo(Y.dtype).tiny).log() / temperature
    return torch.softmax(logits.masked_fill(Y == 0, -torch.inf), dim=1)


def hard(Y: Tensor) -> Tensor:
    """One auxiliary class a sample; gradients pass as if the label were soft."""
    return F.one_hot(Y.argmax(1), Y.shape[1]) + (Y - Y.detach())


class InnerSteps(Step):
    """Takes the meta loss after several virtual steps."""

    k: ClassVar[int]

    def __init__(self, *args: Any):
        super().__init__(*args)
        self.meta_gradient = partial(unrolled, self.k)


def unrolled(k: int, problem: MetaProblem) -> tuple[Tensor, Tensor]:
    """Meta loss after k virtual steps on the batch, and its gradient by double backward.

    Every step has the optimizer's moments of now.
    """
    A = problem.Y.detach().requires_grad_()
    held = problem.virtual_step
    group_of = {p: group for group in held.optimizer.param_groups for p in group["params"]}
    t = dict(problem.t)
    for _ in range(k):
        L_pri, losses = problem.losses(t)
        L = L_pri + (problem.coefficient * A * losses).sum()
        G = torch.autograd.grad(L, list(t.values()), create_graph=True, allow_unused=True)
        for (name, p), g in zip(problem.t.items(), G, strict=True):
            if g is not None and p in group_of:
                group = group_of[p]
                rule = rule_for(held.optimizer, group)
                t[name], _ = rule(t[name], g, held.optimizer.state.get(p, {}), group)
    M = problem.meta_loss(t)
    (dM_dA,) = torch.autograd.grad(M, A)
    return M.detach(), dM_dA


class BothHeads(MAXLClassifier):
    """Predicts the mean of what the two heads say of the classes, in log-probabilities."""

    def predict_log_proba(self, X: ArrayLike) -> np.ndarray:
        starts = np.cumsum(self.psi_) - self.psi_
        blocks = np.add.reduceat(self.predict_auxiliary(X), starts, axis=1)
        tiny = np.finfo(blocks.dtype).tiny
        mean = (super().predict_log_proba(X) + np.log(blocks.clip(tiny))) / 2
        return log_softmax(mean, axis=1)


class OfHidden(nn.Module):
    """A generator's trunk that reads the features of the multi-task network, which it leaves."""

    def __init__(self, input_shape: tuple[int, ...], width: int = 100):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, width), nn.ReLU())
        self.width = width
        self.others: list[nn.Module] = []  # a list, so that its weights are not this one's

    def forward(self, z: Tensor) -> Tensor:
        if not self.others:
            return self.layers(z.new_zeros(len(z), self.width))
        with torch.no_grad():
            hidden = self.others[0](z)
        return self.layers(hidden)


class ShowHidden(Callback):
    """Gives `OfHidden` the trunk that it reads."""

    def on_train_begin(self, net: MAXLNet, **kwargs: Any) -> None:
        net.generator_.trunk.others = [net.module_.trunk]


class Embedding(nn.Module):
    """Each number as ReLU(linear(periodic)), after Gorishniy et al., NeurIPS 2022."""

    def __init__(self, n_features: int, n_frequencies: int = 16, width: int = 8):
        super().__init__()
        self.frequencies = nn.Parameter(0.1 * torch.randn(n_features, n_frequencies))
        bound = (2 * n_frequencies) ** -0.5
        weight = torch.empty(n_features, 2 * n_frequencies, width).uniform_(-bound, bound)
        self.weight = nn.Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        waves = 2 * np.pi * self.frequencies * x.unsqueeze(2)
        periodic = torch.cat([waves.cos(), waves.sin()], dim=2)
        return torch.einsum("nfk,fkw->nfw", periodic, self.weight).relu().flatten(1)


def embedded_mlp(input_shape: tuple[int, ...]) -> nn.Sequential:
    """The default network of tables, behind embeddings."""
    (d,) = input_shape
    return nn.Sequential(Embedding(d), nn.Linear(8 * d, 100), nn.ReLU())


def noisy(x: Tensor) -> Tensor:
    """Normal noise of a tenth of each column's deviation in the batch."""
    return x + 0.1 * x.std(0, keepdim=True) * torch.randn_like(x)


def swapped(x: Tensor) -> Tensor:
    """A tenth of the values come from other rows of the batch (Bahri et al., ICLR 2022)."""
    others = x[torch.randint(len(x), x.shape), torch.arange(x.shape[1])]
    return torch.where(torch.rand_like(x) < 0.1, others, x)


def changed(step: type[Step], **attributes: Any) -> dict[str, Any]:
    """Settings of an arm whose step has these attributes."""
    own = {k: staticmethod(v) if callable(v) else v for k, v in attributes.items()}
    return {"kind": with_step(type(step.__name__, (step,), own))}


# Of the step of learned labels; `kind` is the class of the estimator.
STEPS: dict[str, dict[str, Any]] = {
    "surgery: project": changed(Surgery, operation=project),
    "surgery: drop": changed(Surgery, operation=drop),
    "hard labels": changed(OtherLabels, change=hard),
    "temperature 0.3": changed(OtherLabels, change=partial(tempered, 0.3)),
    "temperature 3": changed(OtherLabels, change=partial(tempered, 3.0)),
    "2 inner steps": changed(InnerSteps, k=2),
    "4 inner steps": changed(InnerSteps, k=4),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "auxiliary weight falls to 0": {"callbacks": [FadingWeight()]},
    "labels change once an epoch": {"auxiliary": Learned(alternation="epoch")},
}
# What concerns the labels of tables alone, and what the single task can have too.
SETTINGS_OF_LABELS: dict[str, dict[str, Any]] = {
    "both heads predict": {"kind": BothHeads},
    "generator of 10 units": {"auxiliary": Learned(MLP((10,)))},
    "generator of 400 units": {"auxiliary": Learned(MLP((400,)))},
    "generator of 2 layers": {"auxiliary": Learned(MLP((100, 100)))},
    "labels over hidden values": {"auxiliary": Learned(OfHidden), "callbacks": [ShowHidden()]},
}
SETTINGS_OF_TABLES: dict[str, dict[str, Any]] = {
    "dropout 0.1": {"backbone": MLP(dropout=0.1)},
    "dropout 0.3": {"backbone": MLP(dropout=0.3)},
    "2 layers": {"backbone": MLP((100, 100))},
    "400 units": {"backbone": MLP((400,))},
    "400 units with dropout 0.1": {"backbone": MLP((400,), dropout=0.1)},
    "400 units with dropout 0.3": {"backbone": MLP((400,), dropout=0.3)},
    "400 units with dropout 0.5": {"backbone": MLP((400,), dropout=0.5)},
    "800 units with dropout 0.5": {"backbone": MLP((800,), dropout=0.5)},
    "50 epochs": {"max_epochs": 50},
    "embeddings": {"backbone": embedded_mlp},
    "noise": {"augment": noisy},
    "swapped values": {"augment": swapped},
}
