"""From what a user may give as `backbone` to a function that builds a trunk."""

from collections.abc import Callable

from sklearn.base import BaseEstimator
from torch import nn

from ._convnet import ConvNet
from ._mlp import MLP
from ._resnet import ResNet50
from ._vgg import VGG16

Builder = Callable[[tuple[int, ...]], nn.Module]

NAMED: dict[str, Callable[[], BaseEstimator]] = {
    "mlp": MLP,
    "convnet": ConvNet,
    "vgg16": VGG16,
    "resnet50": ResNet50,
}

# What "auto" is for a classifier of tables: of the networks that were tried on the data sets for
# tuning, the one with which auxiliary labels gain most. A single task gains nothing by its width.
AUTO_FOR_TABLES = MLP(hidden_layer_sizes=(400,), dropout=0.5)


def builder(
    backbone: str | BaseEstimator | Builder,
    input_shape: tuple[int, ...],
    name: str = "backbone",
    regression: bool = False,
) -> Builder:
    """Turn what a user may give as `backbone` into a function of the samples' shape.

    Parameters
    ----------
    backbone : str, backbone, torch.nn.Module or callable
    input_shape : tuple of int
        Shape of one sample: decides what ``"auto"`` is.
    name : str
        The parameter that errors name.
    regression : bool
        Whether numbers are predicted: ``"auto"`` is then ``MLP()`` for tables.

    Returns
    -------
    callable
        ``input_shape -> torch.nn.Module``; picklable if `backbone` is.
    """
    if isinstance(backbone, str):
        if backbone == "auto":
            by_ndim = {1: "mlp", 2: "convnet", 3: "convnet"}
            if len(input_shape) not in by_ndim:
                raise ValueError(
                    f"{name}='auto' knows tables (n, n_features), signals (n, channels, length) "
                    "and images (n, channels, height, width), but X has samples of shape "
                    f"{input_shape}; pass your own backbone."
                )
            if len(input_shape) == 1 and not regression:
                return AUTO_FOR_TABLES.build
            backbone = by_ndim[len(input_shape)]
        if backbone not in NAMED:
            raise ValueError(
                f"{name}={backbone!r} is not available; use 'auto', "
                f"{', '.join(map(repr, NAMED))}, a backbone such as sklearn_maxl.backbones.MLP(), "
                "or a function input_shape -> torch.nn.Module."
            )
        return NAMED[backbone]().build
    if isinstance(backbone, type) and hasattr(backbone, "build"):
        raise ValueError(
            f"{name} is the class {backbone.__name__}; pass an object, {backbone.__name__}()."
        )
    if hasattr(backbone, "build"):
        return backbone.build
    if isinstance(backbone, nn.Module):
        return _Given(backbone)
    return backbone


class _Given:
    """A module of the user's as a builder; whoever asks for it trains a copy."""

    def __init__(self, module: nn.Module):
        self.module = module

    def __call__(self, input_shape: tuple[int, ...]) -> nn.Module:
        return self.module
