"""The small convolutional trunk, for images and signals."""

from collections.abc import Sequence

from sklearn.base import BaseEstimator
from torch import nn

from ._checks import positive_ints, probability, scaled
from ._dropout import Dropout

# Layers by the number of dimensions of a sample without its channels.
LAYERS = {
    1: (nn.Conv1d, nn.BatchNorm1d, nn.MaxPool1d, nn.AdaptiveAvgPool1d),
    2: (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d),
}


class ConvNet(BaseEstimator):
    """Convolutions of width 3 with batch normalisation, ReLU and max-pooling.

    For images (channels, height, width) and for signals (channels, length). The
    default is a 4-layer network of the kind that the MAXL paper uses on MNIST and
    SVHN (Liu, Davison and Johns, NeurIPS 2019, Table 1); its widths are not known
    from the paper's text, so those here are our choice. A map is halved after a layer
    as long as all its sides are at least 4, so that no halving leaves batch
    normalisation a single pixel, and averaged at the end; any size fits.

    Parameters
    ----------
    channels : sequence of int, default=(32, 64, 128, 128)
        Filters of each layer; the last one is the number of features.
    width : float, default=1.0
        Factor of all `channels`; the products are rounded, and at least 1. It makes
        the whole network wider or narrower with one parameter; 1 leaves `channels`.
    dropout : float, default=0.0
        Probability with which a feature is dropped in training, after the average.
        None by default: batch normalisation regularises already.

    See Also
    --------
    VGG16 : Thirteen convolutions, for images from 16 x 16.

    Examples
    --------
    >>> import torch
    >>> from sklearn_maxl.backbones import ConvNet
    >>> ConvNet(channels=(8, 16)).build((3, 20, 12))(torch.zeros(5, 3, 20, 12)).shape
    torch.Size([5, 16])
    >>> ConvNet(channels=(8, 16), width=0.5).build((2, 100))(torch.zeros(5, 2, 100)).shape
    torch.Size([5, 8])
    """

    def __init__(
        self,
        channels: Sequence[int] = (32, 64, 128, 128),
        width: float = 1.0,
        dropout: float = 0.0,
    ):
        self.channels = channels
        self.width = width
        self.dropout = dropout

    def build(self, input_shape: tuple[int, ...]) -> nn.Sequential:
        """Make the network with fresh weights.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one sample: (channels, height, width) or (channels, length).

        Returns
        -------
        torch.nn.Sequential
            Maps (n, \\*input_shape) to (n, ``channels[-1]`` times `width`).

        Raises
        ------
        ValueError
            If samples are neither images nor signals, or a parameter is of no use.
        """
        n, *side = input_shape
        if len(side) not in LAYERS:
            raise ValueError(
                "ConvNet takes images of shape (n, channels, height, width) or signals of shape "
                f"(n, channels, length), but a sample has shape {input_shape}; use MLP for tables."
            )
        conv, norm, pool, average = LAYERS[len(side)]
        layers: list[nn.Module] = []
        for size in positive_ints("channels", self.channels):
            filters = scaled(size, self.width)
            layers += [conv(n, filters, 3, padding=1, bias=False), norm(filters), nn.ReLU()]
            if min(side) >= 4:
                layers.append(pool(2))
                side = [length // 2 for length in side]
            n = filters
        layers += [average(1), nn.Flatten()]
        if dropout := probability("dropout", self.dropout):
            layers.append(Dropout(dropout))
        return nn.Sequential(*layers)
