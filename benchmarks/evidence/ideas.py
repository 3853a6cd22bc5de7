"""Ideas that the package does not have, for a trial on the sets for tuning.

Each is a context in which a fit is another one. The gradient surgeries change the step of the
multi-task network alone: the meta-gradient stays that of the unchanged step.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import skorch.callbacks
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.package import (
    Batch,
    Functional,
    MetaProblem,
    MultiTaskNet,
    Recipe,
    block_columns,
    block_sums,
    focal_losses,
    generator_step,
    primary_loss,
    rule_for,
    weighted_mean,
    with_generator_step,
    with_multi_task_step,
    with_prediction,
    with_softmax_of_labels,
)
from sklearn_maxl.backbones import MLP


class FadingWeight(skorch.callbacks.Callback):
    """The auxiliary weight falls to zero, in a straight line over the epochs."""

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        left = 1 - len(net.epochs_) / net.max_epochs
        net.recipe = replace(net.recipe, auxiliary_weight=left)


def project(auxiliary: Tensor, primary: Tensor) -> Tensor:
    """Without the part against the primary gradient (Yu et al., NeurIPS 2020, on one side)."""
    return auxiliary - (auxiliary @ primary) / (primary @ primary) * primary


def drop(auxiliary: Tensor, primary: Tensor) -> Tensor:
    """Nothing (Du et al., 2018: only where the gradients agree)."""
    return torch.zeros_like(auxiliary)


def operated_step(
    operation: Callable[[Tensor, Tensor], Tensor],
    f: Functional,
    batch: Batch,
    A: Tensor,
    recipe: Recipe,
) -> dict[str, Tensor]:
    """`multi_task_step` that changes the auxiliary gradient of the trunk where it conflicts."""
    outputs, logits = f(*batch.inputs)
    primary = primary_loss(outputs, batch, recipe)
    losses = (A * focal_losses(logits, recipe.focal_gamma)).sum(1)
    auxiliary = weighted_mean(losses, batch.weight)
    parameters = list(f.t.values())
    g, h = (
        torch.autograd.grad(
            loss, parameters, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        for loss in (primary, recipe.auxiliary_weight * auxiliary)
    )
    shared = [i for i, name in enumerate(f.t) if name.startswith("trunk.")]
    flat_g, flat_h = (torch.cat([x[i].flatten() for i in shared]) for x in (g, h))
    if flat_g @ flat_h < 0:
        flat_h = operation(flat_h, flat_g)
    kept = dict(zip(shared, flat_h.split([h[i].numel() for i in shared]), strict=True))
    for i, p in enumerate(parameters):
        p.grad = g[i] + (kept[i].view_as(p) if i in kept else h[i])
    return {"primary_loss": primary.detach(), "auxiliary_loss": auxiliary.detach()}


def tempered(temperature: float, logits: Tensor, mask: Tensor) -> Tensor:
    """The labels' softmax at a temperature."""
    return torch.softmax((logits / temperature).masked_fill(~mask, -torch.inf), dim=1)


def hard(logits: Tensor, mask: Tensor) -> Tensor:
    """One auxiliary class a sample; gradients pass as if the label were soft."""
    Y = tempered(1, logits, mask)
    return F.one_hot(Y.argmax(1), Y.shape[1]) + (Y - Y.detach())


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


def unrolled_step(k: int, problem: MetaProblem, *rest: Any) -> dict[str, Tensor]:
    """`generator_step` with another meta-gradient."""
    return generator_step(problem, *rest[:-1], partial(unrolled, k))


def both_heads(net: MultiTaskNet, x: Tensor) -> Tensor:
    """Log-probabilities of the classes: the mean of what the two heads say."""
    features = net.transform(x)
    assert net.auxiliary_head is not None
    own = torch.log_softmax(net.primary_head(features), dim=1)
    sums = block_sums(net.auxiliary_head(features), block_columns(net.blocks))
    return (own + torch.log_softmax(sums, dim=1)) / 2


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


class ShowHidden(skorch.callbacks.Callback):
    """Gives `OfHidden` the trunk that it reads."""

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
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


def surgery(operation: Callable[[Tensor, Tensor], Tensor]) -> AbstractContextManager[Any]:
    return with_multi_task_step(partial(operated_step, operation))


def inner_steps(k: int) -> AbstractContextManager[Any]:
    return with_generator_step(partial(unrolled_step, k))


# What is changed in the code, and what in the settings.
CONTEXTS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "surgery: project": partial(surgery, project),
    "surgery: drop": partial(surgery, drop),
    "hard labels": partial(with_softmax_of_labels, hard),
    "temperature 0.3": partial(with_softmax_of_labels, partial(tempered, 0.3)),
    "temperature 3": partial(with_softmax_of_labels, partial(tempered, 3.0)),
    "2 inner steps": partial(inner_steps, 2),
    "4 inner steps": partial(inner_steps, 4),
}
CONTEXTS_OF_TABLES: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "both heads predict": partial(with_prediction, both_heads),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "auxiliary weight falls to 0": {"callbacks": [FadingWeight()]},
    "labels change once an epoch": {"alternation": "epoch"},
}
# What concerns the labels alone, and what the single task can have too.
SETTINGS_OF_LABELS: dict[str, dict[str, Any]] = {
    "generator of 10 units": {"generator": MLP((10,))},
    "generator of 400 units": {"generator": MLP((400,))},
    "generator of 2 layers": {"generator": MLP((100, 100))},
    "labels over hidden values": {"generator": OfHidden, "callbacks": [ShowHidden()]},
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


@contextmanager
def idea_of(setting: str) -> Iterator[None]:
    """The context of the idea that a setting's name ends with, if any."""
    name = setting.rsplit(", ", 1)[-1]
    contexts = {**CONTEXTS, **CONTEXTS_OF_TABLES}
    if name not in contexts:
        yield
        return
    with contexts[name]():
        yield
