"""Backbones: parameter holders that build a fresh network for a shape of samples."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import MLP, ConvNet, Custom


class Net(nn.Module):
    """A required, an optional and a hidden parameter, and the shape of a sample."""

    def __init__(self, width, input_shape, depth=1, **more):
        super().__init__()
        self.more = more
        layers = [nn.Flatten(), nn.LazyLinear(width)]
        self.layers = nn.Sequential(*layers, *(nn.Linear(width, width) for _ in range(depth)))
        self.input_shape = input_shape

    def forward(self, x):
        return self.layers(x)


@pytest.mark.parametrize("shape", [(4,), (3, 5), (1, 8, 8), (2, 2, 2, 2)])
@pytest.mark.parametrize("sizes", [(7,), [9, 7], np.array([5, 6, 7])])
def test_mlp_takes_any_shape(shape, sizes):
    net = MLP(sizes).build(shape)
    assert net(torch.zeros(3, *shape)).shape == (3, 7)
    assert sum(isinstance(layer, nn.Linear) for layer in net) == len(sizes)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (3, 1, 1), (1, 20, 3), (5, 1, 40)])
@pytest.mark.parametrize("channels", [(7,), [4, 5, 6, 7, 7]])
def test_convnet_takes_any_image(shape, channels):
    assert ConvNet(channels).build(shape)(torch.zeros(3, *shape)).shape == (3, 7)


@pytest.mark.parametrize("backbone", [MLP((50,), dropout=0.5), ConvNet((50,), dropout=0.5)])
def test_dropout_drops_in_training_only(backbone):
    net, x = backbone.build((1, 6, 6)), torch.rand(8, 1, 6, 6)
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert torch.equal(net(x), net(x))


@pytest.mark.parametrize("backbone", [MLP((3,)), ConvNet((3,)), Custom(Net, width=3)])
def test_every_build_makes_new_weights(backbone):
    one, two = backbone.build((1, 4, 4)), backbone.build((1, 4, 4))
    assert one is not two
    x = torch.rand(2, 1, 4, 4) + 1
    assert not torch.equal(one.eval()(x), two.eval()(x))


@pytest.mark.parametrize("backbone", [MLP, ConvNet, lambda: Custom(Net, width=3)])
def test_parameters_follow_the_protocol_of_scikit_learn(backbone):
    holder = backbone()
    assert clone(holder).get_params() == holder.get_params()
    for name, value in holder.get_params().items():
        assert getattr(holder.set_params(**{name: value}), name, value) is value
    with pytest.raises(ValueError, match="Invalid parameter 'nonesuch'"):
        holder.set_params(nonesuch=1)


def test_custom_shows_given_and_default_arguments():
    holder = Custom(Net, width=3, extra="x")
    assert holder.get_params() == {"module_class": Net, "width": 3, "depth": 1, "extra": "x"}
    net = holder.set_params(depth=2, width=4).build((5,))
    assert (net.layers[1].out_features, len(net.layers), net.more) == (4, 4, {"extra": "x"})
    assert net.input_shape == (5,)
    assert "width=4" in repr(holder)


def test_custom_reaches_arguments_that_have_no_default():
    holder = Custom(Net).set_params(width=6)
    assert holder.build((5,)).layers[1].out_features == 6


def test_custom_takes_a_function_and_a_given_input_shape():
    def make(input_shape, scale=2):
        return nn.Linear(input_shape[0], scale * input_shape[0])

    assert Custom(make).build((3,)).out_features == 6
    assert Custom(make, input_shape=(2,), scale=5).build((3,)).out_features == 10


@pytest.mark.parametrize(
    ("backbone", "kind"), [("auto", nn.Linear), ("mlp", nn.Linear), (None, nn.Linear)]
)
def test_auto_is_an_mlp_for_tables(iris, backbone, kind):
    params = {"generator": backbone} if backbone is None else {"backbone": backbone}
    net = MAXLClassifier(max_epochs=1, **params).fit(*iris).net_
    assert isinstance(net.module_.trunk[0], kind)
    assert isinstance(net.generator_.trunk[0], kind)


def test_auto_is_a_convnet_for_images(images):
    net = MAXLClassifier(max_epochs=1).fit(*images).net_
    assert isinstance(net.module_.trunk[0], nn.Conv2d)
    assert isinstance(net.generator_.trunk[0], nn.Conv2d)


def test_the_generator_has_a_backbone_of_its_own(images):
    net = MAXLClassifier(max_epochs=1, generator=MLP((3,))).fit(*images).net_
    assert isinstance(net.module_.trunk[0], nn.Conv2d)
    assert net.generator_.head.in_features == 3


@pytest.mark.parametrize(
    "backbone",
    [
        lambda shape: nn.Linear(*shape, 6),
        nn.Linear(4, 6),
        Custom(nn.Linear, in_features=4, out_features=6),
        Custom(Net, width=6),
        lambda shape: nn.LazyLinear(6),
        lambda shape: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.1)),
        lambda shape: nn.Sequential(nn.Linear(4, 6).requires_grad_(False), nn.ReLU()),
    ],
    ids=["factory", "module", "custom", "own class", "lazy", "batch norm", "frozen"],
)
@pytest.mark.parametrize("meta_gradient", ["exact", "double_backward", "finite_difference"])
def test_every_kind_of_backbone_trains(iris, backbone, meta_gradient):
    params = {"max_epochs": 8, "lr": 0.02, "random_state": 0, "meta_gradient": meta_gradient}
    clf = MAXLClassifier(backbone, **params).fit(*iris)
    assert clf.transform(iris[0]).shape == (150, 6)
    assert clf.score(*iris) > 0.75
    assert clf.predict_proba(iris[0]).dtype == np.float64


def test_a_backbone_without_weights_trains(iris):
    clf = MAXLClassifier(lambda shape: nn.Flatten(), max_epochs=10, lr=0.05, random_state=0)
    assert clf.fit(*iris).score(*iris) > 0.75
