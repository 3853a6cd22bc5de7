"""Backbones: parameter holders that build a fresh network for a shape of samples."""

import itertools
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from networks import make_case, problem_of_step, relative, replay
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from torch import nn
from torch.autograd import forward_ad
from torch.func import functional_call

from sklearn_maxl import MAXLClassifier
from sklearn_maxl._maths.at_parameters import AtParameters
from sklearn_maxl._maths.meta_gradient import check_forward_mode, double_backward, exact
from sklearn_maxl._maths.step import multi_task_step
from sklearn_maxl.backbones import MLP, VGG16, ConvNet, Custom, ResNet50, builder
from sklearn_maxl.backbones._dropout import Dropout
from sklearn_maxl.labels import Learned

# torch's forward mode scripts a table when it is first used.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")


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


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_dropout_drops_a_share_and_keeps_the_mean(p, dtype):
    x = torch.full((400, 500), 2.0, dtype=dtype, requires_grad=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        out = Dropout(p)(x)
    assert out.dtype == dtype
    kept = out != 0
    error = (p * (1 - p) / x.numel()) ** 0.5
    assert abs(float((~kept).double().mean()) - p) < 4 * error
    torch.testing.assert_close(out[kept], torch.full_like(out[kept], 2 / (1 - p)))
    out.sum().backward()
    torch.testing.assert_close(x.grad, kept * torch.full_like(x, 1 / (1 - p)))


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_dropout_of_nothing_and_of_all(p):
    x = torch.rand(8, 8)
    assert torch.equal(Dropout(p)(x), (1 - p) * x)
    assert torch.equal(Dropout(p).eval()(x), x)


def test_dropout_keeps_the_layout_of_images():
    x = torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last)
    assert Dropout(0.5)(x).is_contiguous(memory_format=torch.channels_last)


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


@pytest.mark.parametrize("generator", [None, "auto", "members"])
def test_auto_has_members_for_tables_and_the_generator_is_one_network(iris, generator):
    net = MAXLClassifier(max_epochs=1, auxiliary=Learned(generator)).fit(*iris).net_
    assert net.module_.trunk.n_members == 8
    assert isinstance(net.generator_.trunk[0], nn.Linear)


def test_a_name_is_that_backbone(iris):
    net = MAXLClassifier("mlp", max_epochs=1).fit(*iris).net_
    assert isinstance(net.module_.trunk[0], nn.Linear)
    assert isinstance(net.generator_.trunk[0], nn.Linear)


def test_auto_is_a_convnet_for_images(images):
    net = MAXLClassifier(max_epochs=1).fit(*images).net_
    assert isinstance(net.module_.trunk[0], nn.Conv2d)
    assert isinstance(net.generator_.trunk[0], nn.Conv2d)


def test_the_generator_has_a_backbone_of_its_own(images):
    net = MAXLClassifier(max_epochs=1, auxiliary=Learned(MLP((3,)))).fit(*images).net_
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
@pytest.mark.parametrize("meta_gradient", ["exact", "double_backward"])
def test_every_kind_of_backbone_trains(iris, backbone, meta_gradient):
    labels = Learned(meta_gradient=meta_gradient)
    params = {"max_epochs": 16, "lr": 0.02, "random_state": 0, "auxiliary": labels}
    clf = MAXLClassifier(backbone, **params).fit(*iris)
    assert clf.transform(iris[0]).shape == (150, 6)
    assert clf.score(*iris) > 0.75
    assert clf.predict_proba(iris[0]).dtype == np.float64


def test_a_backbone_without_weights_trains(iris):
    clf = MAXLClassifier(lambda shape: nn.Flatten(), max_epochs=10, lr=0.05, random_state=0)
    assert clf.fit(*iris).score(*iris) > 0.75


# The paper's networks: VGG-16 and ResNet-50

