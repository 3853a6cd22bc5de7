"""The saved estimators whose files are changed: one for each kind of content of a file."""

import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits, load_iris

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl.backbones import MLP, ConvNet, Members
from sklearn_maxl.labels import Learned


@dataclass(frozen=True)
class Subject:
    """A fitted estimator's file, and samples for what is loaded of it.

    Parameters
    ----------
    kind : type
        Of the estimator.
    data : bytes
        The file.
    X, y : array
        Some of what it was fitted on.
    """

    kind: Any
    data: bytes
    X: np.ndarray
    y: np.ndarray


def fitted() -> Iterator[tuple[str, Any, np.ndarray, np.ndarray]]:
    """Names, estimators and the samples that they were fitted on."""
    import pandas as pd

    X, y = load_iris(return_X_y=True)
    settings: dict[str, Any] = {"max_epochs": 2, "random_state": 0, "lr": 0.01}
    small = MLP((4,))
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    finer = (X[:, 0] > X[:, 0].mean()).astype(int)
    images, digit = load_digits(return_X_y=True)
    images, digit = images[:60].reshape(-1, 1, 8, 8).astype(np.uint8), digit[:60] % 3

    yield "learned labels", MAXLClassifier(small, psi=2, **settings).fit(frame, names), X, names
    yield "no labels", MAXLClassifier(small, auxiliary=None, **settings).fit(X, y), X, y
    kmeans = MAXLClassifier(small, auxiliary="kmeans", psi=2, **settings)
    yield "clusters", kmeans.fit(X, y), X, y
    human = MAXLClassifier(small, auxiliary="human", **settings)
    yield "labels by hand", human.fit(X, y, auxiliary_labels=finer), X, y
    weights = {0: 1.0, 1: 2.0, 2: np.float32(3)}
    many = MAXLClassifier(
        Members((4,), 2, periodic=True),
        auxiliary=Learned(MLP((3,)), weight_range=1.0),
        psi={0: 1, 1: 2, 2: 3},
        class_weight=weights,
        early_stopping=True,
        **settings,
    )
    yield "members", many.fit(X, y), X, y
    yield "numbers", MAXLRegressor(small, psi=2, **settings).fit(X, X[:, 0]), X, X[:, 0]
    rows = MAXLRegressor(small, auxiliary="uniform", psi=2, **settings)
    yield "rows of numbers", rows.fit(X, X[:, :2]), X, X[:, :2]
    turned = MAXLClassifier(ConvNet((3,)), psi=2, **settings)
    yield "images", turned.fit(images, digit), images, digit


def subjects() -> dict[str, Subject]:
    """All of them, by name."""
    found = {}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "file"
        for name, estimator, X, y in fitted():
            estimator.save(path)
            found[name] = Subject(type(estimator), path.read_bytes(), X[::5], y[::5])
    return found
