"""The two meta-gradients against an independent double backward and numerical differences."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from networks import (
    OPTIMIZERS,
    Cube,
    WithFunction,
    cube,
    flat,
    make_case,
    problem_of_step,
    relative,
    replay,
    sample_grid,
    task_of,
)
from reference import maxl_step
from torch.autograd import forward_ad
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from sklearn_maxl._maths import meta_gradient as _meta_gradient
from sklearn_maxl._maths.at_parameters import AtParameters
from sklearn_maxl._maths.meta_gradient import (
    META_GRADIENTS,
    ForwardModeError,
    WithFallback,
    check_forward_mode,
    derivative_by_two_backward_passes,
    directional_derivative,
    double_backward,
    exact,
    label_gradient,
)
from sklearn_maxl._maths.step import generator_step, multi_task_step

SITUATIONS = {
    "same batch": {},
    "another meta batch": {"another": True},
    "unequal psi": {"psi": [1, 4, 2]},
    "sample weights": {"weighted": True, "another": True},
    "first momentum step": {"optimizer": "momentum"},
    "momentum": {"optimizer": "momentum", "steps": 3},
    "first Adam step": {"optimizer": "adam"},
    "Adam": {"optimizer": "adam", "steps": 3, "another": True},
    "cross-entropy": {"gamma": 0.0},
    "fractional gamma": {"gamma": 0.5},
    "smooth labels": {"gamma": 0.0, "label_smoothing": 0.2},
    "smooth labels, focal": {"label_smoothing": 0.1, "weighted": True, "another": True},
    "information": {"information_weight": 0.3, "weighted": True},
    "scale": {"meta_scale": 7.0},
    "sample weights learned": {"weight_range": 3.0, "another": True},
    "all that came later": {
        "weight_range": 2.0,
        "information_weight": 0.1,
        "meta_scale": 3.0,
        "weighted": True,
        "optimizer": "adam",
        "steps": 3,
    },
    "views": {"turned": True, "another": True, "psi": [1, 2, 1]},
    "views, all that came later": {
        "turned": True,
        "weight_range": 2.0,
        "information_weight": 0.1,
        "weighted": True,
        "optimizer": "adam",
        "steps": 3,
    },
    "squared error": {"n_targets": 2, "another": True, "weighted": True},
    "huber": {"n_targets": 1, "regression": "huber", "optimizer": "momentum", "steps": 2},
}


def run(case, meta_gradient):
    """One step; returns dM/dY, the generator's gradient and the record."""
    f, g, batch, meta, opt, recipe = case
    opt.zero_grad()
    g.zero_grad()
    seen = {}

    def spy(problem):
        seen["M"], seen["dM_dY"] = meta_gradient(problem)
        return seen["M"], seen["dM_dY"]

    task = task_of(g, batch)
    A = task.targets.detach()
    replay()
    multi_task_step(AtParameters(f), batch, A, recipe)
    problem = problem_of_step(f, batch, meta, A, recipe, opt, replay)
    generator_step(problem, task, batch.weight, recipe, recipe.meta_scale, spy)
    return seen["M"], seen["dM_dY"], {name: p.grad for name, p in g.named_parameters()}


def expected(case):
    return maxl_step(*case, replay)


def problem_of(case):
    """The problem that `exact` is given for this case."""
    f, g, batch, meta, opt, recipe = case
    Y = g(*batch.labelled).detach()
    opt.zero_grad()
    replay()
    multi_task_step(AtParameters(f), batch, Y, recipe)
    return problem_of_step(f, batch, meta, Y, recipe, opt, replay)


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("net", ["mlp", "conv", "dropout", "instance_norm", "unreached"])
@pytest.mark.parametrize("way", [exact, double_backward])
def test_gradients_equal_the_written_out_double_backward(way, net, situation):
    case = make_case(net, **SITUATIONS[situation])
    _, M, dM_dY, _, descended = expected(case)
    got_M, got_dM_dY, got = run(case, way)
    assert float(abs(got_M - M)) <= 1e-12
    # Adam's first step is lr * sign(g) but for a sliver of width eps.
    bound = 1e-9 if situation == "first Adam step" else 1e-10
    assert relative(got_dM_dY, dM_dY) <= bound
    assert relative(flat(got), flat(descended)) <= 1e-10


