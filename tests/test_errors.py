"""Wrong uses: each is one clear sentence that names the parameter or array and the cure."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl.backbones import MLP, ConvNet, Custom
from sklearn_maxl.labels import KMeans, Learned
from sklearn_maxl.optimizers import SGD

X, Y = load_iris(return_X_y=True)
DIGITS, DIGIT = load_digits(return_X_y=True)
IMAGES, DIGIT = DIGITS[:60].reshape(-1, 1, 8, 8), DIGIT[:60]
HUMAN = {"auxiliary": "human"}


def with_value(value):
    changed = X.copy()
    changed[3, 2] = value
    return changed


class OnlyFitAndAssign:
    def fit(self, task):
        raise AssertionError

    def assign(self, rows, rng):
        raise AssertionError


class NeedsWidth(nn.Module):
    def __init__(self, n_features, width):
        super().__init__()
        self.layer = nn.Linear(n_features, width)


class Codes(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(9, 2)

    def forward(self, x):
        return self.table(x.long()).flatten(1)


# parameters, X, y, further arguments of fit, what the message says
WRONG_FITS = {
    "NaN": ({}, with_value(np.nan), Y, {}, r"Input X contains NaN.*imputer transformer"),
    "inf": ({}, with_value(np.inf), Y, {}, r"Input X contains infinity"),
    "NaN in an image": ({}, np.full_like(IMAGES, np.nan), DIGIT, {}, r"Input X contains NaN"),
    "torch data set": (
        {}, TensorDataset(torch.tensor(X)), Y, {}, r"X is a TensorDataset of torch; pass arrays",
    ),
    "torch loader": (
        {}, DataLoader(TensorDataset(torch.tensor(X))), Y, {}, r"X is a DataLoader of torch",
    ),
    "sparse y": ({}, X, sparse.csr_array(Y[:, None]), {}, r"y is sparse; pass y\.toarray\(\)"),
    "samples of two lengths": (
        {}, [[1, 2], [3]] * 75, Y, {}, r"X holds samples of different shapes; crop, pad or resize",
    ),
    "complex": ({}, X + 1j, Y, {}, r"Complex data not supported"),
    "strings": ({}, X.astype(str).astype(object) + "m", Y, {}, r"X holds text.*OneHotEncoder"),
    "string column": ({}, pd.DataFrame({"a": ["u", "v"] * 75}), Y, {}, r"X holds text"),
    "1-D X": ({}, X[:, 0], Y, {}, r"Expected 2D array, got 1D array.*reshape"),
    "no rows": ({}, X[:0], Y[:0], {}, r"Found array with 0 sample"),
    "no columns": ({}, X[:, :0], Y, {}, r"0 feature\(s\).*minimum of 1"),
    "no pixels": ({}, IMAGES[:, :, :0], DIGIT, {}, r"X.*shape"),
    "5-D X with auto": ({}, X.reshape(-1, 4, 1, 1, 1), Y, {}, r"backbone='auto' knows .*your own"),
    "y None": ({}, X, None, {}, r"requires y to be passed, but the target y is None"),
    "y too short": ({}, X, Y[1:], {}, r"inconsistent numbers of samples: \[150, 149\]"),
    "one class": ({}, X, np.zeros(150, int), {}, r"at least 2 classes.*only one class: 0"),
    "continuous y": ({}, X, Y + 0.5, {}, r"Unknown label type: continuous"),
    "NaN in y": ({}, X, np.where(Y == 0, np.nan, Y), {}, r"Input y contains NaN"),
    "indicator y": ({}, X, np.eye(3)[Y], {}, r"y should be a 1d array, got .* shape \(150, 3\)"),
    "y of three dimensions": (
        {}, X, Y.reshape(-1, 1, 1), {}, r"y must have a value, .* has shape \(150, 1, 1\)",
    ),
    "y a number": ({}, X, 3, {}, r"y must have a value, .* has shape \(\)"),
    "unknown backbone": ({"backbone": "lenet"}, X, Y, {}, r"backbone='lenet' is not.*'mlp'"),
    "vgg16": ({"backbone": "vgg16"}, IMAGES, DIGIT, {}, r"VGG16 needs images of at least 16 x 16"),
    "resnet50": ({"backbone": "resnet50"}, X, Y, {}, r"ResNet50 takes images .*use MLP for tables"),
    "unknown generator": (
        {"auxiliary": Learned("lenet")}, X, Y, {}, r"generator='lenet' is not available",
    ),
    "generator class": ({"auxiliary": Learned(MLP)}, X, Y, {}, r"generator.*MLP\(\)"),
    "generator number": (
        {"auxiliary": Learned(3)}, X, Y, {}, r"'generator' parameter of Learned must",
    ),
    "backbone number": ({"backbone": 3}, X, Y, {}, r"'backbone' parameter of MAXLClassifier must"),
    "network class": (
        {"backbone": NeedsWidth}, X, Y, {}, r"It is the class NeedsWidth.*Custom\(NeedsWidth, ...",
    ),
    "layer class": ({"backbone": nn.Flatten}, X, Y, {}, r"can't take.*It is the class Flatten"),
    "codes for a network": (
        {"backbone": Codes()}, X.astype(int), Y, {}, r"standardised.*raw_inputs = True",
    ),
    "backbone class": ({"backbone": MLP}, X, Y, {}, r"backbone.*MLP\(\)"),
    "convnet for a table": ({"backbone": "convnet"}, X, Y, {}, r"images .*use MLP for tables"),
    "makes no module": ({"backbone": lambda shape: 3}, X, Y, {}, r"backbone must make a torch.nn"),
    "4-D features": (
        {"backbone": lambda shape: nn.Conv2d(1, 2, 3)}, IMAGES, DIGIT, {},
        r"backbone must map \(n, 1, 8, 8\) to \(n, n_features\).*became \(2, 2, 6, 6\).*Flatten",
    ),
    "4-D features of the generator": (
        {"auxiliary": Learned(lambda shape: nn.Conv2d(1, 2, 3))}, IMAGES, DIGIT, {},
        r"^generator must map",
    ),
    "wrong width": ({"backbone": nn.Linear(5, 2)}, X, Y, {}, r"can't take samples of shape \(4,\)"),
    "no such argument": ({"backbone": Custom(nn.Linear, width=3)}, X, Y, {}, r"width"),
    "no layers": ({"backbone": MLP(())}, X, Y, {}, r"hidden_layer_sizes must be a sequence of pos"),
    "one layer": ({"backbone": MLP(10)}, X, Y, {}, r"hidden_layer_sizes must be a sequence of pos"),
    "no width": ({"backbone": MLP((8, 0))}, X, Y, {}, r"hidden_layer_sizes must be a sequence"),
    "text width": ({"backbone": MLP("ab")}, X, Y, {}, r"hidden_layer_sizes must be a sequence"),
    "no channels": ({"backbone": ConvNet((0,))}, IMAGES, DIGIT, {}, r"channels must be a sequence"),
    "dropout 2": ({"backbone": MLP(dropout=2.0)}, X, Y, {}, r"dropout"),
    "dropout of an array": (
        {"backbone": MLP(dropout=np.array(0.5))}, X, Y, {}, r"dropout must be a number from 0 to 1",
    ),
    "layers of an array": (
        {"backbone": MLP(np.array(5))}, X, Y, {}, r"hidden_layer_sizes must be a sequence of pos",
    ),
    "width beyond all": (
        {"backbone": ConvNet(width=10**400)}, IMAGES, DIGIT, {}, r"width must be a positive number",
    ),
    "a number that no type holds": (
        {"focal_gamma": 10**30}, X, Y, {},
        r"'focal_gamma' parameter of MAXLClassifier must be a whole number below 2\*\*63, or a fl",
    ),
    "a fraction": (
        {"auxiliary": Learned(lr=Fraction(1, 2))}, X, Y, {},
        r"'lr' parameter of Learned must be an int or a float\. Got Fraction\(1, 2\)",
    ),
    "an optimizer to augment": ({"augment": SGD()}, X, Y, {}, r"augment is SGD\(\), which is not"),
    "an optimizer as schedule": ({"schedule": SGD()}, X, Y, {}, r"schedule is SGD\(\), which is"),
    "batch norm, batch_size 1": (
        {"backbone": "convnet", "batch_size": 1}, IMAGES[..., :1, :1], DIGIT, {}, r"batch_size",
    ),
    "psi 0": ({"psi": 0}, X, Y, {}, r"'psi' parameter .* int in the range \[1, inf\).*Got 0"),
    "psi 2.5": ({"psi": 2.5}, X, Y, {}, r"'psi' parameter"),
    "psi True": ({"psi": True}, X, Y, {}, r"psi must be at least 1"),
    "psi beyond all": ({"psi": 2**62}, X, Y, {}, r"psi must be at least 1"),
    "psi many": ({"psi": "many"}, X, Y, {}, r"'psi' parameter .*'auto'.*Got 'many'"),
    "psi too short": ({"psi": [2, 3]}, X, Y, {}, r"psi has 2 entries, but y has 3 classes"),
    "psi 2-D": ({"psi": [[2, 3, 4]]}, X, Y, {}, r"psi"),
    "psi with a 0": ({"psi": [2, 0, 3]}, X, Y, {}, r"psi must be at least 1"),
    "psi lacks a class": ({"psi": {0: 2, 1: 2}}, X, Y, {}, r"psi must name .* missing \[2\]"),
    "psi of no class": ({"psi": {0: 2, 1: 2, 2: 2, 9: 1}}, X, Y, {}, r"psi .*not in y \[9\]"),
    "no finer labels": (HUMAN, X, Y, {}, r"auxiliary='human' needs .*auxiliary_labels=\.\.\."),
    "finer too short": (HUMAN, X, Y, {"auxiliary_labels": Y[1:]}, r"auxiliary_labels .*\(149,\)"),
    "finer 2-D": (HUMAN, X, Y, {"auxiliary_labels": Y[:, None]}, r"auxiliary_labels must hold one"),
    "finer floats": (HUMAN, X, Y, {"auxiliary_labels": X[:, 0]}, r"auxiliary_labels .*continuous"),
    "finer NaN": (
        HUMAN, X, Y, {"auxiliary_labels": np.full(150, np.nan)}, r"auxiliary_labels .*missing",
    ),
    "finer inf": (HUMAN, X, Y, {"auxiliary_labels": np.full(150, np.inf)}, r"auxiliary_labels"),
    "finer dates": (
        HUMAN, X, Y, {"auxiliary_labels": np.full(150, "2020", "M8[D]")}, r"auxiliary_labels must",
    ),
    "finer of two types": (
        HUMAN, X, Y, {"auxiliary_labels": np.array([1, "a"] * 75, dtype=object)},
        r"auxiliary_labels must be class labels, all integers or all strings",
    ),
    "finer None": (
        HUMAN, X, Y, {"auxiliary_labels": [None, *("ab" * 75)[1:]]}, r"auxiliary_labels",
    ),
    "no GPU": ({"device": "cuda:7"}, X, Y, {}, r"device='cuda:7' is not there"),
    "no such device": ({"device": "gpu"}, X, Y, {}, r"device='gpu' is not a device; use 'auto'"),
    "not our device": ({"device": "mps"}, X, Y, {}, r"device='mps'"),
    "not a real device": ({"device": "meta"}, X, Y, {}, r"device='meta'"),
    "negative lr": ({"lr": -1}, X, Y, {}, r"'lr' parameter of MAXLClassifier must be a float"),
    "unknown arm": ({"auxiliary": "gan"}, X, Y, {}, r"'auxiliary' parameter .* a str among"),
    "arm class": (
        {"auxiliary": KMeans}, X, Y, {}, r"auxiliary is the class KMeans; pass an object, KMeans",
    ),
    "arm of no base": (
        {"auxiliary": OnlyFitAndAssign()}, X, Y, {},
        r"auxiliary is a OnlyFitAndAssign; base it on sklearn_maxl\.labels\.Labels",
    ),
    "arm number": ({"auxiliary": 3}, X, Y, {}, r"'auxiliary' parameter of MAXLClassifier must"),
    "unknown optimizer": ({"optimizer": "lbfgs"}, X, Y, {}, r"'optimizer' parameter"),
    "LBFGS": (
        {"optimizer": torch.optim.LBFGS}, X, Y, {}, r"optimizer makes LBFGS, which needs the loss",
    ),
    "LBFGS of a function": (
        {"optimizer": lambda p, lr: torch.optim.LBFGS(p, lr=lr)}, X, Y, {}, r"optimizer .*'adamw'",
    ),
    "LBFGS of the generator": (
        {"auxiliary": Learned(optimizer=torch.optim.LBFGS)}, X, Y, {}, r"optimizer of Learned mak",
    ),
    "no optimizer": (
        {"optimizer": lambda p, lr: 3}, X, Y, {}, r"optimizer must make a torch.optim.Optimizer",
    ),
    "callback in a pair": ({"callbacks": [("a", 3)]}, X, Y, {}, r"callbacks must .*\('a', 3\)"),
    "callback's name": ({"callbacks": [(1, Callback())]}, X, Y, {}, r"callbacks must .*pairs of a"),
    "class weight of text": ({"class_weight": {0: "a"}}, X, Y, {}, r"class_weight must map"),
    "sample weight of text": (
        {}, X, Y, {"sample_weight": ["a"] * 150}, r"sample_weight must hold numbers, but",
    ),
    "X None": ({}, None, Y, {}, r"X is None; pass an array"),
    "optimizer class": ({"optimizer": SGD}, X, Y, {}, r"optimizer is the class SGD.*SGD\(\)"),
    "negative momentum of the generator": (
        {"auxiliary": Learned(optimizer=SGD(momentum=-1))}, X, Y, {},
        r"'momentum' parameter of SGD must",
    ),
    "no number for the generator": (
        {"auxiliary": Learned(optimizer=SGD(weight_decay="much"))}, X, Y, {},
        r"'weight_decay' parameter of SGD must",
    ),
    "negative momentum": (
        {"optimizer": SGD(momentum=-1)}, X, Y, {}, r"'momentum' parameter of SGD must",
    ),
    **{
        f"{name} of Learned": (
            {"auxiliary": Learned(**{name: value})}, X, Y, {}, f"'{name}' parameter of Learned",
        )
        for name, value in {
            "optimizer": "lbfgs", "lr": 0, "every": 0, "entropy_weight": -1,
            "information_weight": -1, "weight_range": -1, "meta_gradient": "finite_difference",
            "meta_scale": "lr", "meta_batch": "next", "alternation": "never",
        }.items()
    },
    **{
        f"callbacks, {name}": (
            {"callbacks": [entry]}, X, Y, {}, r"callbacks must hold objects of .*but holds ",
        )
        for name, entry in {"a number": 3, "text": "x", "a pair": ("a", 3), "one": ("a",)}.items()
    },
    "no epochs": ({"max_epochs": 0}, X, Y, {}, r"'max_epochs' parameter"),
    "divergence": (
        {"optimizer": "sgd", "lr": 1e6, "max_epochs": 20}, X, Y, {}, r"diverged in epoch.*Lower lr",
    ),
    "divergence in the last step": (
        {"optimizer": SGD(weight_decay=1e3), "lr": 3e38, "batch_size": 150, "auxiliary": None},
        X, Y, {},
        r"diverged in epoch 1.*Lower lr",
    ),
    "divergence of the labels": (
        {"auxiliary": Learned(every=1, lr=1e30), "max_epochs": 2}, X, Y, {},
        r"in epoch \d: not finite are .*meta_loss.* or the lr of Learned \(now 1e\+30\)\.$",
    ),
    "divergence by the weight of a term": (
        {"auxiliary": Learned(every=1, entropy_weight=3e38), "max_epochs": 2}, X, Y, {},
        r"a weight of the label generator. Lower entropy_weight of Learned \(now 3e\+38\), lr ",
    ),
    "divergence by the auxiliary task": (
        {"auxiliary": "uniform", "auxiliary_weight": 3e38, "optimizer": "sgd"}, X, Y, {},
        r"a weight of the network. Lower auxiliary_weight \(now 3e\+38\) or lr \(now",
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")  # scikit-learn's own
@pytest.mark.parametrize(
    ("params", "samples", "labels", "more", "message"), WRONG_FITS.values(), ids=WRONG_FITS
)
def test_a_wrong_fit_says_what_is_wrong(params, samples, labels, more, message):
    clf = MAXLClassifier(**{"max_epochs": 1, "random_state": 0, **params})
    with pytest.raises((ValueError, TypeError), match=f"(?s){message}") as caught:
        clf.fit(samples, labels, **more)
    assert type(caught.value).__name__ != "TypeError" or "parse" in str(caught.value)
    assert not hasattr(clf, "net_")


WRONG_PREDICTS = {
    "fewer columns": (X, X[:, :3], r"X has 3 features, but MAXLClassifier is expecting 4"),
    "1-D": (X, X[0], r"Expected 2D array, got 1D array"),
    "images for a table": (X, X.reshape(-1, 4, 1, 1), r"shape \(4, 1, 1\), .* shape \(4,\)"),
    "another size": (IMAGES, IMAGES[:, :, 1:], r"shape \(1, 7, 8\), .* shape \(1, 8, 8\)"),
    "another order": (IMAGES, IMAGES.transpose(0, 2, 3, 1), r"shape \(8, 8, 1\)"),
    "a table for images": (IMAGES, DIGITS[:60], r"shape \(64,\), .* shape \(1, 8, 8\)"),
    "no rows": (X, X[:0], r"0 sample"),
    "NaN": (X, with_value(np.nan), r"Input X contains NaN"),
}


@pytest.mark.parametrize(("train", "test", "message"), WRONG_PREDICTS.values(), ids=WRONG_PREDICTS)
def test_predict_says_what_is_wrong_with_its_samples(train, test, message):
    clf = MAXLClassifier(max_epochs=1).fit(train, np.arange(len(train)) % 2)
    for method in (clf.predict, clf.predict_proba, clf.transform, clf.predict_auxiliary):
        with pytest.raises(ValueError, match=message):
            method(test)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba", "transform",
                                    "predict_auxiliary", "get_feature_names_out"])  # fmt: skip
def test_nothing_works_before_fit(method):
    with pytest.raises(NotFittedError, match="This MAXLClassifier instance is not fitted yet"):
        getattr(MAXLClassifier(), method)(X)
    with pytest.raises(NotFittedError):
        MAXLClassifier().generate_auxiliary_labels(X, Y)


PARTIAL = {
    "no classes": ({}, [{}], r"classes must be passed on the first call to partial_fit"),
    "other classes": ({}, [{"classes": [0, 1, 2]}, {"classes": [0, 1]}], r"classes=.*not the same"),
    "a class too many": ({}, [{"classes": [0, 1]}], r"y .*classes.*\[2\]"),
    "early stopping": ({"early_stopping": True}, [{"classes": [0, 1, 2]}], r"early_stopping=True"),
    "balanced": ({"class_weight": "balanced"}, [{"classes": [0, 1, 2]}], r"pass a dict"),
}


@pytest.mark.parametrize(("params", "calls", "message"), PARTIAL.values(), ids=PARTIAL)
def test_a_wrong_partial_fit_says_what_is_wrong(params, calls, message):
    clf = MAXLClassifier(**params)
    for arguments in calls[:-1]:
        clf.partial_fit(X, Y, **arguments)
    with pytest.raises(ValueError, match=message):
        clf.partial_fit(X, Y, **calls[-1])


def test_partial_fit_of_one_image_says_that_batch_norm_needs_two():
    with pytest.raises(ValueError, match=r"(one|single) sample"):
        MAXLClassifier().partial_fit(IMAGES[:1, :, :1, :1], DIGIT[:1], classes=range(10))


@pytest.mark.parametrize(
    ("name", "value"), [("auxiliary", "gan"), ("schedule", "steps"), ("lr", -1), ("views", "up")]
)
def test_a_later_partial_fit_checks_its_parameters(name, value):
    clf = MAXLClassifier("mlp").partial_fit(X, Y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=f"'{name}' parameter of MAXLClassifier"):
        clf.set_params(**{name: value}).partial_fit(X, Y)


def test_a_later_partial_fit_needs_the_labels_that_the_first_one_had():
    clf = MAXLClassifier(MLP((4,)), **HUMAN, random_state=0)
    clf.partial_fit(X, Y > 0, classes=[False, True], auxiliary_labels=Y)
    clf.set_params(auxiliary="kmeans")
    with pytest.raises(ValueError, match="needs the finer labels"):
        clf.partial_fit(X, Y > 0)
    assert clf.partial_fit(X, Y > 0, auxiliary_labels=Y).n_iter_ == 2


def test_new_finer_labels_are_named_in_partial_fit():
    clf = MAXLClassifier(auxiliary="human")
    clf.partial_fit(X, Y, classes=[0, 1, 2], auxiliary_labels=Y)
    with pytest.raises(ValueError, match=r"auxiliary_labels .*: \[9\]"):
        clf.partial_fit(X, Y, auxiliary_labels=np.where(Y == 2, 9, Y))


SWITCHES = {
    "psi": ({"psi": 5}, {"psi": 3}),
    "backbone": ({}, {"backbone": MLP((7,))}),
    "generator": ({}, {"auxiliary": Learned(MLP((7,)))}),
    "maxl to uniform": ({}, {"auxiliary": "uniform"}),
    "uniform to maxl": ({"auxiliary": "uniform"}, {"auxiliary": "maxl"}),
    "random to kmeans": ({"auxiliary": "random"}, {"auxiliary": "kmeans"}),
    "None to maxl": ({"auxiliary": None}, {"auxiliary": "maxl"}),
    "maxl to None": ({}, {"auxiliary": None}),
}


@pytest.mark.parametrize(("first", "then"), SWITCHES.values(), ids=SWITCHES)
def test_warm_start_does_not_go_on_with_another_architecture(first, then):
    clf = MAXLClassifier(warm_start=True, max_epochs=1, **first).fit(X, Y)
    with pytest.raises(ValueError, match=r"warm_start=True goes on with.*changed since"):
        clf.set_params(**then).fit(X, Y)


def test_a_new_class_does_not_fit_into_a_warm_start():
    clf = MAXLClassifier(warm_start=True, max_epochs=1).fit(X[:100], Y[:100])
    with pytest.raises(ValueError, match=r"y holds classes .*\[2\]"):
        clf.fit(X, Y)


def test_channels_last_images_are_pointed_out():
    wrong = np.zeros((20, 8, 8, 3), dtype=np.uint8)
    with pytest.warns(UserWarning, match=r"\(8, 8, 3\).*X.transpose\(0, 3, 1, 2\)") as caught:
        MAXLClassifier(max_epochs=1).fit(wrong, np.arange(20) % 2)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("shape", "params", "cure"),
    [
        ((8, 8), {}, r"use X\[:, None\]"),
        ((20, 14), {"backbone": "convnet"}, r"use X\[:, None\]"),
        ((12, 9), {"backbone": ConvNet((4,))}, r"use X\[:, None\]"),
        ((8, 8), {"input_shape": (8, 8)}, r"use input_shape=\(1, 8, 8\)"),
    ],
)
def test_pictures_without_a_channel_axis_are_pointed_out(shape, params, cure):
    wrong = np.random.RandomState(0).rand(12, *shape)
    wrong = wrong.reshape(12, -1) if "input_shape" in params else wrong
    with pytest.warns(UserWarning, match=rf"looks like \(height, width\).*{cure}") as caught:
        MAXLClassifier(max_epochs=1, **params).fit(wrong, np.arange(12) % 2)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("shape", "backbone"),
    [((9, 128), "auto"), ((3, 4), "auto"), ((12, 40), "auto"), ((8, 8), MLP())],
)
def test_signals_and_what_is_flattened_are_not(shape, backbone):
    signals = np.random.RandomState(0).rand(12, *shape)
    clf = MAXLClassifier(backbone, max_epochs=1).fit(signals, np.arange(12) % 2)
    assert clf.input_shape_ == shape


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MAXLClassifier().fit(X), r"^fit\(\) missing 1 required .*'y'"),
        (lambda: MAXLRegressor().fit(X, Y, eval_set=1), r"^fit\(\) got an unexpected .*'eval_set'"),
        (lambda: MAXLClassifier().predict_auxiliary(), r"^predict_auxiliary\(\) missing"),
        (lambda: MAXLRegressor.load(), r"^load\(\) missing"),
    ],
)
def test_wrong_arguments_are_told_without_the_name_of_a_private_class(call, message):
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("backbone__hidden_layer_sizes", r"pass backbone=MLP\(\) from sklearn_maxl.backbones"),
        ("backbone__channels", r"pass backbone=ConvNet\(\)"),
        ("optimizer__momentum", r"pass optimizer=SGD\(\)"),
    ],
)
def test_parameters_of_auto_name_the_object_that_has_them(name, cure):
    with pytest.raises(ValueError, match=f"for {name}, {cure}"):
        MAXLClassifier().set_params(**{name: (3,)})


FAILING_REFITS = {
    "one class": (X[:50, :3], Y[:50], {}),
    "named columns": (pd.DataFrame(X[:, :3], columns=list("abc")), Y, {"psi": [1]}),
    "images": (IMAGES, DIGIT, {"backbone": "nonesuch"}),
    "divergence": (X, Y, {"optimizer": "sgd", "lr": 1e30}),
    "divergence under warm_start": (
        X,
        Y,
        {"auxiliary": Learned(every=1), "optimizer": "sgd", "lr": 1e30, "warm_start": True},
    ),
}


@pytest.mark.parametrize(
    ("samples", "labels", "params"), FAILING_REFITS.values(), ids=FAILING_REFITS
)
def test_a_failing_refit_leaves_the_fitted_estimator_as_it_was(samples, labels, params):
    clf = MAXLClassifier(max_epochs=3, random_state=0).fit(X, Y)
    before, params_before = clf.predict_proba(X), clf.get_params()
    with pytest.raises(ValueError, match=r"one class|psi has|not available|diverged"):
        clf.set_params(**params).fit(samples, labels)
    np.testing.assert_array_equal(clf.set_params(**params_before).predict_proba(X), before)
    assert (clf.n_features_in_, clf.input_shape_) == (4, (4,))
    assert not hasattr(clf, "feature_names_in_")
    assert clf.n_iter_ == len(clf.history_) == 3


def test_a_failing_partial_fit_leaves_the_fitted_estimator_as_it_was():
    settings = {"optimizer": "sgd", "lr": 0.1, "schedule": "constant", "random_state": 0}
    clf = MAXLClassifier(max_epochs=3, **settings).fit(X, Y)
    before = clf.predict_proba(X)
    clf.net_.optimizer_.param_groups[0]["lr"] = 1e30
    with pytest.raises(ValueError, match="diverged"):
        clf.partial_fit(X, Y)
    np.testing.assert_array_equal(clf.predict_proba(X), before)
    assert torch.isfinite(clf.net_.module_.primary_head.bias).all()


def test_errors_name_the_arm_that_was_fitted():
    clf = MAXLClassifier(auxiliary="human", max_epochs=1, lr=0.01)
    clf.fit(X, Y, auxiliary_labels=Y).set_params(auxiliary="maxl")
    with pytest.raises(AttributeError, match="generate_auxiliary_labels") as caught:
        clf.generate_auxiliary_labels(X, Y)
    said = str(caught.value.__cause__)
    assert "has no such method" in said
    assert "auxiliary='maxl' has no" not in said


def test_methods_follow_the_arm_that_was_fitted():
    clf = MAXLClassifier(auxiliary=None, max_epochs=1).fit(X, Y).set_params(auxiliary="maxl")
    with pytest.raises((AttributeError, NotFittedError), match="auxiliary"):
        clf.predict_auxiliary(X)


@pytest.mark.parametrize("y", [3, np.zeros((150, 1, 1))])
@pytest.mark.parametrize("kind", [MAXLClassifier, MAXLRegressor])
def test_a_score_on_what_is_no_column_is_refused(kind, y):
    fitted = kind("mlp", max_epochs=1).fit(X, Y)
    with pytest.raises(ValueError, match="y must have a value, or a row of values, for each"):
        fitted.score(X, y)


@pytest.mark.parametrize("method", ["fit", "partial_fit", "generate_auxiliary_labels"])
def test_where_classes_are_needed_none_is_refused(method):
    clf = MAXLClassifier("mlp", max_epochs=1).fit(X, Y)
    with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
        getattr(clf, method)(X, None)
