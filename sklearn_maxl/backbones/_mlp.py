"""Fully connected trunk, for tables."""

import math
from collections.abc import Sequence

from sklearn.base import BaseEstimator
from torch import nn

from ._checks import positive_ints, probability
from ._dropout import Dropout


class MLP(BaseEstimator):
    """Fully connected layers with ReLU, for tables; other samples are flattened first.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(100,)
        Width of each hidden layer; the last one is the number of features. The
        default is that of :class:`sklearn.neural_network.MLPClassifier`; the
        classifier's ``backbone="auto"`` is wider.
    dropout : float, default=0.0
        Probability with which a hidden unit is dropped in training. None by default,
        as in :class:`sklearn.neural_network.MLPClassifier`.

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

        Raises
        ------
        ValueError
            If `hidden_layer_sizes` is not a sequence of positive integers, or `dropout` not a
            number from 0 to 1.
        """
        sizes = positive_ints("hidden_layer_sizes", self.hidden_layer_sizes)
        dropout = probability("dropout", self.dropout)
        layers: list[nn.Module] = [nn.Flatten()] if len(input_shape) != 1 else []
        width = math.prod(input_shape)
        for size in sizes:
            layers += [nn.Linear(width, size), nn.ReLU()]
            if dropout:
                layers.append(Dropout(dropout))
            width = size
        return nn.Sequential(*layers)
