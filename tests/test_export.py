"""`to_torch`: one module that predicts as the estimator does, and that exporters can follow."""

import io
from functools import cache

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.exceptions import NotFittedError
from torch import nn

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl.backbones import ConvNet

TABLE, CLASSES = load_iris(return_X_y=True)
HALVES = np.arange(150) % 2
NUMBERS, TARGET = load_diabetes(return_X_y=True)
DIGITS = load_digits()
IMAGES, KINDS = DIGITS.images[:60, None].astype(np.float32), DIGITS.target[:60]
SIGNALS = IMAGES[:, 0, :4]
LARGE = np.kron(IMAGES[:4], np.ones((2, 2), np.float32))  # 16 x 16


class OwnNetwork(nn.Module):
    """Batch normalisation, dropout and noise while it trains: predictions need eval mode."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Dropout(0.4))

    def forward(self, x):
        features = self.layers(x)
        return features + torch.randn_like(features) if self.training else features


def classifier(**params):
    return MAXLClassifier(**{"max_epochs": 3, "lr": 0.01, "psi": 2, "random_state": 0, **params})


def of_images(**params):
    return classifier(**{"backbone": ConvNet((4, 6)), **params})


def regressor(**params):
    return MAXLRegressor(**{"max_epochs": 3, "lr": 0.01, "psi": 2, "random_state": 0, **params})


def with_share(share):
    clf = of_images().fit(IMAGES, KINDS)
    clf.net_.module_.primary_share.fill_(share)
    return clf


# Name -> a function that makes a fitted estimator and samples of the shape that it knows.
CASES = {
    "table": lambda: (classifier().fit(TABLE, CLASSES), TABLE),
    "no auxiliary task": lambda: (classifier(auxiliary=None).fit(TABLE, CLASSES), TABLE),
    "human labels": lambda: (
        classifier(auxiliary="human").fit(TABLE, CLASSES, auxiliary_labels=HALVES),
        TABLE,
    ),
    "own network": lambda: (classifier(backbone=OwnNetwork()).fit(TABLE, CLASSES), TABLE),
    "partial fits": lambda: (
        classifier().partial_fit(TABLE, CLASSES, [0, 1, 2, 3]).partial_fit(TABLE, CLASSES),
        TABLE,
    ),
    "signals": lambda: (of_images().fit(SIGNALS, KINDS), SIGNALS),
    "images": lambda: (of_images(psi=[1, 3] * 5).fit(IMAGES, KINDS), IMAGES),
    "images, both heads": lambda: (with_share(0.3), IMAGES),
    "images, auxiliary head": lambda: (with_share(0), IMAGES),
    "oblong images": lambda: (
        of_images().fit(IMAGES[..., :6].astype(np.uint8), KINDS),
        IMAGES[..., :6].astype(np.uint8),
    ),
    "images without views": lambda: (of_images(views=None).fit(IMAGES, KINDS), IMAGES),
    "images as rows": lambda: (
        of_images(input_shape=(1, 8, 8)).fit(IMAGES.reshape(60, 64), KINDS),
        IMAGES,
    ),
    "vgg16": lambda: (
        classifier(backbone="vgg16", max_epochs=1, auxiliary=None).fit(LARGE, KINDS[:4]),
        LARGE,
    ),
    "resnet50": lambda: (
        classifier(backbone="resnet50", max_epochs=1, auxiliary=None).fit(LARGE, KINDS[:4]),
        LARGE,
    ),
    "one target": lambda: (regressor().fit(NUMBERS, TARGET), NUMBERS),
    "a target far from zero": lambda: (regressor().fit(NUMBERS, 1e6 + TARGET), NUMBERS),
    "two targets": lambda: (
        regressor().fit(NUMBERS, np.stack([TARGET, -TARGET], axis=1)),
        NUMBERS,
    ),
    "a target of images": lambda: (
        regressor(backbone=ConvNet((4, 6))).fit(IMAGES, KINDS.astype(float)),
        IMAGES,
    ),
}


@cache
def case(name):
    """The estimator's module, up to 40 samples in the type that exporters like, and its answers."""
    estimator, X = CASES[name]()
    X = X[-40:] if X.dtype == np.uint8 else X[-40:].astype(np.float32)
    answers = estimator.predict_proba(X) if hasattr(estimator, "classes_") else estimator.predict(X)
    return estimator.to_torch(), torch.from_numpy(X), answers


