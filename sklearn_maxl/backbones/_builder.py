"""From what a user may give as `backbone` to a function that builds a trunk."""

from collections.abc import Callable
from typing import TypeAlias

from sklearn.base import BaseEstimator
from torch import nn

from ._convnet import ConvNet
from ._members import Members
from ._mlp import MLP
from ._resnet import ResNet50
from ._vgg import VGG16

Build = Callable[[tuple[int, ...]], nn.Module]
Backbone: TypeAlias = str | BaseEstimator | nn.Module | Build

# The names that the parameters `backbone` and `generator` know, apart from "auto".
NAMED: dict[str, type[BaseEstimator]] = {
    "mlp": MLP,
    "members": Members,
    "convnet": ConvNet,
    "vgg16": VGG16,
    "resnet50": ResNet50,
}


def builder(backbone: Backbone, name: str = "backbone") -> Build:
    """Turn what a user may give as `backbone` into a function of the samples' shape.

    Parameters
    ----------
    backbone : str, backbone, torch.nn.Module or callable
    name : str
        The parameter that errors name.

    Returns
    -------
    callable
        ``input_shape -> torch.nn.Module``; picklable if `backbone` is.
    """
    if isinstance(backbone, str):
        if backbone not in NAMED:
            raise ValueError(
                f"{name}={backbone!r} is not available; use 'auto', "
                f"{', '.join(map(repr, NAMED))}, a backbone such as sklearn_maxl.backbones.MLP(), "
                "or a function input_shape -> torch.nn.Module."
            )
        backbone = NAMED[backbone]()
    if isinstance(backbone, type) and hasattr(backbone, "build"):
        raise ValueError(
            f"{name} is the class {backbone.__name__}; pass an object, {backbone.__name__}()."
        )
    if isinstance(backbone, nn.Module):
        return _Given(backbone)
    return backbone.build if hasattr(backbone, "build") else backbone


def with_members(backbone: Backbone, most: int) -> Backbone:
    """The backbone with so many members at most, where it has any; else `backbone`."""
    holder = backbone
    if isinstance(backbone, str) and backbone in NAMED:
        holder = NAMED[backbone]()
    return holder.fewer(most) if isinstance(holder, Members) else backbone


def is_of_user(backbone: Backbone) -> bool:
    """Whether a backbone runs a user's own code, and none of this package."""
    return not isinstance(backbone, str) and type(backbone) not in NAMED.values()


class _Given:
    """A module of the user's as a builder; whoever asks for it trains a copy."""

    def __init__(self, module: nn.Module):
        self.module = module

    def __call__(self, input_shape: tuple[int, ...]) -> nn.Module:
        return self.module
