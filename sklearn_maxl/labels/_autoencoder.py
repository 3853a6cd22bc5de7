"""Learned representation of unlabelled samples: an autoencoder around any trunk.

The trunk is the encoder, so that the features are of the kind that the
multi-task network has; one linear layer decodes them.
"""

import math
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import chain, count, islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from .._data.batches import batch_size_for, batch_sizes
from .._data.on_disk import OnDisk
from .._data.samples import Samples, rows_at_once
from .._data.scalars import Scalars
from .._environment.interrupts import let_through
from .._environment.random_state import isolated_rng
from .._maths.at_parameters import parameters_of
from .._networks.trunk import Frame, Network, draws_random_numbers

# Ten epochs: more reconstruct better, but their features form no better clusters. At
# least 200 steps, because small data have few in an epoch; at most 1000, so that the
# share of the whole fit stays small on large data.
EPOCHS = 10
MIN_STEPS = 200
MAX_STEPS = 1000

# Larger images are reconstructed coarsely, so that the decoder does not outgrow the trunk.
MAX_SIDE = 32


class Autoencoder(nn.Module):
    """Encoder and linear decoder: ``x -> mean squared error of each sample``, shape (n,)."""

    def __init__(self, encoder: Network, input_shape: tuple[int, ...]):
        super().__init__()
        self.encoder = encoder
        self.decoder = nn.Linear(encoder.n_features, math.prod(coarse_shape(input_shape)))

    def forward(self, x: Tensor) -> Tensor:
        z = self.encoder.prepare(x).to(self.decoder.weight.device)
        decoded = self.decoder(self.encoder.features(z))
        return (decoded - coarse(z).flatten(1)).square().mean(1)


def make_encoder(frame: Frame, seed: int) -> Network:
    """The encoder with fresh weights, on the CPU."""
    with isolated_rng(seed, torch.device("cpu")):
        return Network(*frame.make())


def train_autoencoder(
    encoder: Network,
    samples: Samples,
    *,
    rng: np.random.RandomState,
    lr: float = 1e-3,
) -> NDArray[np.float64]:
    """Train an encoder to keep what it takes to reconstruct its input; its weights change.

    Parameters
    ----------
    encoder : Network
        On the device of the samples and in eval mode afterwards.
    samples : Samples
    rng : numpy.random.RandomState
        Where everything random comes from.
    lr : float
        Of Adam.

    Returns
    -------
    array of shape (n_steps,)
        Mean squared error of each batch. Empty for a single sample, which there is
        nothing to tell from.
    """
    errors, device = Scalars(), samples.device
    if len(samples) > 1:
        with isolated_rng(rng.randint(2**31 - 1), torch.device("cpu")):
            model = Autoencoder(encoder, tuple(samples.X.shape[1:])).to(device).train()
        optimizer = torch.optim.Adam(parameters_of(model).values(), lr=lr, fused=True)
        stochastic = draws_random_numbers(model, samples.two().x)
        for index in batches(len(samples), rng):
            let_through()
            batch = samples.batch(torch.from_numpy(index).to(samples.y.device))
            seed = rng.randint(2**31 - 1)
            with isolated_rng(seed, device) if stochastic else nullcontext():
                error = model(batch.x)
            error = (error if batch.weight is None else batch.weight * error).mean()
            optimizer.zero_grad()
            error.backward()
            optimizer.step()
            errors.append(error.detach())
        optimizer.zero_grad()
    encoder.to(device).eval()
    return errors.all().cpu().double().numpy()


def batches(n: int, rng: np.random.RandomState) -> Iterator[NDArray[np.int64]]:
    """Indices of the samples of each step, shuffled anew in each epoch; never a single one."""
    size = max(2, batch_size_for(n))
    ends = np.cumsum(batch_sizes(n, size))[:-1]
    epochs = (np.split(rng.permutation(n), ends) for _ in count())
    first = next(epochs)
    n_steps = min(max(EPOCHS * len(first), MIN_STEPS), MAX_STEPS)
    return islice(chain(first, chain.from_iterable(epochs)), n_steps)


def coarse_shape(input_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of what is reconstructed: a table's row as it is, else sides of at most 32."""
    return input_shape[:1] + tuple(min(MAX_SIDE, side) for side in input_shape[1:])


def coarse(x: Tensor) -> Tensor:
    """Average over the sides (not the channels) of samples, to `coarse_shape`."""
    sides = coarse_shape(tuple(x.shape[1:]))[1:]
    return F.interpolate(x, sides, mode="area") if sides != tuple(x.shape[2:]) else x


def encoded(encoder: Network, X: np.ndarray | OnDisk) -> Iterator[np.ndarray]:
    """Features of all samples, part by part, so that large data need little memory."""
    size = rows_at_once(X.shape[1:])
    for start in range(0, len(X), size):
        let_through()
        with torch.inference_mode():
            features = encoder.transform(torch.from_numpy(X[start : start + size])).cpu().numpy()
        yield features  # not within the block, which would hold for the caller too
