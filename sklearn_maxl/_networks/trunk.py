"""What all networks of a fit have in common: a standardisation and a trunk, before heads."""

import copy
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Self, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, is_lazy

from .._environment.devices import can_hold
from .._environment.random_state import isolated_rng
from .layout import choose_layout, in_layout_of
from .members import MemberLinear, n_members, side_by_side

Build = Callable[[tuple[int, ...]], nn.Module]
Scaling = tuple[np.ndarray, np.ndarray]
M = TypeVar("M", bound=nn.Module)

# Standard deviations that a value of a table comes to lie within, after D. Holzmüller et al.,
# "Better by Default" (NeurIPS 2024), who squeeze values so, and whose limit it is.
LIMIT = 3.0

# Standard deviations at which a value is clipped. The value of a table is squeezed afterwards, and
# may be any whose square is finite; that of images and signals goes through layers that multiply
# it. No value of training is as far: of n values, none is more than sqrt(n) deviations from the
# mean.
FARTHEST_OF_TABLES = 1e15
FARTHEST = 1e6


class Standardize(nn.Module):
    """Subtract a mean and divide by a scale, per feature or per channel; takes any dtype.

    Tables have a float64 mean: a time stamp in seconds has no digits left in float32. It
    stays on the CPU where the device has no float64, and so does the work, except for samples
    that lie on the device already. Other networks bring samples to their device.

    What is `farthest` from the mean or farther is clipped there, so that no sample has an answer
    that is not a number. With a `limit` the result is squeezed into (-limit, limit), smoothly and
    monotonically: values near 0 hardly change, and a value far from all others is no farther.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        mean: Tensor,
        scale: Tensor,
        limit: float | None = None,
        farthest: float | None = FARTHEST_OF_TABLES,
    ):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        self.limit, self.farthest = limit, farthest

    def forward(self, x: Tensor) -> Tensor:
        mean, scale = self.mean, self.scale
        if x.device.type == "cpu":
            x = (x if can_hold(mean.device, x.dtype) else x.float()).to(mean.device)
        elif mean.device.type == "cpu":
            mean, scale = (t.float().to(x.device) for t in (mean, scale))
        z = (x - mean) / scale
        if self.farthest is not None:
            z = z.clamp(-self.farthest, self.farthest)
        return z if self.limit is None else z / (1 + (z / self.limit) ** 2).sqrt()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """What moves a module and changes its type: torch asks every part of a network."""
        device = fn(torch.empty(0)).device
        if not can_hold(device, self.mean.dtype):
            return self
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]


class Network(nn.Module):
    """A trunk behind a standardisation; heads are a subclass's own.

    Parameters
    ----------
    standardize : Standardize
    trunk : torch.nn.Module
        Where it takes images in the layout `torch.channels_last`, which makes
        convolutions faster on every device, its weights lie in it too.
    n_features : int
        Features that the trunk, or each of its members, makes of a sample.
    """

    constant_buffers = (
        *("mask", "temperature", "primary_share"),
        *("standardize.mean", "standardize.scale"),
    )

    def __init__(self, standardize: Standardize, trunk: nn.Module, n_features: int):
        super().__init__()
        self.standardize = standardize
        self.trunk = trunk
        self.n_features = n_features * (n_members(trunk) or 1)

    @property
    def weight(self) -> Tensor:
        """Any of the weights: of a head, or of the trunk, which may have none."""
        heads = [m for name, m in self.named_children() if name.endswith("head")]
        weights = (p for m in [*heads, self.trunk] for p in m.parameters())
        for weight in weights:
            return weight
        return torch.empty(0, dtype=torch.float32, device=self.standardize.mean.device)

    def prepare(self, x: Tensor) -> Tensor:
        """Standardised samples where the weights are, in their type and memory layout.

        Training does so once for each batch, whatever the number of passes.
        """
        return in_layout_of(self.trunk, self.standardize(x).to(self.weight))

    def features(self, z: Tensor) -> Tensor:
        """Output of the trunk for prepared samples, shape (n, n_features).

        Those of a trunk of members are (n_members, n, n_features of a member).
        """
        z = in_layout_of(self.trunk, z)
        # A user's code may write into what it is given, which the other network is given too.
        return self.trunk(z.clone() if getattr(self.trunk, "of_user", False) else z)

    def transform(self, x: Tensor) -> Tensor:
        """Features of samples, shape (n, n_features); those of members side by side."""
        return side_by_side(self.features(self.prepare(x)))


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
        trunk.of_user = self.of_user  # type: ignore[assignment]
        mean, scale = map(torch.as_tensor, self.scaling)
        if takes_raw_inputs(trunk):
            as_they_are = Standardize(torch.zeros_like(mean), torch.ones_like(scale), farthest=None)
            return as_they_are, trunk, n_features
        bounds = (LIMIT, FARTHEST_OF_TABLES) if len(self.input_shape) == 1 else (None, FARTHEST)
        return Standardize(mean, scale, *bounds), trunk, n_features

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self  # it never changes, and a user's module may be one that can't be copied


def make_head(trunk: nn.Module, n_features: int, n_outputs: int) -> nn.Module:
    """A linear head; a trunk's ``head_hidden_layer_sizes`` puts layers with ReLU before it.

    The paper's VGG-16 has heads of two layers. Each member of a trunk has a head of its own.
    """
    sizes = [n_features, *getattr(trunk, "head_hidden_layer_sizes", ())]
    members = n_members(trunk)
    linear = nn.Linear if members is None else partial(MemberLinear, members)
    layers: list[nn.Module] = []
    for width, size in itertools.pairwise(sizes):
        layers += [linear(width, size), nn.ReLU()]
    last = linear(sizes[-1], n_outputs)
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
    try:
        trunk = copied(trunk)
    except Exception as error:
        raise BackboneError(f"{name} can't be copied, as every fit does: {error}") from error
    check_trainable(trunk, name)
    trunk.eval()  # leaves running statistics alone; lazy layers still take their shapes
    try:
        with torch.no_grad():
            features = trunk(torch.zeros(2, *input_shape))
    except Exception as error:
        others = {p.dtype for p in trunk.parameters() if p.is_floating_point()} - {torch.float32}
        cure = f"; samples are float32, its weights are {_names(others)}: convert it with .float()"
        raise BackboneError(
            f"{name} can't take samples of shape {input_shape}: {error}{cure if others else ''}"
            f"{_hint_for_class(build)}"
        ) from error
    expected = (2,) if n_members(trunk) is None else (n_members(trunk), 2)
    whole = isinstance(features, Tensor) and features.ndim == len(expected) + 1
    if not whole or tuple(features.shape[:-1]) != expected:
        got = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
        raise BackboneError(
            f"{name} must map (n, {', '.join(map(str, input_shape))}) to (n, n_features), but two "
            f"samples became {got}; end it with torch.nn.Flatten() or a pooling layer."
        )
    if features.dtype != torch.float32:
        raise BackboneError(
            f"{name} must make float32 features, but they are {_names([features.dtype])}; convert "
            "the network with .float(), or what its forward returns."
        )
    _check_codes(trunk, input_shape, name)
    choose_layout(trunk, input_shape)
    return trunk, features.shape[-1]


def check_trainable(trunk: nn.Module, name: str) -> None:
    """Refuse compiled modules whose weights can't be exchanged, as a training step does."""
    for module in trunk.modules():
        compiled = isinstance(module, torch.jit.ScriptModule)
        if compiled and any(p.requires_grad for p in module.parameters()):
            raise BackboneError(
                f"{name} holds a torch.jit.ScriptModule with weights to train, which is not "
                "supported; pass the module that it was made from, or freeze it with "
                ".requires_grad_(False)."
            )


_lazy_buffer: Callable[..., Tensor] = UninitializedBuffer  # whose types lack its arguments


def copied(module: M) -> M:
    """A deep copy, also of modules that torch refuses to copy."""
    return copy.deepcopy(module, copies_of_special_tensors(module))


def copies_of_special_tensors(module: nn.Module) -> dict[int, object]:
    """What stands for them in a copy of a module, by identity.

    These are buffers of lazy layers, which have no shape yet, and tensors that a layer
    computes of its parameters before each pass, as in the older ``weight_norm``.
    """
    lazy = [b for b in module.buffers() if is_lazy(b)]
    values = (v for m in module.modules() for v in vars(m).values())
    computed = [v for v in values if isinstance(v, Tensor) and not v.is_leaf]
    return {
        **{id(b): _lazy_buffer(device=b.device, dtype=b.dtype) for b in lazy},
        **{id(v): v.detach().clone() for v in computed},
    }


def _names(dtypes: Iterable[torch.dtype]) -> str:
    return ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in dtypes))


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
    device = next((p.device for p in module.parameters()), inputs[0].device)
    probe = copied(module).train()
    with isolated_rng(0, device) as state, torch.no_grad():
        before = state()
        probe(*inputs)
        return not torch.equal(before, state())
