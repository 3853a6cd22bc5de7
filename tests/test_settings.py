"""Settings: every "auto" is answered, what needs no translation passes through, nothing changes."""

import copy
import inspect
from dataclasses import FrozenInstanceError, fields, replace

import pytest
import torch

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._environment.devices import resolve_device
from sklearn_maxl._training.schedules import constant, cosine
from sklearn_maxl._training.settings import DEFAULTS, Settings, resolve
from sklearn_maxl.backbones import MLP, ConvNet, Members
from sklearn_maxl.labels import Learned, Uniform
from sklearn_maxl.optimizers import Adam, AdamW

TABLE, SIGNAL, IMAGE, VOLUME = (4,), (2, 30), (1, 8, 8), (1, 4, 4, 4)


def settings(shape=TABLE, regression=False, planned=True, **parameters):
    estimator = (MAXLRegressor if regression else MAXLClassifier)(**parameters)
    return resolve(estimator.get_params(deep=False), shape, regression, planned=planned)


@pytest.mark.parametrize(
    ("shape", "regression", "optimizer", "lr", "views", "undecided"),
    [
        (TABLE, False, AdamW(0.1), 0.01, None, ("lr", "temperature")),
        (TABLE, True, Adam(), 0.001, None, ()),
        (SIGNAL, False, Adam(), 0.003, None, ()),
        (SIGNAL, True, Adam(), 0.001, None, ()),
        (IMAGE, False, Adam(), 0.003, 4, ()),
        (IMAGE, True, Adam(), 0.001, None, ()),
    ],
)
def test_auto_by_the_kind_of_samples_and_targets(
    shape, regression, optimizer, lr, views, undecided
):
    found = settings(shape, regression)
    assert found.optimizer.get_params() == optimizer.get_params()
    assert type(found.optimizer) is type(optimizer)
    assert found.lr == lr
    assert (found.views and found.views.n) == views
    assert found.undecided == undecided
    assert found.schedule is cosine
    assert found.device == resolve_device("auto")


def test_the_default_networks():
    of_tables = DEFAULTS["table", "classes"].backbone
    assert isinstance(of_tables, Members)
    assert of_tables.get_params() == Members((128, 128), 8, 0.2).get_params()
    assert isinstance(DEFAULTS["table", "numbers"].backbone, MLP)
    for kind in [("signal", "classes"), ("image", "numbers")]:
        assert isinstance(DEFAULTS[kind].backbone, ConvNet)


def test_other_samples_need_a_backbone_of_their_own():
    with pytest.raises(ValueError, match=r"backbone='auto' knows tables.*pass your own backbone"):
        settings(VOLUME)
    assert settings(VOLUME, backbone=MLP()).lr == 0.003
    with pytest.raises(ValueError, match=r"generator='auto' knows tables"):
        settings(VOLUME, backbone=MLP(), auxiliary=Learned("auto"))


def test_nothing_is_tried_where_there_is_no_plan():
    found = settings(planned=False, psi="auto")
    assert found.undecided == ()
    assert (found.lr, found.psi) == (0.01, 5)
    assert found.schedule is constant


def test_psi_is_tried_where_it_decides():
    assert settings(psi="auto").undecided == ("lr", "temperature", "psi")
    given = {"psi": "auto", "lr": 0.1, "temperature": 1.0}
    assert settings(**given).undecided == ("psi",)
    assert settings(**given, auxiliary=None).undecided == ()
    assert settings(**given, auxiliary="human").undecided == ()


def test_each_auto_is_tried_on_its_own():
    assert settings(lr=0.1).undecided == ("temperature",)
    assert settings(temperature=2.0).undecided == ("lr",)
    assert settings(lr=0.1, temperature=2.0, auxiliary="auto").undecided == ("auxiliary",)
    assert settings(IMAGE, auxiliary="auto", psi="auto").undecided == ("auxiliary", "psi")
    assert settings(regression=True, auxiliary="auto").undecided == ("auxiliary",)
    found = settings(auxiliary="auto", planned=False)
    assert isinstance(found.labels, Learned)
    assert found.temperature == 1


