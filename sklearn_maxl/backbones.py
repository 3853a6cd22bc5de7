"""Backbones: parameter holders that build a fresh trunk network for a shape of samples.

A backbone is not a network. It holds the parameters of one, with
scikit-learn's ``get_params``, so that a grid search reaches
``backbone__hidden_layer_sizes`` and no weight survives from one fit to the next.
"""

import inspect
import math
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from torch import nn

__all__ = ["MLP", "ConvNet", "Custom"]


class MLP(BaseEstimator):
    """Fully connected layers with ReLU, for tables; other samples are flattened first.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(100,)
        Width of each hidden layer; the last one is the number of features. The
        default is that of :class:`sklearn.neural_network.MLPClassifier`.
    dropout : float, default=0.0
        Probability with which a hidden unit is dropped in training.

    Examples
    --------
    >>> from sklearn_maxl.backbones import MLP
    >>> MLP(hidden_layer_sizes=(64, 32)).build((10,))[-2]
    Linear(in_features=64, out_features=32, bias=True)
    """

    def __init__(self, hidden_layer_sizes: Sequence[int] = (100,), dropout: float = 0.0):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.dropout = dropout

    def build(self, input_shape: tuple[int, ...]) -> nn.Sequential:
        """Make the network with fresh weights.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one sample.

        Returns
        -------
        torch.nn.Sequential
            Maps (n, \\*input_shape) to (n, ``hidden_layer_sizes[-1]``).
        """
        sizes = _positive_ints("hidden_layer_sizes", self.hidden_layer_sizes)
        layers: list[nn.Module] = [nn.Flatten()] if len(input_shape) != 1 else []
        width = math.prod(input_shape)
        for size in sizes:
            layers += [nn.Linear(width, size), nn.ReLU()]
            if self.dropout:
                layers.append(nn.Dropout(self.dropout))
            width = size
        return nn.Sequential(*layers)


