"""VGG-16, the paper's network for CIFAR."""

from sklearn.base import BaseEstimator
from torch import nn

from ._checks import image_shape, probability, scaled
from ._dropout import Dropout

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # filters, layers


class VGG16(BaseEstimator):
    """Thirteen 3x3 convolutions with batch normalisation, in five blocks, for images.

    The paper's network for CIFAR-10, CIFAR-100 and ImageNet at 32 x 32 (Liu, Davison
    and Johns, NeurIPS 2019, Table 1; filters 64-128-256-512-512 and heads of two
    layers as in the authors' code). The map is halved after each block; between
    blocks only as long as both sides are at least 4, so that batch normalisation
    never sees a single pixel. What is left at the end is averaged. At 32 x 32 these
    are the paper's five halvings, down to one pixel.

    Parameters
    ----------
    width : float, default=1.0
        Factor of all filters; the products are rounded, and at least 1. 1 is the
        paper's; 0.25 has about a sixteenth of the parameters and operations.
    dropout : float, default=0.0
        Probability with which a feature is dropped in training, after the average.
        None by default: batch normalisation regularises already.

    See Also
    --------
    ConvNet : Smaller, and for images of any size.

    Notes
    -----
    Convolutions start with He's normal initialisation, as VGG with batch
    normalisation usually does; the authors' code has Xavier's, uniform for the
    multi-task network and normal for the label generator. Convolutions have no
    bias, which batch normalisation would take away again.

    References
    ----------
    .. [1] K. Simonyan, A. Zisserman. "Very Deep Convolutional Networks for
       Large-Scale Image Recognition". ICLR 2015. arXiv:1409.1556.

    Examples
    --------
    >>> import torch
    >>> from sklearn_maxl.backbones import VGG16
    >>> VGG16(width=0.125).build((3, 32, 32))(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 64])
    """

    def __init__(self, width: float = 1.0, dropout: float = 0.0):
        self.width = width
        self.dropout = dropout

    def build(self, input_shape: tuple[int, ...]) -> nn.Sequential:
        """Make the network with fresh weights.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one image: (channels, height, width), at least 16 x 16.

        Returns
        -------
        torch.nn.Sequential
            Maps (n, \\*input_shape) to (n, 512 times `width`). Its
            ``head_hidden_layer_sizes`` asks for heads with a hidden layer.

        Raises
        ------
        ValueError
            If samples are no images or smaller than 16 x 16, or `width` is not positive.
        """
        n, height, width = image_shape("VGG16", input_shape, 16)
        side = min(height, width)
        layers: list[nn.Module] = []
        for block, (filters, depth) in enumerate(BLOCKS):
            for _ in range(depth):
                n, before = scaled(filters, self.width), n
                conv = nn.Conv2d(before, n, 3, padding=1, bias=False)
                nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
                layers += [conv, nn.BatchNorm2d(n), nn.ReLU()]
            if side >= 4 or block == len(BLOCKS) - 1:
                layers.append(nn.MaxPool2d(2))
                side //= 2
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        if dropout := probability("dropout", self.dropout):
            layers.append(Dropout(dropout))
        trunk = nn.Sequential(*layers)
        trunk.head_hidden_layer_sizes = (n,)  # type: ignore[assignment]
        return trunk
