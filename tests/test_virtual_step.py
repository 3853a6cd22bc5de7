"""The virtual step against the step that torch's own optimizers take."""

import pytest
import torch
from networks import make_batch, make_case
from torch.optim import SGD, Adam, AdamW, RMSprop

from sklearn_maxl._maths import virtual_step as _virtual_step
from sklearn_maxl._maths.at_parameters import AtParameters, parameters_of
from sklearn_maxl._maths.step import multi_task_step
from sklearn_maxl._maths.virtual_step import JOINED_VALUES, RULES, VirtualStep

FOLLOWED = {
    "SGD": (SGD, {}),
    "SGD decay": (SGD, {"weight_decay": 0.1}),
    "SGD maximize": (SGD, {"maximize": True, "weight_decay": 0.1}),
    "momentum": (SGD, {"momentum": 0.9}),
    "momentum decay": (SGD, {"momentum": 0.9, "weight_decay": 0.1}),
    "momentum dampening": (SGD, {"momentum": 0.9, "dampening": 0.3}),
    "momentum maximize": (SGD, {"momentum": 0.9, "maximize": True, "weight_decay": 0.1}),
    "Nesterov": (SGD, {"momentum": 0.8, "nesterov": True, "weight_decay": 0.1}),
    "Adam": (Adam, {}),
    "Adam betas": (Adam, {"betas": (0.5, 0.7), "eps": 1e-3}),
    "Adam no momentum": (Adam, {"betas": (0.0, 0.9)}),
    "Adam decay": (Adam, {"weight_decay": 0.1}),
    "Adam decoupled decay": (Adam, {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    "AdamW": (AdamW, {}),
    "AdamW decay": (AdamW, {"weight_decay": 0.3, "eps": 1e-4}),
}
KINDS = [{"fused": True}, {"foreach": True}, {"foreach": False, "fused": False}]


def tensors(dtype=torch.float64, n=3):
    """Parameters with gradients of very different sizes, one of them exactly zero."""
    rng = torch.Generator().manual_seed(0)
    p = [torch.randn(4, generator=rng, dtype=dtype).requires_grad_() for _ in range(n)]
    return {str(i): q for i, q in enumerate(p)}


def gradient(t, seed):
    rng = torch.Generator().manual_seed(100 + seed)
    sizes = torch.tensor([1.0, 1e-4, 30.0, 0.0], dtype=torch.float64)
    return {
        name: (torch.randn(4, generator=rng, dtype=torch.float64) * sizes).to(p.dtype)
        for name, p in t.items()
    }


def step(optimizer, t, G):
    for name, p in t.items():
        p.grad = G[name].clone() if name in G else None
    optimizer.step()


def snapshot(optimizer, t):
    state = [
        (key, value.clone() if isinstance(value, torch.Tensor) else value)
        for p in t.values()
        for key, value in sorted(optimizer.state.get(p, {}).items())
    ]
    return state, [p.detach().clone() for p in t.values()], len(optimizer.state)


def equal(a, b):
    return all(
        torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y
        for x, y in zip(a, b, strict=True)
    )


@pytest.mark.parametrize("kind", KINDS, ids=["fused", "foreach", "single"])
@pytest.mark.parametrize("name", FOLLOWED)
def test_the_step_and_its_slope_are_the_real_ones(name, kind):
    make, settings = FOLLOWED[name]
    t = tensors()
    optimizer = make(t.values(), lr=0.05, **settings, **kind)
    for i in range(4):
        G = {n: g.requires_grad_() for n, g in gradient(t, i).items()}
        before = snapshot(optimizer, t)
        t_plus, slope = VirtualStep(optimizer, t)(G)
        total = sum(p.sum() for p in t_plus.values())
        derivative = torch.autograd.grad(total, list(G.values()))
        after = snapshot(optimizer, t)
        assert after[2] == before[2]
        assert equal(after[1], before[1])
        assert all(equal(x, y) for x, y in zip(after[0], before[0], strict=True))
        step(optimizer, t, {n: g.detach() for n, g in G.items()})
        for (n, p), d in zip(t.items(), derivative, strict=True):
            assert torch.allclose(t_plus[n], p, rtol=1e-12, atol=1e-14)
            torch.testing.assert_close(
                torch.as_tensor(slope[n], dtype=torch.float64).expand(4)[:3],
                d[:3],
                rtol=1e-9 if i else 1e-5,  # Adam's first step is lr * sign(g)
                atol=1e-13,
            )


@pytest.mark.parametrize("name", ["Adam", "AdamW decay", "momentum decay"])
@pytest.mark.parametrize("first", [True, False])
def test_a_parameter_that_is_a_number_goes_with_the_others(name, first):
    make, settings = FOLLOWED[name]
    number = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    t = {"number": number, **tensors()} if first else {**tensors(), "number": number}
    optimizer = make(t.values(), lr=0.05, **settings)
    for i in range(3):
        G = {n: p.detach().cos() * (i + 1) for n, p in t.items()}
        t_plus, _ = VirtualStep(optimizer, t)(G)
        step(optimizer, t, G)
        for n, p in t.items():
            torch.testing.assert_close(t_plus[n], p, rtol=1e-12, atol=1e-14)


def test_small_vectors_and_matrices_go_together_and_others_alone():
    sizes = {
        "vector": (4,),
        "matrix": (4, 3),
        "just small": (JOINED_VALUES // 4, 4),
        "too long": (JOINED_VALUES + 1,),
        "kernel": (2, 3, 1),
        "image kernel": (2, 3, 1, 1),
    }
    t = {name: torch.zeros(size, requires_grad=True) for name, size in sizes.items()}
    parts = [names for _, names in VirtualStep(SGD(t.values(), lr=0.1), t).parts]
    assert parts == [["vector", "matrix", "just small"], *([n] for n in list(sizes)[3:])]


@pytest.mark.parametrize("name", FOLLOWED)
def test_types_and_memory_layouts_are_kept(name):
    make, settings = FOLLOWED[name]
    images = {n: torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last) for n in "ab"}
    t = {**tensors(), "few digits": torch.randn(4), **images}
    t = {n: p.detach().requires_grad_() for n, p in t.items()}
    optimizer = make(t.values(), lr=0.05, foreach=False, **settings)
    for i in range(2):
        G = {n: p.detach().cos() * (i + 1) for n, p in t.items()}
        t_plus, _ = VirtualStep(optimizer, t)(G)
        step(optimizer, t, G)
        for n, p in t.items():
            assert t_plus[n].dtype == p.dtype
            assert t_plus[n].stride() == p.stride()
            torch.testing.assert_close(t_plus[n], p)


def test_the_slope_of_adams_first_step_keeps_its_digits_in_float32():
    t = tensors(torch.float32)
    G = gradient(t, 0)
    _, slope = VirtualStep(Adam(t.values(), lr=0.05), t)(G)
    for n, g in G.items():
        g = g.double()[:3]
        expected = -0.05 * 1e-8 / (g.abs() + 1e-8) ** 2  # derivative of -lr g / (|g| + eps)
        assert torch.allclose(slope[n][:3].double(), expected, rtol=1e-5, atol=0)


def test_a_gradient_of_zero_has_a_finite_step_and_slope():
    t = tensors()
    optimizer = Adam(t.values(), lr=0.05)
    G = {n: torch.zeros(4, dtype=torch.float64, requires_grad=True) for n in t}
    t_plus, slope = VirtualStep(optimizer, t)(G)
    derivative = torch.autograd.grad(sum(p.sum() for p in t_plus.values()), list(G.values()))
    for (n, p), d in zip(t.items(), derivative, strict=True):
        assert torch.equal(t_plus[n], p)
        assert torch.allclose(slope[n], torch.full_like(p, -0.05 / 1e-8), rtol=1e-6)
        assert torch.isfinite(d).all()


@pytest.mark.parametrize("name", ["SGD", "momentum", "Adam", "AdamW decay"])
def test_a_parameter_without_gradient_stays(name):
    make, settings = FOLLOWED[name]
    t = tensors()
    optimizer = make(t.values(), lr=0.05, **settings)
    step(optimizer, t, gradient(t, 0))
    G = gradient(t, 1)
    del G["1"]
    t_plus, slope = VirtualStep(optimizer, t)(G)
    assert slope.keys() == G.keys()
    step(optimizer, t, G)
    assert all(torch.allclose(t_plus[n], p, rtol=1e-12) for n, p in t.items())


def test_every_parameter_group_has_its_own_settings():
    t = tensors()
    groups = [{"params": [t["0"], t["2"]], "lr": 0.5}, {"params": [t["1"]], "momentum": 0.9}]
    optimizer = SGD(groups, lr=0.01)
    for i in range(3):
        t_plus, slope = VirtualStep(optimizer, t)(gradient(t, i))
        step(optimizer, t, gradient(t, i))
        assert all(torch.allclose(t_plus[n], p, rtol=1e-12) for n, p in t.items())
    assert slope == {"0": -0.5, "1": -0.01, "2": -0.5}


def test_adamw_decays_apart_from_the_gradient_whatever_its_group_says():
    """Before torch 2.7 the groups of AdamW have no entry "decoupled_weight_decay"."""
    t = tensors()
    optimizer = AdamW(t.values(), lr=0.05, weight_decay=0.3)
    flag = optimizer.param_groups[0].pop("decoupled_weight_decay", None)
    t_plus, _ = VirtualStep(optimizer, t)(gradient(t, 0))
    if flag is not None:
        optimizer.param_groups[0]["decoupled_weight_decay"] = flag
    step(optimizer, t, gradient(t, 0))
    assert all(torch.allclose(t_plus[n], p, rtol=1e-12) for n, p in t.items())


@pytest.mark.parametrize(
    ("make", "settings"), [(RMSprop, {}), (Adam, {"amsgrad": True}), (AdamW, {"amsgrad": True})]
)
def test_an_optimizer_without_a_rule_is_taken_for_gradient_descent(make, settings):
    t, G = tensors(), gradient(tensors(), 0)
    optimizer = make(t.values(), lr=0.05, **settings)
    step(optimizer, t, gradient(t, 1))
    t_plus, slope = VirtualStep(optimizer, t)(G)
    assert all(torch.equal(t_plus[n], t[n] - 0.05 * G[n]) for n in t)
    assert set(slope.values()) == {-0.05}


def test_nothing_is_read_of_the_state_of_an_optimizer_without_a_rule():
    t, G = tensors(), gradient(tensors(), 0)
    optimizer = RMSprop(t.values(), lr=0.05)
    for p in t.values():
        optimizer.state[p] = {"note": "no tensor, of any shape"}
    t_plus, _ = VirtualStep(optimizer, t)(G)
    assert all(torch.equal(t_plus[n], t[n] - 0.05 * G[n]) for n in t)


@pytest.mark.parametrize("make", [Adam, AdamW])
def test_the_order_of_an_optimizers_state_does_not_matter(make):
    t, G = tensors(), gradient(tensors(), 1)
    optimizer = make(t.values(), lr=0.05)
    step(optimizer, t, gradient(t, 0))
    expected, slope = VirtualStep(optimizer, t)(G)
    for p in t.values():
        optimizer.state[p] = dict(reversed(optimizer.state[p].items()))
    found, turned = VirtualStep(optimizer, t)(G)
    assert all(torch.equal(found[n], expected[n]) for n in t)
    assert all(torch.equal(turned[n], slope[n]) for n in t)


@pytest.mark.parametrize("held", [False, True])
def test_steps_are_counted_in_float64_where_the_device_has_it(held, monkeypatch):
    monkeypatch.setattr(_virtual_step, "can_hold", lambda _, dtype: held or dtype != torch.float64)
    state = {"step": torch.tensor(3.0), "exp_avg": torch.ones(4), "exp_avg_sq": torch.ones(4)}
    new, old = _virtual_step._bias_corrected(0.9, state, torch.ones(4))
    assert new.dtype == old.dtype == (torch.float64 if held else torch.float32)
    assert float(new) == pytest.approx((1 - 0.9) / (1 - 0.9**4), rel=1e-12 if held else 1e-6)
    assert float(old) == pytest.approx(0.9 / (1 - 0.9**4), rel=1e-12 if held else 1e-6)


@pytest.mark.parametrize("make", [RMSprop, Adam])
def test_maximize_goes_up_even_without_a_rule(make):
    t, G = tensors(), gradient(tensors(), 0)
    t_plus, slope = VirtualStep(make(t.values(), lr=0.05, maximize=True), t)(G)
    assert all(torch.all((t_plus[n] - t[n]) * G[n] >= 0) for n in t)
    assert all(torch.all(torch.as_tensor(s) >= 0) for s in slope.values())


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("net", ["conv", "unreached"])
def test_a_network_is_where_the_virtual_step_said(net, optimizer):
    case = make_case(net, optimizer=optimizer, steps=2)
    multi_task_step(AtParameters(case.f), make_batch(seed=5), None, case.recipe)
    t = parameters_of(case.f)
    G = {n: p.grad for n, p in t.items() if p.grad is not None}
    t_plus, _ = VirtualStep(case.optimizer, t)(G)
    case.optimizer.step()
    assert all(torch.allclose(t_plus[n], p, rtol=1e-12) for n, p in t.items())


def test_only_trainable_parameters_are_t():
    case = make_case("unreached")
    assert "trunk.frozen.weight" not in parameters_of(case.f)
    assert parameters_of(case.f).keys() == {
        n for n, _ in case.f.named_parameters() if "frozen" not in n
    }
    assert set(RULES) == {SGD, Adam, AdamW}