# Adam's first step is lr * sign(g): its derivative is all rounding in float32.
@pytest.mark.parametrize("situation", [s for s in SITUATIONS if s != "first Adam step"])
@pytest.mark.parametrize("net", ["mlp", "conv", "dropout"])
def test_exact_keeps_four_digits_in_float32(net, situation):
    case = make_case(net, torch.float32, **SITUATIONS[situation])
    _, _, dM_dY, _, descended = expected(case)
    _, got_dM_dY, got = run(case, exact)
    assert relative(got_dM_dY, dM_dY) <= 1e-4
    assert relative(flat(got), flat(descended)) <= 1e-4


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("net", ["mlp", "conv"])
def test_exact_is_the_slope_of_the_meta_loss_along_random_labels(net, optimizer, seed):
    problem = problem_of(make_case(net, optimizer=optimizer, another=True, steps=2))
    E = torch.randn(problem.Y.shape, generator=torch.Generator().manual_seed(seed)).double()

    def meta_loss(epsilon):
        L_pri, losses = problem.losses(problem.t)
        L = L_pri + (problem.coefficient * (problem.Y + epsilon * E) * losses).sum()
        G = dict(zip(problem.t, torch.autograd.grad(L, list(problem.t.values())), strict=True))
        return problem.meta_loss(problem.virtual_step(G)[0]).item()

    numerical = (meta_loss(1e-4) - meta_loss(-1e-4)) / 2e-4
    assert float((exact(problem)[1] * E).sum()) == pytest.approx(numerical, rel=1e-4, abs=1e-10)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("net", ["mlp", "conv", "dropout", "instance_norm", "attention"])
def test_two_backward_passes_are_the_forward_mode_derivative(net, optimizer):
    problem = problem_of(make_case(net, optimizer=optimizer, steps=2, weighted=True))
    rng = torch.Generator().manual_seed(3)
    u = {n: torch.randn(p.shape, generator=rng, dtype=p.dtype) for n, p in problem.t.items()}

    def terms(t):
        return (problem.auxiliary_losses(t),)

    (expected,) = directional_derivative(terms, problem.t, u)
    (got,) = derivative_by_two_backward_passes(terms, problem.t, u)
    assert got.shape == expected.shape
    assert relative(got, expected) <= 1e-10
    some = dict(list(u.items())[:2])  # what u does not name stays where it is
    (expected,) = directional_derivative(terms, problem.t, some)
    (got,) = derivative_by_two_backward_passes(terms, problem.t, some)
    assert relative(got, expected) <= 1e-10


def test_two_backward_passes_by_parameters_that_are_not_reached():
    problem = problem_of(make_case("unreached", another=True))
    u = {n: torch.ones_like(p) for n, p in problem.t.items()}

    def terms(t):
        return (problem.auxiliary_losses(t),)

    (expected,) = directional_derivative(terms, problem.t, u)
    (got,) = derivative_by_two_backward_passes(terms, problem.t, u)
    assert relative(got, expected) <= 1e-10


@pytest.mark.parametrize("situation", ["another meta batch", "momentum", "Adam", "views"])
@pytest.mark.parametrize("net", ["mlp", "conv", "dropout"])
def test_the_label_gradient_by_two_backward_passes_is_the_exact_one(net, situation):
    case = make_case(net, **SITUATIONS[situation])
    p = problem_of(case)
    M, dM_dY = label_gradient(
        lambda t: p.coefficient * p.auxiliary_losses(t),
        p.meta_loss,
        p.t,
        p.G,
        p.virtual_step,
        derivative_by_two_backward_passes,
    )
    expected_M, expected_dM_dY = exact(p)
    assert torch.equal(M, expected_M)
    assert relative(dM_dY, expected_dM_dY) <= 1e-10


