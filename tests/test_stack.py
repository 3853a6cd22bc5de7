"""Networks that are trained at once are those that are trained one after the other."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from torch import nn

from sklearn_maxl import MAXLClassifier
from sklearn_maxl._data.arrays import Arrays
from sklearn_maxl._tasks.primary import Bins, Classes
from sklearn_maxl._training import stack, trials
from sklearn_maxl._training.plan import make_plan
from sklearn_maxl._training.runs import fresh, run
from sklearn_maxl._training.settings import DEFAULTS, resolve
from sklearn_maxl._training.stack import can_stack, train_stack
from sklearn_maxl._training.steps import Step
from sklearn_maxl.backbones import MLP, ConvNet, Custom, Members
from sklearn_maxl.labels import Learned
from sklearn_maxl.optimizers import SGD, Adam, AdamW

IRIS, Y = load_iris(return_X_y=True)
X = IRIS[::2]
ARRAYS = Arrays(X, Y[::2])
LENGTHS = (3, 5, 2)  # numbers of epochs: one network goes on when both others have ended
BACKBONES = {
    "mlp": MLP((9, 7)),
    "dropout": MLP((9,), dropout=0.3),
    "members": Members((6,), n_members=3, dropout=0.0),
    "members with dropout": Members((6, 5), n_members=3, dropout=0.3),
    "members with waves": Members((6,), n_members=3, dropout=0.3, periodic=True),
}


def settings_of(shape=(4,), regression=False, **parameters):
    """Settings of a single task."""
    own = {"max_epochs": 3, "batch_size": 20, "auxiliary": None, "temperature": 1.0, "lr": 0.01}
    parameters = MAXLClassifier(**{**own, **parameters}).get_params(deep=False)
    return resolve(parameters, shape, regression)


def several_of(settings, lengths=LENGTHS):
    return [replace(settings, max_epochs=n) for n in lengths]


def weights_of(n, kind, networks=4):
    """Weights of the rows for each network, some of which are left out."""
    rng = np.random.RandomState(3)
    weights = np.ones((networks, n)) if kind == "folds" else rng.rand(networks, n) + 0.1
    weights[rng.rand(networks, n) < 0.25] = 0
    return weights


def trained_in_turn(several, plan, weights):
    """The same networks, trained by the code of every fit."""
    outputs = []
    for settings in several:
        for own in weights:
            p = replace(plan, parts={"train": plan.arrays._replace(weight=own)})
            net = run(settings, p).net
            outputs.append(net.apply(net.module_.prediction, plan.arrays.X))
    return np.reshape(outputs, (len(several), len(weights), *outputs[0].shape))


def both(settings, arrays=ARRAYS, targets=None, kind="weights", lengths=LENGTHS):
    targets = targets or Classes(arrays.y, None, "it")
    several = several_of(settings, lengths)
    plan = make_plan(settings, arrays, targets, 5)
    weights = weights_of(len(arrays.y), kind)
    fitted = fresh(settings, plan)
    assert can_stack(several, fitted.net)
    at_once = train_stack(several, fitted, plan, weights)
    return at_once, trained_in_turn(several, plan, weights)


@pytest.mark.parametrize("backbone", BACKBONES.values(), ids=BACKBONES)
@pytest.mark.parametrize("optimizer", [Adam(), AdamW(0.1), SGD(0.9)], ids=repr)
def test_they_predict_the_same(backbone, optimizer):
    at_once, in_turn = both(settings_of(backbone=backbone, optimizer=optimizer))
    assert at_once.shape == in_turn.shape == (3, 4, len(X), 3)
    np.testing.assert_allclose(at_once, in_turn, atol=1e-4)
    assert len({a.tobytes() for a in in_turn.reshape(12, -1)}) == 12  # all differ


OTHERS = {
    "rows left out": {"kind": "folds"},
    "one length": {"lengths": (3,)},
    "the shortest first": {"lengths": (1, 6)},
    "the shortest last": {"lengths": (6, 1)},
    "equal lengths": {"lengths": (2, 4, 2)},
    "focal loss": {"focal_gamma": 2.0},
    "smooth labels": {"label_smoothing": 0.1},
    "a schedule": {"schedule": "halving", "lengths": (4, 8)},
    "no schedule": {"schedule": "constant", "lengths": (2, 5)},
    "one batch": {"batch_size": 10**6},
    "an augmentation": {"augment": lambda x: x + 0.1},
    "rows with a shape": {"input_shape": (4,)},
}


@pytest.mark.parametrize("parameters", OTHERS.values(), ids=OTHERS)
def test_they_do_whatever_the_settings_are(parameters):
    named = {k: v for k, v in parameters.items() if k in ("kind", "lengths")}
    own = {k: v for k, v in parameters.items() if k not in named}
    at_once, in_turn = both(settings_of(backbone=BACKBONES["members with dropout"], **own), **named)
    np.testing.assert_allclose(at_once, in_turn, atol=1e-4)


@pytest.mark.parametrize("backbone", BACKBONES.values(), ids=BACKBONES)
def test_they_do_in_regression(backbone):
    y = IRIS[::2, 2:]
    targets = Bins(y, None, 4, "it")
    arrays = Arrays(X[:, :2], *targets.encode(y)[:1], target=targets.encode(y).target)
    settings = settings_of((2,), regression=True, backbone=backbone)
    at_once, in_turn = both(settings, arrays, targets)
    assert at_once.shape == (3, 4, len(X), 2)
    np.testing.assert_allclose(at_once, in_turn, atol=1e-4)


def test_images_do_without_batch_normalisation(images):
    rows, y = images[0][:50], images[1][:50] % 2
    settings = settings_of((1, 8, 8), backbone=BACKBONES["dropout"], views=None)
    at_once, in_turn = both(settings, Arrays(rows, y), lengths=(1, 2))
    np.testing.assert_allclose(at_once, in_turn, atol=1e-4)


def test_a_row_of_no_weight_teaches_nothing():
    settings = settings_of(backbone=BACKBONES["mlp"])
    weights = weights_of(len(X), "folds", 1)
    other = ARRAYS._replace(y=np.where(weights[0] == 0, 2 - ARRAYS.y, ARRAYS.y))
    outputs = []
    for arrays in (ARRAYS, other):
        plan = make_plan(settings, arrays, Classes(arrays.y, None, "it"), 5)
        outputs.append(train_stack([settings], fresh(settings, plan), plan, weights))
    np.testing.assert_array_equal(*outputs)


def test_it_is_done_in_parts_where_there_are_many_rows(monkeypatch):
    settings = settings_of(backbone=BACKBONES["members"])
    whole, _ = both(settings, lengths=(1,))
    monkeypatch.setattr(stack, "AT_ONCE", 50)
    parts, _ = both(settings, lengths=(1,))
    np.testing.assert_allclose(parts, whole, atol=1e-6)


def test_progress_is_told_epoch_by_epoch():
    told = []

    class Told:
        def epoch(self):
            told.append("begin")
            return self

        def end(self):
            told.append("end")

    settings = settings_of(backbone=BACKBONES["mlp"])
    plan = make_plan(settings, ARRAYS, Classes(ARRAYS.y, None, "it"), 5)
    weights = weights_of(len(X), "folds")
    train_stack(several_of(settings), fresh(settings, plan), plan, weights, Told())
    assert told == ["begin", "end"] * max(LENGTHS)


def test_no_random_state_of_the_program_is_moved():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    both(settings_of(backbone=BACKBONES["members with dropout"]), lengths=(1, 2))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_network_that_has_ended_learns_no_more(monkeypatch):
    learning = []
    step = stack._step

    def spy(f, layers, *rest):
        learning.append([layer.epochs for layer in layers])
        return step(f, layers, *rest)

    monkeypatch.setattr(stack, "_step", spy)
    both(settings_of(backbone=BACKBONES["mlp"], batch_size=len(X)))
    assert learning == [[3, 5, 2], [3, 5, 2], [3, 5], [5], [5]]


# Where it can not be done


def own_module():
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU())


def only_matrices(parameters, lr):
    return torch.optim.Adam([p for p in parameters if p.ndim > 1], lr=lr)


class OwnStep(Step):
    pass


class OwnMembers(Members):
    pass


APART = {
    "batch normalisation": {"backbone": ConvNet((4,)), "input_shape": (1, 8, 8)},
    "a module": {"backbone": own_module()},
    "a function": {"backbone": lambda shape: own_module()},
    "a custom backbone": {"backbone": Custom(nn.Linear, in_features=4, out_features=5)},
    "a subclass": {"backbone": OwnMembers((5,))},
    "learned labels": {"auxiliary": Learned()},
    "labels": {"auxiliary": "uniform"},
    "another optimizer": {"optimizer": torch.optim.RMSprop},
    "a function that makes an optimizer": {"optimizer": only_matrices},
    "bfloat16": {"precision": "bfloat16"},
}


@pytest.mark.parametrize("parameters", APART.values(), ids=APART)
def test_others_are_trained_in_turn(parameters, images):
    image = "input_shape" in parameters
    shape = (1, 8, 8) if image else (4,)
    settings = settings_of(shape, **{"backbone": MLP((5,)), **parameters})
    arrays = Arrays(*images) if image else ARRAYS
    plan = make_plan(settings, arrays, Classes(arrays.y, None, "it"), 5)
    assert not can_stack(several_of(settings), fresh(settings, plan).net)


def test_settings_that_differ_in_more_than_the_epochs_are_trained_in_turn():
    settings = settings_of(backbone=MLP((5,)))
    net = fresh(settings, make_plan(settings, ARRAYS, Classes(ARRAYS.y, None, "it"), 5)).net
    assert can_stack(several_of(settings), net)
    for change in ({"lr": 0.02}, {"batch_size": 5}, {"step_class": OwnStep}):
        assert not can_stack([settings, replace(settings, **change)], net)
    assert not can_stack([replace(settings, step_class=OwnStep)], net)


@pytest.fixture
def few_epochs(monkeypatch):
    """What "auto" is, in few epochs; those that are tried."""
    table = "table", "classes"
    monkeypatch.setitem(DEFAULTS, table, replace(DEFAULTS[table], epochs=6, least_steps=0))
    return [6, 2]


@pytest.mark.parametrize(
    ("parameters", "stacked"),
    [
        ({}, True),
        ({"backbone": "mlp"}, True),
        ({"optimizer": SGD(0.9)}, True),
        ({"auxiliary": "auto", "backbone": "mlp"}, True),  # the question of the length
        ({"backbone": own_module()}, False),
        ({"optimizer": torch.optim.RMSprop}, False),
    ],
    ids=["nothing", "mlp", "sgd", "auxiliary", "a module", "another optimizer"],
)
def test_fits_do_it_where_they_can(parameters, stacked, monkeypatch, few_epochs):
    calls = []

    def spy(*arguments):
        calls.append(len(arguments[0]))
        return train_stack(*arguments)

    monkeypatch.setattr(trials, "train_stack", spy)
    clf = MAXLClassifier(psi=2, random_state=0, **parameters).fit(IRIS, Y)
    assert calls == ([len(few_epochs)] if stacked else [])
    assert [t["value"] for t in clf.history_.trials[:2]] == few_epochs
    if clf.auxiliary != "auto":
        clf.set_params(max_epochs=1).fit(IRIS, Y)
        assert calls == ([len(few_epochs), 1] if stacked else [])  # the temperature


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_fit_finds_the_same_in_both_ways(dropout, monkeypatch, few_epochs):
    rows = IRIS + 1e-6 * np.arange(len(Y))[:, None]  # no two are equal: a row tells its number
    whole = Arrays(rows, Y)

    def all_rows(settings, arrays, targets, seed):
        """A row that is held out weighs nothing, as in a stack, in the place of being left out."""
        kept = np.isin(rows[:, 0], arrays.X[:, 0]).astype(float)
        scaling = make_plan(settings, whole, targets, seed).scaling
        plan = make_plan(settings, whole._replace(weight=kept), targets, seed)
        return replace(plan, scaling=scaling)

    clf = MAXLClassifier(MLP((8,), dropout), auxiliary=None, random_state=0)
    at_once = clf.fit(rows, Y).history_.trials
    assert [t["value"] for t in at_once] == few_epochs
    monkeypatch.setattr(trials, "can_stack", lambda *_: False)
    monkeypatch.setattr(trials, "make_plan", all_rows)
    in_turn = clf.fit(rows, Y).history_.trials
    for one, other in zip(at_once, in_turn, strict=True):
        assert one["accuracy"] == pytest.approx(other["accuracy"], abs=0.01)
        assert one["loss"] == pytest.approx(other["loss"], abs=1e-4)
        assert one["chosen"] is other["chosen"]
