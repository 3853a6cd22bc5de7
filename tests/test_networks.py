"""The two networks, the mask and the helpers that build them."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from networks import QUARTER_TURNS, TRUNKS, FunctionalDropout, make_batch, make_networks
from torch import nn

from sklearn_maxl._networks.label_generator import make_label_generator, masked_softmax
from sklearn_maxl._networks.multi_task import make_multi_task_net
from sklearn_maxl._networks.trunk import (
    LIMIT,
    BackboneError,
    Frame,
    Standardize,
    build_trunk,
    draws_random_numbers,
)
from sklearn_maxl._tasks.auxiliary import Hierarchy

PSI = np.array([2, 1, 3])
MASK = torch.as_tensor(Hierarchy(PSI).mask)
logits_and_classes = st.integers(1, 8).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float32, (n, 6), elements=st.floats(-1e4, 1e4, width=32)),
        hnp.arrays(np.int64, n, elements=st.integers(0, 2)),
    )
)


@given(logits_and_classes)
def test_masked_softmax_puts_all_mass_in_the_block(drawn):
    z = torch.as_tensor(drawn[0]).requires_grad_()
    mask = MASK[torch.as_tensor(drawn[1])]
    Y = masked_softmax(z, mask)
    assert torch.equal(Y[~mask], torch.zeros(int((~mask).sum())))
    assert torch.allclose(Y.sum(1), torch.ones(len(Y)), atol=1e-6)
    (gradient,) = torch.autograd.grad((Y * torch.arange(6.0)).sum(), z)
    assert torch.isfinite(gradient).all()
    assert torch.count_nonzero(gradient[~mask]) == 0


def test_masked_softmax_is_the_softmax_of_the_block():
    z = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    Y = masked_softmax(z, MASK)
    for i, block in enumerate([slice(0, 2), slice(2, 3), slice(3, 6)]):
        assert torch.allclose(Y[i, block], torch.softmax(z[i, block], 0))


@pytest.mark.parametrize("scale", [1.0, 1e30])
def test_the_generator_keeps_to_the_block_whatever_its_logits(scale):
    _, g = make_networks("mlp", [2, 1, 3], torch.float32)
    batch = make_batch(9, dtype=torch.float32)
    with torch.no_grad():
        g.head.weight.mul_(scale)
    Y = g(batch.x, batch.y)
    assert torch.count_nonzero(Y[~MASK[batch.y]]) == 0
    assert torch.allclose(Y.sum(1), torch.ones(9))
    assert torch.isfinite(Y).all()


def test_uniform_labels_share_the_block_evenly():
    f, _ = make_networks("mlp", [2, 1, 3])
    third = 1 / 3
    expected = [[0.5, 0.5, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0, 0, 0, third, third, third]]
    assert torch.allclose(f.labels_at(torch.arange(3), None), torch.tensor(expected))


def test_uniform_labels_share_the_block_of_a_view_evenly():
    f, _ = make_networks("mlp", [2, 1, 3], views=QUARTER_TURNS)
    Y = f.labels_at(torch.arange(12), None)
    sizes = torch.tensor([2, 1, 3]).repeat_interleave(4)
    assert torch.equal(Y > 0, torch.from_numpy(np.repeat(np.eye(12), sizes, 1) > 0))
    assert torch.allclose(Y.sum(1), torch.ones(12))
    assert torch.allclose(Y.max(1).values, 1 / sizes)


@pytest.mark.parametrize("views", [None, QUARTER_TURNS])
def test_labels_at_a_position_are_one_hot_in_the_block(views):
    f, _ = make_networks("mlp", [2, 1, 3], views=views)
    sizes = np.repeat([2, 1, 3], 4 if views else 1)
    blocks = torch.from_numpy(np.repeat(np.arange(len(sizes)), sizes))
    positions = torch.cat([torch.arange(n) for n in sizes])
    Y = f.labels_at(blocks, positions)
    assert Y.dtype == torch.float32
    assert torch.equal(Y, torch.eye(sizes.sum()))  # every auxiliary class once, in order


def test_every_view_of_the_multi_task_net_shares_one_trunk():
    f, _ = make_networks("mlp")
    x = make_batch().x
    primary, auxiliary = f(x)
    assert torch.equal(f.primary(x), primary)
    assert torch.equal(f.primary_head(f.transform(x)), primary)
    assert torch.equal(f.auxiliary(x), torch.softmax(auxiliary, 1))
    without = make_multi_task_net(Frame(lambda s: nn.Flatten(), (4,), (0.0, 1.0)), 3, None)
    assert without(torch.zeros(2, 4))[1] is None
    assert without.mask is None


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64, torch.int64])
def test_standardize_takes_any_type(dtype):
    standardize = Standardize(torch.tensor([2.0, 100.0]), torch.tensor([2.0, 50.0]))
    assert standardize(torch.tensor([[0, 200]], dtype=dtype)).tolist() == [[-1.0, 2.0]]


def limited(x, limit, mean=0.0, scale=1.0):
    """Values of one feature, standardised."""
    of = Standardize(torch.tensor([mean]).double(), torch.tensor([scale]).double(), limit)
    return of(torch.tensor(x).double().reshape(-1, 1)).flatten()


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20),
    st.floats(0.1, 10),
    st.floats(-5, 5),
    st.floats(0.01, 100),
)
@example([0.0, -8.873110579621383e-16], 0.5, 1.0, 0.34375)
def test_a_limit_squeezes_smoothly(values, limit, mean, scale):
    x = sorted(values)
    plain, squeezed = (limited(x, one, mean, scale) for one in (None, limit))
    assert (squeezed.abs() <= limit).all()
    rounding = 2 * torch.finfo(torch.float64).eps * limit
    assert (squeezed.diff() >= -rounding).all()
    assert (squeezed.abs() <= plain.abs()).all()
    assert torch.equal(squeezed.sign(), plain.sign())
    ratio = plain / limit  # what is near the mean hardly changes: z (1 - z^2 / 2 + ...)
    near = ratio.abs() < 0.1
    assert torch.allclose(squeezed[near], (plain * (1 - ratio**2 / 2))[near], rtol=1e-4)
    assert torch.allclose(squeezed**-2, plain**-2 + limit**-2)


def test_a_limit_keeps_apart_what_is_far_and_is_never_reached_before():
    x = np.linspace(-1e3, 1e3, 2001)
    z = limited(x.tolist(), 3.0)
    assert (z.diff() > 0).all()
    assert z.abs().max() < 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1e30, 3.4e38, 1e300, 1.7e308])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_a_limit_makes_any_number_finite(dtype, size, scale):
    x = torch.tensor([[-size], [0.0], [size]], dtype=torch.float64)
    if not x.to(dtype).isfinite().all():
        size = torch.finfo(dtype).max
        x = torch.tensor([[-size], [0.0], [size]])
    of = Standardize(torch.zeros(1).double(), torch.tensor([scale]).double(), 3.0)
    z = of(x.to(dtype)).flatten()
    assert torch.isfinite(z).all()
    expected = min(size / scale, 1e15)
    expected = 3 * expected / (9 + expected**2) ** 0.5
    assert torch.allclose(z, torch.tensor([-expected, 0.0, expected]).to(z))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9))
def test_without_a_limit_values_stay_as_they_are(values):
    assert torch.equal(limited(values, None, 2.0, 4.0), (torch.tensor(values).double() - 2) / 4)


@pytest.mark.parametrize(
    ("shape", "limit"), [((4,), LIMIT), ((1, 4, 4), None), ((2, 9), None), ((2, 2, 2, 2), None)]
)
def test_tables_have_a_limit_and_nothing_else(shape, limit):
    standardize, _, _ = Frame(lambda s: nn.Flatten(), shape, (np.zeros(1), np.ones(1))).make()
    assert standardize.limit == limit


def test_raw_inputs_have_no_limit():
    trunk = nn.Flatten()
    trunk.raw_inputs = True
    standardize, _, _ = Frame(lambda s: trunk, (4,), (np.ones(4), np.full(4, 2.0))).make()
    x = torch.tensor([[100.0, 0.0, -1e6, 3.0]])
    assert torch.equal(standardize(x), x.double())


def test_a_trunk_is_a_copy_in_eval_mode_with_untouched_statistics():
    original = TRUNKS["conv"]()
    trunk, n_features = build_trunk(lambda shape: original, (1, 4, 4), "backbone")
    assert n_features == 12
    assert original.training
    assert int(trunk[1].num_batches_tracked) == 0
    with torch.no_grad():
        trunk[0].weight.zero_()
    assert torch.count_nonzero(original[0].weight) > 0


def test_lazy_layers_take_their_shapes_from_the_dry_run():
    trunk, n_features = build_trunk(lambda s: nn.LazyLinear(5), (7,), "backbone")
    assert (n_features, trunk.weight.shape) == (5, (5, 7))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda s: "no module", "'str'"),
        (lambda s: nn.Linear(3, 2), "can't take samples of shape"),
        (lambda s: nn.Identity(), r"became \(2, 1, 4, 4\)"),
        (lambda s: nn.Flatten(0), r"became \(32,\)"),
        (lambda s: nn.LSTM(4, 2), "backbone"),
    ],
)
def test_what_is_no_backbone_is_refused_in_words(build, message):
    with pytest.raises(BackboneError, match=message):
        build_trunk(build, (1, 4, 4), "backbone")


def test_makers_build_networks_that_fit_together():
    build = lambda shape: nn.Sequential(nn.Flatten(), nn.LazyLinear(5))  # noqa: E731
    x, y = torch.randint(0, 255, (4, 1, 2, 2), dtype=torch.uint8), torch.tensor([0, 1, 2, 2])
    scaling = np.full((1, 1, 1), 128, np.float32), np.full((1, 1, 1), 64, np.float32)
    frame = Frame(build, (1, 2, 2), scaling)
    f = make_multi_task_net(frame, 3, Hierarchy(PSI))
    g = make_label_generator(frame, Hierarchy(PSI))
    assert [z.shape for z in f(x)] == [(4, 3), (4, 6)]
    assert g(x, y).shape == (4, 6)
    assert f.n_features == g.n_features == 5
    assert {"standardize.mean", "standardize.scale", "mask"} <= f.state_dict().keys()


def test_a_backbone_that_fails_is_called_by_the_frames_name():
    frame = Frame(lambda s: nn.Identity(), (1, 2, 2), (0.0, 1.0), "generator")
    with pytest.raises(BackboneError, match=r"^generator must map"):
        make_label_generator(frame, Hierarchy(PSI))


RANDOM = {
    "nn.Dropout": (nn.Dropout(0.5), True),
    "functional dropout": (FunctionalDropout(), True),
    "deep inside": (nn.Sequential(nn.Linear(6, 6), nn.Sequential(nn.AlphaDropout(0.1))), True),
    "RReLU": (nn.RReLU(), True),
    "dropout of nothing": (nn.Dropout(0.0), False),
    "BatchNorm": (nn.BatchNorm1d(6), False),
    "linear": (nn.Linear(6, 6), False),
}


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("training", [True, False])
def test_random_layers_are_found_and_nothing_changes(name, training):
    module, expected = copy.deepcopy(RANDOM[name])
    module.train(training)
    before, state = copy.deepcopy(module.state_dict()), torch.get_rng_state()
    assert draws_random_numbers(module, torch.randn(2, 6, generator=torch.Generator())) is expected
    assert torch.equal(torch.get_rng_state(), state)
    assert all(m.training is training for m in module.modules())
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    assert all(p.grad is None for p in module.parameters())