def test_two_backward_passes_along_what_does_not_matter():
    t = {n: torch.tensor([2.0, -3.0], dtype=torch.float64) for n in ("a", "b", "c")}
    u = {n: torch.ones(2, dtype=torch.float64) for n in t}

    def product(t):
        return (t["a"] * t["b"],)

    def sign(t):
        return (torch.sign(t["a"] * t["b"]),)

    for function, along in ((product, {"c": u["c"]}), (sign, u)):
        (expected,) = directional_derivative(function, t, along)
        (got,) = derivative_by_two_backward_passes(function, t, along)
        assert torch.equal(expected, torch.zeros(2, dtype=torch.float64))
        assert torch.equal(got, expected)


WITHOUT_FORWARD_MODE = {
    "grid_sampler_2d": lambda: WithFunction(sample_grid),
    "autograd.Function": lambda: WithFunction(Cube.apply),
}
NAMES = {
    "grid_sampler_2d": "grid_sampler_2d",
    "autograd.Function": "a torch.autograd.Function without jvp",
}


@pytest.mark.parametrize("operator", WITHOUT_FORWARD_MODE)
def test_an_operator_without_forward_mode_is_named_and_leaves_nothing_behind(operator):
    problem = problem_of(make_case(WITHOUT_FORWARD_MODE[operator]))
    with pytest.raises(ForwardModeError) as caught:
        exact(problem)
    assert operator in caught.value.operator
    assert "must implement" not in caught.value.operator
    assert caught.value.operator == str(caught.value) == NAMES[operator]
    assert forward_ad._current_level == -1
    assert not _meta_gradient._PROCESS_STATE.locked()
    assert torch.isfinite(exact(problem_of(make_case("mlp")))[1]).all()


def test_an_operator_that_says_in_its_own_words_what_it_lacks_is_quoted():
    def fail(t):
        raise NotImplementedError("the bessel function has no tangent")

    with pytest.raises(ForwardModeError) as caught:
        exact(replace(problem_of(make_case("mlp")), auxiliary_losses=fail))
    assert caught.value.operator == "the bessel function has no tangent"


def test_the_check_refuses_a_registered_operator_that_drops_its_tangent():
    problem = problem_of(make_case(lambda: WithFunction(cube)))
    assert relative(exact(problem)[1], double_backward(problem)[1]) > 0.5  # wrong without a word
    with pytest.raises(
        ForwardModeError, match=r"^an operator that loses its forward-mode derivative$"
    ):
        check_forward_mode(problem)


@pytest.mark.parametrize("net", ["mlp", "conv", "dropout"])
def test_the_check_trusts_networks_of_ordinary_operators(net):
    check_forward_mode(problem_of(make_case(net)))


@pytest.mark.parametrize(("off", "trusted"), [(0.003, True), (-0.003, True), (0.03, False)])
def test_the_check_lets_rounding_pass_and_little_more(off, trusted):
    problem = problem_of(make_case("mlp"))

    def losses(t):
        return tuple((1 + off) * loss for loss in problem.losses(t))

    if trusted:
        check_forward_mode(replace(problem, losses=losses))
    else:
        with pytest.raises(ForwardModeError):
            check_forward_mode(replace(problem, losses=losses))


def test_the_check_sees_a_lost_derivative_where_gradients_are_small():
    problem = problem_of(make_case(lambda: WithFunction(cube)))

    def losses(t):
        return tuple(1e-5 * loss for loss in problem.losses(t))

    G = {name: 1e-5 * g for name, g in problem.G.items()}
    with pytest.raises(ForwardModeError):
        check_forward_mode(replace(problem, losses=losses, G=G))


def test_the_check_has_nothing_against_a_network_without_gradients():
    check_forward_mode(replace(problem_of(make_case("mlp")), G={}))


