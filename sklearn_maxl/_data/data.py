"""Training data on the device, cut into batches by index: no per-sample Python."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._maths.step import Batch
from .._tasks.views import Views
from .augment import Augment

CPU = torch.device("cpu")

# Inputs as the networks take them: standardised, in their type and memory layout.
Prepare = Callable[[Tensor], Tensor]

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
    """Tensors with one row a sample, as in `Batch`.

    They lie on `device`, where the batches go, or in the host's memory if there
    is too little room.
    """

    X: Tensor
    y: Tensor
    weight: Tensor | None = None
    labels: Tensor | None = None
    target: Tensor | None = None
    device: torch.device = CPU

    @classmethod
    def from_arrays(
        cls,
        arrays: Arrays,
        device: torch.device,
        labels: NDArray[np.int64] | None = None,
        prepare: Prepare | None = None,
    ) -> "Samples":
        """Put arrays on the device; the weights are scaled to have mean 1.

        With `prepare`, `X` is what that makes of it, part by part.
        """
        weight = None if arrays.weight is None else mean_one(arrays.weight)
        X = arrays.X if prepare is None else prepared(arrays.X, prepare, device)
        columns = (X, arrays.y, weight, labels, arrays.target)
        tensors = [None if a is None else torch.as_tensor(a) for a in columns]
        n_bytes = sum(t.nbytes for t in tensors if t is not None and t.device != device)
        home = device if fits(n_bytes, device) else CPU
        moved = [None if t is None else t.to(home) for t in tensors]
        return cls(*moved, device)  # type: ignore[arg-type,call-arg]

    def __len__(self) -> int:
        return len(self.y)

    def all(self) -> Batch:
        """All samples as one batch."""
        return Batch(self.X, self.y, self.weight, self.labels, self.target)

    def evenly(self, n: int) -> "Samples":
        """At most `n` of the samples, evenly spaced."""
        index = torch.linspace(0, len(self) - 1, min(n, len(self))).long().to(self.y.device)
        columns = (self.X, self.y, self.weight, self.labels, self.target)
        return Samples(*(None if t is None else t[index] for t in columns), self.device)  # type: ignore[arg-type,call-arg]

    def batch(self, index: Tensor) -> Batch:
        """The samples at `index`, on the device."""
        columns = (self.X, self.y, self.weight, self.labels, self.target)
        return Batch(*(None if t is None else self._rows(t, index) for t in columns))  # type: ignore[arg-type]

    def _rows(self, column: Tensor, index: Tensor) -> Tensor:
        rows = column.index_select(0, index)
        if rows.device == self.device:
            return rows
        # From pinned memory the copy runs beside the computation: the next batch is
        # cut while the device still works on this one.
        return rows.pin_memory().to(self.device, non_blocking=True)


def fits(n_bytes: int, device: torch.device) -> bool:
    """Whether data may fill the device's memory: half of what is free is for the networks."""
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return n_bytes <= free / 2


def prepared(X: NDArray[Any], prepare: Prepare, device: torch.device) -> Tensor:
    """What `prepare` makes of all samples, computed on the device in parts."""
    rows = max(1, INFERENCE_VALUES // max(1, int(np.prod(X.shape[1:]))))
    with torch.no_grad():
        parts = (torch.from_numpy(X[a : a + rows]).to(device) for a in range(0, len(X), rows))
        first = prepare(next(parts))
        whole = torch.empty((len(X), *first.shape[1:]), dtype=first.dtype, device=first.device)
        whole[: len(first)] = first
        for i, part in enumerate(parts, start=1):
            whole[i * rows : i * rows + len(part)] = prepare(part)
    return whole


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
    prepare : callable or None
        What the networks take of a batch's inputs (`Network.prepare`); None where
        the samples are prepared already.
    views : Views or None
        What the auxiliary task sees in place of the samples.
    """

    train: Samples
    meta: Samples | None = None
    validation: Samples | None = None
    augment: Augment | None = None
    prepare: Prepare | None = None
    views: Views | None = None

    def __len__(self) -> int:
        return len(self.train)

    def batch(self, index: Tensor, rng: np.random.RandomState) -> Batch:
        """Training samples, augmented: every pass of a step sees the same ones."""
        batch = self.train.batch(index)
        if self.augment is not None:
            batch = replace(batch, x=self.augment(batch.x, rng))
        batch = self._prepared(batch)
        if self.views is None:
            return batch
        # Drawn on the CPU: one seed gives the same views on every device.
        v = torch.from_numpy(rng.randint(self.views.n, size=len(batch))).to(batch.y.device)
        return replace(batch, view=self.views.each(batch.x, v), block=batch.y * self.views.n + v)

    def meta_batch(self, index: Tensor) -> Batch:
        """Samples for the meta loss, not augmented: they stand for what comes after training."""
        assert self.meta is not None
        return self._prepared(self.meta.batch(index))

    def _prepared(self, batch: Batch) -> Batch:
        return batch if self.prepare is None else replace(batch, x=self.prepare(batch.x))


def resolve_batch_size(batch_size: int | str, n_samples: int) -> int:
    """Samples in a batch; "auto" is a sixteenth of the data, between 32 and 128."""
    if batch_size == "auto":
        batch_size = min(128, max(32, n_samples // 16))
    return min(int(batch_size), n_samples)


def batch_sizes(n: int, batch_size: int) -> list[int]:
    """Sizes of the batches of an epoch: at most `batch_size`, as even as can be.

    A short last batch would upset the running statistics of batch normalisation,
    and a single sample has none: where one would be left over, batches are larger.
    """
    n_batches = -(-n // batch_size)
    if batch_size > 1 and n < 2 * n_batches:
        n_batches = max(1, n // 2)
    size, larger = divmod(n, n_batches)
    return [size + 1] * larger + [size] * (n_batches - larger)


def shuffled(samples: Samples, batch_size: int, rng: np.random.RandomState) -> list[Tensor]:
    """Indices of all samples in random order, batch by batch."""
    # Drawn on the CPU, so that one seed gives the same batches on every device.
    order = torch.from_numpy(rng.permutation(len(samples))).to(samples.X.device)
    return list(order.split(batch_sizes(len(samples), batch_size)))


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
    """One epoch; the meta loss is taken on samples that are never trained on, in turn."""
    assert data.meta is not None
    queue: list[Tensor] = []
    for index in shuffled(data.train, batch_size, rng):
        queue = queue or shuffled(data.meta, batch_size, rng)
        yield data.batch(index, rng), data.meta_batch(queue.pop())


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
