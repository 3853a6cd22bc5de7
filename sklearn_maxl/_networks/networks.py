"""The two networks of the method, from any trunk that maps ``(n, *input_shape)`` to features.

`MultiTaskNet` is the paper's ``f`` with parameters ``t`` (theta 1), `LabelGenerator`
its ``g`` (theta 2). Both standardise their input themselves.
"""

import copy
import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .._environment.random_state import isolated_rng
from .._tasks.views import Views, number_of
from .layout import choose_layout, in_layout_of


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
    """A trunk behind a standardisation, before heads.

    Parameters
    ----------
    standardize : Standardize
    trunk : torch.nn.Module
        Where it takes images in the layout `torch.channels_last`, which makes
        convolutions faster on every device, its weights lie in it too.
    """

    blocks: Tensor

    def __init__(self, standardize: Standardize, trunk: nn.Module):
        super().__init__()
        self.standardize = standardize
        self.trunk = trunk

    def prepare(self, x: Tensor) -> Tensor:
        """Standardised samples in the type and memory layout of the weights.

        Training does so once for each batch, whatever the number of passes.
        """
        return in_layout_of(self.trunk, self.standardize(x).to(self.dtype))

    def features(self, z: Tensor) -> Tensor:
        """Output of the trunk for prepared samples, shape (n, n_features)."""
        return self.trunk(in_layout_of(self.trunk, z))

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights."""
        heads = [m for name, m in self.named_children() if name.endswith("head")]
        return next(heads[0].parameters()).dtype


class MultiTaskNet(Network):
    """Shared trunk, primary head and auxiliary head: ``x -> (primary, auxiliary)``.

    The primary outputs are logits of the classes, or predicted targets. Without
    `blocks` there is no auxiliary head and its logits are None. With `views`, the
    auxiliary logits are those of a view of each sample, and `blocks` has a row for
    each pair of class and view; `primary_share` is the primary head's say in a prediction.
    With `apart`, the auxiliary head reads the trunk and does not change it.
    """

    primary_share: Tensor

    def __init__(
        self,
        standardize: Standardize,
        trunk: nn.Module,
        n_features: int,
        n_outputs: int,
        blocks: Tensor | None,
        views: Views | None = None,
        apart: bool = False,
    ):
        super().__init__(standardize, trunk)
        self.n_features = n_features
        self.views = views
        self.apart = apart
        self.primary_head = make_head(trunk, n_features, n_outputs)
        self.auxiliary_head = (
            None if blocks is None else make_head(trunk, n_features, blocks.shape[1])
        )
        self.register_buffer("blocks", blocks)
        if views is not None:
            self.register_buffer("primary_share", torch.tensor(0.5))

    def outputs(self, z: Tensor, view: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Both outputs for prepared samples, and views of them if there are any."""
        # In one pass: batch normalisation is to see what it will see at prediction time.
        features = self.features(z if view is None else torch.cat([z, view]))
        own, seen = features[: len(z)], features[-len(z) :]
        if self.auxiliary_head is None:
            return self.primary_head(own), None
        return self.primary_head(own), self.auxiliary_head(seen.detach() if self.apart else seen)

    def forward(self, x: Tensor, view: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        return self.outputs(self.prepare(x), None if view is None else self.prepare(view))

    def transform(self, x: Tensor) -> Tensor:
        """Features of samples, shape (n, n_features)."""
        return self.features(self.prepare(x))

    def primary(self, x: Tensor) -> Tensor:
        """Primary outputs alone, shape (n, n_outputs)."""
        return self.primary_head(self.transform(x))

    def prediction(self, x: Tensor) -> Tensor:
        """What inference needs: primary outputs or, with views, what these say together.

        Before the views' blocks are learned, the primary head has a share in the
        log-probabilities.
        """
        if self.views is None:
            return self.primary(x)
        if self.primary_share == 0:
            return self.joint(x)
        own = torch.log_softmax(self.primary(x), dim=1)
        return torch.lerp(self.joint(x), own, self.primary_share.to(own))

    def joint(self, x: Tensor) -> Tensor:
        """Logits of the classes, shape (n, C): the mean over the views of log p(class | view).

        That probability is the mass of the class's block among the blocks of the view.
        """
        assert self.views is not None
        columns = block_columns(self.blocks).unflatten(0, (-1, self.views.n))
        views = self.views.all(self.prepare(x))
        return torch.stack(
            [
                torch.log_softmax(block_sums(self._auxiliary_logits(view), columns[:, v]), dim=1)
                for v, view in enumerate(views)
            ]
        ).mean(0)

    def uniform_labels(self, y: Tensor) -> Tensor:
        """The uniform soft label over each sample's block: the arm that learns no labels."""
        block = self.blocks[y]
        return block / block.sum(1, keepdim=True)

    def auxiliary(self, x: Tensor) -> Tensor:
        """Auxiliary probabilities of the samples as they are, shape (n, K)."""
        logits = self._auxiliary_logits(self.prepare(x))
        return torch.softmax(logits[:, self.own_columns()], dim=1)

    def own_columns(self) -> Tensor:
        """Auxiliary classes of the samples as they are, without those of other views."""
        return self.blocks[:: number_of(self.views)].any(0).nonzero().squeeze(1)

    def _auxiliary_logits(self, z: Tensor) -> Tensor:
        return self.auxiliary_head(self.features(z))  # type: ignore[misc]


class LabelGenerator(Network):
    """Soft auxiliary labels for labelled samples: ``(x, y) -> Y``, shape (n, K).

    The mass of ``Y`` lies in the block of class ``y`` only (Mask SoftMax). The
    mask is laid on the logits, so that a masked class gets exactly 0. With a
    positive `weight_range` R there is a weight of each sample beside it, between
    ``2^-R`` and ``2^R``.
    """

    def __init__(
        self,
        standardize: Standardize,
        trunk: nn.Module,
        n_features: int,
        blocks: Tensor,
        weight_range: float = 0.0,
    ):
        super().__init__(standardize, trunk)
        self.head = make_head(trunk, n_features, blocks.shape[1])
        self.weight_range = weight_range
        self.weight_head = None
        if weight_range:
            self.weight_head = nn.Linear(n_features, 1)
            # Every weight starts as 1, so that training starts as it does without them.
            nn.init.zeros_(self.weight_head.weight)
            nn.init.zeros_(self.weight_head.bias)
        self.register_buffer("blocks", blocks)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self._labels(self.features(self.prepare(x)), y)

    def task(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor | None]:
        """``Y`` and the weights ``s`` of prepared samples, None without a range."""
        features = self.features(z)
        return self._labels(features, y), self._weights(features)

    def weights(self, x: Tensor) -> Tensor:
        """The weights ``s`` of samples, shape (n,): ones without a range."""
        if self.weight_head is None:
            return torch.ones(len(x), device=x.device)
        return self._weights(self.features(self.prepare(x)))  # type: ignore[return-value]

    def _labels(self, features: Tensor, y: Tensor) -> Tensor:
        return masked_softmax(self.head(features), self.blocks[y])

    def _weights(self, features: Tensor) -> Tensor | None:
        """``s = 2^(R (2 w - 1))`` with w the sigmoid of the weight head."""
        if self.weight_head is None:
            return None
        w = torch.sigmoid(self.weight_head(features)).squeeze(1)
        return torch.exp2(self.weight_range * (2 * w - 1))


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


def block_columns(blocks: Tensor) -> Tensor:
    """Numbers of the columns of each block, filled up with K to the size of the largest."""
    n, K = blocks.sum(1, keepdim=True), blocks.shape[1]
    offset = torch.arange(int(n.max()), device=blocks.device)
    first = blocks.int().argmax(1, keepdim=True)
    return torch.where(offset < n, first + offset, K)


def block_sums(logits: Tensor, columns: Tensor) -> Tensor:
    """Logarithm of the summed exponentials of the `columns` (m, size) of each block, (n, m)."""
    padded = F.pad(logits, (0, 1), value=-torch.inf)
    return padded[:, columns].logsumexp(2)


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
    choose_layout(trunk, input_shape)
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
    n_outputs: int,
    blocks: Any = None,
    views: Views | None = None,
    apart: bool = False,
) -> MultiTaskNet:
    """The multi-task network with fresh weights, on the CPU."""
    trunk, n_features = build_trunk(build, input_shape, "backbone")
    standardize = Standardize(*map(torch.as_tensor, scaling))
    blocks = None if blocks is None else torch.as_tensor(blocks)
    return MultiTaskNet(standardize, trunk, n_features, n_outputs, blocks, views, apart)


def make_label_generator(
    build: Callable[[tuple[int, ...]], nn.Module],
    input_shape: tuple[int, ...],
    scaling: tuple[Any, Any],
    blocks: Any,
    weight_range: float = 0.0,
) -> LabelGenerator:
    """The label generator with fresh weights, on the CPU."""
    trunk, n_features = build_trunk(build, input_shape, "generator")
    standardize = Standardize(*map(torch.as_tensor, scaling))
    return LabelGenerator(standardize, trunk, n_features, torch.as_tensor(blocks), weight_range)
