"""The autoencoder whose features are clustered."""

import numpy as np
import pytest
import torch
from networks import FunctionalDropout
from torch import nn

from sklearn_maxl._data.arrays import moments
from sklearn_maxl._data.samples import Samples
from sklearn_maxl._networks.trunk import Frame
from sklearn_maxl.backbones import MLP, ConvNet
from sklearn_maxl.labels._autoencoder import (
    MAX_STEPS,
    MIN_STEPS,
    Autoencoder,
    batches,
    coarse,
    coarse_shape,
    encoded,
    make_encoder,
    train_autoencoder,
)


def trained(X, build, seed=0, weight=None, **params):
    """Encoder and errors after training on an array."""
    encoder = make_encoder(Frame(build, X.shape[1:], moments(X, None)), seed)
    rng = np.random.RandomState(seed)
    samples = Samples(torch.from_numpy(X), torch.zeros(len(X), dtype=torch.int64), weight)
    return encoder, train_autoencoder(encoder, samples, rng=rng, **params)


def features(encoder, X):
    return np.concatenate(list(encoded(encoder, X)))


@pytest.fixture
def rows():
    """A table: (60, 6), float64, of rank 2, with features of very different sizes."""
    rng = np.random.RandomState(0)
    return rng.randn(60, 2) @ rng.randn(2, 6) * 10.0 ** np.arange(-3, 3)


def dropped_out(shape):
    return nn.Sequential(MLP((16,)).build(shape), FunctionalDropout())


BUILDERS = {
    "mlp": MLP((20,)).build,
    "dropout": MLP((20,), dropout=0.3).build,
    "functional dropout": dropped_out,
    "convnet": ConvNet((4, 8)).build,
    "convnet, dropout": ConvNet((4,), dropout=0.2).build,
    "no parameters": lambda shape: nn.Flatten(),
}
every_builder = pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)


def test_the_reconstruction_error_falls_on_a_table(rows):
    _, errors = trained(rows, MLP((20,)).build)
    assert errors[:5].mean() > 0.7  # of standardised values
    assert errors[-5:].mean() < 0.1


def test_the_reconstruction_error_falls_on_images(images):
    _, errors = trained(images[0], ConvNet((8, 16)).build)
    assert errors[-5:].mean() < 0.5 * errors[:5].mean()


@every_builder
def test_the_same_seed_gives_the_same_bits_and_no_global_state_changes(images, build):
    X = images[0][:40]
    before = torch.get_rng_state()
    one, errors = trained(X, build)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(5)
    other, again = trained(X, build)
    np.testing.assert_array_equal(again, errors)
    np.testing.assert_array_equal(features(other, X), features(one, X))
    assert (trained(X, build, seed=1)[1] != errors).any()


@every_builder
@pytest.mark.parametrize("n", [2, 3, 33])
def test_few_samples(images, build, n):
    encoder, errors = trained(images[0][:n], build)
    assert np.isfinite(errors).all()
    assert len(errors) >= MIN_STEPS
    assert np.isfinite(features(encoder, images[0])).all()


@pytest.mark.parametrize("build", [MLP((5,)).build, ConvNet((4,)).build])
def test_a_single_sample_trains_nothing(images, build):
    encoder, errors = trained(images[0][:1], build)
    assert len(errors) == 0
    assert not encoder.training
    assert features(encoder, images[0][:1]).shape == (1, encoder.n_features)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_any_dtype_and_constant_features(dtype):
    X = np.arange(40, dtype=dtype).reshape(10, 4) * np.array([1, 0, 2, 0], dtype)
    encoder, errors = trained(X, MLP((8,)).build)
    assert errors[-1] < errors[0]
    assert features(encoder, X).dtype == np.float32


def test_training_leaves_an_encoder_in_eval_mode_without_gradients(images):
    encoder, _ = trained(images[0][:40], ConvNet((4,), dropout=0.5).build)
    assert not any(module.training for module in encoder.modules())
    assert all(p.grad is None for p in encoder.parameters())
    X = images[0][:40]
    alone = np.concatenate([features(encoder, X[i : i + 1]) for i in range(40)])
    np.testing.assert_allclose(alone, features(encoder, X), atol=1e-5)