def assert_answers(got, wanted):
    assert got.shape == wanted.shape
    # Numbers have rounded in units of their standard deviation, of which 0 may be few.
    scale = max(1.0, float(np.std(np.asarray(wanted))))
    np.testing.assert_allclose(np.asarray(got), wanted, rtol=1e-6, atol=1e-6 * scale)


@pytest.mark.parametrize("name", CASES)
def test_the_module_answers_as_the_estimator(name):
    module, x, wanted = case(name)
    assert_answers(module(x), wanted)
    assert_answers(module(x[:1]), wanted[:1])
    assert_answers(module(x.double()), wanted)
    assert not any(part.training for part in module.modules())
    assert not any(p.requires_grad for p in module.parameters())
    assert {t.device.type for t in module.state_dict().values()} == {"cpu"}


@pytest.mark.parametrize(
    "name", ["table", "own network", "signals", "images", "oblong images", "two targets"]
)
def test_an_exported_program_takes_any_number_of_samples(name):
    module, x, wanted = case(name)
    n = {0: torch.export.Dim("n")}
    program = torch.export.export(module, (x[:5],), dynamic_shapes=(n,)).module()
    for size in (1, 5, len(x)):
        assert_answers(program(x[:size]), wanted[:size])


@pytest.mark.parametrize("name", ["table", "images", "two targets"])
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_trace_takes_any_number_of_samples(name):
    module, x, wanted = case(name)
    trace = torch.jit.trace(module, x[:5])
    for size in (1, 11):
        assert_answers(trace(x[:size]), wanted[:size])


@pytest.mark.parametrize(
    ("dynamo", "name"),
    [(True, "images"), (True, "one target"), (False, "images"), (False, "table")],
)
# Both exporters use what torch and Python have deprecated meanwhile.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore:Constant folding:UserWarning")
def test_an_onnx_file_answers_as_the_estimator(name, dynamo, tmp_path):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    module, x, wanted = case(name)
    path = str(tmp_path / "model.onnx")
    if dynamo:
        options = {"dynamic_shapes": ({0: torch.export.Dim("n")},), "external_data": False}
    else:
        options = {"dynamic_axes": {"samples": {0: "n"}, "answers": {0: "n"}}}
    torch.onnx.export(
        module, (x[:5],), path, input_names=["samples"], output_names=["answers"],
        dynamo=dynamo, verbose=False, **options,
    )  # fmt: skip
    session = runtime.InferenceSession(path)
    for size in (1, len(x)):
        (answers,) = session.run(None, {"samples": x[:size].numpy()})
        assert_answers(answers, wanted[:size])
    far = x * 1e30  # clipped in the file, too
    (answers,) = session.run(None, {"samples": far.numpy()})
    assert np.isfinite(answers).all()
    assert_answers(answers, module(far))


def test_a_compiler_sees_no_break():
    module, x, wanted = case("images")
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    assert_answers(compiled(x), wanted)


def test_the_network_itself_keeps_no_number_of_rows():
    network = classifier().fit(TABLE, CLASSES).net_.module_.eval()
    x = torch.from_numpy(TABLE[::10])
    n = {0: torch.export.Dim("n")}
    program = torch.export.export(network, (x[:4],), dynamic_shapes=(n,)).module()
    for got, wanted in zip(program(x), network(x), strict=True):
        torch.testing.assert_close(got, wanted)
    program = torch.export.export(network, (x[:4], x[:4]), dynamic_shapes=(n, n)).module()
    for got, wanted in zip(program(x, -x), network(x, -x), strict=True):
        torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("name", ["table", "images", "one target"])
