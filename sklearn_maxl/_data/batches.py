"""What a fit trains on, cut into batches by index: no Python for single samples."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .._environment.ranks import ALONE, Ranks
from .._maths.parts import Part
from .._maths.step import Batch
from .._tasks.auxiliary import Hierarchy
from .augment import Augment
from .samples import Prepare, Samples


@dataclass(frozen=True)
class TrainingData:
    """What one call of fit trains on, and what it holds out.

    Attributes
    ----------
    train : Samples
    meta : Samples or None
        Held out for the meta loss (``meta_batch="holdout"``).
    validation : Samples or None
        Held out for early stopping.
    augment : callable or None
        Random change of a training batch.
    prepare : callable or None
        What the networks take of a batch's inputs (`Network.prepare`); None where
        the samples are prepared already.
    hierarchy : Hierarchy or None
        The auxiliary classes, and the views in which the auxiliary task sees samples.
    ranks : Ranks
        The processes that train together. All have all samples, and cut each batch into as many
        parts; one has its part.
    """

    train: Samples
    meta: Samples | None = None
    validation: Samples | None = None
    augment: Augment | None = None
    prepare: Prepare | None = None
    hierarchy: Hierarchy | None = None
    ranks: Ranks = ALONE

    def __len__(self) -> int:
        return len(self.train)

    def batch(self, index: Tensor, rng: np.random.RandomState) -> Batch:
        """Training samples, augmented: every pass of a step sees the same ones."""
        own, batch = self._part(self.train, index)
        if self.augment is not None:
            batch = replace(batch, x=self.augment(batch.x, self.ranks.own_rng(rng)))
        batch = self._prepared(batch)
        h = self.hierarchy
        if h is None or h.views is None:
            return batch
        # Drawn on the CPU: one seed gives the same views on every device.
        # For the whole batch, so that as many processes as there may be see the same ones.
        drawn = rng.randint(h.n_views, size=batch.n_whole)[own]
        v = torch.from_numpy(drawn).to(batch.y.device)
        return replace(batch, view=h.views.each(batch.x, v), block=h.block(batch.y, v))

    def meta_batch(self, index: Tensor) -> Batch:
        """Samples for the meta loss, not augmented: they stand for what comes after training."""
        assert self.meta is not None
        return self._prepared(self._part(self.meta, index)[1])

    def _part(self, samples: Samples, index: Tensor) -> tuple[slice, Batch]:
        """Which rows of a batch are here, and those rows.

        A batch of fewer rows than there are ranks is whole on those that are left none, and counts
        nothing there: networks see no batch without rows.
        """
        if not self.ranks.several:
            return slice(None), samples.batch(index)
        own = self.ranks.rows(len(index))
        part = Part(own.stop - own.start, len(index))
        own = own if part.rows else slice(None)
        return own, replace(samples.batch(index[own]), part=part)

    def _prepared(self, batch: Batch) -> Batch:
        return batch if self.prepare is None else replace(batch, x=self.prepare(batch.x))


@dataclass(frozen=True)
class BatchRule:
    """Samples in a batch where nobody asks for a number: a part of the data, within bounds."""

    part: int = 16
    least: int = 32
    most: int = 128

    def size(self, n_samples: int) -> int:
        """Samples in a batch of so many in all."""
        return min(self.most, max(self.least, n_samples // self.part))


def batch_size_for(n_samples: int, asked: int | BatchRule | None = None) -> int:
    """Samples in a batch: as asked, or by a rule; never more than there are."""
    rule = BatchRule() if asked is None else asked
    size = rule.size(n_samples) if isinstance(rule, BatchRule) else int(rule)
    return min(size, n_samples)


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
    order = torch.from_numpy(rng.permutation(len(samples))).to(samples.y.device)
    return list(order.split(batch_sizes(len(samples), batch_size)))


MetaBatches = Callable[[TrainingData, int, np.random.RandomState], Iterator[tuple[Batch, Batch]]]


def same_batches(
    data: TrainingData, batch_size: int, rng: np.random.RandomState
) -> Iterator[tuple[Batch, Batch]]:
    """One epoch in random order; the meta loss is taken on the training batch itself."""
    for index in shuffled(data.train, batch_size, rng):
        batch = data.batch(index, rng)
        yield batch, batch


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
    "holdout": holdout_batches,
}
