"""The saved files that are changed: one for each kind of content of a file.

There are estimators, a pipeline with the preparation of a table, and checkpoints of fits that
were cut off.
"""

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from skorch.callbacks import Callback

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl.backbones import MLP, ConvNet, Members
from sklearn_maxl.callbacks import Checkpoint
from sklearn_maxl.labels import Learned
from sklearn_maxl.optimizers import SGD
from sklearn_maxl.preprocessing import tabular_pipeline
from sklearn_maxl.tables import load_pipeline, save_pipeline

Data = tuple[Any, np.ndarray]


@dataclass(frozen=True)
class Subject:
    """A file, and samples for what is made of it.

    Parameters
    ----------
    load : callable
        Path -> estimator.
    data : bytes
        The file.
    X, y : array
        Some of what it was fitted on.
    """

    load: Callable[[Path], Any]
    data: bytes
    X: Any
    y: np.ndarray


SMALL: dict[str, Any] = {"max_epochs": 2, "random_state": 0, "lr": 0.01}


def images() -> Data:
    """60 small images of three classes."""
    X, y = load_digits(return_X_y=True)
    return X[:60].reshape(-1, 1, 8, 8).astype(np.uint8), y[:60] % 3


def estimators() -> Iterator[tuple[str, Any, Data]]:
    """Names, fitted estimators and the samples that they were fitted on."""
    import pandas as pd

    X, y = load_iris(return_X_y=True)
    small = MLP((4,))
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    finer = (X[:, 0] > X[:, 0].mean()).astype(int)

    yield "learned labels", MAXLClassifier(small, psi=2, **SMALL).fit(frame, names), (X, names)
    yield "no labels", MAXLClassifier(small, auxiliary=None, **SMALL).fit(X, y), (X, y)
    kmeans = MAXLClassifier(small, auxiliary="kmeans", psi=2, **SMALL)
    yield "clusters", kmeans.fit(X, y), (X, y)
    human = MAXLClassifier(small, auxiliary="human", **SMALL)
    yield "labels by hand", human.fit(X, y, auxiliary_labels=finer), (X, y)
    weights = {0: 1.0, 1: 2.0, 2: np.float32(3)}
    many = MAXLClassifier(
        Members((4,), 2, periodic=True),
        auxiliary=Learned(MLP((3,)), weight_range=1.0),
        psi={0: 1, 1: 2, 2: 3},
        class_weight=weights,
        early_stopping=True,
        **SMALL,
    )
    yield "members", many.fit(X, y), (X, y)
    yield "numbers", MAXLRegressor(small, psi=2, **SMALL).fit(X, X[:, 0]), (X, X[:, 0])
    rows = MAXLRegressor(small, auxiliary="uniform", psi=2, **SMALL)
    yield "rows of numbers", rows.fit(X, X[:, :2]), (X, X[:, :2])
    turned = MAXLClassifier(ConvNet((3,)), psi=2, **SMALL)
    yield "images", turned.fit(*images()), images()


def table() -> Data:
    """A table of numbers, texts and dates, with gaps, and classes."""
    import pandas as pd

    X, y = load_iris(return_X_y=True)
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(len(X)), unit="D")
    colours = np.array(["red", "blue", "green", "grey"])[np.arange(len(X)) % 4]
    frame = pd.DataFrame({"a": X[:, 2], "b": X[:, 3], "colour": colours, "day": days, "same": 1})
    frame.loc[::10, "a"] = np.nan
    return frame, y


class CutOff(BaseException):
    """Ends a fit as a lost process does: nobody catches it."""


class Ends(Callback):
    """Ends a fit when its second epoch begins. Its class knows when, so no copy differs."""

    now: ClassVar[bool] = False

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        if self.now and len(net.epochs_) == 1:
            raise CutOff


class GoesOn:
    """Loads a checkpoint as its user does: by the same call of `fit`.

    Parameters
    ----------
    estimator : MAXLClassifier or MAXLRegressor
    data : tuple
        What it is fitted on.
    """

    def __init__(self, estimator: Any, *data: Any):
        self.estimator, self.data = estimator, data

    def __call__(self, path: Path) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            own = Path(folder) / self.name / "newest.safetensors"
            own.parent.mkdir()
            shutil.copy(path, own)
            try:
                return self.fitted(folder)
            except ValueError as error:
                said = str(error).replace(str(own), str(path)).replace(str(own.parent), str(path))
                raise type(error)(said) from error

    def fitted(self, folder: str) -> Any:
        """The estimator, fitted with the checkpoints in a folder."""
        estimator = clone(self.estimator)
        estimator.set_params(callbacks=[Checkpoint(folder), Ends()])
        return estimator.fit(*self.data)

    def checkpoint(self) -> bytes:
        """The file that a fit leaves which ends as its second epoch begins."""
        with tempfile.TemporaryDirectory() as folder:
            Ends.now = True
            try:
                self.fitted(folder)
            except CutOff:
                pass
            finally:
                Ends.now = False
            (path,) = Path(folder).glob("*/newest.safetensors")
            self.name = path.parent.name
            return path.read_bytes()


def cut_off() -> Iterator[tuple[str, GoesOn]]:
    """Names, and fits that go on from a checkpoint."""
    X, y = load_iris(return_X_y=True)
    small = {**SMALL, "max_epochs": 3}
    learned = MAXLClassifier(
        MLP((4,)), auxiliary=Learned(every=1), psi="auto", early_stopping=True, **small
    )
    yield "a fit with trials", GoesOn(learned, X, y)
    clusters = MAXLClassifier(ConvNet((3,)), auxiliary="kmeans", psi=2, **small)
    yield "a fit of images", GoesOn(clusters, *images())
    numbers = MAXLRegressor(
        Members((4,), 2), optimizer=SGD(momentum=0.9), auxiliary="uniform", **small
    )
    yield "a fit of numbers", GoesOn(numbers, X, X[:, 0])


def subjects() -> dict[str, Subject]:
    """All of them, by name."""
    found = {}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "file"
        for name, estimator, (X, y) in estimators():
            estimator.save(path)
            load = partial(type(estimator).load, device="cpu")
            found[name] = Subject(load, path.read_bytes(), X[::5], y[::5])
        X, y = table()
        save_pipeline(tabular_pipeline(MAXLClassifier(MLP((4,)), **SMALL)).fit(X, y), path)
        load = partial(load_pipeline, device="cpu")
        found["a table"] = Subject(load, path.read_bytes(), X[::5], y[::5])
        for name, fit in cut_off():
            X, y = fit.data
            found[name] = Subject(fit, fit.checkpoint(), X[::5], y[::5])
    return found
