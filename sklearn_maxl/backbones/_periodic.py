"""Numbers with a sum of waves of each beside it, so that a network can bend where it matters."""

import math

import torch
from torch import Tensor, nn

N_WAVES = 16  # of each number, as RealMLP has them
FREQUENCY = 0.1  # standard deviation of their frequencies, RealMLP's too


class Periodic(nn.Module):
    """Each number, and a sum of waves of it: ``[x, v . cos(w x + b) + c]``.

    All of ``w``, ``b``, ``v`` and ``c`` are learned, and each number has its own. A sum of waves
    rises and falls within a small part of a number's range, for which a layer of ReLU needs
    many units: thresholds, as trees have them, come at once.

    After RealMLP, which has three sums of each number: D. Holzmüller, L. Grinsztajn, I. Steinwart.
    "Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on Tabular Data". NeurIPS 2024.
    arXiv:2407.04491.
    """

    def __init__(self, n_features: int):
        super().__init__()
        self.n_features = n_features
        bound = 1 / math.sqrt(N_WAVES)
        shape = (n_features, N_WAVES)
        self.w = nn.Parameter(2 * math.pi * FREQUENCY * torch.randn(shape))
        self.b = nn.Parameter(torch.empty(shape).uniform_(-math.pi, math.pi))
        self.v = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        self.c = nn.Parameter(torch.empty(n_features).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """From (n, n_features) to (n, 2 * n_features)."""
        waves = torch.addcmul(self.b, x.unsqueeze(2), self.w).cos()
        # A matrix product would round a sample that stands alone otherwise than one among others.
        return torch.cat([x, (waves * self.v).sum(2) + self.c], dim=1)

    def extra_repr(self) -> str:
        return f"{self.n_features}"
