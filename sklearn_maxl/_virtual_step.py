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
    return p - group["lr"] * g, -group["lr"]


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
    """Adam and AdamW; the slope includes that the second moment depends on ``g`` too."""
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
    # Bias-corrected moments; the old ones are zero on the first step.
    c1, c2 = (1 - beta1) / (1 - beta1**k), (1 - beta2) / (1 - beta2**k)
    m_hat, v_hat = c1 * g, c2 * g * g
    if state:
        m_hat = m_hat + state["exp_avg"] * (beta1 / (1 - beta1**k))
        v_hat = v_hat + state["exp_avg_sq"] * (beta2 / (1 - beta2**k))
    # The floor keeps the root differentiable where a gradient has always been
    # zero. It must be normal in float32 and far below eps**2.
    root = v_hat.clamp_min(1e-30).sqrt()
    denominator = root + eps
    slope = -lr * (c1 - m_hat / denominator * (c2 * g / root)) / denominator
    return p - lr * m_hat / denominator, slope.detach()


RULES: dict[type, Rule] = {SGD: sgd, Adam: adam, AdamW: adam}


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
        group = group_of[p]
        followed = (
            plain if group.get("amsgrad") or (group.get("maximize") and rule is adam) else rule
        )
        t_plus[name], slope[name] = followed(p.detach(), g, optimizer.state.get(p, {}), group)
    return t_plus, slope


def parameters_of(module: torch.nn.Module) -> dict[str, Tensor]:
    """The trainable parameters by name: the letter ``t``."""
    return {name: p for name, p in module.named_parameters() if p.requires_grad}
