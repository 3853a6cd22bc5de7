"""Where tensors lie, tested without an accelerator: torch's "meta" device has shapes alone.

Whole epochs run on it, with the networks, the samples and the optimizers as a fit makes them.
Numbers can't be read there, and what mixes devices is found as it would be on an accelerator.
"""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import make_case, problem_of_step
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._data.arrays import Arrays, moments
from sklearn_maxl._data.samples import Samples
from sklearn_maxl._environment import devices
from sklearn_maxl._maths.meta_gradient import META_GRADIENTS, check_forward_mode
from sklearn_maxl._maths.step import Batch
from sklearn_maxl._networks.trunk import Frame
from sklearn_maxl._training import runs
from sklearn_maxl._training.fitted import Fitted
from sklearn_maxl._training.plan import make_plan
from sklearn_maxl._training.steps import RandomNumbers, Step
from sklearn_maxl.backbones import MLP, ConvNet
from sklearn_maxl.callbacks import GradientSimilarity
from sklearn_maxl.labels import Learned
from sklearn_maxl.labels._autoencoder import make_encoder, train_autoencoder
from sklearn_maxl.optimizers import SGD, Adam, AdamW

META, CPU = torch.device("meta"), torch.device("cpu")
aten = torch.ops.aten


class OneDevice(TorchDispatchMode):
    """Refuses what an accelerator refuses: operations on tensors of several devices.

    Single numbers of the CPU go with any device, as in torch. Some meta kernels would take
    anything, so it is looked at here.
    """

    COPYING = (aten._to_copy.default, aten.copy_.default)

    def __init__(self, refused=()):
        super().__init__()
        self.refused, self.n = refused, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        # torch has no shapes of this one; it changes tensors in place.
        out = None if func is aten._fused_sgd_.default else func(*args, **(kwargs or {}))
        tensors = [t for t in tree_leaves((args, kwargs, out)) if isinstance(t, Tensor)]
        mixed = {t.device.type for t in tensors if t.ndim}
        assert len(mixed) < 2 or func in self.COPYING, f"{func} on {mixed}"
        on_meta = {t.dtype for t in tensors if t.is_meta}
        # torch finds the shapes of products with a zero on "meta", wherever they are computed.
        if func is not aten._efficientzerotensor.default:
            assert not on_meta & set(self.refused), f"{func} of {on_meta}"
        self.n += bool(on_meta)
        return out


@pytest.fixture(autouse=True)
def fused_optimizers_take_meta(monkeypatch):
    """As they take every accelerator."""
    module = sys.modules["torch.optim.optimizer"]
    monkeypatch.setattr(module, "_get_fused_kernels_supported_devices", lambda: ["cpu", "meta"])


@pytest.fixture(autouse=True)
def short_autoencoders(monkeypatch):
    monkeypatch.setattr("sklearn_maxl.labels._autoencoder.MIN_STEPS", 3)
    monkeypatch.setattr("sklearn_maxl.labels._autoencoder.EPOCHS", 1)


def epoch_on_meta(estimator, X, y, sample_weight=None, auxiliary_labels=None):
    """The steps of an epoch as a fit takes them; the net, and what the history would read."""
    arrays, targets = estimator._check(X, y, sample_weight, auxiliary_labels, None)
    settings = replace(estimator._settings(arrays, targets), undecided=())
    plan = make_plan(settings, arrays, targets, 0)
    labels = runs.fresh(settings, plan).labels  # clusters are found on the CPU: that reads
    there = replace(settings, device=META)
    rng = np.random.RandomState(0)
    net = runs.make_net(there, targets, plan.scaling, labels, rng).initialize()
    data = runs.training_data(Fitted(there, targets, plan.scaling, labels, net, 0), plan)
    net.random_numbers_ = RandomNumbers.of(
        net.module_, getattr(net, "generator_", None), data.train, rng
    )
    if settings.learned:  # without the trial of forward mode, which reads
        net.meta_gradient_ = META_GRADIENTS[settings.learned.meta_gradient]
    net.notify("on_epoch_begin", dataset_train=data)
    return net, net.take_steps(data)


def own_adam(parameters, lr):
    """A user's: torch's own defaults count steps on the CPU."""
    return torch.optim.Adam(parameters, lr=lr, fused=False, foreach=False)


def own_foreach(parameters, lr):
    return torch.optim.AdamW(parameters, lr=lr, foreach=True)


def own_rmsprop(parameters, lr):
    return torch.optim.RMSprop(parameters, lr=lr)


