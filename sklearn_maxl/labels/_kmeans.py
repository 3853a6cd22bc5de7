"""The paper's K-Means baseline: auxiliary labels are clusters within each class.

As there, what is clustered are the features of an autoencoder.
"""

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from .._data.data import Arrays, Samples, mean_one, moments
from .._environment.devices import resolve_device
from .._environment.threads import torch_threads
from ._autoencoder import Encoder, encoded, make_encoder, train_autoencoder
from ._sources import Ints, block_starts, resolve_psi

Floats = NDArray[np.float64]

# Samples of a class from which its centres are found. Centres of a random subset are
# closer to those of all samples than mini-batch k-means comes in the same time.
MAX_SAMPLES = 5000


class KMeansSource:
    """Cluster each class's samples, as an autoencoder sees them, into at most ``psi`` groups.

    The autoencoder and the centres are made from the first data seen; later data
    go to the nearest centre of their class.

    Parameters
    ----------
    psi : int, sequence of int, or mapping of class to int
    classes : array of shape (C,)
    build : callable
        ``input_shape -> torch.nn.Module``, the encoder's trunk.
    input_shape : tuple of int
    scaling : pair of arrays
        Mean and scale that standardise the samples.
    device : str
        Where the encoder is trained and evaluated; the CPU, if this device is missing later.
    n_threads : int or None
        Cores that torch uses.
    batch_size : int or "auto"
        Samples in a batch of the autoencoder's training.
    """

    def __init__(
        self,
        psi: Any,
        classes: NDArray[Any],
        *,
        build: Callable[[tuple[int, ...]], torch.nn.Module],
        input_shape: tuple[int, ...],
        scaling: tuple[Any, Any],
        device: str = "cpu",
        n_threads: int | None = 1,
        batch_size: int | str = "auto",
    ):
        self.psi = resolve_psi(psi, classes)
        self.make_encoder = partial(make_encoder, build, input_shape, scaling)
        self.device = device
        self.n_threads = n_threads
        self.batch_size = batch_size
        self.encoder: Encoder | None = None  # always on the CPU: pickles open on any machine
        self.feature_scaling: tuple[Floats, Floats] | None = None
        self.centres: dict[int, Floats] = {}

    def assign(self, arrays: Arrays, rng: np.random.RandomState) -> Ints:
        """Cluster of each sample within the block of its class; unseen classes are clustered."""
        with torch_threads(self.n_threads):
            if self.encoder is None:
                self._learn_features(arrays, rng)
            for i in sorted(set(np.unique(arrays.y).tolist()) - set(self.centres)):
                own = subset(arrays.take(np.flatnonzero(arrays.y == i)), rng)
                features = np.concatenate(list(self._features(own.X)))
                self.centres[i] = cluster_centres(features, self.psi[i], own.weight, rng)
        return self.nearest(arrays.X, arrays.y)

    def nearest(self, X: Any, y: Ints) -> Ints:
        """Label of the nearest centre of each sample's class."""
        for i in np.unique(y).tolist():
            if i not in self.centres:
                raise NotFittedError(f"No sample of class number {i} has been clustered yet.")
        labels, start = block_starts(self.psi)[y], 0
        with torch_threads(self.n_threads):
            for features in self._features(X):
                part = slice(start, start + len(features))
                labels[part] += nearest_centre(features, y[part], self.centres)
                start += len(features)
        return labels

    def _learn_features(self, arrays: Arrays, rng: np.random.RandomState) -> None:
        device = torch.device(self.device)
        encoder = self.make_encoder(rng.randint(2**31 - 1)).to(device)
        samples = Samples.from_arrays(arrays, device)
        train_autoencoder(encoder, samples.X, samples.weight, rng=rng, batch_size=self.batch_size)
        some = subset(arrays, rng)
        features = np.concatenate(list(encoded(encoder, some.X, device)))
        if not np.isfinite(features).all():
            raise ValueError(
                "The autoencoder of auxiliary='kmeans' diverged: its features are not finite. "
                "Use a backbone with normalisation layers or fewer layers."
            )
        self.feature_scaling = feature_moments(features, some.weight)
        self.encoder = encoder.cpu()

    def _features(self, X: NDArray[Any]) -> Iterator[Floats]:
        """What is clustered, of all samples, part by part."""
        assert self.encoder is not None
        assert self.feature_scaling is not None
        device = available(self.device)
        # A copy is moved, because another thread may be using the encoder.
        encoder = self.encoder if device.type == "cpu" else copy.deepcopy(self.encoder).to(device)
        for features in encoded(encoder, X, device):
            yield comparable(features, *self.feature_scaling)


def available(device: str) -> torch.device:
    """The device, or the CPU where it is missing: a pickle may be opened on another machine."""
    try:
        return resolve_device(device)
    except ValueError:
        return torch.device("cpu")


def subset(arrays: Arrays, rng: np.random.RandomState) -> Arrays:
    """A random part of the samples, of bounded size."""
    n = len(arrays.y)
    if n <= MAX_SAMPLES:
        return arrays
    return arrays.take(np.sort(rng.choice(n, MAX_SAMPLES, replace=False)))


def feature_moments(
    features: NDArray[np.float32], weight: NDArray[np.float64] | None
) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each feature; 1 where there is nothing but rounding."""
    mean, scale = moments(features, weight)
    size = np.sqrt(np.mean(features.astype(np.float64) ** 2))
    return mean, np.where(scale > 1e-5 * size, scale, 1.0)


def comparable(features: NDArray[np.float32], mean: Floats, scale: Floats) -> Floats:
    """Features between which distances mean something.

    They are standardised, because the decoder makes up for any scale, so that
    theirs is arbitrary. Then long rows are shortened to a length below 1: what an
    autoencoder learns for a few odd samples would else make clusters of their own.
    The last digits go, so that equal samples stay equal in batches of any size.
    """
    z = (features - mean) / scale
    length = np.sqrt(z.shape[1] / 4 + (z**2).sum(1, keepdims=True))
    return (z / length).round(5)


def cluster_centres(
    features: Floats, k: int, weight: NDArray[np.float64] | None, rng: np.random.RandomState
) -> Floats:
    """Centres of `k` clusters, or of one for each distinct row where there are fewer."""
    k = min(k, len(np.unique(features, axis=0)))
    model = KMeans(k, n_init=4, random_state=rng.randint(2**31 - 1))
    scaled = None if weight is None else mean_one(weight)
    # Several threads add up in the order in which they finish.
    with threadpool_limits(1, user_api="openmp"):
        return model.fit(features, sample_weight=scaled).cluster_centers_


def nearest_centre(features: Floats, y: Ints, centres: dict[int, Floats]) -> Ints:
    """Number of the nearest centre of each row's class."""
    nearest = np.empty(len(y), dtype=np.int64)
    for i in np.unique(y).tolist():
        own, c = y == i, centres[i]
        nearest[own] = ((c**2).sum(1) - 2 * features[own] @ c.T).argmin(1)
    return nearest
