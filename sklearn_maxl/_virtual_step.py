"""The virtual step ``t+ = t - a G``, for the optimizer that will take the real one.

The paper writes the step of plain SGD. What the meta-gradient differentiates
should be the step that is really taken, so momentum and Adam have their own
rule here. Each rule is elementwise, hence its derivative with respect to ``G``
is a diagonal: a *slope* of the shape of the parameter (or one number).

A rule maps ``(p, g, state, group)``, one parameter's value, gradient, optimizer
state and hyper-parameters, to ``(p_plus, slope)``; ``p_plus`` is differentiable
in ``g`` so that the paper's double backward can run through it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer

Rule = Callable[[Tensor, Tensor, Mapping[str, Any], Mapping[str, Any]], tuple[Tensor, Any]]


def plain(
    p: Tensor, g: Tensor, state: Mapping[str, Any], group: Mapping[str, Any]
) -> tuple[Tensor, Any]:
    """Gradient descent: the paper's equation, and the rule for every other optimizer."""
    slope = group["lr"] if group.get("maximize") else -group["lr"]
    return p + slope * g, slope


def sgd(
    p: Tensor, g: Tensor, state: Mapping[str, Any], group: Mapping[str, Any]
) -> tuple[Tensor, Any]:
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


def adam(
    p: Tensor, g: Tensor, state: Mapping[str, Any], group: Mapping[str, Any]
) -> tuple[Tensor, Any]:
    """Adam; the slope includes that the second moment depends on ``g`` too."""
    (beta1, beta2), eps, lr, decay = (
        group["betas"],
        group["eps"],
        group["lr"],
        group["weight_decay"],
    )
    k = float(state["step"]) + 1 if state else 1.0
    if group.get("decoupled_weight_decay"):
        p = p * (1 - lr * decay)
    elif decay:
        g = g + decay * p
    # Bias-corrected moments, split into what was there (nothing on the first step)
    # and what g adds.
    c1, c2 = (1 - beta1) / (1 - beta1**k), (1 - beta2) / (1 - beta2**k)
    m_old = state["exp_avg"] * (beta1 / (1 - beta1**k)) if state else torch.zeros_like(p)
    v_old = state["exp_avg_sq"] * (beta2 / (1 - beta2**k)) if state else torch.zeros_like(p)
    # The floor keeps the root differentiable where a gradient has always been
    # zero. It must be normal in float32 and far below eps**2.
    root = (v_old + c2 * g * g).clamp_min(1e-30).sqrt()
    denominator = root + eps
    p_plus = p - lr * (m_old + c1 * g) / denominator
    # The terms in g**2 of the derivative cancel; leaving them out keeps its digits.
    slope = -lr * (c1 * (root * eps + v_old) - c2 * g * m_old) / (root * denominator**2)
    return p_plus, slope.detach()


def adamw(
    p: Tensor, g: Tensor, state: Mapping[str, Any], group: Mapping[str, Any]
) -> tuple[Tensor, Any]:
    """Adam with weight decay apart from the gradient."""
    return adam(p, g, state, {**group, "decoupled_weight_decay": True})


RULES: dict[type, Rule] = {SGD: sgd, Adam: adam, AdamW: adamw}


def virtual_step(
    optimizer: Optimizer, t: Mapping[str, Tensor], G: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Where the optimizer would go with the gradient ``G``, without going there.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Only read. ``SGD``, ``Adam`` and ``AdamW`` (without ``amsgrad``) are
        followed exactly; any other is replaced by ``t - lr * G``.
    t : mapping of str to Tensor
        The parameters that `optimizer` holds, by name.
    G : mapping of str to Tensor
        Gradient of the training loss; may carry a graph. A parameter without
        an entry stays where it is, as it does in the real step.

    Returns
    -------
    t_plus : dict of str to Tensor
    slope : dict of str to Tensor or float
        Diagonal of ``d t_plus / d G``, for the entries of `G`.
    """
    rule = RULES.get(type(optimizer), plain)
    t_plus, slope = dict(t), {}
    group_of = {p: group for group in optimizer.param_groups for p in group["params"]}
    for name, g in G.items():
        p = t[name]
        group = group_of.get(p)
        if group is None:  # a parameter that the optimizer was not given
            continue
        followed = (
            plain if group.get("amsgrad") or (group.get("maximize") and rule is not sgd) else rule
        )
        t_plus[name], slope[name] = followed(p.detach(), g, optimizer.state.get(p, {}), group)
    return t_plus, slope


def parameters_of(module: torch.nn.Module) -> dict[str, Tensor]:
    """The trainable parameters by name: the letter ``t``."""
    return {name: p for name, p in module.named_parameters() if p.requires_grad}
