"""The published recipes, against what literature says of them."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._estimators.presets import PRESETS, preset
from sklearn_maxl.labels import Learned
from sklearn_maxl.optimizers import SGD

SMALL = {"backbone": "convnet", "max_epochs": 2, "random_state": 0}


def rate_and_decay(optimizer, lr):
    group = optimizer([torch.nn.Parameter(torch.zeros(1))], lr=lr).param_groups[0]
    return group["lr"], group["weight_decay"], group["momentum"]


def test_the_neurips_recipe_is_the_authors_code():
    clf = MAXLClassifier.from_preset("neurips2019")
    assert (clf.backbone, clf.batch_size, clf.max_epochs) == ("vgg16", 100, 200)
    assert (clf.optimizer, clf.lr) == ("sgd", 0.01)
    labels = clf.auxiliary
    assert rate_and_decay(labels.optimizer, labels.lr) == (1e-3, 5e-4, 0)
    assert (clf.schedule, labels.alternation, labels.meta_batch) == ("halving", "epoch", "same")
    assert (clf.focal_gamma, labels.entropy_weight, clf.auxiliary_weight) == (2.0, 0.2, 1.0)
    assert clf.augment == "crop_flip"
    assert (labels.every, clf.views) == (1, None)
    assert clf.get_params()["auxiliary__meta_scale"] == 1.0


def test_the_iclr_recipe_holds_a_tenth_out_and_learns_from_every_batch():
    clf = MAXLClassifier.from_preset("iclr2019")
    labels = clf.auxiliary
    assert rate_and_decay(labels.optimizer, labels.lr) == (1e-5, 5e-4, 0)
    assert (labels.alternation, labels.meta_batch) == ("batch", "holdout")
    assert (labels.every, clf.validation_fraction) == (1, 0.1)
    assert clf.augment is None


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_an_ordinary_estimator(name, images):
    clf = MAXLClassifier.from_preset(name, **SMALL)
    assert clone(clf).get_params().keys() == clf.get_params().keys()
    assert clf.fit(*images).score(*images) > 0.1
    assert clf.n_iter_ == 2
    assert clf.batch_size == 100
    assert set(preset(name)) <= set(clf.get_params())


def test_the_regressor_has_them_too(images):
    X, y = images
    reg = MAXLRegressor.from_preset("neurips2019", **SMALL, lr=1e-3)
    assert np.isfinite(reg.fit(X, y).predict(X)).all()


def test_presets_are_not_changed_by_an_override():
    MAXLClassifier.from_preset("neurips2019", psi=2, lr=1.0)
    assert MAXLClassifier.from_preset("neurips2019").lr == 0.01
    changed = MAXLClassifier.from_preset("neurips2019", auxiliary__every=4)
    changed.set_params(auxiliary__optimizer__weight_decay=0.1)
    assert (changed.auxiliary.every, changed.auxiliary.lr) == (4, 1e-3)
    labels = MAXLClassifier.from_preset("neurips2019").auxiliary
    assert (labels.every, labels.optimizer.weight_decay) == (1, 5e-4)


def test_an_inner_parameter_of_an_override_is_set():
    clf = MAXLClassifier.from_preset(
        "neurips2019", auxiliary=Learned(lr=0.1), auxiliary__every=3, optimizer=SGD(momentum=0.9)
    )
    assert (clf.auxiliary.lr, clf.auxiliary.every, clf.optimizer.momentum) == (0.1, 3, 0.9)
    with pytest.raises(ValueError, match=r"optimizer=.sgd. is short for .* pass optimizer=SGD"):
        MAXLClassifier.from_preset("neurips2019", optimizer__momentum=0.9)
    with pytest.raises(ValueError, match="Invalid parameter 'momentum' for estimator Learned"):
        MAXLClassifier.from_preset("neurips2019", auxiliary__momentum=0.9)


def test_an_unknown_preset_is_named():
    with pytest.raises(ValueError, match="'neurips2020' is not a preset; use 'neurips2019' or"):
        MAXLClassifier.from_preset("neurips2020")
    with pytest.raises(TypeError, match="momentum"):
        MAXLClassifier.from_preset("neurips2019", momentum=0.9)
