"""What all networks of a fit have in common: a standardisation and a trunk, before heads."""

import copy
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from .._environment.random_state import isolated_rng
from .layout import choose_layout, in_layout_of

Build = Callable[[tuple[int, ...]], nn.Module]
Scaling = tuple[np.ndarray, np.ndarray]


class Standardize(nn.Module):
    """Subtract a mean and divide by a scale, per feature or per channel; takes any dtype.

    Tables have a float64 mean: a time stamp in seconds has no digits left in float32.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, mean: Tensor, scale: Tensor):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.scale


class Network(nn.Module):
    """A trunk behind a standardisation; heads are a subclass's own.

    Parameters
    ----------
    standardize : Standardize
    trunk : torch.nn.Module
        Where it takes images in the layout `torch.channels_last`, which makes
        convolutions faster on every device, its weights lie in it too.
    n_features : int
        Features that the trunk makes of a sample.
    """

    constant_buffers = ("mask", "standardize.mean", "standardize.scale")

    def __init__(self, standardize: Standardize, trunk: nn.Module, n_features: int):
        super().__init__()
        self.standardize = standardize
        self.trunk = trunk
        self.n_features = n_features

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights: of a head, or of the trunk, which may have none."""
        heads = [m for name, m in self.named_children() if name.endswith("head")]
        weights = (p for m in [*heads, self.trunk] for p in m.parameters())
        return next((p.dtype for p in weights), torch.get_default_dtype())

    def prepare(self, x: Tensor) -> Tensor:
        """Standardised samples in the type and memory layout of the weights.

        Training does so once for each batch, whatever the number of passes.
        """
        return in_layout_of(self.trunk, self.standardize(x).to(self.dtype))

    def features(self, z: Tensor) -> Tensor:
        """Output of the trunk for prepared samples, shape (n, n_features)."""
        return self.trunk(in_layout_of(self.trunk, z))

    def transform(self, x: Tensor) -> Tensor:
        """Features of samples, shape (n, n_features)."""
        return self.features(self.prepare(x))


@dataclass(frozen=True)
class Frame:
    """What makes the part that is alike in all networks of a fit.

    Attributes
    ----------
    build : callable
        ``input_shape -> torch.nn.Module``, the trunk.
    input_shape : tuple of int
    scaling : pair of arrays
        Mean and scale that standardise the samples.
    name : str
        The parameter that errors name.
    of_user : bool
        Whether `build` runs a user's own code.
    """

    build: Build
    input_shape: tuple[int, ...]
    scaling: Scaling
    name: str = "backbone"
    of_user: bool = False

    def make(self) -> tuple[Standardize, nn.Module, int]:
        """The parameters of a `Network` with fresh weights, on the CPU."""
        trunk, n_features = build_trunk(self.build, self.input_shape, self.name)
        mean, scale = map(torch.as_tensor, self.scaling)
        if takes_raw_inputs(trunk):
            mean, scale = torch.zeros_like(mean), torch.ones_like(scale)
        return Standardize(mean, scale), trunk, n_features


def make_head(trunk: nn.Module, n_features: int, n_outputs: int) -> nn.Module:
    """A linear head; a trunk's ``head_hidden_layer_sizes`` puts layers with ReLU before it.

    The paper's VGG-16 has heads of two layers.
    """
    sizes = [n_features, *getattr(trunk, "head_hidden_layer_sizes", ())]
    layers: list[nn.Module] = []
    for width, size in itertools.pairwise(sizes):
        layers += [nn.Linear(width, size), nn.ReLU()]
    last = nn.Linear(sizes[-1], n_outputs)
    return nn.Sequential(*layers, last) if layers else last


def takes_raw_inputs(trunk: nn.Module) -> bool:
    """Whether a trunk asks for inputs as they are, by its attribute ``raw_inputs``."""
    return bool(getattr(trunk, "raw_inputs", False))


def check_same_inputs(module: Network, generator: Network) -> None:
    """Refuse two networks of which one takes raw inputs: a step prepares them once for both."""
    if takes_raw_inputs(module.trunk) != takes_raw_inputs(generator.trunk):
        raise BackboneError(
            "backbone and generator must both take raw inputs (raw_inputs = True), or neither, but "
            "one of them does."
        )


class BackboneError(ValueError):
    """A backbone does not turn samples into features."""


def build_trunk(build: Build, input_shape: tuple[int, ...], name: str) -> tuple[nn.Module, int]:
    """Make a trunk and find the number of its features with a dry run.

    The module is copied: a factory that hands out the same trained module twice
    must not carry what one fit learned into the next.
    """
    try:
        trunk = build(input_shape)
    except Exception as error:
        raise BackboneError(
            f"{name} can't be built for samples {input_shape}: {error}{_hint_for_class(build)}"
        ) from error
    if not isinstance(trunk, nn.Module):
        raise BackboneError(
            f"{name} must make a torch.nn.Module, but it made {type(trunk).__name__!r}."
        )
    trunk = copy.deepcopy(trunk)
    trunk.eval()  # leaves running statistics alone; lazy layers still take their shapes
    try:
        with torch.no_grad():
            features = trunk(torch.zeros(2, *input_shape))
    except Exception as error:
        raise BackboneError(
            f"{name} can't take samples of shape {input_shape}: {error}{_hint_for_class(build)}"
        ) from error
    if not isinstance(features, Tensor) or features.ndim != 2 or len(features) != 2:
        got = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
        raise BackboneError(
            f"{name} must map (n, {', '.join(map(str, input_shape))}) to (n, n_features), but two "
            f"samples became {got}; end it with torch.nn.Flatten() or a pooling layer."
        )
    _check_codes(trunk, input_shape, name)
    choose_layout(trunk, input_shape)
    return trunk, features.shape[1]


def _hint_for_class(build: Build) -> str:
    """What to do where the builder is a network's class, which expects other arguments."""
    if not isinstance(build, type):
        return ""
    name = build.__name__
    return (
        f". It is the class {name}, called with the shape of a sample; pass a network, "
        f"{name}(...), or sklearn_maxl.backbones.Custom({name}, ...)."
    )


def _check_codes(trunk: nn.Module, input_shape: tuple[int, ...], name: str) -> None:
    """Refuse to standardise codes that the trunk looks up in a table, such as token ids."""
    tables = (nn.Embedding, nn.EmbeddingBag)
    if takes_raw_inputs(trunk) or not any(isinstance(m, tables) for m in trunk.modules()):
        return
    try:
        with torch.no_grad():
            trunk(torch.full((2, *input_shape), -1.0))  # half of standardised values are negative
    except (IndexError, RuntimeError) as error:
        raise BackboneError(
            f"{name} looks its inputs up in an nn.Embedding, but they are standardised, so that "
            "they are no codes any more; set the attribute raw_inputs = True on the network, and "
            "it gets them as they are."
        ) from error


def draws_random_numbers(module: nn.Module, *inputs: Tensor) -> bool:
    """Whether a training pass uses torch's random state (dropout, however it is written)."""
    device = inputs[0].device
    probe = copy.deepcopy(module).train()
    with isolated_rng(0, device) as state, torch.no_grad():
        before = state()
        probe(*inputs)
        return not torch.equal(before, state())
