"""What is measured on: how much of it, which networks and data, and our estimator on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.common.operations import operations
from benchmarks.speed.memory import peak_memory
from benchmarks.speed.rows import Row, summarize
from benchmarks.speed.timing import Seconds, interleaved, synchronize
from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import MLP, VGG16, ConvNet

N_CLASSES = 10


@dataclass(frozen=True)
class Run:
    """What the command line asks for."""

    device: str = "cpu"
    repetitions: int | None = None
    smoke: bool = False

    def size(self, cpu: Any, smoke: Any, cuda: Any = None) -> Any:
        """One of three sizes: a GPU needs more work to be measured at all."""
        if self.smoke:
            return smoke
        return cpu if self.device == "cpu" or cuda is None else cuda

    def time(self, methods: Mapping[Any, Seconds], usual: int) -> dict[Any, list[float]]:
        """Seconds of each method, in as many rounds as asked for or usual."""
        rounds = 1 if self.smoke else self.repetitions or usual
        return interleaved(methods, rounds, warm_up=not self.smoke)


@dataclass(frozen=True)
class Case:
    """A network and its data: random, because time does not depend on what is learned."""

    name: str
    backbone: Any
    shape: tuple[int, ...]
    samples: int
    batch_size: int
    n_classes: int = N_CLASSES
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that all methods of the case share."""

    def data(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Samples, classes, and labels that are finer than the classes, five to each."""
        rng = np.random.default_rng(0)
        X = rng.standard_normal((self.samples, *self.shape), dtype=np.float32)
        y = np.arange(self.samples) % self.n_classes
        return X, y, 5 * y + rng.integers(5, size=self.samples)


class Estimator:
    """Our classifier with some settings, on a case: an epoch more, or a fit from the start."""

    def __init__(self, case: Case, device: str, **settings: Any):
        self.X, self.y, finer = case.data()
        self.labels = {"auxiliary_labels": finer} if settings.get("auxiliary") == "human" else {}
        # As before views and their rates, so that earlier rows stay comparable.
        earlier = {"views": None, "lr": 0.001, "temperature": 1.0, "optimizer": "adam"}
        self.clf = MAXLClassifier(
            case.backbone, batch_size=case.batch_size, max_epochs=1, **earlier
        )
        self.clf.set_params(device=device, random_state=0, **case.settings).set_params(**settings)

    def fit(self) -> "Estimator":
        """Fit from the start."""
        self.clf.fit(self.X, self.y, **self.labels)
        return self

    def more(self) -> None:
        """One epoch more."""
        self.clf.partial_fit(self.X, self.y, **self.labels)

    def epoch(self) -> float:
        """Seconds of one epoch more, as the history has them: without checks and copies.

        An epoch ends with its losses read from the device, so a GPU has then done its work.
        """
        synchronize(self.clf.device)
        self.more()
        return float(self.clf.history_[-1]["time"])


def compare_epochs(
    run: Run,
    section: str,
    case: Case,
    methods: Mapping[str, Mapping[str, Any]],
    base: str,
    rounds: int = 5,
) -> list[Row]:
    """Settings of the estimator on one case: time and operations of an epoch, memory of a fit."""
    fresh = {name: Estimator(case, run.device, **settings) for name, settings in methods.items()}
    # The memory first: it is that of fits from the start.
    peaks = {name: peak_memory(one.fit, run.device) for name, one in fresh.items()}
    counts = {name: operations(one.more) for name, one in fresh.items()}
    seconds = run.time({name: one.epoch for name, one in fresh.items()}, rounds)
    return summarize(section, run.device, case.name, base, seconds, case.samples, counts, peaks)


def cases(run: Run) -> list[Case]:
    """The three networks on which methods are compared; on a GPU the whole VGG-16 too."""
    image, size = (3, 32, 32), run.size((512, 128), (8, 4), (4096, 128))
    convnet = ConvNet(width=run.size(1.0, 0.1))
    found = [
        Case("VGG-16 / 4, 32 x 32 x 3", VGG16(width=0.25), image, *size),
        Case(
            "ConvNet, 28 x 28 x 1", convnet, (1, 28, 28), *run.size((1024, 128), size, (16384, 128))
        ),
        Case("MLP, 64 features", MLP(), (64,), *run.size((8192, 128), (64, 32), (32768, 128))),
    ]
    if run.smoke:
        return found[1:]
    whole = Case("VGG-16, 32 x 32 x 3", VGG16(), image, *size)
    return found if run.device == "cpu" else [whole, *found]
