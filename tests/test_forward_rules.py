"""The rules for forward mode against torch's own, and against finite differences."""

from contextlib import nullcontext

import pytest
import torch
from torch.autograd import forward_ad
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from sklearn_maxl._maths.forward_rules import RULES, FastForwardRules

# torch's forward mode scripts a table when it is first used.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")

SHAPES = [(9, 3), (6, 3, 5), (4, 3, 5, 2)]
MOVED = ["x", "a", "b"]


def tensors(shape):
    rng = torch.Generator().manual_seed(1)

    def draw(*size):
        return torch.randn(*size, generator=rng, dtype=torch.float64)

    return (
        {"x": draw(*shape) + 3, "a": draw(3), "b": draw(3)},
        {"x": draw(*shape), "a": draw(3), "b": draw(3)},
    )


def derivative(values, tangents, moved, mode, affine=True, training=True):
    statistics = torch.full((3,), 0.5).double(), torch.full((3,), 2.0).double()
    with torch.no_grad(), forward_ad.dual_level(), mode:
        duals = {
            n: forward_ad.make_dual(v, tangents[n]) if n in moved else v for n, v in values.items()
        }
        weights = (duals["a"], duals["b"]) if affine else (None, None)
        out = F.batch_norm(duals["x"], *statistics, *weights, training, 0.1, 1e-5)
        return *forward_ad.unpack_dual(out), statistics


@pytest.mark.parametrize("moved", [MOVED, ["x"], ["a"], ["b"], ["x", "b"], ["a", "b"]])
@pytest.mark.parametrize("shape", SHAPES)
def test_batch_norm_is_torchs_own_to_rounding(shape, moved):
    y, dy, _ = derivative(*tensors(shape), moved, FastForwardRules())
    expected_y, expected, _ = derivative(*tensors(shape), moved, nullcontext())
    assert torch.equal(y, expected_y)
    torch.testing.assert_close(dy, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_batch_norm_is_a_difference_quotient(shape):
    values, tangents = tensors(shape)
    _, dy, _ = derivative(values, tangents, MOVED, FastForwardRules())

    def at(epsilon):
        x, a, b = (values[n] + epsilon * tangents[n] for n in MOVED)
        return F.batch_norm(x, None, None, a, b, True)

    torch.testing.assert_close(dy, (at(1e-6) - at(-1e-6)) / 2e-6, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("affine", "training"), [(False, True), (True, False)])
def test_batch_norm_without_weights_or_with_fixed_statistics(affine, training):
    values, tangents = tensors(SHAPES[2])
    moved = MOVED if affine else ["x"]
    got = derivative(values, tangents, moved, FastForwardRules(), affine, training)
    expected = derivative(values, tangents, moved, nullcontext(), affine, training)
    torch.testing.assert_close(got[1], expected[1], rtol=1e-11, atol=1e-12)


def test_batch_norm_without_a_tangent_is_left_to_torch():
    x = torch.randn(4, 3)
    mean = torch.zeros(3)
    with FastForwardRules():
        y = F.batch_norm(x, mean, torch.ones(3), training=True)
    assert torch.equal(y, F.batch_norm(x, None, None, training=True))
    assert mean.abs().max() > 0  # running statistics move as ever
    assert set(RULES) == {F.batch_norm}


@pytest.mark.parametrize("settings", [{}, {"momentum": 0.3, "eps": 0.2}])
@pytest.mark.parametrize("training", [{}, {"training": False}, {"training": True}])
@pytest.mark.parametrize("moved", [True, False])
def test_what_batch_norm_is_told_or_not_means_what_it_means_to_torch(moved, training, settings):
    values, tangents = tensors(SHAPES[0])
    found = []
    for mode in (FastForwardRules(), nullcontext()):
        mean, variance = torch.full((3,), 0.5).double(), torch.full((3,), 2.0).double()
        with torch.no_grad(), forward_ad.dual_level(), mode:
            x = forward_ad.make_dual(values["x"], tangents["x"]) if moved else values["x"]
            y, dy = forward_ad.unpack_dual(F.batch_norm(x, mean, variance, **training, **settings))
        found.append((y, dy, None if moved else mean, None if moved else variance))
    torch.testing.assert_close(*found, rtol=1e-11, atol=1e-12)


def test_the_memory_layout_of_images_is_kept():
    values, tangents = tensors((4, 3, 5, 2))
    for part in (values, tangents):
        part["x"] = part["x"].contiguous(memory_format=torch.channels_last)
    y, dy, _ = derivative(values, tangents, MOVED, FastForwardRules())
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert dy.is_contiguous(memory_format=torch.channels_last)


class Passes(TorchDispatchMode):
    """Counts the operators that run."""

    def __init__(self):
        super().__init__()
        self.n = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.n += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("moved", [MOVED, ["x"], ["a"], ["b"]])
def test_batch_norm_takes_fewer_passes_than_torchs_own(moved):
    counts = []
    for mode in (FastForwardRules(), nullcontext()):
        with Passes() as passes:
            derivative(*tensors(SHAPES[2]), moved, mode)
        counts.append(passes.n)
    assert counts[0] < counts[1]
