"""Numbers with waves of each beside it, so that a network can bend where a number matters."""

import math

import torch
from torch import Tensor, nn

N_WAVES = 16  # of each number, as Holzmüller et al. have them
FREQUENCY = 0.1  # standard deviation of their frequencies, the same authors'


class PeriodicFeatures(nn.Module):
    """Each number, and `width` sums of waves of it: ``[x, cos(w x + b) V + c]``.

    All of ``w``, ``b``, ``V`` and ``c`` are learned, and each number has its own. A sum of waves
    rises and falls within a small part of a number's range, for which a layer of ReLU needs
    many units: thresholds, as trees have them, come at once.

    The features of RealMLP: D. Holzmüller, L. Grinsztajn, I. Steinwart. "Better by Default:
    Strong Pre-Tuned MLPs and Boosted Trees on Tabular Data". NeurIPS 2024. arXiv:2407.04491.
    """

    def __init__(self, n_features: int, width: int):
        super().__init__()
        self.n_features, self.width = n_features, width
        bound = 1 / math.sqrt(N_WAVES)
        shape = (n_features, 1, N_WAVES)
        self.w = nn.Parameter(2 * math.pi * FREQUENCY * torch.randn(shape))
        self.b = nn.Parameter(torch.empty(shape).uniform_(-math.pi, math.pi))
        self.V = nn.Parameter(torch.empty(n_features, N_WAVES, width).uniform_(-bound, bound))
        self.c = nn.Parameter(torch.empty(n_features, 1, width).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """From (n, n_features) to (n, n_features * (1 + width))."""
        column = x.T.unsqueeze(2)
        waves = torch.addcmul(self.b, column, self.w).cos()
        sums = waves @ self.V + self.c
        return torch.cat([x, sums.movedim(0, 1).flatten(1)], dim=1)

    def extra_repr(self) -> str:
        return f"{self.n_features}, {self.width}"