def test_forward_mode_is_tried_out_once(monkeypatch):
    tried = []
    monkeypatch.setattr(_meta_gradient, "check_forward_mode", tried.append)
    way = WithFallback("exact")
    problem = problem_of(make_case("mlp", another=True))
    for _ in range(3):
        assert torch.equal(way(problem)[1], exact(problem)[1])
    assert tried == [problem]
    WithFallback("double_backward")(problem)  # has no use for forward mode
    assert tried == [problem]


def test_what_forward_mode_cannot_do_is_left_to_double_backward_from_then_on():
    problem = problem_of(make_case(WITHOUT_FORWARD_MODE["autograd.Function"], another=True))
    way = WithFallback("exact")
    with pytest.warns(UserWarning, match="falling back") as told:
        M, dM_dY = way(problem)
    (warning,) = told
    assert str(warning.message) == (
        "The backbone uses a torch.autograd.Function without jvp, which forward mode can't "
        "differentiate; falling back to meta_gradient='double_backward' (same result, slower)."
    )
    assert warning.filename == __file__
    for found in ((M, dM_dY), way(problem)):  # the second without a warning
        torch.testing.assert_close(found, double_backward(problem))


def test_an_operator_without_a_second_derivative_is_told_with_the_cure():
    problem = problem_of(make_case(lambda: WithFunction(F.hardsigmoid), another=True))
    with pytest.raises(ValueError, match="hardsigmoid") as caught:
        WithFallback("double_backward")(problem)
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert str(caught.value) == (
        f"The backbone can't be differentiated twice ({caught.value.__cause__}); use "
        "meta_gradient='exact', another backbone, or auxiliary='uniform', which needs no "
        "meta-gradient."
    )


@pytest.mark.parametrize(
    ("way", "words"), [("double_backward", "a user's bug"), ("exact", "not implemented")]
)
def test_other_errors_of_torch_stay_what_they_are(way, words):
    def fail(t):
        raise RuntimeError(words)

    problem = replace(problem_of(make_case("mlp")), meta_loss=fail)
    with pytest.raises(RuntimeError, match=words):
        WithFallback(way)(problem)


def test_any_other_error_leaves_nothing_behind():
    problem = problem_of(make_case("mlp"))
    calls = []

    def fail(t):
        calls.append(t)
        raise KeyError("a user's bug")

    with pytest.raises(KeyError):
        exact(replace(problem, auxiliary_losses=fail))
    assert calls
    assert forward_ad._current_level == -1
    assert not _meta_gradient._PROCESS_STATE.locked()


@pytest.mark.parametrize("way", [exact, double_backward])
def test_fused_attention_is_differentiated(way):
    case = make_case("attention", another=True)
    with sdpa_kernel(SDPBackend.MATH):
        dM_dY = expected(case)[2]
    assert relative(run(case, way)[1], dM_dY) <= 1e-10


def test_threads_do_not_disturb_each_other():
    problems = [problem_of(make_case(net, another=True)) for net in ("mlp", "conv", "attention")]
    alone = [exact(p)[1] for p in problems]
    with ThreadPoolExecutor(3) as pool:  # a network each
        together = list(pool.map(lambda p: [exact(p)[1] for _ in range(10)], problems))
    assert all(relative(d, a) <= 1e-12 for a, ds in zip(alone, together, strict=True) for d in ds)


@pytest.mark.parametrize("way", META_GRADIENTS.values())
def test_labels_that_cannot_matter_have_no_gradient(way):
    case = make_case("mlp")
    problem = problem_of(case._replace(recipe=replace(case.recipe, auxiliary_weight=0.0)))
    assert torch.equal(way(problem)[1], torch.zeros_like(problem.Y))


@pytest.mark.parametrize("way", META_GRADIENTS.values())
def test_labels_have_no_gradient_where_only_the_primary_head_is_stepped(way):
    case = make_case("mlp", another=True)
    optimizer = torch.optim.SGD(case.f.primary_head.parameters(), lr=0.3)
    problem = problem_of(case._replace(optimizer=optimizer))
    assert torch.equal(way(problem)[1], torch.zeros_like(problem.Y))
