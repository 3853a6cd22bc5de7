"""The virtual step ``t+ = t - a G``, for the optimizer that will take the real one.

The paper writes the step of plain SGD. What the meta-gradient differentiates
should be the step that is really taken, so momentum and Adam have their own
rule here. Each rule is elementwise, hence its derivative with respect to ``G``
is a diagonal: a *slope* of the shape of the parameter (or one number).

A rule maps ``(p, g, state, group)``, one parameter's value, gradient, optimizer
state and hyper-parameters, to ``(p_plus, slope)``; ``p_plus`` is differentiable
in ``g`` so that the paper's double backward can run through it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer

from .._environment.devices import can_hold, sent

# What torch keeps for a parameter, and the hyper-parameters of its group: both untyped.
State = Mapping[str, Any]
Group = Mapping[str, Any]
Slope = Tensor | float
Whole = TypeVar("Whole", Tensor, Slope)
Rule = Callable[[Tensor, Tensor, State, Group], tuple[Tensor, Slope]]


def plain(p: Tensor, g: Tensor, state: State, group: Group) -> tuple[Tensor, Slope]:
    """Gradient descent: the paper's equation, and the rule for every other optimizer."""
    slope = group["lr"] if group.get("maximize") else -group["lr"]
    return p + slope * g, slope


def sgd(p: Tensor, g: Tensor, state: State, group: Group) -> tuple[Tensor, Slope]:
    """SGD with weight decay, momentum, dampening and Nesterov, as `torch.optim.SGD` has them."""
    mu, sign = group["momentum"], -1.0 if group["maximize"] else 1.0
    d, slope = sign * g + group["weight_decay"] * p, sign
    if mu:
        buffer = state.get("momentum_buffer")
        if buffer is None:
            b, slope_b = d, slope
        else:
            b, slope_b = (
                mu * buffer + (1 - group["dampening"]) * d,
                slope * (1 - group["dampening"]),
            )
        d, slope = (d + mu * b, slope + mu * slope_b) if group["nesterov"] else (b, slope_b)
    return p - group["lr"] * d, -group["lr"] * slope


def adam(p: Tensor, g: Tensor, state: State, group: Group) -> tuple[Tensor, Slope]:
    """Adam; the slope includes that the second moment depends on ``g`` too."""
    (beta1, beta2), eps, lr, decay = (
        group["betas"],
        group["eps"],
        group["lr"],
        group["weight_decay"],
    )
    if group.get("decoupled_weight_decay"):
        p = p * (1 - lr * decay)
    elif decay:
        g = g + decay * p
    # Bias-corrected moments, split into what was there (nothing on the first step)
    # and what g adds.
    c1, kept1 = _bias_corrected(beta1, state, p)
    c2, kept2 = _bias_corrected(beta2, state, p)
    m_old = state["exp_avg"] * kept1 if state else torch.zeros_like(p)
    v_old = state["exp_avg_sq"] * kept2 if state else torch.zeros_like(p)
    c2g = c2 * g
    # The floor keeps the root differentiable where a gradient has always been
    # zero. It must be normal in float32 and far below eps**2.
    root = torch.addcmul(v_old, c2g, g).clamp_min(1e-30).sqrt()
    denominator = root + eps
    p_plus = p - lr * (m_old + c1 * g) / denominator
    # The terms in g**2 of the derivative cancel; leaving them out keeps its digits.
    growth = c1 * torch.add(v_old, root, alpha=eps) - c2g * m_old
    slope = -lr * growth / (root * denominator.square())
    return p_plus, slope.detach()


def _bias_corrected(beta: float, state: State, p: Tensor) -> tuple[Slope, Slope]:
    """Coefficients of the new and of the old term of a moving average, after this step.

    The number of steps stays a tensor: reading it would wait for the device. It lies on the
    device or, where the optimizer is not fused, on the CPU.
    """
    if not state:
        return 1.0, 0.0
    steps = state["step"]
    k = (steps.double() if can_hold(steps.device, torch.float64) else steps) + 1
    correction = 1 - beta**k
    new, old = (1 - beta) / correction, beta / correction
    if k.ndim == 0:
        return new, old
    return tuple(  # joined parameters, each with its own number of steps
        torch.cat([c.expand(n) for c, n in zip(values.unbind(), state["sizes"], strict=True)])
        for values in (sent(c.to(p.dtype), p.device) for c in (new, old))
    )  # type: ignore[return-value]