def test_gradients_by_the_input_flow(name):
    module, x, _ = case(name)
    x = x[:3].double().requires_grad_()
    answers = module(x)
    (gradient,) = torch.autograd.grad(answers.reshape(3, -1)[:, 0].sum(), x)
    step = 1e-2 * gradient / gradient.norm()
    change = (module(x + step) - module(x - step)).reshape(3, -1)[:, 0].sum() / 2
    torch.testing.assert_close(change.double(), (gradient * step).sum(), rtol=0.05, atol=1e-6)


def test_later_fits_do_not_change_it():
    clf = classifier(warm_start=True).fit(TABLE, CLASSES)
    module, x = clf.to_torch(), torch.from_numpy(TABLE)
    before = module(x)
    clf.fit(TABLE, CLASSES).partial_fit(TABLE, CLASSES)
    assert torch.equal(module(x), before)
    assert not np.allclose(clf.predict_proba(TABLE), before, atol=1e-3)
    module.train()
    with torch.no_grad():
        for p in module.parameters():
            p.zero_()
    assert len(np.unique(clf.predict(TABLE))) == 3
    assert all(p.requires_grad for p in clf.net_.module_.parameters())


def test_of_a_loaded_estimator(tmp_path):
    clf = of_images().fit(IMAGES, KINDS)
    clf.save(tmp_path / "clf.safetensors")
    module = MAXLClassifier.load(tmp_path / "clf.safetensors", device="cpu").to_torch()
    assert_answers(module(torch.from_numpy(IMAGES)), clf.predict_proba(IMAGES))
    assert torch.equal(module(torch.from_numpy(IMAGES)), clf.to_torch()(torch.from_numpy(IMAGES)))


def test_it_can_be_saved_by_torch():
    module, x, wanted = case("images")
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    assert_answers(torch.load(file, weights_only=False)(x), wanted)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64, torch.float16])
def test_images_of_any_type(dtype):
    module, x, wanted = case("images")
    assert_answers(module(x.to(dtype)), wanted)


def test_without_float64():
    clf = classifier(backbone="mlp").fit(TABLE, CLASSES)
    reg = regressor().fit(NUMBERS, TARGET)
    for estimator, X in ((clf.to_torch(), TABLE), (reg.to_torch(), NUMBERS)):
        wanted, module = estimator(torch.from_numpy(X)), estimator.float()
        assert {t.dtype for t in module.state_dict().values()} - {torch.float32} <= {torch.bool}
        answers = module(torch.from_numpy(X).float())
        assert answers.dtype == torch.float32
        torch.testing.assert_close(answers, wanted.float(), rtol=1e-4, atol=1e-4)


def test_samples_of_another_shape_are_refused():
    module = of_images().fit(np.repeat(IMAGES, 3, axis=1), KINDS).to_torch()
    with pytest.raises(ValueError, match=r"samples of shape \(3, 8, 8\).*shape \(5, 1, 8, 8\)"):
        module(torch.zeros(5, 1, 8, 8))  # a grey image would be broadcast
    with pytest.raises(ValueError, match=r"samples of shape \(3, 8, 8\)"):
        module(torch.zeros(3, 8, 8))


@pytest.mark.parametrize("estimator", [MAXLClassifier(), MAXLRegressor()])
def test_an_estimator_that_is_not_fitted_has_none(estimator):
    with pytest.raises(NotFittedError):
        estimator.to_torch()


@pytest.mark.parametrize("share", [0.4, 0])
def test_skorch_answers_as_the_estimator(share):
    clf = with_share(share)
    assert_answers(clf.net_.predict_proba(IMAGES), clf.predict_proba(IMAGES))
    assert clf.net_.forward(IMAGES[:7]).shape == (7, 10)


def test_skorch_answers_in_standardised_numbers():
    reg = regressor().fit(NUMBERS, TARGET)
    numbers = reg.net_.predict(NUMBERS)[:, 0].astype(float)
    assert_answers(numbers * TARGET.std() + TARGET.mean(), reg.predict(NUMBERS))