DEEP = {VGG16: 512, ResNet50: 2048}  # features at width 1
deep = pytest.mark.parametrize("kind", DEEP)
SIZES = [(16, 16), (17, 17), (28, 28), (32, 32), (64, 64), (224, 224), (16, 64), (100, 21)]


def layers_of(net, kind):
    return [module for module in net.modules() if isinstance(module, kind)]


def n_weights(modules):
    return sum(p.numel() for module in modules for p in module.parameters())


@pytest.fixture(scope="module")
def digits():
    """Digits enlarged to 16 x 16: the least that the deep networks take."""
    X, y = load_digits(return_X_y=True)
    X = np.kron(X[:120].reshape(-1, 1, 8, 8), np.ones((1, 1, 2, 2)))
    return X.astype(np.float32), y[:120]


@deep
@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("size", SIZES)
def test_deep_networks_take_any_image_from_16_pixels_on(kind, size, channels):
    net = kind(width=0.02).build((channels, *size)).eval()
    assert net(torch.rand(2, channels, *size)).shape == (
        2,
        net(torch.rand(1, channels, *size)).shape[1],
    )


@deep
@given(st.integers(16, 224), st.integers(16, 224), st.integers(1, 5), st.floats(1e-3, 2.0))
@example(16, 16, 1, 1.0)
@example(63, 63, 3, 1.0)
@example(64, 64, 3, 1.0)
@example(16, 224, 3, 1.0)
@settings(max_examples=8, deadline=None)
def test_batch_norm_never_sees_a_single_pixel(kind, height, width, channels, factor):
    pixels = []

    def look(norm, inputs):
        pixels.append(inputs[0][0, 0].numel())

    with torch.device("meta"):  # shapes without arithmetic
        net = kind(width=factor).build((channels, height, width))
        for norm in layers_of(net, nn.BatchNorm2d):
            norm.register_forward_pre_hook(look)
        features = net.train()(torch.rand(1, channels, height, width))  # torch refuses one number
    assert len(pixels) == len(layers_of(net, nn.BatchNorm2d)) == {VGG16: 13, ResNet50: 53}[kind]
    assert min(pixels) > 1
    inner = max(1, round(512 * factor))
    assert features.shape == (1, inner * DEEP[kind] // 512)


@pytest.mark.parametrize(
    ("size", "halvings"),
    [((16, 16), 4), ((16, 224), 4), ((31, 40), 4), ((32, 32), 5), ((224, 224), 5)],
)
def test_vgg16_halves_after_every_block_from_32_pixels_on(size, halvings):
    with torch.device("meta"):
        net = VGG16().build((3, *size))
        last_map = net[:-2](torch.rand(2, 3, *size))
    assert len(layers_of(net, nn.MaxPool2d)) == halvings
    assert last_map.shape[2:] == tuple(side // 2**halvings for side in size)


def test_vgg16_has_the_weights_that_its_filters_give():
    filters = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    expected = sum(9 * before * after for before, after in itertools.pairwise(filters))
    assert expected == 14_710_464
    net = VGG16().build((3, 32, 32))
    assert n_weights(layers_of(net, nn.Conv2d)) == expected
    assert n_weights([net]) == expected + 2 * sum(filters[1:])  # batch norm's scales and shifts


def test_resnet50_has_the_weights_of_torchvisions_without_its_last_layer():
    assert n_weights([ResNet50().build((3, 224, 224))]) == 23_508_032
    # Small images: a 3x3 convolution instead of the 7x7 one, nothing else.
    assert n_weights([ResNet50().build((3, 32, 32))]) == 23_508_032 - 64 * 3 * (49 - 9)


@deep
@pytest.mark.parametrize("width", [0.05, 0.5])
def test_width_scales_every_layer(kind, width):
    full, narrow = (
        [conv.out_channels for conv in layers_of(kind(w).build((3, 32, 32)), nn.Conv2d)]
        for w in (1.0, width)
    )
    assert len(narrow) == len(full)
    assert all(abs(n - width * f) <= 2 for n, f in zip(narrow, full, strict=True))


@deep
def test_deep_networks_drop_features_in_training_only(kind):
    net = kind(width=0.05, dropout=0.5).build((1, 16, 16))
    assert isinstance(net[-1], nn.Dropout)
    assert net[-1].p == 0.5
    x = torch.rand(4, 1, 16, 16)
    with torch.no_grad():
        assert not torch.equal(net(x), net(x))
        assert torch.equal(net.eval()(x), net(x))


TRUNKS = {  # narrow ones, with the shape of a sample
    "VGG16": (VGG16(width=0.02), (1, 16, 16)),
    "ResNet50": (ResNet50(width=0.02), (1, 16, 16)),
    "ConvNet": (ConvNet((4, 5)), (1, 16, 16)),
    "ConvNet of signals": (ConvNet((4, 5)), (1, 16)),
}
trunks = pytest.mark.parametrize("trunk", TRUNKS)


@trunks
@pytest.mark.parametrize("training", [True, False])
def test_the_forward_derivative_is_the_slope_of_the_network(trunk, training):
    torch.manual_seed(0)
    holder, shape = TRUNKS[trunk]
    net, x = holder.build(shape).double(), torch.rand(4, *shape).double()
    for norm in layers_of(net, nn.modules.batchnorm._BatchNorm):
        norm.momentum = 1.0  # one pass leaves running statistics that fit
    net(x)
    net.train(training)
    t = {name: p.detach() for name, p in net.named_parameters()}
    u = {name: torch.randn_like(p) for name, p in t.items()}

    def at(epsilon):
        return functional_call(net, {name: p + epsilon * u[name] for name, p in t.items()}, (x,))

    zero, one = torch.tensor([0.0, 1.0]).double()
    with torch.no_grad(), forward_ad.dual_level():
        slope = forward_ad.unpack_dual(at(forward_ad.make_dual(zero, one))).tangent
    numerical = (at(1e-7) - at(-1e-7)) / 2e-7
    assert relative(numerical, slope) <= 1e-5


class Reshaped(nn.Module):
    """Images of 4 x 4, enlarged or laid out as a signal, before a trunk."""

    def __init__(self, holder, shape):
        super().__init__()
        self.trunk = holder.build(shape)
        self.head_hidden_layer_sizes = getattr(self.trunk, "head_hidden_layer_sizes", ())
        enlarge = nn.Upsample(scale_factor=4, mode="bilinear")
        self.reshape = enlarge if len(shape) == 3 else nn.Flatten(2)

    def forward(self, x):
        return self.trunk(self.reshape(x))


@trunks
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_exact_and_double_backward_agree_through_every_network(trunk, optimizer):
    def make():
        return Reshaped(*TRUNKS[trunk])

    f, g, batch, meta, opt, recipe = make_case(make, another=True, optimizer=optimizer, steps=2)
    Y = g(batch.x, batch.y).detach()
    replay()
    multi_task_step(AtParameters(f), batch, Y, recipe)
    problem = problem_of_step(f, batch, meta, Y, recipe, opt, replay)
    check_forward_mode(problem)
    M, dM_dY = exact(problem)
    expected_M, expected = double_backward(problem)
    assert float(abs(M - expected_M)) <= 1e-12
    assert float(expected.abs().max()) > 0
    assert relative(dM_dY, expected) <= 1e-10


def test_vgg16_has_heads_of_two_layers_in_both_networks(digits):
    net = MAXLClassifier(VGG16(width=0.05), max_epochs=1, random_state=0).fit(*digits).net_
    features = round(512 * 0.05)
    assert net.module_.trunk.head_hidden_layer_sizes == (features,)
    for head in (net.module_.primary_head, net.module_.auxiliary_head, net.generator_.head):
        hidden, activation, last = head
        assert (hidden.in_features, hidden.out_features) == (features, features)
        assert isinstance(activation, nn.ReLU)
        assert last.in_features == features
    assert net.module_.primary_head[-1].out_features == 10
    # Five auxiliary classes for each of ten classes in each of four views.
    assert net.module_.auxiliary_head[-1].out_features == 200
    assert net.generator_.head[-1].out_features == 200


@pytest.mark.parametrize("backbone", [ResNet50(width=0.02), ConvNet((4,))])
def test_other_networks_have_linear_heads(digits, backbone):
    X, y = digits
    net = MAXLClassifier(backbone, max_epochs=1, random_state=0).fit(X[:40], y[:40]).net_
    assert isinstance(net.module_.primary_head, nn.Linear)
    assert isinstance(net.generator_.head, nn.Linear)


@deep
def test_deep_networks_follow_the_protocol_of_scikit_learn(kind):
    holder = kind(width=0.5, dropout=0.25)
    assert holder.get_params() == {"width": 0.5, "dropout": 0.25}
    assert clone(holder) is not holder
    assert clone(holder).get_params() == holder.get_params()
    assert repr(holder) == f"{kind.__name__}(dropout=0.25, width=0.5)"
    clf = clone(MAXLClassifier(holder)).set_params(backbone__width=0.1)
    assert (clf.backbone.width, holder.width) == (0.1, 0.5)
    with pytest.raises(ValueError, match="Invalid parameter 'nonesuch'"):
        holder.set_params(nonesuch=1)


@deep
def test_deep_networks_fit_repeat_and_pickle(kind, digits):
    X, y = digits
    settings = {"batch_size": 40, "max_epochs": 2, "auxiliary": Learned(every=1), "random_state": 0}
    clf = MAXLClassifier(kind(width=0.05), **settings).fit(X, y)
    assert np.isfinite(clf.history_["primary_loss"]).all()
    assert (clf.history_["gradient_norm_ratio"] > 0).all()  # the generator learns
    assert clf.transform(X).shape == (120, round(512 * 0.05) * DEEP[kind] // 512)
    P = clf.predict_proba(X)
    assert np.array_equal(pickle.loads(pickle.dumps(clf)).predict_proba(X), P)
    assert np.array_equal(clone(clf).fit(X, y).predict_proba(X), P)


@pytest.mark.parametrize("name", ["vgg16", "resnet50"])
def test_a_name_is_the_network_at_full_width(name):
    clf = MAXLClassifier(name)
    kind = {"vgg16": VGG16, "resnet50": ResNet50}[name]
    build = builder(clf.backbone)
    with torch.device("meta"):
        assert n_weights([build((3, 32, 32))]) == n_weights([kind().build((3, 32, 32))])


@deep
def test_a_grid_search_reaches_the_width(kind, digits):
    X, y = digits
    clf = MAXLClassifier(kind(), batch_size=40, max_epochs=1, random_state=0)
    grid = {"backbone__width": [0.01, 0.02]}
    search = GridSearchCV(clf, grid, cv=2, error_score="raise").fit(X[:60], y[:60])
    found = search.best_estimator_
    features = max(1, round(512 * search.best_params_["backbone__width"])) * DEEP[kind] // 512
    assert found.transform(X[:2]).shape == (2, features)


WRONG = {
    "a table": ((4,), {}, r"takes images of shape .*\(4,\); use MLP for tables"),
    "a signal": ((2, 30), {}, r"takes images of shape .*\(2, 30\)"),
    "too small": ((3, 15, 40), {}, r"at least 16 x 16 .* 15 x 40; use ConvNet, or enlarge"),
    "width 0": ((3, 16, 16), {"width": 0}, r"width must be a positive number below 2\*\*31, got 0"),
    "width nan": (
        (3, 16, 16),
        {"width": math.nan},
        r"width must be a positive number below 2\*\*31, got nan",
    ),
    "width inf": (
        (3, 16, 16),
        {"width": math.inf},
        r"width must be a positive number below 2\*\*31, got inf",
    ),
    "width text": (
        (3, 16, 16),
        {"width": "1"},
        r"width must be a positive number below 2\*\*31, got '1'",
    ),
    "dropout 2": ((3, 16, 16), {"dropout": 2.0, "width": 0.02}, r"dropout"),
}


@deep
@pytest.mark.parametrize("mistake", WRONG)
def test_errors_name_the_parameter_and_the_cure(kind, mistake):
    shape, params, message = WRONG[mistake]
    with pytest.raises(ValueError, match=message):
        kind(**params).build(shape)


@pytest.mark.parametrize("width", [0, -1, math.nan, "wide", None])
def test_convnet_refuses_a_width_that_is_no_factor(width):
    with pytest.raises(ValueError, match="width must be a positive number"):
        ConvNet(width=width).build((1, 8, 8))


# Signals


@given(st.integers(1, 300), st.integers(1, 5), st.integers(1, 5))
@example(30, 2, 4)
@settings(max_examples=20, deadline=None)
def test_convnet_takes_signals_of_any_length(length, channels, depth):
    net = ConvNet((4,) * depth, width=0.75).build((channels, length))
    assert net(torch.zeros(3, channels, length)).shape == (3, 3)
    assert not layers_of(net, nn.Conv2d)


def test_auto_is_a_convnet_for_signals():
    rng = np.random.default_rng(0)
    y = np.arange(150) % 3
    phase = rng.uniform(0, 6.28, (150, 2, 1))
    X = np.sin((y + 1)[:, None, None] * np.linspace(0, 6.28, 30) + phase)
    X += 0.1 * rng.standard_normal(X.shape)
    clf = MAXLClassifier(max_epochs=6, lr=0.01, random_state=0).fit(X[:100], y[:100])
    assert clf.input_shape_ == (2, 30)
    assert isinstance(clf.net_.module_.trunk[0], nn.Conv1d)
    assert isinstance(clf.net_.generator_.trunk[0], nn.Conv1d)
    assert clf.score(X[100:], y[100:]) > 0.9
    assert np.array_equal(pickle.loads(pickle.dumps(clf)).predict(X), clf.predict(X))


# Networks of other packages


def torchvision_resnet18(**kwargs):
    from torchvision.models import resnet18

    net = resnet18(**kwargs)
    net.fc = nn.Identity()
    return net


@pytest.mark.parametrize("meta_gradient", ["exact", "double_backward"])
def test_a_torchvision_network_trains(digits, meta_gradient):
    pytest.importorskip("torchvision")
    X, y = digits
    X, y = np.repeat(X[:60], 3, axis=1), y[:60]
    clf = MAXLClassifier(
        Custom(torchvision_resnet18, width_per_group=64),
        auxiliary=Learned(ConvNet((8,)), meta_gradient=meta_gradient),
        max_epochs=1,
        random_state=0,
    ).fit(X, y)
    assert clf.transform(X).shape == (60, 512)
    assert (clf.history_["gradient_norm_ratio"] > 0).all()


@pytest.mark.parametrize(
    ("name", "more"),
    [("resnet18", {}), ("vit_tiny_patch16_224", {"img_size": 16, "patch_size": 4, "depth": 2})],
)
def test_a_timm_network_trains(digits, name, more):
    timm = pytest.importorskip("timm")
    X, y = digits
    backbone = Custom(timm.create_model, model_name=name, num_classes=0, in_chans=1, **more)
    clf = MAXLClassifier(backbone, auxiliary=Learned(ConvNet((8,))), max_epochs=1, random_state=0)
    clf = clone(clf).fit(X, y)
    assert clf.transform(X).shape[1] == {"resnet18": 512}.get(name, 192)
    assert (clf.history_["gradient_norm_ratio"] > 0).all()
