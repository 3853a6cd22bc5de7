"""Training data on the device, cut into batches by index: no per-sample Python."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ._augment import Augment
from ._step import Batch

# Samples that go through a network at once outside training, bounded by values
# so that large images do not fill the memory.
INFERENCE_VALUES = 2**19


def mean_one(weight: NDArray[np.float64]) -> NDArray[np.float32]:
    """Weights scaled to have mean 1; only their ratios matter."""
    return (weight / weight.mean()).astype(np.float32)


class Arrays(NamedTuple):
    """Checked input of a fit, one row a sample.

    `y` are classes, or bins of the `target` (n, m) in regression; `finer` labels
    are for "human".
    """

    X: NDArray[Any]
    y: NDArray[np.int64]
    weight: NDArray[np.float64] | None = None
    finer: NDArray[Any] | None = None
    target: NDArray[np.float32] | None = None

    def take(self, index: NDArray[np.int64]) -> "Arrays":
        """The rows at `index`; no copy if that is all of them, in order."""
        if np.array_equal(index, np.arange(len(self.y))):
            return self
        return Arrays(*(None if a is None else a[index] for a in self))  # type: ignore[arg-type]

    def without_zero_weights(self) -> "Arrays":
        """The rows that count: a sample of weight 0 (in float32) is the same as none."""
        if self.weight is None:
            return self
        return self.take(np.flatnonzero(mean_one(self.weight)))


@dataclass(frozen=True)
class Samples:
    """Tensors with one row a sample, as in `Batch`."""

    X: Tensor
    y: Tensor
    weight: Tensor | None = None
    labels: Tensor | None = None
    target: Tensor | None = None

    @classmethod
    def from_arrays(
        cls, arrays: Arrays, device: torch.device, labels: NDArray[np.int64] | None = None
    ) -> "Samples":
        """Put arrays on the device; the weights are scaled to have mean 1."""
        weight = None if arrays.weight is None else mean_one(arrays.weight)
        columns = (arrays.X, arrays.y, weight, labels, arrays.target)
        return cls(*(None if a is None else torch.from_numpy(a).to(device) for a in columns))  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.y)

    def all(self) -> Batch:
        """All samples as one batch."""
        return Batch(self.X, self.y, self.weight, self.labels, self.target)

    def batch(self, index: NDArray[np.int64]) -> Batch:
        """The samples at `index`."""
        at = torch.from_numpy(index).to(self.y.device)
        columns = (self.X, self.y, self.weight, self.labels, self.target)
        return Batch(*(None if t is None else t.index_select(0, at) for t in columns))  # type: ignore[arg-type]


@dataclass(frozen=True)
class TrainingData:
    """What one call of fit trains on, and what it holds out.

    Attributes
    ----------
    train : Samples
    meta : Samples or None
        Held out for the meta loss (``meta_batch="holdout"``).
    validation : Samples or None
        Held out for early stopping, for the guard or for the choice of psi.
    augment : callable or None
        Random change of a training batch.
    """

    train: Samples
    meta: Samples | None = None
    validation: Samples | None = None
    augment: Augment | None = None

    def __len__(self) -> int:
        return len(self.train)

    def batch(self, index: NDArray[np.int64], rng: np.random.RandomState) -> Batch:
        """Training samples, augmented: every pass of a step sees the same ones."""
        batch = self.train.batch(index)
        if self.augment is None:
            return batch
        return replace(batch, x=self.augment(batch.x, rng))


def resolve_batch_size(batch_size: int | str, n_samples: int) -> int:
    """Samples in a batch; "auto" is a sixteenth of the data, between 32 and 128."""
    if batch_size == "auto":
        batch_size = min(128, max(32, n_samples // 16))
    return min(int(batch_size), n_samples)


def split_into_batches(order: NDArray[np.int64], batch_size: int) -> list[NDArray[np.int64]]:
    """Cut `order` into batches of at most `batch_size`, as even as can be.

    A short last batch would upset the running statistics of batch normalisation,
    and a single sample has none: where one would be left over, batches are larger.
    """
    n = len(order)
    n_batches = -(-n // batch_size)
    if batch_size > 1 and n < 2 * n_batches:
        n_batches = max(1, n // 2)
    return np.array_split(order, n_batches)


def shuffled(
    samples: Samples, batch_size: int, rng: np.random.RandomState
) -> list[NDArray[np.int64]]:
    """Indices of all samples in random order, batch by batch."""
    return split_into_batches(rng.permutation(len(samples)), batch_size)


MetaBatches = Callable[[TrainingData, int, np.random.RandomState], Iterator[tuple[Batch, Batch]]]


def same_batches(
    data: TrainingData, batch_size: int, rng: np.random.RandomState
) -> Iterator[tuple[Batch, Batch]]:
    """One epoch in random order; the meta loss is taken on the training batch itself."""
    for index in shuffled(data.train, batch_size, rng):
        batch = data.batch(index, rng)
        yield batch, batch


def next_batches(
    data: TrainingData, batch_size: int, rng: np.random.RandomState
) -> Iterator[tuple[Batch, Batch]]:
    """One epoch; the meta loss is taken on the batch that comes next (the last one: the first)."""
    first: Batch | None = None
    previous: Batch | None = None
    for index in shuffled(data.train, batch_size, rng):
        batch = data.batch(index, rng)
        first = first or batch
        if previous is not None:
            yield previous, batch
        previous = batch
    if previous is not None and first is not None:
        yield previous, first


def holdout_batches(
    data: TrainingData, batch_size: int, rng: np.random.RandomState
) -> Iterator[tuple[Batch, Batch]]:
    """One epoch; the meta loss is taken on samples that are never trained on, in turn.

    Those are not augmented: they stand for what comes after training.
    """
    assert data.meta is not None
    queue: list[NDArray[np.int64]] = []
    for index in shuffled(data.train, batch_size, rng):
        queue = queue or shuffled(data.meta, batch_size, rng)
        yield data.batch(index, rng), data.meta.batch(queue.pop())


META_BATCHES: dict[str, MetaBatches] = {
    "same": same_batches,
    "next": next_batches,
    "holdout": holdout_batches,
}


def moments(
    X: NDArray[Any], weight: NDArray[np.float64] | None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Mean and standard deviation per feature (tables) or per channel (everything else).

    Computed in float64, in two passes over parts of `X` so that an image data set
    in uint8 is never copied whole.

    Returns
    -------
    mean, scale : arrays of shape (d,), float64, or (channels, 1, ...), float32
        `scale` is 1 where a feature is constant.
    """
    rows = max(1, 2**20 // max(1, int(np.prod(X.shape[1:]))))
    parts = [slice(a, a + rows) for a in range(0, len(X), rows)]
    shape = X.shape[1:2] + (1,) * (X.ndim - 2)
    w = np.ones(len(X)) if weight is None else weight
    total = w.sum() * np.prod(X.shape[2:])

    def summed(values: NDArray[np.float64], part: slice) -> NDArray[np.float64]:
        per_sample = values.reshape(*values.shape[:2], -1).sum(2)
        return w[part] @ per_sample

    mean = sum(summed(X[p].astype(np.float64), p) for p in parts) / total
    centre = mean.reshape(shape)
    variance = sum(summed((X[p] - centre) ** 2, p) for p in parts) / total
    scale = np.sqrt(variance)
    dtype = np.float64 if X.ndim == 2 else np.float32
    # Rounding leaves a constant feature with a deviation of a few units of its type.
    eps = np.finfo(X.dtype if X.dtype.kind == "f" else np.float32).eps
    scale[scale <= np.maximum(10 * eps * np.abs(mean), np.finfo(np.float32).tiny)] = 1.0
    return centre.astype(dtype), scale.reshape(shape).astype(dtype)


def holdout_split(
    y: NDArray[np.int64], fraction: float, rng: np.random.RandomState
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices to keep and to hold out, stratified: `fraction` of each class, at least one sample.

    A class of a single sample stays whole in the part that is kept.
    """
    held = []
    for i in np.unique(y):
        own = rng.permutation(np.flatnonzero(y == i))
        n_held = min(len(own) - 1, max(1, round(fraction * len(own))))
        held.append(own[:n_held])
    out = np.sort(np.concatenate(held))
    if len(out) == 0:
        raise ValueError(
            "No sample can be held out, because every class has a single one; use "
            "early_stopping=False, guard=False, a number for psi, and meta_batch='same'."
        )
    return np.setdiff1d(np.arange(len(y)), out), out
