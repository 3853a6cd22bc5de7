"""One MAXL step written out from the paper's equations, by plain double backward.

Shares no formula with the package: softmax, mask, focal loss, entropy and the
optimizers' rules are written again, in the plainest way.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

Tensors = dict[str, Tensor]


def softmax(z: Tensor) -> Tensor:
    """``exp z_k / sum_j exp z_j``."""
    e = torch.exp(z - z.max(1, keepdim=True).values)
    return e / e.sum(1, keepdim=True)


def mask_softmax(z: Tensor, mask: Tensor) -> Tensor:
    """The paper's ``Mask SoftMax``: ``M exp z / sum M exp z``."""
    e = torch.exp(z - z.max(1, keepdim=True).values) * mask
    return e / e.sum(1, keepdim=True)


def focal_loss(z: Tensor, target: Tensor, gamma: float) -> Tensor:
    """``-sum_k q_k (1 - p_k)^gamma log p_k`` for each sample."""
    p = softmax(z)
    return -(target * (1 - p) ** gamma * torch.log(p)).sum(1)


def entropy_term(Y: Tensor, weight: Tensor) -> Tensor:
    """``H = sum_k m_k log m_k`` of the mean label, over the classes that are used."""
    m = (weight.unsqueeze(1) * Y).sum(0) / weight.sum()
    m = m[m > 0]
    return (m * torch.log(m)).sum()


def information(Y: Tensor, weight: Tensor) -> Tensor:
    """``I = -sum_k m_k log m_k + mean_n sum_k Y_nk log Y_nk``."""
    inside = torch.where(Y > 0, Y, torch.ones_like(Y))
    per_sample = (Y * torch.log(inside)).sum(1)
    return (weight * per_sample).sum() / weight.sum() - entropy_term(Y, weight)


def regression_error(outputs: Tensor, target: Tensor, name: str) -> Tensor:
    """Mean over the columns of ``e^2``, or Huber's ``e^2 / 2`` up to 1 and ``|e| - 1/2`` beyond."""
    e = outputs - target
    huber = torch.where(e.abs() <= 1, e**2 / 2, e.abs() - 0.5)
    return (e**2 if name == "squared_error" else huber).mean(1)


def sgd_rule(t: Tensor, G: Tensor, state: Mapping[str, Any], group: Mapping[str, Any]) -> Tensor:
    """``b <- mu b + d,  t <- t - lr b``; the first buffer is ``d``."""
    d = G + group["weight_decay"] * t
    if group["momentum"] == 0:
        return t - group["lr"] * d
    old = state.get("momentum_buffer")
    return t - group["lr"] * (d if old is None else group["momentum"] * old + d)


def adam_rule(t: Tensor, G: Tensor, state: Mapping[str, Any], group: Mapping[str, Any]) -> Tensor:
    """Algorithm 1 of Kingma & Ba."""
    beta1, beta2 = group["betas"]
    k = int(state["step"]) + 1 if state else 1
    m = (1 - beta1) * G + (beta1 * state["exp_avg"] if state else 0.0)
    v = (1 - beta2) * G**2 + (beta2 * state["exp_avg_sq"] if state else 0.0)
    return t - group["lr"] * (m / (1 - beta1**k)) / (torch.sqrt(v / (1 - beta2**k)) + group["eps"])


RULES = {torch.optim.SGD: sgd_rule, torch.optim.Adam: adam_rule}


class LabelLogits(nn.Module):
    """The label generator without its mask and softmax."""

    def __init__(self, g: Any) -> None:
        super().__init__()
        self.g = g

    def forward(self, x: Tensor) -> Tensor:
        return self.g.head(self.g.trunk(self.g.standardize(x)))


class Together(nn.Module):
    """Primary outputs of the samples, auxiliary logits of their views, from one pass."""

    def __init__(self, f: Any) -> None:
        super().__init__()
        self.f = f

    def forward(self, x: Tensor, view: Tensor) -> tuple[Tensor, Tensor]:
        features = self.f.trunk(torch.cat([self.f.standardize(x), self.f.standardize(view)]))
        own, turned = features.split(len(x))
        return self.f.primary_head(own), self.f.auxiliary_head(turned)


