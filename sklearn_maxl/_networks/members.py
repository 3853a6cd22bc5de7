"""Trunks of several members, an ensemble in one network: outputs with an axis more, in front.

A trunk says how many by its attribute ``n_members``. Its features are (n_members, n,
n_features), each member has a head of its own, and what the heads say is (n_members, n, ...).
"""

import math

import torch
from torch import Tensor, nn


def n_members(trunk: nn.Module) -> int | None:
    """How many members a trunk has; None where its outputs have no axis of members."""
    members = getattr(trunk, "n_members", None)
    return None if members is None else int(members)


class MemberLinear(nn.Module):
    """A linear layer for each member: (n_members, n, in) to (n_members, n, out)."""

    def __init__(self, n_members: int, in_features: int, out_features: int):
        super().__init__()
        bound = 1 / math.sqrt(in_features)
        self.weight = nn.Parameter(
            torch.empty(n_members, in_features, out_features).uniform_(-bound, bound)
        )
        self.bias = nn.Parameter(torch.empty(n_members, 1, out_features).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        # Not baddbmm, which rounds a sample that stands alone otherwise than one among others.
        return x @ self.weight + self.bias


def side_by_side(features: Tensor) -> Tensor:
    """Features of all members in one row a sample."""
    return features if features.ndim == 2 else features.movedim(0, 1).flatten(1)


def mean_number(outputs: Tensor, members: int | None) -> Tensor:
    """The numbers that members predict, averaged."""
    return outputs if members is None else last(outputs).mean(-1)


def mean_log_probability(logits: Tensor, members: int | None) -> Tensor:
    """Logarithm of the mean of members' probabilities; logits of a single network stay as they are.

    Both are logits of the classes, shape (n, C).
    """
    if members is None:
        return logits
    # Their number is given: what is traced can't take the logarithm of a shape.
    return last(torch.log_softmax(logits, dim=2)).logsumexp(-1) - math.log(members)


def last(outputs: Tensor) -> Tensor:
    """Members as the last axis: sums along it round alike wherever in a batch a sample stands."""
    return outputs.movedim(0, -1).contiguous()