def test_trials_and_what_needs_one_network_have_fewer_members():
    found = settings()
    assert [getattr(found, name)((4,)).n_members for name in ("backbone", "trial")] == [8, 2]
    assert not hasattr(found.single((4,)), "n_members")
    assert not hasattr(found.generator((4,)), "n_members")
    given = settings(backbone=Members((5,), n_members=1), auxiliary=Learned("members"))
    assert given.trial((4,)).n_members == 1
    assert not hasattr(given.generator((4,)), "n_members")
    plain = settings(backbone=MLP((7,)))
    assert [plain.trial((4,))[0].out_features, plain.single((4,))[0].out_features] == [7, 7]


@pytest.mark.parametrize(
    ("shape", "n", "epochs"),
    [
        (TABLE, 0, 32),
        (TABLE, 150, 34),  # of 3 batches: 100 at least
        (TABLE, 600, 32),
        (TABLE, 32_000, 32),
        (TABLE, 64_000, 16),  # of 250 batches: 4,000 at most
        (TABLE, 10**7, 1),
        (IMAGE, 150, 100),
    ],
)
def test_epochs_by_the_number_of_rows(shape, n, epochs):
    parameters = MAXLClassifier().get_params(deep=False)
    found = resolve(parameters, shape, False, n).max_epochs
    assert found == epochs
    assert resolve({**parameters, "max_epochs": 7}, shape, False, n).max_epochs == 7
    assert resolve(MAXLRegressor().get_params(deep=False), TABLE, True, n).max_epochs == 100


def test_batches_are_a_part_of_the_samples_within_bounds():
    found = settings()
    assert [found.batch_size_of(n) for n in (10, 100, 600, 10**6)] == [10, 64, 75, 256]
    found = settings(IMAGE)
    assert [found.batch_size_of(n) for n in (10, 600, 1600, 10**6)] == [10, 37, 100, 128]
    assert settings(batch_size=7).batch_size_of(600) == 7


def test_without_an_auxiliary_task_there_are_no_views():
    assert settings(IMAGE, auxiliary=None).views is None


def test_the_recipe_has_what_a_generator_descends():
    learned = settings(auxiliary=Learned(information_weight=0.1, meta_scale="inverse_lr"))
    assert learned.recipe.regularisers == {"entropy_weight": 0.2, "information_weight": 0.1}
    assert learned.recipe.meta_scale is None
    assert settings(auxiliary=Uniform()).recipe.regularisers == {}


def test_the_generator_is_like_the_backbone_unless_it_is_given():
    assert settings(backbone=MLP((7,))).generator((4,))[0].out_features == 7
    other = settings(backbone=MLP((7,)), auxiliary=Learned(MLP((3,))))
    assert other.generator((4,))[0].out_features == 3
    assert settings(auxiliary="uniform").generator is None


def test_a_users_own_network_is_known_as_such():
    def own(input_shape):
        return torch.nn.Linear(4, 2)

    assert settings(backbone=own).user_code == {"backbone", "trial", "single", "generator"}
    assert settings(backbone=own, auxiliary=Learned("mlp")).user_code == {
        "backbone",
        "trial",
        "single",
    }
    assert settings(auxiliary=Learned(own)).user_code == {"generator"}
    assert settings().user_code == set()


def test_what_needs_no_translation_passes_through():
    names = {f.name for f in fields(Settings)}
    given = {"max_epochs": 7, "tol": 0.5, "n_iter_no_change": 3, "validation_fraction": 0.3}
    given |= {"early_stopping": True, "n_threads": 2, "verbose": 1, "precision": "bfloat16"}
    found = settings(**given)
    assert given.keys() <= names
    assert {name: getattr(found, name) for name in given} == given


def test_they_are_frozen_and_not_copied_on_the_way():
    found = settings()
    with pytest.raises(FrozenInstanceError):
        found.lr = 1.0
    assert replace(found, lr=1.0).lr == 1.0
    assert copy.deepcopy(found) is found


@pytest.mark.parametrize("cls", [MAXLClassifier, MAXLRegressor])
def test_a_constructor_has_at_most_28_parameters(cls):
    assert len(inspect.signature(cls.__init__).parameters) - 1 <= 28