def adamw(p: Tensor, g: Tensor, state: State, group: Group) -> tuple[Tensor, Slope]:
    """Adam with weight decay apart from the gradient."""
    return adam(p, g, state, {**group, "decoupled_weight_decay": True})


RULES: dict[type, Rule] = {SGD: sgd, Adam: adam, AdamW: adamw}


# Small vectors and matrices are joined and stepped as one: for them the number of
# operations counts, not their length. Convolutions keep their memory layout.
JOINED_DIMENSIONS, JOINED_VALUES = 2, 2**16


class VirtualStep:
    """Where an optimizer would go with a gradient, without going there.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Only read. ``SGD``, ``Adam`` and ``AdamW`` (without ``amsgrad``) are
        followed exactly; any other is replaced by ``t - lr * G``.
    t : mapping of str to Tensor
        Parameters by name; those that `optimizer` does not hold stay where they are.
    """

    def __init__(self, optimizer: Optimizer, t: Mapping[str, Tensor]):
        self.optimizer, self.t = optimizer, t
        group_of = {p: i for i, group in enumerate(optimizer.param_groups) for p in group["params"]}
        parts: dict[tuple[int, object], list[str]] = {}
        for name, p in t.items():
            if p in group_of:
                small = p.ndim <= JOINED_DIMENSIONS and p.numel() <= JOINED_VALUES
                alike = (p.dtype, p.device) if small else name
                parts.setdefault((group_of[p], alike), []).append(name)
        self.parts = [(optimizer.param_groups[i], names) for (i, _), names in parts.items()]

    def __call__(self, G: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Slope]]:
        """Take the step.

        Parameters
        ----------
        G : mapping of str to Tensor
            Gradient of the training loss; may carry a graph. A parameter without
            an entry stays where it is, as it does in the real step.

        Returns
        -------
        t_plus : dict of str to Tensor
        slope : dict of str to Tensor or float
            Diagonal of ``d t_plus / d G``, for the entries of `G`.
        """
        t_plus = dict(self.t)
        slope: dict[str, Slope] = {}
        for group, names in self.parts:
            rule = rule_for(self.optimizer, group)
            held = {n: {} if rule is plain else self._state(n) for n in names if n in G}
            # Parameters that were moved before and others do not go together.
            for kind in dict.fromkeys(frozenset(state) for state in held.values()):
                mine = [n for n, state in held.items() if kind == frozenset(state)]
                p_plus, slopes = rule(
                    join([self.t[n].detach() for n in mine]),
                    join([G[n] for n in mine]),
                    join_states([held[n] for n in mine]),
                    group,
                )
                shapes = [self.t[n].shape for n in mine]
                t_plus.update(zip(mine, split(p_plus, shapes), strict=True))
                slope.update(zip(mine, split(slopes, shapes), strict=True))
        return t_plus, slope

    def _state(self, name: str) -> State:
        state = self.optimizer.state.get(self.t[name], {})
        return {k: v for k, v in state.items() if v is not None}  # SGD keeps empty buffers


def rule_for(optimizer: Optimizer, group: Group) -> Rule:
    """The rule that follows an optimizer, `plain` where none does."""
    rule = RULES.get(type(optimizer), plain)
    unknown = group.get("amsgrad") or (group.get("maximize") and rule is not sgd)
    return plain if unknown else rule


def join(tensors: Sequence[Tensor]) -> Tensor:
    """One vector of several tensors; a single one stays as it is."""
    return tensors[0] if len(tensors) == 1 else torch.cat([t.flatten() for t in tensors])


def split(joined: Whole, shapes: Sequence[torch.Size]) -> list[Whole]:
    """Undo `join`; a slope that is one number is the slope of all."""
    if len(shapes) == 1 or not isinstance(joined, Tensor) or joined.ndim == 0:
        return [joined] * len(shapes)
    parts = joined.split([shape.numel() for shape in shapes])
    return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]


def join_states(states: Sequence[State]) -> State:
    """The optimizer's state of joined parameters; numbers are stacked, with ``sizes`` beside."""
    if len(states) == 1:
        return states[0]
    joined: dict[str, Any] = {"sizes": []} if states[0] else {}
    for key in states[0]:
        values = [state[key] for state in states]
        if key == "step":
            joined[key] = torch.stack(values)
        else:
            joined[key] = join(values)
            joined["sizes"] = [v.numel() for v in values]
    return joined
