"""The public meta-gradient, against double backward through the optimizer's own formula."""

import copy

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

from sklearn_maxl.functional import LabelGradient, label_gradient

N, K = 6, 4


def problem(seed=0, dtype=torch.float64):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, K)).to(dtype)
    x, other = torch.randn(N, 5, dtype=dtype), torch.randn(9, 5, dtype=dtype)
    Y = torch.softmax(torch.randn(N, K, dtype=dtype), 1)

    def terms(t):
        return -F.log_softmax(functional_call(net, t, x), 1) / N

    def meta_loss(t):
        return F.cross_entropy(functional_call(net, t, other), torch.arange(9) % K)

    return net, Y, terms, meta_loss


def sgd_step(p, g, state, group):
    return p - group["lr"] * (g + group["weight_decay"] * p)


def momentum_step(p, g, state, group):
    d = g + group["weight_decay"] * p
    b = group["momentum"] * state["momentum_buffer"] + d if state else d
    return p - group["lr"] * b


def adam_step(p, g, state, group):
    beta1, beta2 = group["betas"]
    k = float(state["step"]) + 1 if state else 1.0
    m = (1 - beta1) * g + (beta1 * state["exp_avg"] if state else 0)
    v = (1 - beta2) * g**2 + (beta2 * state["exp_avg_sq"] if state else 0)
    p = p * (1 - group["lr"] * group["weight_decay"])
    return p - group["lr"] * (m / (1 - beta1**k)) / ((v / (1 - beta2**k)).sqrt() + group["eps"])


OPTIMIZERS = {
    "sgd": (lambda p: torch.optim.SGD(p, lr=0.3, weight_decay=0.01), sgd_step),
    "momentum": (lambda p: torch.optim.SGD(p, lr=0.3, momentum=0.9), momentum_step),
    "adamw": (lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1), adam_step),
    "adadelta as plain descent": (
        lambda p: torch.optim.Adadelta(p, lr=0.3),
        lambda p, g, state, group: p - group["lr"] * g,
    ),
}


def by_double_backward(net, Y, terms, meta_loss, optimizer, rule):
    t = dict(net.named_parameters())
    Y = Y.clone().requires_grad_()
    G = torch.autograd.grad((Y * terms(t)).sum(), list(t.values()), create_graph=True)
    (group,) = optimizer.param_groups
    t_plus = {
        name: rule(p.detach(), g, dict(optimizer.state.get(p, {})), group)
        for (name, p), g in zip(t.items(), G, strict=True)
    }
    M = meta_loss(t_plus)
    return M, torch.autograd.grad(M, Y)[0]


@pytest.mark.parametrize("steps_before", [0, 3])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_is_the_gradient_of_the_meta_loss_after_the_step(name, steps_before):
    net, Y, terms, meta_loss = problem()
    make, rule = OPTIMIZERS[name]
    optimizer = make(net.parameters())
    t = dict(net.named_parameters())
    for _ in range(steps_before):
        optimizer.zero_grad()
        (Y * terms(t)).sum().backward()
        optimizer.step()
    optimizer.zero_grad()
    (Y * terms(t)).sum().backward()
    found = label_gradient(terms, meta_loss, t, optimizer)
    M, expected = by_double_backward(net, Y, terms, meta_loss, optimizer, rule)
    assert isinstance(found, LabelGradient)
    torch.testing.assert_close(found.meta_loss, M.detach(), rtol=1e-12, atol=0)
    torch.testing.assert_close(found.gradient, expected, rtol=1e-8, atol=1e-12)


def test_nothing_changes():
    net, Y, terms, meta_loss = problem()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    t = dict(net.named_parameters())
    (Y * terms(t)).sum().backward()
    before = copy.deepcopy(net.state_dict())
    gradients = {name: p.grad.clone() for name, p in t.items()}
    label_gradient(terms, meta_loss, t, optimizer)
    assert all(torch.equal(before[n], v) for n, v in net.state_dict().items())
    assert all(torch.equal(gradients[n], p.grad) for n, p in t.items())
    assert optimizer.state == {}


def test_gradients_may_be_passed():
    net, Y, terms, meta_loss = problem()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    t = dict(net.named_parameters())
    G = dict(zip(t, torch.autograd.grad((Y * terms(t)).sum(), list(t.values())), strict=True))
    found = label_gradient(terms, meta_loss, t, optimizer, G)
    (Y * terms(t)).sum().backward()
    assert torch.equal(found.gradient, label_gradient(terms, meta_loss, t, optimizer).gradient)


def test_weights_of_samples_are_labels_too():
    """Any linear coefficient: against finite differences of the weights."""
    net, Y, terms, meta_loss = problem()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    t = dict(net.named_parameters())

    def of_samples(t):
        return (Y * terms(t)).sum(1)

    def loss_after_step(s):
        G = torch.autograd.grad((s * of_samples(t)).sum(), list(t.values()))
        return meta_loss({n: p.detach() - 0.5 * g for (n, p), g in zip(t.items(), G, strict=True)})

    weights = torch.ones(N, dtype=torch.float64)
    (weights * of_samples(t)).sum().backward()
    found = label_gradient(of_samples, meta_loss, t, optimizer).gradient
    h = 1e-5
    for n in range(N):
        e = torch.zeros(N, dtype=torch.float64)
        e[n] = h
        difference = (loss_after_step(weights + e) - loss_after_step(weights - e)) / (2 * h)
        assert float(found[n]) == pytest.approx(float(difference), rel=1e-6, abs=1e-10)


class NoForwardMode(torch.autograd.Function):
    """A product with 2 that forward mode can't differentiate."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, g):
        return 2 * g


def test_an_operator_without_forward_mode_gives_the_same_by_backward_passes():
    net, Y, terms, meta_loss = problem()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    t = dict(net.named_parameters())

    def awkward(t):
        return NoForwardMode.apply(terms(t)) / 2

    (Y * terms(t)).sum().backward()
    expected = label_gradient(terms, meta_loss, t, optimizer).gradient
    found = label_gradient(awkward, meta_loss, t, optimizer).gradient
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-14)


def test_without_gradients_it_says_what_to_do():
    net, _, terms, meta_loss = problem()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with pytest.raises(ValueError, match=r"no gradients; call backward"):
        label_gradient(terms, meta_loss, dict(net.named_parameters()), optimizer)


def test_parameters_that_the_optimizer_does_not_hold_stay_where_they_are():
    net, Y, terms, meta_loss = problem()
    optimizer = torch.optim.SGD(net[0].parameters(), lr=0.2)
    t = dict(net.named_parameters())
    (Y * terms(t)).sum().backward()
    found = label_gradient(terms, meta_loss, t, optimizer)

    def rule(p, g, state, group):
        held = any(p.shape == q.shape for q in net[0].parameters())
        return p - group["lr"] * g if held else p + 0 * g

    _, expected = by_double_backward(net, Y, terms, meta_loss, optimizer, rule)
    torch.testing.assert_close(found.gradient, expected, rtol=1e-10, atol=1e-14)
