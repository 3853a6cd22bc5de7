"""What an estimator predicts with, as one module: samples as a user has them in, answers out.

Nothing here branches on values or on the number of samples, so that `torch.export` and its
like can follow.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .multi_task import MultiTaskNet
from .trunk import copied


class Exported(nn.Module):
    """A copy of a trained network, on the CPU and without gradients of its own.

    Parameters
    ----------
    network : MultiTaskNet
    input_shape : tuple of int
        Shape of one sample; others are refused, since some would be broadcast.
    """

    def __init__(self, network: MultiTaskNet, input_shape: tuple[int, ...]):
        super().__init__()
        self.network = copied(network).cpu()
        self.input_shape = input_shape
        self.requires_grad_(False).zero_grad()

    def check(self, x: Tensor) -> None:
        """Refuse samples of another shape; a trace has those of its example."""
        traced: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        if not traced and tuple(x.shape[1:]) != self.input_shape:
            raise ValueError(
                f"The module takes samples of shape {self.input_shape}, but it was given a tensor "
                f"of shape {tuple(x.shape)}."
            )


class Probabilities(Exported):
    """``x -> probabilities of the classes``, shape (n, C)."""

    def __init__(self, network: MultiTaskNet, input_shape: tuple[int, ...]):
        super().__init__(network, input_shape)
        self.softmax = nn.Softmax(dim=1)  # a module: explainers such as DeepLift know modules

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        probabilities: Tensor = self.softmax(self.network.prediction(x))
        return probabilities


class Numbers(Exported):
    """``x -> predicted targets`` in their own units, shape (n,) or (n, m), float64.

    Parameters
    ----------
    network : MultiTaskNet
    input_shape : tuple of int
    mean, scale : array of shape (m,)
        Of the targets that the network was trained on.
    one_column : bool
        Whether the targets came as (n,).
    """

    mean: Tensor
    scale: Tensor
    most: Tensor

    def __init__(
        self,
        network: MultiTaskNet,
        input_shape: tuple[int, ...],
        mean: NDArray[np.float64],
        scale: NDArray[np.float64],
        one_column: bool,
    ):
        super().__init__(network, input_shape)
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("scale", torch.tensor(scale))
        # A tensor: ONNX's exporter makes float32 of a number.
        self.register_buffer("most", torch.tensor(np.finfo(np.float64).max, dtype=torch.float64))
        self.one_column = one_column

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        targets = self.network.primary(x) * self.scale + self.mean
        targets = targets.clamp(-self.most, self.most)
        return targets.squeeze(1) if self.one_column else targets
