"""Small fits, each with another kind of state."""

from collections.abc import Callable

import numpy as np
from sklearn.datasets import load_diabetes, load_digits, load_iris

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl.backbones import MLP, ConvNet
from sklearn_maxl.labels import Learned

Data = tuple[np.ndarray, np.ndarray]


def table_with_trials() -> tuple[MAXLClassifier, Data]:
    """Trials of two lengths, which are trained at once, and of psi, one after the other."""
    return MAXLClassifier(MLP((16,)), psi="auto", random_state=0), load_iris(return_X_y=True)


def kmeans_and_early_stopping() -> tuple[MAXLClassifier, Data]:
    """Labels by an autoencoder, and a best epoch to remember."""
    settings = {"auxiliary": "kmeans", "early_stopping": True, "n_iter_no_change": 20}
    clf = MAXLClassifier(MLP((50,)), max_epochs=30, lr=0.003, random_state=0, **settings)
    return clf.set_params(temperature=1.0), load_iris(return_X_y=True)


def images_with_views() -> tuple[MAXLClassifier, Data]:
    """Convolutions, whose weights lie in another layout, and both optimizers in every step."""
    X, y = load_digits(return_X_y=True)
    images = X[:100].reshape(-1, 1, 8, 8).astype(np.uint8)
    clf = MAXLClassifier(ConvNet((16, 16)), auxiliary=Learned(every=1), psi=3, max_epochs=12)
    return clf.set_params(augment="crop_flip", random_state=0), (images, y[:100])


def numbers() -> tuple[MAXLRegressor, Data]:
    """Regression, with the trials of its length."""
    X, y = load_diabetes(return_X_y=True)
    return MAXLRegressor(MLP((16,)), random_state=0), (X[:150], y[:150])


CASES: dict[str, Callable[[], tuple[MAXLClassifier | MAXLRegressor, Data]]] = {
    "table, trials of length and psi": table_with_trials,
    "table, kmeans, early stopping": kmeans_and_early_stopping,
    "images, views, augmentation": images_with_views,
    "regression, trials of length": numbers,
}
