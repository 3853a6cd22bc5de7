"""The paper's K-Means baseline: auxiliary labels are clusters within each class.

As there, what is clustered are the features of an autoencoder.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Self

import numpy as np
import sklearn.cluster
import torch
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from .._data.arrays import Arrays, mean_one, moments
from .._data.on_disk import OnDisk
from .._data.samples import Samples
from .._environment.devices import available
from .._environment.interrupts import let_through
from .._environment.stored_arrays import finite, positive
from .._environment.threads import torch_threads
from .._networks.rebuilt import has_layout, rebuilt
from .._networks.trunk import Network
from .._tasks.auxiliary import Hierarchy, Ints
from ._autoencoder import encoded, make_encoder, train_autoencoder
from ._labels import LabelInput, Labels

Floats = NDArray[np.float64]

# Samples of a class from which its centres are found. Centres of a random subset are
# closer to those of all samples than mini-batch k-means comes in the same time.
MAX_SAMPLES = 5000


class KMeans(Labels):
    """Clusters within each class, as an autoencoder sees the samples: the paper's "K-Means".

    The autoencoder and the centres are made from the first data seen; later data
    go to the nearest centre of their class. Its trunk is of the kind of the estimator's
    `backbone`.

    Examples
    --------
    >>> from sklearn_maxl import MAXLClassifier
    >>> from sklearn_maxl.labels import KMeans
    >>> MAXLClassifier(auxiliary=KMeans())
    MAXLClassifier(auxiliary=KMeans())
    """

    encoder_: Network | None  # always on the CPU: pickles open on any machine
    feature_scaling_: tuple[Floats, Floats]
    centres_: dict[int, Floats]

    def fit(self, task: LabelInput) -> Self:
        # Only what makes the autoencoder: it learns from the samples that are trained on.
        self._prepare(task)
        return super().fit(task)

    def _prepare(self, task: LabelInput) -> None:
        self._frame, self._device, self._n_threads = task.frame, task.device, task.n_threads
        self.encoder_, self.centres_ = None, {}

    def assign(self, rows: Arrays, rng: np.random.RandomState) -> Ints:
        with torch_threads(self._n_threads):
            if self.encoder_ is None:
                self._learn_features(rows, rng)
            for i in sorted(set(np.unique(rows.y).tolist()) - set(self.centres_)):
                let_through()
                own = subset(rows.take(np.flatnonzero(rows.y == i)), rng)
                features = np.concatenate(list(self._features(own.X)))
                self.centres_[i] = cluster_centres(features, self.psi_[i], own.weight, rng)
        return self._nearest(rows.X, rows.y)

    def soft_labels(self, X: np.ndarray | OnDisk, y: Ints) -> NDArray[np.float32]:
        """One-hot labels of the nearest centre of each sample's class.

        Parameters
        ----------
        X : array of shape (n, ...)
            Samples.
        y : array of shape (n,), int
            Numbers of their classes.

        Returns
        -------
        array of shape (n, sum of `psi_`), float32
            All mass of a label lies in the block of the sample's class.
        """
        return Hierarchy(self.psi_).one_hot(y, self._nearest(X, y))

    def state(self) -> dict[str, object]:
        assert self.encoder_ is not None
        weights = {f"encoder.{k}": v.numpy() for k, v in self.encoder_.state_dict().items()}
        mean, scale = self.feature_scaling_
        centres = {f"centres.{i}": centres for i, centres in self.centres_.items()}
        return {
            "channels_last": has_layout(self.encoder_),
            "feature_mean": mean,
            "feature_scale": scale,
            **centres,
            **weights,
        }

    def restore(self, state: Mapping[str, object], task: LabelInput) -> None:
        self._prepare(task)
        stored = dict(state)
        channels_last = stored.pop("channels_last", None)
        mean, scale = stored.pop("feature_mean", None), stored.pop("feature_scale", None)
        if not isinstance(channels_last, bool) or not isinstance(mean, np.ndarray):
            raise ValueError("its clusters are not those of an autoencoder's features")
        self.feature_scaling_ = finite(mean, mean.shape[:1]), positive(scale, mean.shape[:1])
        for i, psi in enumerate(self.psi_.tolist()):
            centres = stored.pop(f"centres.{i}", None)  # none, if no sample was seen yet
            if centres is None:
                continue
            n = len(centres) if isinstance(centres, np.ndarray) and centres.ndim else 0
            if not 1 <= n <= psi:
                raise ValueError(f"class number {i} has {n} centres, but psi is {psi}")
            self.centres_[i] = finite(centres, (n, len(mean)))
        weights = {
            name.removeprefix("encoder."): torch.as_tensor(value)
            for name, value in stored.items()
            if name.startswith("encoder.") and isinstance(value, np.ndarray)
        }
        if len(weights) < len(stored):
            raise ValueError(f"its clusters have the unknown parts {sorted(stored)[:3]}")
        self.encoder_ = rebuilt(
            lambda: make_encoder(self._frame, 0), self._frame, weights, "encoder", channels_last
        )
        if len(mean) != self.encoder_.n_features:
            raise ValueError("its centres are not of features of its encoder")

    def _nearest(self, X: np.ndarray | OnDisk, y: Ints) -> Ints:
        """Position of the nearest centre of each sample's class."""
        for i in np.unique(y).tolist():
            if i not in self.centres_:
                raise NotFittedError(f"No sample of class number {i} has been clustered yet.")
        positions, start = np.zeros(len(y), dtype=np.int64), 0
        with torch_threads(self._n_threads):
            for features in self._features(X):
                part = slice(start, start + len(features))
                positions[part] = nearest_centre(features, y[part], self.centres_)
                start += len(features)
        return positions

    def _learn_features(self, rows: Arrays, rng: np.random.RandomState) -> None:
        device = torch.device(self._device)
        encoder = make_encoder(self._frame, rng.randint(2**31 - 1))
        train_autoencoder(encoder, Samples.from_arrays(rows, device), rng=rng)
        some = subset(rows, rng)
        features = np.concatenate(list(encoded(encoder, some.X)))
        if not np.isfinite(features).all():
            raise ValueError(
                "The autoencoder of auxiliary='kmeans' diverged: its features are not finite. "
                "Use a backbone with normalisation layers or fewer layers."
            )
        self.feature_scaling_ = feature_moments(features, some.weight)
        self.encoder_ = encoder.cpu()

    def _features(self, X: np.ndarray | OnDisk) -> Iterator[Floats]:
        """What is clustered, of all samples, part by part."""
        assert self.encoder_ is not None
        device = available(self._device)
        # A copy is moved, because another thread may be using the encoder.
        encoder = self.encoder_
        if device.type != "cpu":
            encoder = copy.deepcopy(encoder).to(device)
        for features in encoded(encoder, X):
            yield comparable(features, *self.feature_scaling_)


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
    model = sklearn.cluster.KMeans(k, n_init=4, random_state=rng.randint(2**31 - 1))
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
