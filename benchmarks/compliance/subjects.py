"""The estimators that are looked at: ours, scikit-learn's own network and two others."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from sklearn.neural_network import MLPClassifier
from skorch import NeuralNetClassifier
from torch import Tensor, nn

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl.backbones import ConvNet


class Perceptron(nn.Module):
    """What a user of skorch writes: any number of columns, float64 cast to float32."""

    def __init__(self, n_classes: int = 3):
        super().__init__()
        self.layers = nn.Sequential(
            nn.LazyLinear(100), nn.ReLU(), nn.Linear(100, n_classes), nn.Softmax(dim=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x.float())


class Convolutions(nn.Module):
    """The same for images of one channel."""

    def __init__(self, n_classes: int = 3):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(),
            nn.Linear(144, n_classes), nn.Softmax(dim=1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x.float())


def skorch(module: type[nn.Module]) -> NeuralNetClassifier:
    """A net that learns the samples of the tools."""
    return NeuralNetClassifier(
        module, max_epochs=30, lr=0.01, batch_size=32, optimizer=torch.optim.Adam, verbose=0
    )


def realmlp() -> Any:
    """Its defaults. Imported here: only this one needs the package."""
    from pytabkit import RealMLP_TD_Classifier

    return RealMLP_TD_Classifier(device="cpu", n_threads=1)


class Subject(NamedTuple):
    """An estimator, and what the checks and tools need to know of it."""

    package: str
    make: Callable[[], Any]
    grid: dict[str, list[Any]] | None = None
    """Two values of a parameter; None: no classifier, so no tools."""
    on_images: Callable[[], Any] | None = None
    on_rows: Callable[[], Any] | None = None
    """For images that come as rows of a table."""


def images_of_maxl(**parameters: Any) -> MAXLClassifier:
    return MAXLClassifier(ConvNet((8, 16)), **parameters)


SUBJECTS = {
    "MAXLClassifier": Subject(
        "sklearn_maxl", MAXLClassifier, {"psi": [2, 3]},
        images_of_maxl, lambda: images_of_maxl(input_shape=(1, 8, 8)),
    ),
    "MAXLRegressor": Subject("sklearn_maxl", MAXLRegressor),
    "MLPClassifier": Subject(
        "scikit-learn", lambda: MLPClassifier(max_iter=1000), {"alpha": [1e-4, 1e-3]}
    ),
    "NeuralNetClassifier": Subject(
        "skorch", lambda: skorch(Perceptron), {"lr": [0.01, 0.02]}, lambda: skorch(Convolutions)
    ),
    "RealMLP_TD_Classifier": Subject("pytabkit", realmlp, {"n_epochs": [128, 256]}),
}  # fmt: skip