class Branches(nn.Module):
    """Scalars, small and large weights: all that the virtual step joins or keeps apart."""

    def __init__(self, n):
        super().__init__()
        self.large = nn.Linear(n, 1200)
        self.scale = nn.Parameter(torch.ones(()))
        self.narrow = nn.Sequential(nn.BatchNorm1d(1200), nn.ReLU(), nn.Linear(1200, 5))

    def forward(self, x):
        return self.scale * self.narrow(self.large(x.flatten(1)))


def branches(shape):
    return Branches(int(np.prod(shape)))


def noise(x):
    return x + torch.randn_like(x, dtype=torch.float32)


LEARNED = Learned(every=1)
CLASSIFIERS = {
    "exact": {"auxiliary": LEARNED},
    "double backward": {"auxiliary": Learned(every=1, meta_gradient="double_backward")},
    "uniform": {"auxiliary": "uniform"},
    "random": {"auxiliary": "random"},
    "k-means": {"auxiliary": "kmeans"},
    "human": {"auxiliary": "human"},
    "single task": {"auxiliary": None},
    "without views": {"auxiliary": LEARNED, "views": None},
    "focal, weighted": {
        "auxiliary": LEARNED, "psi": [1, 2, 3, 2, 2, 4, 1, 2, 3, 2],
        "class_weight": "balanced", "focal_gamma": 2.0,
    },
    "weights learned, information": {
        "auxiliary": Learned(every=2, weight_range=2.0, information_weight=0.1,
                             meta_scale="inverse_lr")
    },
    "held out": {"auxiliary": Learned(every=1, meta_batch="holdout")},
    "turns": {"auxiliary": Learned(every=2, alternation="epoch")},
    "SGD": {"auxiliary": LEARNED, "optimizer": "sgd"},
    "Nesterov": {"auxiliary": LEARNED, "optimizer": SGD(0.9, 0.1, nesterov=True)},
    "Adam": {"auxiliary": LEARNED, "optimizer": Adam(weight_decay=0.1)},
    "AdamW": {"auxiliary": LEARNED, "optimizer": AdamW()},
    "own Adam": {"auxiliary": LEARNED, "optimizer": own_adam},
    "own AdamW": {"auxiliary": Learned(every=1, optimizer=own_foreach), "optimizer": own_foreach},
    "own RMSprop": {"auxiliary": LEARNED, "optimizer": own_rmsprop},
    "own network": {"auxiliary": LEARNED, "backbone": branches, "optimizer": own_adam},
    "dropout": {"auxiliary": LEARNED, "backbone": ConvNet((4, 4), dropout=0.5)},
    "augmented": {"auxiliary": LEARNED, "augment": "crop_flip"},
    "own augmentation": {"auxiliary": LEARNED, "augment": noise},
    "callback": {"auxiliary": LEARNED, "callbacks": [GradientSimilarity(every=1)]},
}  # fmt: skip


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:40].reshape(-1, 1, 8, 8).astype(np.uint8), y[:40]


def settings_of(name, **more):
    return {"backbone": ConvNet((4, 4)), "batch_size": 20, **CLASSIFIERS[name], **more}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_an_epoch_on_images(digits, name):
    X, y = digits
    given = {"auxiliary_labels": np.arange(40) % 2} if name == "human" else {}
    with OneDevice() as watch:
        net, sums = epoch_on_meta(MAXLClassifier(**settings_of(name)), X, y, **given)
    check(net, sums, watch)


def check(net, sums, watch):
    """The epoch ran there, and what it reports is there still."""
    assert watch.n > 100
    assert net.n_steps_ >= 2
    values = [t.all() for t in sums.scalars.values()] + list(sums.sums.values())
    assert values
    assert all(t.is_meta for t in values)
    assert all(p.is_meta for _, p in net.get_all_learnable_params())


@pytest.fixture
def no_float64(monkeypatch):
    """As on the GPU of one of Apple's machines."""
    monkeypatch.setattr(devices, "WITHOUT_FLOAT64", {"meta"})
    return OneDevice(refused=[torch.float64])


TABLES = {
    "default": {},
    "augmented": {"augment": noise},
    "own Adam": {"optimizer": own_adam, "early_stopping": True},
}


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, np.float64) for name in TABLES] + [("default", np.uint8), ("augmented", np.float32)],
)
def test_an_epoch_on_a_table_without_float64(iris, no_float64, name, dtype):
    X, y = iris[0][::3].astype(dtype), iris[1][::3]
    weight = np.linspace(0.5, 1, len(y))
    clf = MAXLClassifier(MLP((8,)), auxiliary=LEARNED, batch_size=25, **TABLES[name])
    with no_float64 as watch:
        net, sums = epoch_on_meta(clf, X, y, sample_weight=weight)
    check(net, sums, watch)
    assert net.module_.standardize.mean.device == CPU


