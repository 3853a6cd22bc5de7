"""The step as one function without side effects, for `torch.compile`.

What `_step` writes into ``.grad`` and what batch normalisation writes into its
running statistics is handed back here, so that forward pass, backward pass,
virtual step, meta pass, forward mode and the generator's backward pass become one
graph. The formulas are those of `_step`.
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from types import FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, jvp, vjp
from torch.optim import Optimizer

from .at_parameters import full_precision, parameters_of
from .forward_rules import FastForwardRules
from .losses import focal_losses, weighted_mean
from .step import (
    AuxiliaryTask,
    Batch,
    Recipe,
    coefficient_of,
    label_statistics,
    norm_at_logits,
    primary_loss,
    regulariser,
    scale_of,
)
from .virtual_step import rule_for

Tensors = dict[str, Tensor]


class Pass(nn.Module):
    """A method of a network as a module: `functional_call` calls nothing else."""

    def __init__(self, network: nn.Module, method: str, precision: torch.dtype | None):
        super().__init__()
        self.network, self.method, self.precision = network, method, precision

    def forward(self, *args: Tensor) -> Any:
        method = getattr(self.network, self.method)
        if self.precision is None:
            return method(*args)
        with torch.autocast(args[0].device.type, self.precision):
            outputs = method(*args)
        return full_precision(outputs)

    def split(self) -> tuple[Tensors, Tensors]:
        """Trainable parameters, and everything else."""
        t = parameters_of(self)
        rest = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        return t, {name: value for name, value in rest.items() if name not in t}

    def at(self, t: Mapping[str, Tensor], rest: Mapping[str, Tensor], *args: Tensor) -> Any:
        """Outputs, and what the pass makes of everything but ``t``."""
        rest = {name: value.clone() for name, value in rest.items()}
        return functional_call(self, {**t, **rest}, args), rest


class CompiledStep:
    """One step of both networks; leaves the gradients in ``.grad``, as `_step` does.

    Parameters
    ----------
    f, g : MultiTaskNet, LabelGenerator or None
    recipe : Recipe
    optimizer : Optimizer
        That of ``f``.
    backend : str
        Of `torch.compile`.
    precision : torch.dtype or None
    """

    def __init__(
        self,
        f: nn.Module,
        g: nn.Module | None,
        recipe: Recipe,
        optimizer: Optimizer,
        backend: str,
        precision: torch.dtype | None,
    ):
        self.f = Pass(f, "outputs", precision)
        self.g = None if g is None else Pass(g, "task", precision)
        self.recipe, self.optimizer, self.backend = recipe, optimizer, backend
        self._functions: dict[bool, Callable[..., Any]] = {}

    def __call__(
        self, train: Batch, meta: Batch, A: Tensor | None, learn_labels: bool
    ) -> dict[str, Tensor]:
        """Take a step; `A` are fixed labels, None where there are none or they are generated."""
        t, rest_f = self.f.split()
        theta, rest_g = ({}, {}) if self.g is None else self.g.split()
        group_of = {p: group for group in self.optimizer.param_groups for p in group["params"]}
        held = {name: p for name, p in t.items() if p in group_of} if learn_labels else {}
        states = {
            name: {k: v for k, v in self.optimizer.state.get(p, {}).items() if v is not None}
            for name, p in held.items()
        }
        # The learning rate is an argument: a schedule must not compile the step anew.
        groups = {name: self._constants(group_of[p]) for name, p in held.items()}
        lrs = {name: torch.as_tensor(group_of[p]["lr"]) for name, p in held.items()}
        if learn_labels not in self._functions:
            step = own_copy(self._learn if learn_labels else self._train)
            self._functions[learn_labels] = torch.compile(
                step, backend=self.backend, fullgraph=True
            )
        scale = torch.as_tensor(scale_of(self.recipe, self.optimizer)) if learn_labels else None
        data = [
            (b.x, b.y, b.weight, b.target, b.view, b.block)
            for b in ([train, meta] if learn_labels else [train])
        ]
        G, d_theta, moved_f, moved_g, record = self._functions[learn_labels](
            *({name: p.detach() for name, p in part.items()} for part in (t, theta)),
            rest_f,
            rest_g,
            data,
            A,
            (states, groups, lrs, scale),
        )
        with torch.no_grad():
            for rest, moved in ((rest_f, moved_f), (rest_g, moved_g)):
                for name, value in moved.items():
                    rest[name].copy_(value)
        for tensors, gradients in ((t, G), (theta, d_theta)):
            for name, p in tensors.items():
                p.grad = gradients.get(name)
        return record

    @staticmethod
    def _constants(group: Mapping[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in group.items() if k not in ("params", "lr", "initial_lr")}

    # What is compiled

    def _train(
        self,
        t: Tensors,
        theta: Tensors,
        rest_f: Tensors,
        rest_g: Tensors,
        data: list[Any],
        A: Tensor | None,
        _: Any,
    ) -> tuple[Any, ...]:
        (train,) = (_batch(*columns) for columns in data)
        moved_g: Tensors = {}
        task = None if A is None else AuxiliaryTask(A)
        if self.g is not None:
            outputs, moved_g = self.g.at(theta, rest_g, *train.labelled)
            task = AuxiliaryTask(*outputs)
        G, moved_f, record = self._multi_task(t, rest_f, train, task)
        return G, {}, _statistics(moved_f), _statistics(moved_g), record

    def _learn(
        self,
        t: Tensors,
        theta: Tensors,
        rest_f: Tensors,
        rest_g: Tensors,
        data: list[Any],
        A: Tensor | None,
        virtual: Any,
    ) -> tuple[Any, ...]:
        states, groups, lrs, scale = virtual
        train, meta = (_batch(*columns) for columns in data)
        assert self.g is not None
        g = self.g

        def generate(theta: Tensors) -> tuple[tuple[Tensor, ...], Any]:
            (Y, s), moved = g.at(theta, rest_g, *train.labelled)
            task = AuxiliaryTask(Y, s)
            return (task.targets, Y), (moved, [a for a in (Y, s) if a is not None])

        _, pull_back, (moved_g, task) = vjp(generate, theta, has_aux=True)  # type: ignore[misc]
        task = AuxiliaryTask(*task)
        G, moved_f, record = self._multi_task(t, rest_f, train, task)

        t_plus, slope = dict(t), {}
        for name, state in states.items():
            rule = rule_for(self.optimizer, groups[name])
            t_plus[name], slope[name] = rule(
                t[name], G[name], state, {**groups[name], "lr": lrs[name]}
            )

        def meta_loss(t: Tensors) -> Tensor:
            (outputs, _), _ = self.f.at(t, rest_f, meta.x)
            return primary_loss(outputs, meta, self.recipe)

        def auxiliary_losses(t: Tensors) -> Tensor:
            # Compiled, torch's own rule is one fused pass, but it mixes types up under autocast.
            with nullcontext() if self.f.precision is None else FastForwardRules():
                (_, logits), _ = self.f.at(t, rest_f, *train.inputs)
            return focal_losses(logits, self.recipe.focal_gamma)

        v, M = grad_and_value(meta_loss)(t_plus)
        u = {n: slope[n] * v[n] if n in slope else torch.zeros_like(p) for n, p in t.items()}
        _, dl = jvp(auxiliary_losses, (t,), (u,))  # type: ignore[misc]
        dM_dA = scale * coefficient_of(train, self.recipe) * dl
        dR_dY, _ = grad_and_value(regulariser)(task.Y, train.weight, self.recipe)
        (d_theta,) = pull_back((dM_dA, dR_dY))
        dM_dY = dM_dA if task.s is None else task.s.unsqueeze(1) * dM_dA
        record["meta_loss"] = M
        record["meta_gradient_norm"] = norm_at_logits(task.Y, dM_dY)
        record["regulariser_gradient_norm"] = norm_at_logits(task.Y, dR_dY)
        return G, d_theta, _statistics(moved_f), _statistics(moved_g), record

    def _multi_task(
        self, t: Tensors, rest: Tensors, train: Batch, task: AuxiliaryTask | None
    ) -> tuple[Tensors, Tensors, dict[str, Tensor]]:
        """``G``, what the pass makes of the running statistics, and what is recorded."""
        recipe = self.recipe

        def training_loss(t: Tensors) -> tuple[Tensor, Any]:
            (outputs, logits), moved = self.f.at(t, rest, *train.inputs)
            primary = primary_loss(outputs, train, recipe)
            if task is None:
                return primary, (moved, {"primary_loss": primary})
            losses = (task.targets * focal_losses(logits, recipe.focal_gamma)).sum(1)
            auxiliary = weighted_mean(losses, train.weight)
            record = {"primary_loss": primary, "auxiliary_loss": auxiliary}
            return primary + recipe.auxiliary_weight * auxiliary, (moved, record)

        G, (_, (moved, record)) = grad_and_value(training_loss, has_aux=True)(t)
        if task is not None:
            record = {**record, **label_statistics(task)}
        return G, moved, record


def _batch(
    x: Tensor,
    y: Tensor,
    weight: Tensor | None,
    target: Tensor | None,
    view: Tensor | None,
    block: Tensor | None,
) -> Batch:
    return Batch(x, y, weight, None, target, view, block)


def _statistics(moved: Tensors) -> Tensors:
    """What a pass may write into: running statistics, never a mask or a mean of the data."""
    return {n: value for n, value in moved.items() if ".trunk." in n}


def own_copy(method: Any) -> MethodType:
    """The same method with code of its own.

    torch keeps compiled programs by code object and takes a handful at most: the
    ninth fit of a grid search would find no room.
    """
    function = method.__func__
    own = FunctionType(function.__code__.replace(), function.__globals__, function.__name__)
    return MethodType(own, method.__self__)


def is_compiler_error(error: Exception) -> bool:
    """Whether it comes of compiling, not of the computation itself."""
    return isinstance(error, torch._dynamo.exc.TorchDynamoException)


def check_compile(compile: bool | str, meta_gradient: str) -> None:  # noqa: A002 (torch's word)
    """Refuse a backend that torch does not have, and what can't be compiled."""
    if not compile:
        return
    if meta_gradient != "exact":
        raise ValueError(
            f"compile={compile!r} needs meta_gradient='exact'; {meta_gradient!r} can't be "
            "compiled. Use compile=False."
        )
    known = torch.compiler.list_backends(exclude_tags=()) if isinstance(compile, str) else []
    if isinstance(compile, str) and compile not in known:
        raise ValueError(
            f"compile={compile!r} is no backend of torch.compile here; it has {known}."
        )
