"""ResNet-50, the paper's network for CINIC-10 and UCF-101."""

import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from ._checks import image_shape, probability, scaled
from ._dropout import Dropout

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))  # filters, blocks
EXPANSION = 4  # a block ends with so many times its filters
LARGE = 64  # pixels; from here on, images are first brought to a quarter of their side


class ResNet50(BaseEstimator):
    """Residual network of 16 bottleneck blocks with batch normalisation, for images.

    The paper's network for CINIC-10 and UCF-101 (Liu, Davison and Johns, NeurIPS 2019,
    Table 1). Images of 64 pixels and more go through the original stem (7x7 with
    stride 2, max-pooling); smaller ones, as in He et al.'s CIFAR networks, through one
    3x3 convolution that keeps their size. Each later stage halves the map, which ends
    with sides of at least 2, so that batch normalisation never sees a single pixel.

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
    VGG16 : The paper's network for CIFAR.

    Notes
    -----
    The stride of a block lies on its 3x3 convolution. Convolutions start with He's
    normal initialisation.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren, J. Sun. "Deep Residual Learning for Image
       Recognition". CVPR 2016. arXiv:1512.03385.

    Examples
    --------
    >>> import torch
    >>> from sklearn_maxl.backbones import ResNet50
    >>> ResNet50(width=0.125).build((3, 32, 32))(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 256])
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
            Maps (n, \\*input_shape) to (n, 4 times the width of the last stage, 512 times
            `width`).

        Raises
        ------
        ValueError
            If samples are no images or smaller than 16 x 16, or `width` is not positive.
        """
        channels, height, width = image_shape("ResNet50", input_shape, 16)
        n = scaled(STAGES[0][0], self.width)
        large = min(height, width) >= LARGE
        stem = conv_norm(channels, n, 7, stride=2) if large else conv_norm(channels, n, 3)
        layers: list[nn.Module] = [stem, nn.ReLU()]
        if large:
            layers.append(nn.MaxPool2d(3, stride=2, padding=1))
        for stage, (filters, depth) in enumerate(STAGES):
            inner = scaled(filters, self.width)
            for block in range(depth):
                halve = stage > 0 and block == 0
                layers.append(Bottleneck(n, inner, stride=2 if halve else 1))
                n = inner * EXPANSION
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        if dropout := probability("dropout", self.dropout):
            layers.append(Dropout(dropout))
        return nn.Sequential(*layers)


class Bottleneck(nn.Module):
    """``relu(x + F(x))`` with convolutions 1x1, 3x3, 1x1; x is projected where shapes differ."""

    def __init__(self, before: int, inner: int, stride: int):
        super().__init__()
        after = inner * EXPANSION
        self.residual = nn.Sequential(
            conv_norm(before, inner, 1),
            nn.ReLU(),
            conv_norm(inner, inner, 3, stride),
            nn.ReLU(),
            conv_norm(inner, after, 1),
        )
        same = before == after and stride == 1
        self.shortcut = nn.Identity() if same else conv_norm(before, after, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.shortcut(x) + self.residual(x))


def conv_norm(before: int, after: int, size: int, stride: int = 1) -> nn.Sequential:
    """A convolution that keeps the size, but for the stride, and batch normalisation."""
    conv = nn.Conv2d(before, after, size, stride, padding=size // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(conv, nn.BatchNorm2d(after))