@pytest.mark.parametrize("name", ["AdamW", "augmented"])
def test_an_epoch_on_images_without_float64(digits, no_float64, name):
    X, y = digits
    with no_float64 as watch:
        net, sums = epoch_on_meta(MAXLClassifier(**settings_of(name)), X.astype(np.float64), y)
    check(net, sums, watch)


@pytest.mark.parametrize("loss", ["squared_error", "huber"])
def test_an_epoch_of_a_regression(no_float64, loss):
    X = np.random.RandomState(0).rand(60, 3)
    reg = MAXLRegressor(MLP((8,)), loss=loss, auxiliary=LEARNED, batch_size=30)
    with no_float64 as watch:
        net, sums = epoch_on_meta(reg, X, X[:, :2], sample_weight=X[:, 2])
    check(net, sums, watch)


@pytest.mark.parametrize("auxiliary", [LEARNED, "kmeans"])
def test_samples_that_do_not_fit_go_batch_by_batch(digits, monkeypatch, auxiliary):
    monkeypatch.setattr("sklearn_maxl._data.samples.free_memory", lambda device: 1)
    X, y = digits
    clf = MAXLClassifier(**settings_of("exact", auxiliary=auxiliary))
    with OneDevice() as watch:
        net, sums = epoch_on_meta(clf, X, y, sample_weight=np.linspace(0.5, 1, 40))
    check(net, sums, watch)


ENCODERS = {
    "table": ((5,), MLP((4,), dropout=0.5).build),
    "images": ((1, 6, 6), ConvNet((4,)).build),
    "no weights": ((5,), lambda shape: nn.Flatten()),
}


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("room", [1, None])
def test_the_autoencoder_of_k_means(no_float64, monkeypatch, name, room):
    """It reads its errors at the end, which is where it fails here."""
    monkeypatch.setattr("sklearn_maxl._data.samples.free_memory", lambda device: room)
    shape, build = ENCODERS[name]
    X = np.random.RandomState(0).rand(40, *shape)
    arrays = Arrays(X, np.zeros(40, np.int64), np.linspace(0.5, 1, 40))
    encoder = make_encoder(Frame(build, shape, moments(X, None)), 0)
    samples, rng = Samples.from_arrays(arrays, META), np.random.RandomState(0)
    with no_float64 as watch, pytest.raises(NotImplementedError, match="no data") as raised:
        train_autoencoder(encoder, samples, rng=rng)
    assert any("errors.all()" in str(entry.statement) for entry in raised.traceback)
    assert watch.n > 50


@pytest.mark.parametrize("net", ["mlp", "conv"])
def test_the_trial_of_forward_mode(monkeypatch, net):
    """It reads whether two numbers are close."""
    case = make_case(net, torch.float32)
    f, g, recipe = case.f.to(META), case.g.to(META), case.recipe
    batch = Batch(case.batch.x.to(META), case.batch.y.to(META))
    optimizer = torch.optim.SGD(f.parameters(), lr=0.1)
    A = g(batch.x, batch.y).detach()
    problem = problem_of_step(f, batch, batch, A, recipe, optimizer, shared=False)
    monkeypatch.setattr(torch, "isclose", lambda *numbers, **limits: True)
    with OneDevice() as watch:
        check_forward_mode(problem)
    assert watch.n > 20


# The watch itself


def test_what_mixes_devices_is_found():
    here, there = torch.ones(3, 3), torch.ones(3, 3, device=META)
    with OneDevice(), pytest.raises(AssertionError, match=r"aten\.mm"):
        here @ there
    with OneDevice() as watch:
        (there * torch.tensor(2.0)).copy_(here)
    assert watch.n == 2


class Reading(Step):
    def multi_task_gradients(self, train, A):
        record = super().multi_task_gradients(train, A)
        assert float(record["primary_loss"]) >= 0
        return record


class Misplacing(Step):
    def multi_task_gradients(self, train, A):
        return super().multi_task_gradients(train, A + torch.zeros(len(train), 1))


@pytest.mark.parametrize("step", [Reading, Misplacing])
def test_a_step_that_reads_or_mixes_devices_fails(digits, step):
    class Classifier(MAXLClassifier):
        step_class = step

    with OneDevice(), pytest.raises((RuntimeError, AssertionError)):
        epoch_on_meta(Classifier(**settings_of("exact")), *digits)
