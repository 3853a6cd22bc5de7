"""The losses against naive formulas in float64, and at the edges where those break."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch.nn import functional as F

from sklearn_maxl._maths.losses import (
    REGULARISERS,
    classification_loss,
    entropies,
    focal_losses,
    mean_label,
    mutual_information,
    negative_entropy,
    over_members,
    primary_losses,
    regression_loss,
    weighted_mean,
)
from sklearn_maxl._networks.label_generator import masked_softmax
from sklearn_maxl._networks.members import mean_log_probability
from sklearn_maxl._networks.multi_task import block_sums

# torch's forward mode scripts a table when it is first used.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")

FAR = [
    [[1e4, -1e4, 0.0], [-1e4, 0.0, 1e4], [1e4, 1e4, 1e4]],
    [[3e30, -1e30, 0.0], [-3e30, 0.0, 3e30], [-1e30, -1e30, -1e30]],
]


@pytest.mark.parametrize("logits", FAR)
@pytest.mark.parametrize("gamma", [0.0, 1e-3, 0.5, 1.0, 2.0, 5.0, 1e3])
def test_logits_of_any_size_give_numbers(logits, gamma):
    """Values, gradients, second derivatives and forward derivatives of all losses."""
    y, mask = torch.tensor([0, 0, 2]), torch.tensor([True, True, False]).expand(3, 3)
    columns = torch.tensor([[0, 1], [2, 3]])
    soft = partial(torch.softmax, dim=1)
    functions = [
        lambda z: primary_losses(z, y, gamma),
        lambda z: primary_losses(z, y, gamma, 0.1),
        lambda z: classification_loss(z, y, torch.ones(3), gamma, 0.1),
        lambda z: (masked_softmax(z, mask) * focal_losses(z, gamma)).sum(1),
        lambda z: mean_log_probability(torch.stack([z, -z]), 2),
        lambda z: torch.log_softmax(block_sums(z, columns), dim=1),
        lambda z: entropies(soft(z)),
        *(lambda z, f=f: f(soft(z), None) for f in REGULARISERS.values()),
        *(lambda z, f=f: f(masked_softmax(z, mask), torch.ones(3)) for f in REGULARISERS.values()),
    ]
    z = torch.tensor(logits, requires_grad=True)
    for f in functions:
        value = f(z)
        (gradient,) = torch.autograd.grad(value.sum(), z, create_graph=True)
        (second,) = torch.autograd.grad(gradient.sum(), z, allow_unused=True)
        forward = torch.func.jvp(f, (z.detach(),), (torch.ones(3, 3),))[1]
        for found in (value, gradient, forward, *([] if second is None else [second])):
            assert found.isfinite().all()


GAMMAS = [0.0, 0.5, 1.0, 2.0, 3.7]
shapes = st.tuples(st.integers(1, 6), st.integers(2, 5))


def arrays(low, high):
    """Float64 tensors of shape (n, k)."""
    elements = st.floats(low, high)
    return shapes.flatmap(lambda s: hnp.arrays(np.float64, s, elements=elements)).map(torch.tensor)


def labels(Z):
    return torch.softmax(Z, dim=1)


@given(arrays(-8, 8), st.floats(0, 5))
def test_focal_losses_are_the_formula(z, gamma):
    p = np.exp(z.numpy()) / np.exp(z.numpy()).sum(1, keepdims=True)
    rest = np.stack([np.delete(p, k, axis=1).sum(1) for k in range(p.shape[1])], axis=1)  # 1 - p
    expected = -(rest**gamma) * np.log(p)
    np.testing.assert_allclose(focal_losses(z, gamma).numpy(), expected, rtol=1e-8, atol=1e-15)


@given(arrays(-30, 30), st.sampled_from(GAMMAS))
def test_focal_losses_are_not_negative_and_at_most_the_cross_entropy(z, gamma):
    losses = focal_losses(z, gamma)
    assert (losses >= 0).all()
    assert (losses <= -F.log_softmax(z, 1) + 1e-12).all()


@given(arrays(-30, 30), st.sampled_from(GAMMAS))
def test_the_loss_of_a_soft_target_is_linear_in_the_target(z, gamma):
    A, B = labels(z.flip(0)), labels(-z)

    def loss(Y):
        return (Y * focal_losses(z, gamma)).sum(1)

    assert torch.allclose(loss(0.3 * A + 0.7 * B), 0.3 * loss(A) + 0.7 * loss(B), rtol=1e-10)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("gamma", GAMMAS)
def test_primary_losses_are_those_of_the_smooth_one_hot_target(gamma, smoothing):
    z = torch.randn(9, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.arange(9) % 4
    target = (1 - smoothing) * F.one_hot(y, 4).double() + smoothing / 4
    expected = (target * focal_losses(z, gamma)).sum(1)
    assert torch.allclose(primary_losses(z, y, gamma, smoothing), expected, rtol=1e-14)
    members = torch.stack([z, 2 * z])
    assert torch.allclose(primary_losses(members, y, gamma, smoothing)[0], expected, rtol=1e-14)


def test_gamma_zero_is_the_cross_entropy():
    z = torch.randn(9, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y, Y = torch.arange(9) % 4, labels(z.roll(1, 0))
    assert torch.allclose(primary_losses(z, y, 0.0), F.cross_entropy(z, y, reduction="none"))
    soft = F.cross_entropy(z, Y, reduction="none")
    assert torch.allclose((Y * focal_losses(z, 0.0)).sum(1), soft)
    assert torch.allclose((Y * focal_losses(z, 1e-12)).sum(1), soft)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize(
    "row", [[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [0.0, 1e4, 0.0], [40.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
)
def test_extreme_logits_have_finite_losses_and_derivatives(row, gamma, dtype):
    z = torch.tensor([row], dtype=dtype, requires_grad=True)
    losses, weights = focal_losses(z, gamma), torch.tensor([1.0, 2.0, 5.0], dtype=dtype)
    assert torch.isfinite(losses).all()
    for loss in losses[0]:
        (first,) = torch.autograd.grad(loss, z, create_graph=True)
        assert torch.isfinite(first).all()
        (second,) = torch.autograd.grad((first * weights).sum(), z, retain_graph=True)
        assert torch.isfinite(second).all()
    _, tangent = torch.func.jvp(lambda z: focal_losses(z, gamma), (z,), (torch.ones_like(z),))
    assert torch.isfinite(tangent).all()


@pytest.mark.parametrize("gamma", GAMMAS)
def test_certainty_about_the_right_class_costs_nothing(gamma):
    z = torch.tensor([[1e4, 0.0]])
    assert float(primary_losses(z, torch.tensor([0]), gamma)) == 0
    assert float(primary_losses(z, torch.tensor([1]), gamma)) == pytest.approx(1e4)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_near_certainty_the_loss_has_the_right_size(gamma):
    z = torch.tensor([[14.0, 0.0]])
    q = 1 / (1 + math.exp(14))
    expected = q**gamma * -math.log1p(-q)
    assert float(focal_losses(z, gamma)[0, 0]) == pytest.approx(expected, rel=0.1)


@given(arrays(-3, 3))
def test_weights_enter_as_factors_and_in_the_mean_label(z):
    Y, n = labels(z), len(z)
    weight = torch.arange(1, n + 1, dtype=torch.float64)
    losses = z[:, 0]
    assert torch.allclose(weighted_mean(losses, None), losses.sum() / n)
    assert torch.allclose(weighted_mean(losses, weight), (losses * weight).sum() / n)
    assert torch.allclose(mean_label(Y, None), Y.sum(0) / n)
    repeated = Y.repeat_interleave(weight.long(), dim=0)  # a weight is a repetition
    assert torch.allclose(mean_label(Y, weight), repeated.mean(0))
    assert float(mean_label(Y, weight).sum()) == pytest.approx(1)


@given(arrays(-30, 30))
def test_negative_entropy_is_bounded_and_ignores_the_order(z):
    m = labels(z).mean(0)
    H = float(negative_entropy(m))
    assert -math.log(len(m)) - 1e-12 <= H <= 1e-12
    assert float(negative_entropy(m.flip(0))) == pytest.approx(H, abs=1e-12)
    assert -float(entropies(m.unsqueeze(0))) == pytest.approx(H, abs=1e-12)


def test_negative_entropy_at_its_ends():
    assert float(negative_entropy(torch.full((4,), 0.25))) == pytest.approx(-math.log(4))
    m = torch.tensor([1.0, 0.0], requires_grad=True)
    assert float(negative_entropy(m).detach()) == 0
    (gradient,) = torch.autograd.grad(negative_entropy(m), m)
    assert torch.isfinite(gradient).all()
    m = torch.tensor([0.3, 0.7], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(negative_entropy(m), m)
    assert torch.allclose(gradient, m.log() + 1)


@given(arrays(-30, 30))
def test_entropies_of_rows(z):
    Y = labels(z)
    expected = torch.distributions.Categorical(probs=Y).entropy()
    assert torch.allclose(entropies(Y), expected, atol=1e-9)


def test_the_entropy_of_a_hard_label_is_zero():
    assert entropies(torch.eye(3)).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("weight", [None, torch.tensor([0.5, 1.0, 1.5], dtype=torch.float64)])
def test_the_primary_loss_is_the_weighted_mean_over_samples(gamma, weight, smoothing):
    logits = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = torch.tensor([0, 3, 1])
    expected = weighted_mean(primary_losses(logits, y, gamma, smoothing), weight)
    found = classification_loss(logits, y, weight, gamma, smoothing)
    torch.testing.assert_close(found, expected)
    if smoothing == 0:  # unless told otherwise
        torch.testing.assert_close(classification_loss(logits, y, weight, gamma), expected)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_focal_losses_of_members_are_those_of_each(gamma):
    z = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    each = torch.stack([focal_losses(member, gamma) for member in z])
    torch.testing.assert_close(focal_losses(z, gamma), each, rtol=1e-12, atol=0)


@given(st.integers(2, 6), st.integers(2, 5), st.booleans(), st.integers(0, 999))
def test_mutual_information_is_that_of_sample_and_label(n, k, weighted, seed):
    """``sum_nk p(n) Y_nk log(Y_nk / m_k)``: the definition."""
    rng = torch.Generator().manual_seed(seed)
    Y = torch.softmax(3 * torch.randn(n, k, generator=rng, dtype=torch.float64), 1)
    weight = torch.rand(n, generator=rng, dtype=torch.float64) + 0.1 if weighted else None
    weight = None if weight is None else weight / weight.mean()
    p = torch.full((n,), 1 / n, dtype=torch.float64) if weight is None else weight / n
    m = (p[:, None] * Y).sum(0)
    expected = (p[:, None] * Y * torch.log(Y / m)).sum()
    assert float(mutual_information(Y, weight)) == pytest.approx(float(expected), abs=1e-12)


weighted_logits = arrays(-30, 30).flatmap(
    lambda z: st.tuples(
        st.just(z), hnp.arrays(np.float64, len(z), elements=st.floats(1e-3, 1e3)).map(torch.tensor)
    )
)


@given(weighted_logits)
def test_information_is_never_negative_whatever_the_batch_weighs(case):
    z, weight = case
    Y = labels(z)
    share = (weight / weight.sum()).numpy()
    m = share @ Y.numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.nan_to_num(share[:, None] * Y.numpy() * np.log(Y.numpy() / m))
    information = float(mutual_information(Y, weight))
    assert information >= -1e-12
    assert information == pytest.approx(terms.sum(), abs=1e-9)
    # Only the ratios of a batch's weights matter, and unit weights are none.
    assert float(mutual_information(Y, 7 * weight)) == pytest.approx(information, abs=1e-12)
    assert float(mutual_information(Y, torch.ones(len(Y), dtype=Y.dtype))) == float(
        mutual_information(Y, None)
    )


@pytest.mark.parametrize("heavy", [0.4, 1.0, 1.3])
def test_the_gradient_of_the_weighted_information_is_the_derivative(heavy):
    """``p_n (log Y_nk - log m_k)``, with ``p`` the weights divided by their sum."""
    rng = torch.Generator().manual_seed(0)
    Y = torch.softmax(2 * torch.randn(7, 4, generator=rng, dtype=torch.float64), 1)
    weight = heavy * (torch.rand(7, generator=rng, dtype=torch.float64) + 0.1)
    p = weight / weight.sum()
    expected = p[:, None] * (Y.log() - (p[:, None] * Y).sum(0).log())
    Y = Y.requires_grad_()
    (found,) = torch.autograd.grad(mutual_information(Y, weight), Y)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


def test_mutual_information_is_zero_for_equal_labels_and_log_k_for_sharp_even_ones():
    assert float(mutual_information(torch.full((4, 3), 1 / 3), None)) == pytest.approx(0, abs=1e-6)
    sharp = torch.eye(3, dtype=torch.float64, requires_grad=True)
    information = mutual_information(sharp, None)
    assert float(information.detach()) == pytest.approx(math.log(3))
    information.backward()
    assert torch.isfinite(sharp.grad).all()


@given(arrays(-3, 3), st.booleans())
def test_regularisers_are_the_entropy_of_the_mean_label_and_the_information(z, weighted):
    Y = labels(z)
    weight = torch.arange(1, len(z) + 1, dtype=torch.float64) if weighted else None
    assert set(REGULARISERS) == {"entropy_weight", "information_weight"}
    m = mean_label(Y, weight)
    assert float(REGULARISERS["entropy_weight"](Y, weight)) == float(negative_entropy(m))
    information = REGULARISERS["information_weight"](Y, weight)
    assert float(information) == -float(mutual_information(Y, weight))


def test_both_regularisers_are_least_for_labels_that_are_sharp_and_evenly_used():
    sharp, even, one = torch.eye(3), torch.full((3, 3), 1 / 3), torch.eye(3)[[0, 0, 0]]
    of_mean, of_labels = (
        [float(REGULARISERS[f"{name}_weight"](Y, None)) for Y in (sharp, even, one)]
        for name in ("entropy", "information")
    )
    assert of_mean == pytest.approx([-math.log(3), -math.log(3), 0], abs=1e-6)
    assert of_labels == pytest.approx([-math.log(3), 0, 0], abs=1e-6)


def test_regression_losses_are_means_over_targets_and_weights():
    outputs, target = torch.tensor([[0.0, 3.0], [0.5, 0.0]]), torch.zeros(2, 2)
    weight = torch.tensor([0.5, 1.5])
    squared = (0.5 * 4.5 + 1.5 * 0.125) / 2
    huber = (0.5 * 1.25 + 1.5 * 0.0625) / 2
    for name, expected in (("squared_error", squared), ("huber", huber)):
        assert float(regression_loss(outputs, target, weight, name)) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["squared_error", "huber"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_regression_loss_of_members_is_the_mean_of_theirs(weighted, name):
    rng = torch.Generator().manual_seed(0)
    outputs = 2 * torch.randn(3, 5, 2, generator=rng, dtype=torch.float64)
    target = torch.randn(5, 2, generator=rng, dtype=torch.float64)
    weight = torch.rand(5, generator=rng, dtype=torch.float64) + 0.1 if weighted else None
    each = [regression_loss(member, target, weight, name) for member in outputs]
    torch.testing.assert_close(
        regression_loss(outputs, target, weight, name), sum(each) / 3, rtol=1e-12, atol=0
    )


def test_values_of_members_are_averaged_and_those_of_one_network_are_not():
    values = torch.arange(24.0).reshape(2, 3, 4)
    assert torch.equal(over_members(values[0]), values[0])
    assert torch.equal(over_members(values), (values[0] + values[1]) / 2)
