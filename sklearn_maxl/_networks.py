"""The two networks of the method, from any trunk that maps ``(n, *input_shape)`` to features.

`MultiTaskNet` is the paper's ``f`` with parameters ``t`` (theta 1), `LabelGenerator`
its ``g`` (theta 2). Both standardise their input themselves.
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ._random import isolated_rng


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


class MultiTaskNet(nn.Module):
    """Shared trunk, primary head and auxiliary head: ``x -> (primary logits, auxiliary logits)``.

    Without `blocks` there is no auxiliary head and its logits are None.
    """

    blocks: Tensor

    def __init__(
        self,
        standardize: Standardize,
        trunk: nn.Module,
        n_features: int,
        n_classes: int,
        blocks: Tensor | None,
    ):
        super().__init__()
        self.standardize = standardize
        self.trunk = trunk
        self.primary_head = nn.Linear(n_features, n_classes)
        self.auxiliary_head = None if blocks is None else nn.Linear(n_features, blocks.shape[1])
        self.register_buffer("blocks", blocks)

    def features(self, x: Tensor) -> Tensor:
        """Output of the trunk, shape (n, n_features)."""
        return self.trunk(self.standardize(x).to(self.primary_head.weight.dtype))

    def primary(self, x: Tensor) -> Tensor:
        """Primary logits alone, shape (n, n_classes): what inference needs."""
        return self.primary_head(self.features(x))

    def uniform_labels(self, y: Tensor) -> Tensor:
        """The uniform soft label over each sample's block: the arm that learns no labels."""
        block = self.blocks[y]
        return block / block.sum(1, keepdim=True)

    def auxiliary(self, x: Tensor) -> Tensor:
        """Auxiliary probabilities, shape (n, K)."""
        return torch.softmax(self.auxiliary_head(self.features(x)), dim=1)  # type: ignore[misc]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        features = self.features(x)
        auxiliary = None if self.auxiliary_head is None else self.auxiliary_head(features)
        return self.primary_head(features), auxiliary


class LabelGenerator(nn.Module):
    """Soft auxiliary labels for labelled samples: ``(x, y) -> Y``, shape (n, K).

    The mass of ``Y`` lies in the block of class ``y`` only (Mask SoftMax). The
    mask is laid on the logits, so that a masked class gets exactly 0.
    """

    blocks: Tensor

    def __init__(self, standardize: Standardize, trunk: nn.Module, n_features: int, blocks: Tensor):
        super().__init__()
        self.standardize = standardize
        self.trunk = trunk
        self.head = nn.Linear(n_features, blocks.shape[1])
        self.register_buffer("blocks", blocks)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        logits = self.head(self.trunk(self.standardize(x).to(self.head.weight.dtype)))
        return masked_softmax(logits, self.blocks[y])


def masked_softmax(logits: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the entries where ``mask`` is True; exactly 0 elsewhere."""
    return torch.softmax(logits.masked_fill(~mask, -torch.inf), dim=1)


class BackboneError(ValueError):
    """A backbone does not turn samples into features."""


def build_trunk(
    build: Callable[[tuple[int, ...]], nn.Module], input_shape: tuple[int, ...], name: str
) -> tuple[nn.Module, int]:
    """Make a trunk and find the number of its features with a dry run.

    The module is copied: a factory that hands out the same trained module twice
    must not carry what one fit learned into the next.
    """
    try:
        trunk = build(input_shape)
    except Exception as error:
        raise BackboneError(f"{name} can't be built for samples {input_shape}: {error}") from error
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
        raise BackboneError(f"{name} can't take samples of shape {input_shape}: {error}") from error
    if not isinstance(features, Tensor) or features.ndim != 2 or len(features) != 2:
        got = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
        raise BackboneError(
            f"{name} must map (n, {', '.join(map(str, input_shape))}) to (n, n_features), but two "
            f"samples became {got}; end it with torch.nn.Flatten() or a pooling layer."
        )
    return trunk, features.shape[1]


def draws_random_numbers(module: nn.Module, *inputs: Tensor) -> bool:
    """Whether a training pass uses torch's random state (dropout, however it is written)."""
    device = inputs[0].device
    probe = copy.deepcopy(module).train()
    with isolated_rng(0, device) as state, torch.no_grad():
        before = state()
        probe(*inputs)
        return not torch.equal(before, state())


def make_multi_task_net(
    build: Callable[[tuple[int, ...]], nn.Module],
    input_shape: tuple[int, ...],
    scaling: tuple[Any, Any],
    n_classes: int,
    blocks: Any = None,
) -> MultiTaskNet:
    """The multi-task network with fresh weights, on the CPU."""
    trunk, n_features = build_trunk(build, input_shape, "backbone")
    standardize = Standardize(*map(torch.as_tensor, scaling))
    blocks = None if blocks is None else torch.as_tensor(blocks)
    return MultiTaskNet(standardize, trunk, n_features, n_classes, blocks)


def make_label_generator(
    build: Callable[[tuple[int, ...]], nn.Module],
    input_shape: tuple[int, ...],
    scaling: tuple[Any, Any],
    blocks: Any,
) -> LabelGenerator:
    """The label generator with fresh weights, on the CPU."""
    trunk, n_features = build_trunk(build, input_shape, "generator")
    standardize = Standardize(*map(torch.as_tensor, scaling))
    return LabelGenerator(standardize, trunk, n_features, torch.as_tensor(blocks))
