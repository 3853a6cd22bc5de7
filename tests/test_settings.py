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


def settings(shape=TABLE, regression=False, n_samples=0, planned=True, **parameters):
    estimator = (MAXLRegressor if regression else MAXLClassifier)(**parameters)
    known = estimator.get_params(deep=False)
    return resolve(known, shape, regression, n_samples, planned=planned)


@pytest.mark.parametrize(
    ("shape", "regression", "optimizer", "lr", "views", "undecided"),
    [
        (TABLE, False, AdamW(0.1), 0.015, None, ("temperature", "max_epochs")),
        (TABLE, True, AdamW(0.1), 0.015, None, ("max_epochs",)),
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
    rows = DEFAULTS["table", "classes"]
    few, some, many = (0.3, False), (0.2, True), (0.1, True)  # dropout and waves
    by_rows = {0: few, 499: few, 500: some, 1999: some, 2000: many, 10**6: many}
    for n, (dropout, periodic) in by_rows.items():
        expected = Members((128, 128), 8, dropout, periodic).get_params()
        assert rows.for_samples(n).backbone.get_params() == expected
        assert settings(TABLE, n_samples=n).backbone(TABLE)[-1].p == dropout
    for kind in [("signal", "classes"), ("image", "numbers")]:
        assert isinstance(DEFAULTS[kind].for_samples(10**6).backbone, ConvNet)


def test_the_network_of_tables_that_predicts_numbers():
    for n, dropout in {0: 0.1, 499: 0.1, 500: 0.0, 10**6: 0.0}.items():
        trunk = DEFAULTS["table", "numbers"].for_samples(n).backbone
        assert trunk.get_params() == Members(dropout=dropout, periodic=True).get_params()


@pytest.mark.parametrize(("n", "expected"), [(0, 0.1), (499, 0.1), (500, 0), (10**6, 0)])
def test_labels_of_few_rows_are_smooth(n, expected):
    assert settings(n_samples=n).recipe.label_smoothing == expected
    assert settings(IMAGE, n_samples=n).recipe.label_smoothing == 0
    assert settings(regression=True, n_samples=n).recipe.label_smoothing == 0
    assert settings(n_samples=n, planned=False).recipe.label_smoothing == 0
    for asked in (0.0, 0.3):
        assert settings(n_samples=n, label_smoothing=asked).recipe.label_smoothing == asked


def members_in_trials(n, regression=False, **parameters):
    return settings(TABLE, regression, n, **parameters).of_trial().backbone(TABLE).n_members


def test_trials_of_many_rows_have_fewer_members():
    assert [members_in_trials(n) for n in (0, 499, 500, 10**6)] == [8, 8, 4, 4]
    assert [members_in_trials(n, regression=True) for n in (0, 10**6)] == [4, 4]
    assert members_in_trials(1000, backbone=Members(n_members=2)) == 2
    assert members_in_trials(1000, backbone="members") == 4
    plain = settings(n_samples=1000, backbone=MLP())
    assert plain.of_trial().backbone is plain.backbone


def test_other_samples_need_a_backbone_of_their_own():
    with pytest.raises(ValueError, match=r"backbone='auto' knows tables.*pass your own backbone"):
        settings(VOLUME)
    assert settings(VOLUME, backbone=MLP()).lr == 0.003
    with pytest.raises(ValueError, match=r"generator='auto' knows tables"):
        settings(VOLUME, backbone=MLP(), auxiliary=Learned("auto"))


def test_nothing_is_tried_where_there_is_no_plan():
    found = settings(planned=False, psi="auto")
    assert found.undecided == ()
    assert (found.lr, found.psi) == (0.015, 5)
    assert found.schedule is constant


def test_psi_is_tried_where_it_decides():
    assert set(settings(psi="auto").undecided) == {"max_epochs", "temperature", "psi"}
    given = {"psi": "auto", "max_epochs": 9, "temperature": 1.0}
    assert settings(**given).undecided == ("psi",)
    assert settings(**given, auxiliary=None).undecided == ()
    assert settings(**given, auxiliary="human").undecided == ()
    assert settings(**given, auxiliary="auto").undecided == ("auxiliary", "psi")


def test_each_auto_is_tried_on_its_own():
    assert settings(max_epochs=9).undecided == ("temperature",)
    assert settings(temperature=2.0).undecided == ("max_epochs",)
    assert set(settings(lr=0.1).undecided) == {"temperature", "max_epochs"}
    assert settings(IMAGE, auxiliary="auto", psi="auto").undecided == ("auxiliary", "psi")
    found = settings(regression=True, auxiliary="auto").undecided
    assert found == ("auxiliary", "max_epochs")
    found = settings(auxiliary="auto", planned=False)
    assert isinstance(found.labels, Learned)
    assert found.temperature == 1


def test_what_needs_one_network_has_no_members():
    assert settings().backbone((4,)).n_members == 8
    for parameters in ({}, {"auxiliary": Learned("members")}):
        found = settings(**parameters)
        assert not hasattr(found.single((4,)), "n_members")
        assert not hasattr(found.generator((4,)), "n_members")
    assert settings(backbone=MLP((7,))).single((4,))[0].out_features == 7


def test_batches_are_a_part_of_the_samples_within_bounds():
    images, rows = settings(IMAGE), settings(TABLE)
    assert [images.batch_size_of(n) for n in (10, 600, 1600, 10**6)] == [10, 37, 100, 128]
    assert [rows.batch_size_of(n) for n in (10, 600, 1600, 10**6)] == [10, 75, 200, 256]
    assert settings(batch_size=7).batch_size_of(600) == 7


@pytest.mark.parametrize(
    ("shape", "n", "batch_size", "epochs"),
    [
        (IMAGE, 50, "auto", 100),
        (TABLE, 0, "auto", 20),
        (TABLE, 30, "auto", 96),  # one step each
        (TABLE, 200, "auto", 24),  # four steps each
        (TABLE, 100, "auto", 48),
        (TABLE, 100, 1000, 96),
        (TABLE, 499, "auto", 20),
        (TABLE, 500, "auto", 32),
        (TABLE, 2000, "auto", 32),
        (TABLE, 10**5, "auto", 10),
        (TABLE, 10**7, "auto", 1),
    ],
)
def test_epochs_by_the_number_of_rows(shape, n, batch_size, epochs):
    assert settings(shape, n_samples=n, batch_size=batch_size).max_epochs == epochs
    assert settings(shape, n_samples=n, max_epochs=7).max_epochs == 7


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

    of_backbone = {"backbone", "of_trials", "single"}
    assert settings(backbone=own).user_code == {*of_backbone, "generator"}
    assert settings(backbone=own, auxiliary=Learned("mlp")).user_code == of_backbone
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