class ConvNet(BaseEstimator):
    """Convolutions (3x3) with batch normalisation, ReLU and max-pooling, for images.

    The default is a 4-layer network of the kind that the MAXL paper uses on
    MNIST and SVHN (Liu, Davison and Johns, NeurIPS 2019, Table 1); its widths are
    not known from the paper's text, so those here are our choice. A map is halved
    after a layer as long as both its sides are at least 4, so that batch
    normalisation never sees a single pixel, and averaged at the end; any image
    size fits.

    Parameters
    ----------
    channels : sequence of int, default=(32, 64, 128, 128)
        Filters of each layer; the last one is the number of features.
    dropout : float, default=0.0
        Probability with which a feature is dropped in training, after the average.

    Examples
    --------
    >>> import torch
    >>> from sklearn_maxl.backbones import ConvNet
    >>> ConvNet(channels=(8, 16)).build((3, 20, 12))(torch.zeros(5, 3, 20, 12)).shape
    torch.Size([5, 16])
    """

    def __init__(self, channels: Sequence[int] = (32, 64, 128, 128), dropout: float = 0.0):
        self.channels = channels
        self.dropout = dropout

    def build(self, input_shape: tuple[int, ...]) -> nn.Sequential:
        """Make the network with fresh weights.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one image: (channels, height, width).

        Returns
        -------
        torch.nn.Sequential
            Maps (n, \\*input_shape) to (n, ``channels[-1]``).
        """
        if len(input_shape) != 3:
            raise ValueError(
                f"ConvNet takes images of shape (n, channels, height, width), but a sample has "
                f"shape {input_shape}; use MLP for tables."
            )
        width, *side = input_shape
        layers: list[nn.Module] = []
        for size in _positive_ints("channels", self.channels):
            layers += [
                nn.Conv2d(width, size, 3, padding=1, bias=False),
                nn.BatchNorm2d(size),
                nn.ReLU(),
            ]
            if min(side) >= 4:
                layers.append(nn.MaxPool2d(2))
                side = [length // 2 for length in side]
            width = size
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        if self.dropout:
            layers.append(nn.Dropout(self.dropout))
        return nn.Sequential(*layers)


class Custom(BaseEstimator):
    """Your own network as a backbone: ``module_class(**kwargs)`` is built anew in every fit.

    Parameters
    ----------
    module_class : callable returning torch.nn.Module
        Class or function of a network that maps (n, \\*input_shape) to
        (n, n_features). If it has a parameter ``input_shape``, it is given the
        shape of one sample. Define it in a module, not in a notebook cell or as a
        lambda, if the classifier is to be pickled.
    **kwargs : dict
        Its arguments. Those of its signature are parameters of this object, so
        that a grid search reaches them: ``backbone__width``.

    Examples
    --------
    >>> from torch import nn
    >>> from sklearn_maxl.backbones import Custom
    >>> spec = Custom(nn.Linear, in_features=4, out_features=3)
    >>> spec.set_params(out_features=8).build((4,))
    Linear(in_features=4, out_features=8, bias=True)
    """

    def __init__(self, module_class: Callable[..., nn.Module], **kwargs: Any):
        self.module_class = module_class
        self.__dict__.update(kwargs)

    def _defaults(self) -> dict[str, Any]:
        parameters = inspect.signature(self.module_class).parameters.values()
        return {p.name: p.default for p in parameters if p.default is not p.empty}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the module's class and all its arguments, defaults included.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of arguments that have some.

        Returns
        -------
        dict
            Values by name.
        """
        params = {**self._defaults(), **vars(self)}
        if deep:
            for name, value in list(params.items()):
                if hasattr(value, "get_params") and not isinstance(value, type):
                    nested = value.get_params().items()
                    params.update({f"{name}__{key}": inner for key, inner in nested})
        return params

    def set_params(self, **params: Any) -> "Custom":
        """Set arguments of the module, whether they were given before or not.

        Parameters
        ----------
        **params : dict
            Values by name.

        Returns
        -------
        Custom
            This object.
        """
        names = inspect.signature(self.module_class).parameters
        own = {name: value for name, value in params.items() if name in names}
        self.__dict__.update(own)
        super().set_params(**{n: value for n, value in params.items() if n not in own})
        return self

    def build(self, input_shape: tuple[int, ...]) -> nn.Module:
        """Make the network with fresh weights.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one sample; handed on if the module has a parameter of that name.

        Returns
        -------
        torch.nn.Module
            Maps (n, \\*input_shape) to (n, n_features).
        """
        kwargs = {name: value for name, value in vars(self).items() if name != "module_class"}
        if "input_shape" in inspect.signature(self.module_class).parameters:
            kwargs.setdefault("input_shape", input_shape)
        return self.module_class(**kwargs)


NAMED: dict[str, Callable[[], BaseEstimator]] = {"mlp": MLP, "convnet": ConvNet}


def builder(
    backbone: Any, input_shape: tuple[int, ...], name: str = "backbone"
) -> Callable[[tuple[int, ...]], nn.Module]:
    """Turn what a user may give as `backbone` into a function of the samples' shape.

    Parameters
    ----------
    backbone : str, backbone, torch.nn.Module or callable
    input_shape : tuple of int
        Shape of one sample: decides what ``"auto"`` is.
    name : str
        The parameter that errors name.

    Returns
    -------
    callable
        ``input_shape -> torch.nn.Module``; picklable if `backbone` is.
    """
    if isinstance(backbone, str):
        if backbone == "auto":
            by_ndim = {1: "mlp", 3: "convnet"}
            if len(input_shape) not in by_ndim:
                raise ValueError(
                    f"{name}='auto' knows tables (n, n_features) and images (n, channels, height, "
                    f"width), but X has samples of shape {input_shape}; pass your own backbone."
                )
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
        return _Copy(backbone)
    return backbone


class _Copy:
    """A live module as a builder; the networks are made from copies of it, never from itself."""

    def __init__(self, module: nn.Module):
        self.module = module

    def __call__(self, input_shape: tuple[int, ...]) -> nn.Module:
        return self.module


def _positive_ints(name: str, values: Any) -> list[int]:
    good = isinstance(values, Sequence | np.ndarray) and len(values) > 0
    if not good or any(not isinstance(v, Integral) or v < 1 for v in values):
        raise ValueError(f"{name} must be a sequence of positive integers, got {values!r}.")
    return [int(v) for v in values]
