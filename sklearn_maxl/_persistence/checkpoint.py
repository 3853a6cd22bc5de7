"""The logbook of a fit in files: all that the rest of the fit depends on, after every epoch.

What follows from the data, the parameters and the seed alone (held-out samples, shapes of
networks, settings that trials decide from outputs) is made again. What training has changed is
stored.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .._data.arrays import Arrays
from .._environment.ranks import ALONE, Ranks
from .._training.call import Call
from .._training.early_stopping import BestState
from .._training.fitted import Fitted
from .._training.log import logger
from .._training.logbook import BLANK, Logbook, Outputs, keeper_among
from .._training.net import MAXLNet, State
from .._training.runs import label_input
from .._training.settings import Settings
from .container import read_aloud
from .entries import CHECKPOINT, WHOSE, Checked
from .fingerprint import fingerprint, short, surroundings
from .fitted import labels_to_plain, state_of_labels
from .json_values import Plain
from .kept_files import KeptFiles, own_folder_of
from .training_state import (
    part,
    restore_best,
    restore_callbacks,
    restore_training,
    training_to_parts,
)

MAX_WORD = 60  # characters
MAX_WORDS = 8


@contextmanager
def logbook_of(call: Call, ranks: Ranks = ALONE) -> Iterator[Logbook]:
    """The logbook that a callback of an estimator keeps; a blank one where none does."""
    keeper = keeper_among(call.settings.callbacks)
    if keeper is None:
        yield BLANK
        return
    with keeper.logbook(call, ranks) as logbook:
        yield logbook


@contextmanager
def kept_in(
    parent: Path,
    every_n_epochs: int,
    every_seconds: float,
    call: Call,
    ranks: Ranks = ALONE,
) -> Iterator["FileLogbook"]:
    """The logbook of one fit in a folder for many."""
    # Of rank 0, which alone has the callbacks that write.
    parts = ranks.of_first(lambda: fingerprint(call))
    with own_folder_of(ranks, parent, f"{type(call.estimator).__name__}-{short(parts)}") as files:
        around = surroundings(call.settings, ranks)
        how_often = (every_n_epochs, every_seconds)
        logbook = FileLogbook(files, parts, around, call.settings, call.seed, *how_often)
        yield logbook
        logbook.close(call.is_repeatable)


class FileLogbook(Logbook):
    """A logbook that is written to a file after every trial and after epochs.

    Parameters
    ----------
    files : KeptFiles
    fingerprint : dict
        What tells this fit from others.
    surroundings : dict
        What it runs on.
    settings : Settings
    seed : int
        Of a fit that begins.
    every_n_epochs : int
    every_seconds : float
        Least time between two files; the last epoch's is written anyway.
    """

    def __init__(
        self,
        files: KeptFiles,
        fingerprint: Plain,
        surroundings: Plain,
        settings: Settings,
        seed: int,
        every_n_epochs: int,
        every_seconds: float,
    ):
        self._files, self._fingerprint, self._verbose = files, fingerprint, settings.verbose
        self._surroundings = surroundings
        self._every_n_epochs, self._every_seconds = every_n_epochs, every_seconds
        self._seed = seed
        self._trials: dict[str, Tensor] = {}
        self._labels: Plain | None = None
        self._arrays_of_labels: dict[str, Tensor] = {}
        self._training: tuple[Checked, dict[str, Tensor]] | None = None
        self._fitted: Fitted | None = None
        self._last = 0
        self._over = self._asked_to_stop = False
        self._written_at = time.monotonic()
        if found := files.read():
            header, tensors = found
            with self._read_aloud():
                WHOSE.check(header, "header")
            self._refuse_others(header)
            with self._read_aloud():
                CHECKPOINT.check(header, "header")
                self._open(header, tensors)

    # What the training asks

    def seed(self, drawn: int) -> int:
        return self._seed

    def trial(self, name: str, shape: tuple[int, ...], train: Callable[[], Outputs]) -> Outputs:
        if name not in self._trials:
            self._trials[name] = torch.from_numpy(train())
            self._write()
        found = self._trials[name]
        if found.shape != shape or found.dtype != torch.float32:
            with self._read_aloud():
                raise ValueError(f"the outputs of its trial {name!r} are none of this fit")
        return found.numpy()

    def start(self, fitted: Fitted) -> None:
        self._fitted = fitted
        if self._labels is None or fitted.labels is None:
            return
        rows = Arrays(np.empty((0, *fitted.settings.input_shape)), np.empty(0, np.int64))
        given = label_input(fitted.settings, fitted.targets, fitted.scaling, rows)
        with self._read_aloud():
            state = state_of_labels(self._labels, self._arrays_of_labels)
            fitted.labels.restore(state, given)
            hierarchy = fitted.net.hierarchy
            if hierarchy is None or not np.array_equal(fitted.labels.psi_, hierarchy.psi):
                raise ValueError("its auxiliary labels are not those of this fit")

    def restore(self, net: MAXLNet, epochs: int) -> int:
        self._last = epochs
        if self._training is None:
            return epochs
        header, tensors = self._training
        with self._read_aloud():
            restore_training(net, header, tensors)
            self._over, self._asked_to_stop = header["over"], header["asked_to_stop"]
        done = net.epochs_.n_epochs
        if self._verbose:
            logger.info("goes on after epoch %d of %d, from %s", done, epochs, self._files.folder)
        return 0 if self._over else max(0, epochs - done)

    def begin(self, net: MAXLNet, best: BestState[State] | None) -> None:
        if self._training is None:
            self._write(net, best)  # better now than after an hour, if it can't be written
            return
        with self._read_aloud():
            if best is not None:
                restore_best(net, best, *self._training)
            restore_callbacks(net, self._training[0])
        self._training = None

    def epoch(self, net: MAXLNet, best: BestState[State] | None, stop: bool) -> None:
        done = net.epochs_.n_epochs
        stopped_early = best is not None and best.over
        self._asked_to_stop = stop and not stopped_early
        self._over = stop or done >= self._last
        waited = time.monotonic() - self._written_at
        due = done % self._every_n_epochs == 0 and waited >= self._every_seconds
        if self._over or due:
            self._write(net, best)

    def close(self, same_again: bool) -> None:
        """The fit has ended: keep its end, where the same call would find nothing else."""
        if not self._over or not self._files.writes:  # Ctrl-C
            return
        if same_again and not self._asked_to_stop:
            self._files.keep_newest()
        else:
            self._files.remove()

    # Files

    def _write(self, net: MAXLNet | None = None, best: BestState[State] | None = None) -> None:
        if not self._files.writes:
            return
        header: Plain = {
            "fingerprint": self._fingerprint,
            "surroundings": self._surroundings,
            "seed": self._seed,
            "labels": None,
            "training": None,
        }
        tensors = {f"trial.{name}": t for name, t in self._trials.items()}
        if net is not None:
            stored, own = training_to_parts(net, best)
            stored |= {"over": self._over, "asked_to_stop": self._asked_to_stop}
            header["training"] = stored
            tensors |= {f"training.{name}": t for name, t in own.items()}
            assert self._fitted is not None
            if (labels := self._fitted.labels) is not None:
                header["labels"], arrays = labels_to_plain(labels, labels)
                tensors |= {f"labels.{name}": torch.as_tensor(a) for name, a in arrays.items()}
        self._files.write(header, tensors)
        self._written_at = time.monotonic()

    def _open(self, header: Checked, tensors: dict[str, Tensor]) -> None:
        """Take a checkpoint in; networks are restored when there are some."""
        self._seed = header["seed"]
        self._trials = part("trial", tensors)
        self._labels = header["labels"]
        self._arrays_of_labels = part("labels", tensors)
        if header["training"] is not None:
            self._training = header["training"], part("training", tensors)

    def _refuse_others(self, header: Checked) -> None:
        """Refuse the checkpoint of another fit, and one that would go on with other bits."""
        for name, now in (("fingerprint", self._fingerprint), ("surroundings", self._surroundings)):
            before = header[name]
            differ = [key for key in {**now, **before} if before.get(key) != now.get(key)]
            if not differ:
                continue
            if name == "fingerprint":
                raise ValueError(
                    f"{self._files.folder} holds the checkpoint of another fit: {some(differ)} "
                    "differ; move it back to the folder that it was written in, or delete it to "
                    "train anew."
                )
            told = some([f"{key} was {before.get(key)} and is {now.get(key)}" for key in differ])
            raise ValueError(
                f"{self._files.folder} holds a checkpoint that this fit can't go on from to the "
                f"same bits: {told}; put that back, or delete the folder to train anew."
            )

    @contextmanager
    def _read_aloud(self) -> Iterator[None]:
        """Say of a checkpoint whose parts do not fit together what to do with it."""
        try:
            with read_aloud(self._files.newest):
                yield
        except ValueError as error:
            raise ValueError(
                f"{error} Delete the folder {self._files.folder} to train anew."
            ) from error


def some(words: list[str]) -> str:
    """Words of a file as a sentence has them: those that can be shown, and not too many."""
    words = [ascii(word)[1:-1][:MAX_WORD] for word in words]
    words = words if len(words) <= MAX_WORDS else [*words[: MAX_WORDS - 1], "others"]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
