"""What a training over several ranks does besides the sums of each step.

A rank is one of several processes that train one network together (`_environment/ranks.py`).
"""

from collections.abc import Iterable
from dataclasses import replace

from skorch import callbacks
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .._data.batches import TrainingData, batch_sizes
from .._environment.ranks import Ranks
from .history import EpochSums
from .settings import Settings
from .skorch_callbacks import Entry

# Callbacks that watch and write, and change nothing: rank 0 alone has them.
WRITERS = (
    callbacks.Checkpoint,
    callbacks.MlflowLogger,
    callbacks.NeptuneLogger,
    callbacks.PrintLog,
    callbacks.ProgressBar,
    callbacks.SacredLogger,
    callbacks.TensorBoard,
    callbacks.TrainEndCheckpoint,
    callbacks.WandbLogger,
)


def settings_of_rank(settings: Settings, ranks: Ranks) -> Settings:
    """The settings of a rank: those that are not the first log nothing and write nothing."""
    if ranks.number == 0:
        return settings
    given = settings.callbacks
    kept = None if given is None else [entry for entry in given if not writes(entry)]
    return replace(settings, verbose=0, callbacks=kept)


def writes(entry: Entry) -> bool:
    """Whether a callback is one of `WRITERS`."""
    callback = entry[1] if isinstance(entry, tuple) and len(entry) == 2 else entry
    kind = callback if isinstance(callback, type) else type(callback)
    return issubclass(kind, WRITERS)


def check_networks(networks: Iterable[nn.Module], data: TrainingData, size: int) -> None:
    """Refuse networks that can't be trained on parts of a batch."""
    if not data.ranks.several:
        return
    layers = [m for network in networks for m in network.modules()]
    if any(isinstance(m, nn.SyncBatchNorm) for m in layers):
        raise ValueError(
            "The backbone has SyncBatchNorm, which mixes the rows of all ranks, so that a label "
            "would move other rows than its own; use BatchNorm: each rank normalises by its own "
            "rows, and running statistics are averaged."
        )
    parts = [part for part in (data.train, data.meta) if part is not None]
    least = min(min(batch_sizes(len(part), size)) for part in parts)
    if least < 2 * data.ranks.count and any(isinstance(m, _BatchNorm) for m in layers):
        raise ValueError(
            f"Batch normalisation needs two rows on each of {data.ranks.count} ranks, but the "
            f"smallest batch has {least}; raise batch_size or start fewer ranks."
        )


def join_epoch(sums: EpochSums, buffers: list[Tensor], ranks: Ranks) -> None:
    """Make what an epoch recorded that of whole batches, and running statistics those of all.

    Running statistics are moving averages of what batches had, so that their mean over ranks is
    the moving average of the mean.
    """
    if not ranks.several:
        return
    moved = [b for b in buffers if b.is_floating_point()]
    recorded = sums.of_part()
    totals = ranks.total([*recorded.values(), *moved])
    n = len(recorded)
    sums.become(dict(zip(recorded, totals[:n], strict=True)))
    for buffer, total in zip(moved, totals[n:], strict=True):
        buffer.copy_(total / ranks.count)
