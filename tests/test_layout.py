"""Channels last where a trunk takes it, and nothing else changed."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_maxl import MAXLClassifier
from sklearn_maxl._networks.layout import choose_layout, in_layout_of
from sklearn_maxl._networks.trunk import build_trunk
from sklearn_maxl.backbones import VGG16, ConvNet, ResNet50
from sklearn_maxl.labels import Learned


class Views(nn.Module):
    """Flattens with ``view``, which needs images in one piece."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(2, 4, 3)

    def forward(self, x):
        h = torch.relu(self.convolution(x))
        return h.view(len(h), -1)


class Sorted(nn.Module):
    """Reads memory in the order it lies in: other features in another layout."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(2, 4, 3)

    def forward(self, x):
        h = self.convolution(x)
        return torch.as_strided(h, (len(h), h[0].numel()), (h[0].numel(), 1))


def layout_of(module, shape):
    choose_layout(module.eval(), shape)
    weight = next(p for p in module.parameters() if p.ndim == 4)
    assert weight.is_contiguous(memory_format=torch.channels_last) == module.channels_last
    assert weight.is_contiguous() != module.channels_last
    return module.channels_last


@pytest.mark.parametrize("backbone", [ConvNet(), VGG16(width=0.1), ResNet50(width=0.1)])
def test_the_packages_convolutions_run_channels_last(backbone):
    shape = (2, 32, 32)
    trunk = backbone.build(shape).eval()
    x = torch.randn(3, *shape)
    with torch.no_grad():
        expected = trunk(x)
        assert layout_of(trunk, shape)
        z = in_layout_of(trunk, x)
        assert z.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(trunk(z), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("module", [Views, Sorted])
def test_a_network_that_needs_the_other_layout_keeps_it(module):
    trunk = module()
    x = torch.randn(3, 2, 6, 6)
    assert not layout_of(trunk, (2, 6, 6))
    assert in_layout_of(trunk, x) is x


@pytest.mark.parametrize(("module", "shape"), [(nn.Flatten(), (2, 6, 6)), (nn.Flatten(), (7,))])
def test_what_holds_no_convolution_over_images_is_left_alone(module, shape):
    choose_layout(module, shape)
    assert not module.channels_last


@pytest.mark.parametrize("generator", [None, ConvNet(channels=(4,))])
def test_networks_of_both_kinds_train_side_by_side(generator):
    X = np.random.RandomState(0).rand(40, 2, 8, 8).astype(np.float32)
    clf = MAXLClassifier(lambda s: Views(), auxiliary=Learned(generator), max_epochs=2)
    clf.fit(X, np.arange(40) % 2)
    assert not clf.net_.module_.trunk.channels_last
    assert clf.net_.generator_.trunk.channels_last == (generator is not None)


@pytest.mark.parametrize(("n", "stride", "chosen"), [(8, 2, False), (16, 2, True), (8, 1, True)])
def test_a_convolution_that_would_write_past_its_memory_keeps_its_layout(n, stride, chosen):
    """oneDNN's issue 6035; where it bites, the process ends."""
    layers = [nn.Conv2d(1, n, 3), nn.Conv2d(n, 4, 1, stride), nn.Flatten()]
    trunk, _ = build_trunk(lambda shape: nn.Sequential(*layers), (1, 8, 8), "backbone")
    assert trunk.channels_last is chosen