def test_frozen_parameters_stay(rows):
    def build(shape):
        trunk = MLP((8,)).build(shape)
        trunk[0].bias.requires_grad_(False)
        return trunk

    encoder, _ = trained(rows, build)
    start = make_encoder(Frame(build, rows.shape[1:], moments(rows, None)), 0)
    assert torch.equal(encoder.trunk[0].bias, start.trunk[0].bias)
    assert not torch.equal(encoder.trunk[0].weight, start.trunk[0].weight)


def test_unit_weights_are_no_weights_and_others_count(rows):
    build = MLP((2,)).build
    _, without = trained(rows, build)
    _, unit = trained(rows, build, weight=torch.ones(60))
    np.testing.assert_array_equal(unit, without)
    other = rows.copy()
    other[30:] = np.random.RandomState(1).randn(30, 6) * rows.std(0)
    weight = torch.tensor([2.0, 0.0]).repeat_interleave(30)
    encoder, _ = trained(other, build, weight=weight)
    plain, _ = trained(other, build)
    assert error_on(encoder, other[:30]) < error_on(plain, other[:30])


def error_on(encoder, X):
    """Squared error of the best linear reconstruction from the features."""
    H = np.c_[features(encoder, X), np.ones(len(X))]
    Z = X / X.std(0)
    return np.sum((H @ np.linalg.lstsq(H, Z, rcond=None)[0] - Z) ** 2)


def test_the_error_is_that_of_each_sample(rows):
    encoder = make_encoder(Frame(MLP((4,)).build, (6,), moments(rows, None)), 0)
    model = Autoencoder(encoder, (6,)).eval()
    with torch.no_grad():
        model.decoder.weight.zero_()
        model.decoder.bias.zero_()
        errors = model(torch.from_numpy(rows)).numpy()
    standardised = (rows - rows.mean(0)) / rows.std(0)
    squeezed = standardised / np.sqrt(1 + (standardised / 3) ** 2)
    np.testing.assert_allclose(errors, (squeezed**2).mean(1), rtol=1e-5)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((7,), (7,)),
        ((100,), (100,)),
        ((2, 64), (2, 32)),
        ((3, 8, 8), (3, 8, 8)),
        ((3, 64, 8), (3, 32, 8)),
        ((1, 100, 33), (1, 32, 32)),
        ((1, 4, 40, 5), (1, 4, 32, 5)),
    ],
)
def test_large_sides_are_averaged(shape, expected):
    x = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    assert coarse_shape(shape) == expected
    pooled = coarse(x)
    assert pooled.shape == (2, *expected)
    if len(shape) == 3:
        reference = nn.functional.adaptive_avg_pool2d(x, expected[1:])
        torch.testing.assert_close(pooled, reference)
    if shape == expected:
        assert torch.equal(pooled, x)


def test_a_large_image_has_a_small_decoder():
    encoder = make_encoder(Frame(ConvNet((4,)).build, (3, 200, 150), (0.0, 1.0)), 0)
    decoder = Autoencoder(encoder, (3, 200, 150)).decoder
    assert decoder.out_features == 3 * 32 * 32


@pytest.mark.parametrize(
    ("n", "n_steps"),
    [(2, MIN_STEPS), (3, MIN_STEPS), (10, MIN_STEPS), (4000, 320), (50_000, MAX_STEPS)],
)
def test_the_number_of_steps_is_bounded(n, n_steps):
    steps = list(batches(n, np.random.RandomState(0)))
    assert len(steps) == n_steps
    assert min(map(len, steps)) >= 2
    if n == 4000:
        epochs = np.concatenate(steps).reshape(10, n)
        assert (np.sort(epochs) == np.arange(n)).all()
        assert (epochs[0] != epochs[1]).any()


class Widest(nn.Module):
    """Notes the largest batch that it sees."""

    seen = 0

    def forward(self, x):
        type(self).seen = max(self.seen, len(x))
        return x.flatten(1)[:, :3]


def test_features_are_computed_in_parts():
    X = np.zeros((600, 1, 64, 64), np.uint8)
    encoder = make_encoder(Frame(lambda shape: Widest(), X.shape[1:], (0.0, 1.0)), 0)
    parts = list(encoded(encoder, X))
    assert Widest.seen == 128  # 2**19 values
    assert sum(map(len, parts)) == 600


def test_a_table_in_float64_keeps_its_digits():
    X = 1.6e9 + np.random.RandomState(0).rand(50, 1)  # time stamps within one second
    encoder, errors = trained(X, MLP((8,)).build)
    assert errors[-1] < 0.5 * errors[0]
    assert len(np.unique(features(encoder, X), axis=0)) == 50
