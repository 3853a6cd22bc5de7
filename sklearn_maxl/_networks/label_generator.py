"""The label generator: the paper's ``g`` with parameters theta 2."""

import torch
from torch import Tensor, nn

from .._tasks.auxiliary import Hierarchy
from .members import n_members
from .trunk import BackboneError, Frame, Network, Standardize, make_head


class LabelGenerator(Network):
    """Soft auxiliary labels for labelled samples: ``(x, block) -> Y``, shape (n, K).

    The mass of ``Y`` lies in the block of the sample's class only (Mask SoftMax). The
    mask is laid on the logits, so that a masked class gets exactly 0. With a
    positive `weight_range` R there is a weight of each sample beside it, between
    ``2^-R`` and ``2^R``.
    """

    mask: Tensor

    def __init__(
        self,
        standardize: Standardize,
        trunk: nn.Module,
        n_features: int,
        hierarchy: Hierarchy,
        weight_range: float = 0.0,
    ):
        super().__init__(standardize, trunk, n_features)
        self.head = make_head(trunk, n_features, hierarchy.n_labels)
        self.weight_range = weight_range
        self.weight_head = None
        if weight_range:
            self.weight_head = nn.Linear(n_features, 1)
            # Every weight starts as 1, so that training starts as it does without them.
            nn.init.zeros_(self.weight_head.weight)
            nn.init.zeros_(self.weight_head.bias)
        self.register_buffer("mask", torch.as_tensor(hierarchy.mask))

    def forward(self, x: Tensor, block: Tensor) -> Tensor:
        return self.labels(self.transform(x), block)

    def task(self, z: Tensor, block: Tensor) -> tuple[Tensor, Tensor | None]:
        """``Y`` and the weights ``s`` of prepared samples, None without a range."""
        features = self.features(z)
        return self.labels(features, block), self._weights(features)

    def labels(self, features: Tensor, block: Tensor) -> Tensor:
        """``Y`` of the features of samples."""
        return masked_softmax(self.head(features), self.mask[block])

    def weights(self, x: Tensor) -> Tensor:
        """The weights ``s`` of samples, shape (n,): ones without a range."""
        features = self.transform(x)
        s = self._weights(features)
        return torch.ones(len(x), device=features.device) if s is None else s

    def _weights(self, features: Tensor) -> Tensor | None:
        """``s = 2^(R (2 w - 1))`` with w the sigmoid of the weight head."""
        if self.weight_head is None:
            return None
        w = torch.sigmoid(self.weight_head(features)).squeeze(1)
        return torch.exp2(self.weight_range * (2 * w - 1))


def masked_softmax(logits: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the entries where ``mask`` is True; exactly 0 elsewhere."""
    return torch.softmax(logits.masked_fill(~mask, -torch.inf), dim=1)


def make_label_generator(
    frame: Frame, hierarchy: Hierarchy, weight_range: float = 0.0
) -> LabelGenerator:
    """The label generator with fresh weights, on the CPU."""
    standardize, trunk, n_features = frame.make()
    if n_members(trunk) is not None:
        raise BackboneError(
            "generator has several members, but labels come from one network; use Learned with a "
            "generator of its own, such as MLP()."
        )
    return LabelGenerator(standardize, trunk, n_features, hierarchy, weight_range)
