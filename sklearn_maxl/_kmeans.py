"""The paper's K-Means baseline: auxiliary labels are clusters within each class."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError

from ._auxiliary import Ints, block_starts, resolve_psi


class KMeansSource:
    """Cluster the standardised samples of each class into at most ``psi`` groups.

    The centres are found on the first data seen; later data go to the nearest.
    """

    def __init__(self, psi: Any, classes: NDArray[Any], mean: Any, scale: Any):
        self.psi = resolve_psi(psi, classes)
        self.mean, self.scale = mean, scale
        self.models: dict[int, KMeans] = {}

    def assign(self, arrays: Any, rng: np.random.RandomState) -> Ints:
        """Cluster of each sample within the block of its class; unseen classes are clustered."""
        for i in set(np.unique(arrays.y).tolist()) - set(self.models):
            own = self._flat(arrays.X[arrays.y == i])
            # A class with fewer distinct samples than psi leaves part of its block unused.
            k = min(self.psi[i], len(np.unique(own, axis=0)))
            self.models[i] = KMeans(k, n_init=4, random_state=rng.randint(2**31 - 1)).fit(own)
        return self.nearest(arrays.X, arrays.y)

    def nearest(self, X: Any, y: Ints) -> Ints:
        """Label of the nearest centre of each sample's class."""
        labels = block_starts(self.psi)[y]
        for i in np.unique(y).tolist():
            if i not in self.models:
                raise NotFittedError(f"No sample of class number {i} has been clustered yet.")
            labels[y == i] += self.models[i].predict(self._flat(X[y == i]))
        return labels

    def _flat(self, X: Any) -> NDArray[np.float32]:
        return ((X - self.mean) / self.scale).reshape(len(X), -1).astype(np.float32)