def maxl_step(
    f: Any,
    g: Any,
    batch: Any,
    meta: Any,
    optimizer: torch.optim.Optimizer,
    recipe: Any,
    replay: Callable[[], Any],
) -> tuple[Tensor, Tensor, Tensor, Tensors, Tensors]:
    """Return Y, M, dM/dA, G and the gradient of ``M + lambda H - mu I`` for the generator.

    ``A`` are the labels times the weights of the samples, where those are learned.
    """
    gamma, w, scale, R = (
        recipe.focal_gamma, recipe.auxiliary_weight, recipe.meta_scale, g.weight_range
    )  # fmt: skip
    lam, mu = (recipe.regularisers.get(f"{name}_weight", 0) for name in ("entropy", "information"))
    t = {name: p for name, p in f.named_parameters() if p.requires_grad}
    theta2 = {name: p for name, p in g.named_parameters() if p.requires_grad}
    C = f.primary_head.out_features
    ones = torch.ones(len(batch.y), dtype=batch.x.dtype)
    weight = ones if batch.weight is None else batch.weight
    meta_weight = (
        torch.ones(len(meta.y), dtype=batch.x.dtype) if meta.weight is None else meta.weight
    )

    def forward(values: Tensors, x: Tensor, view: Tensor | None = None) -> tuple[Tensor, Tensor]:
        replay()
        tensors = {**values, **{name: b.clone() for name, b in f.named_buffers()}}
        if view is None:
            return functional_call(f, tensors, (x,))
        inner = {f"f.{name}": value for name, value in tensors.items()}
        return functional_call(Together(f), inner, (x, view))

    def primary(outputs: Tensor, samples: Any, weights: Tensor) -> Tensor:
        if samples.target is not None:
            return (weights * regression_error(outputs, samples.target, recipe.regression)).mean()
        one_hot = torch.eye(C, dtype=outputs.dtype)[samples.y]
        target = (1 - recipe.label_smoothing) * one_hot + recipe.label_smoothing / C
        return (weights * focal_loss(outputs, target, gamma)).mean()

    seen = batch.x if batch.view is None else batch.view
    row = batch.y if batch.block is None else batch.block
    Y = mask_softmax(LabelLogits(g)(seen), g.mask[row].to(batch.x.dtype))
    s = ones
    if R:
        logit = g.weight_head(g.trunk(g.standardize(seen)))[:, 0]
        s = 2 ** (2 * R / (1 + torch.exp(-logit)) - R)
    A = s.unsqueeze(1) * Y
    z_primary, z_auxiliary = forward(t, batch.x, batch.view)
    L = primary(z_primary, batch, weight) + w * (
        (weight * focal_loss(z_auxiliary, A, gamma)).mean()
    )
    gradients = torch.autograd.grad(L, list(t.values()), create_graph=True, allow_unused=True)
    G = {name: d for name, d in zip(t, gradients, strict=True) if d is not None}
    t_plus = dict(t)
    for name, d in G.items():
        group = next(q for q in optimizer.param_groups if any(p is t[name] for p in q["params"]))
        rule = RULES[type(optimizer)]
        t_plus[name] = rule(t[name].detach(), d, optimizer.state.get(t[name], {}), group)
    M = primary(forward(t_plus, meta.x)[0], meta, meta_weight)
    (dM_dA,) = torch.autograd.grad(M, A, retain_graph=True)
    total = scale * M + lam * entropy_term(Y, weight) - mu * information(Y, weight)
    descended = torch.autograd.grad(total, list(theta2.values()))
    return (
        Y.detach(),
        M.detach(),
        dM_dA,
        {name: d.detach() for name, d in G.items()},
        dict(zip(theta2, descended, strict=True)),
    )
