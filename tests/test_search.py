"""Inside scikit-learn's searches, pipelines and ensembles; no weight leaks between fits."""

import copy

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import MLP, ConvNet, Custom
from sklearn_maxl.labels import KMeans, Learned
from sklearn_maxl.optimizers import SGD, AdamW


def quick(**params):
    return MAXLClassifier(**{"max_epochs": 4, "lr": 0.01, "psi": 2, "random_state": 0, **params})


class Net(nn.Module):
    """A network with parameters of its own."""

    def __init__(self, input_shape, width=8, activation=nn.ReLU):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(*input_shape, width), activation())

    def forward(self, x):
        return self.layers(x)


def test_a_grid_reaches_psi_and_backbone_and_generator_in_a_pipeline(iris):
    grid = {
        "maxlclassifier__psi": [2, 3, 5],
        "maxlclassifier__backbone__hidden_layer_sizes": [(4,), (16, 8)],
        "maxlclassifier__auxiliary__generator__hidden_layer_sizes": [(6,)],
    }
    labels = Learned(generator=MLP())
    classifier = quick(backbone=MLP(), auxiliary=labels, batch_size=16, schedule="constant")
    model = make_pipeline(StandardScaler(), classifier)
    search = GridSearchCV(model, grid, n_jobs=2, cv=2, error_score="raise").fit(*iris)
    assert search.cv_results_["mean_test_score"].min() > 0.5
    best = search.best_estimator_[-1]
    assert best.psi_.tolist() == [search.best_params_["maxlclassifier__psi"]] * 3
    sizes = search.best_params_["maxlclassifier__backbone__hidden_layer_sizes"]
    assert best.transform(iris[0]).shape == (150, sizes[-1])
    assert best.net_.generator_.head.in_features == 6


def test_a_grid_over_images_needs_no_scaler(images):
    grid = {"backbone__channels": [(4,), (4, 8)], "psi": [2, 3]}
    search = GridSearchCV(quick(backbone=ConvNet()), grid, n_jobs=2, cv=2, error_score="raise")
    search.fit(*images)
    assert search.best_estimator_.input_shape_ == (1, 8, 8)
    channels = search.best_params_["backbone__channels"]
    assert search.predict_proba(images[0]).shape == (200, 10)
    assert search.best_estimator_.transform(images[0]).shape == (200, channels[-1])


def test_a_grid_reaches_the_parameters_of_a_custom_network(iris):
    grid = {"backbone__width": [3, 5], "backbone__activation": [nn.Tanh, nn.ReLU]}
    search = GridSearchCV(quick(backbone=Custom(Net)), grid, cv=2, error_score="raise").fit(*iris)
    kinds = {
        (p["backbone__width"], p["backbone__activation"]) for p in search.cv_results_["params"]
    }
    assert len(kinds) == 4
    trunk = search.best_estimator_.net_.module_.trunk
    assert trunk.layers[0].out_features == search.best_params_["backbone__width"]
    assert type(trunk.layers[1]) is search.best_params_["backbone__activation"]


def test_a_grid_reaches_the_parameters_of_labels_and_optimizers(iris):
    grid = {
        "auxiliary__every": [1, 2],
        "auxiliary__optimizer__momentum": [0.0, 0.9],
        "optimizer__momentum": [0.0, 0.9],
    }
    labels = Learned(optimizer=SGD(), lr=0.1)
    clf = quick(auxiliary=labels, optimizer=SGD(), lr=0.05)
    search = GridSearchCV(clf, grid, n_jobs=2, cv=2, error_score="raise").fit(*iris)
    assert len(search.cv_results_["params"]) == 8
    net, best = search.best_estimator_.net_, search.best_params_
    assert net.settings.learned.every == best["auxiliary__every"]
    momenta = [o.param_groups[0]["momentum"] for o in (net.optimizer_, net.generator_optimizer_)]
    assert momenta == [best["optimizer__momentum"], best["auxiliary__optimizer__momentum"]]
    assert labels.get_params(deep=False) == clf.auxiliary.get_params(deep=False)
    assert (labels.every, labels.optimizer.momentum, clf.optimizer.momentum) == (8, 0.0, 0.0)


def test_a_grid_reaches_sources_of_labels_as_a_whole(iris):
    grid = {"auxiliary": [None, "uniform", KMeans(), Learned(every=1)]}
    search = GridSearchCV(quick(), grid, cv=2, error_score="raise").fit(*iris)
    assert search.cv_results_["mean_test_score"].min() > 0.5


@pytest.mark.parametrize(
    ("held", "name", "message"),
    [
        (
            {"auxiliary": "maxl"}, "auxiliary__every",
            "auxiliary='maxl' is short for .* for auxiliary__every, pass auxiliary=Learned[(][)] "
            "from sklearn_maxl.labels",
        ),
        (
            {"backbone": "mlp"}, "backbone__dropout",
            "backbone='mlp' is short .* pass backbone=MLP[(][)] from sklearn_maxl.backbones",
        ),
        (
            {"backbone": "auto"}, "backbone__dropout",
            "backbone='auto' is short .* pass backbone=MLP[(][)] from sklearn_maxl.backbones",
        ),
        (
            {"optimizer": "sgd"}, "optimizer__momentum",
            "optimizer='sgd' is short .* pass optimizer=SGD[(][)] from sklearn_maxl.optimizers",
        ),
        ({"auxiliary": Learned()}, "auxiliary__meta_every", "Invalid parameter 'meta_every' .*"),
        ({"auxiliary": None}, "auxiliary__every", "auxiliary=None .* auxiliary__every"),
        ({"auxiliary": Learned()}, "auxiliary__generator__dropout", "generator=None .*__dropout"),
        (
            {"auxiliary": Learned()}, "auxiliary__optimizer__momentum",
            "optimizer='adam' is short for .*__momentum",
        ),
        ({}, "meta_every", "Invalid parameter 'meta_every' for estimator MAXLClassifier"),
    ],
)  # fmt: skip
def test_a_grid_over_what_a_name_is_short_for_says_what_to_pass(iris, held, name, message):
    with pytest.raises(ValueError, match=message):
        GridSearchCV(quick(**held), {name: [1]}, cv=2).fit(*iris)
    clf = quick(**held)
    with pytest.raises(ValueError, match=message):
        clf.set_params(lr=0.5, **{name: 1})


def test_a_name_and_its_parameter_can_be_set_at_once():
    clf = quick().set_params(auxiliary=Learned(), auxiliary__every=3)
    assert clf.auxiliary.every == 3
    with pytest.raises(ValueError, match="auxiliary='maxl' is short for"):
        clf.set_params(auxiliary="maxl", auxiliary__every=4)


def test_cross_validation_gives_the_same_in_one_process_and_in_two(iris):
    one, two = (cross_val_score(quick(), *iris, cv=4, n_jobs=n) for n in (1, 2))
    np.testing.assert_array_equal(one, two)
    assert one.mean() > 0.8


def test_finer_labels_are_cut_with_the_folds(iris):
    finer = iris[1] * 2 + np.arange(150) % 2
    params = {"auxiliary_labels": finer}
    clf = quick(auxiliary="human", max_epochs=20)  # the auxiliary head, which predicts, learns late
    scores = cross_val_score(clf, *iris, params=params, error_score="raise")
    assert scores.mean() > 0.8


@pytest.mark.parametrize(
    "backbone", ["mlp", MLP((3,)), ConvNet((2,)), Custom(Net, width=3), Net((4,)), nn.Linear]
)
def test_a_clone_has_the_same_parameters_and_none_of_the_weights(backbone):
    clf = quick(backbone=backbone)
    other = clone(clf)
    assert repr(other) == repr(clf)
    if hasattr(backbone, "get_params"):
        assert other.backbone is not backbone
        assert other.backbone.get_params() == backbone.get_params()


def module():
    torch.default_generator.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU())


class SameModule:
    """A factory that hands out the same module every time."""

    def __init__(self):
        self.module = module()

    def __call__(self, input_shape):
        return self.module


@pytest.mark.parametrize("meta_gradient", ["exact", "double_backward"])
@pytest.mark.parametrize("kind", [module, SameModule])
def test_no_weight_leaks_from_one_fit_into_the_next(iris, kind, meta_gradient):
    backbone = kind()
    live = getattr(backbone, "module", backbone)
    before = copy.deepcopy(live.state_dict())
    clf = quick(backbone=backbone, auxiliary=Learned(meta_gradient=meta_gradient))
    first = clf.fit(*iris).predict_proba(iris[0])
    for name, value in live.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert all(p.grad is None for p in live.parameters())
    assert live.training
    assert clf.net_.module_.trunk is not clf.net_.generator_.trunk
    np.testing.assert_array_equal(clf.fit(*iris).predict_proba(iris[0]), first)
    np.testing.assert_array_equal(clone(clf).fit(*iris).predict_proba(iris[0]), first)


def test_a_live_module_starts_from_the_weights_that_it_has(iris):
    backbone = module()
    nn.init.zeros_(backbone[0].weight)
    labels = Learned(lr=1e-30)
    clf = quick(backbone=backbone, auxiliary=labels, max_epochs=1, lr=1e-30).fit(*iris)
    assert clf.net_.module_.trunk[0].weight.abs().max() < 1e-20


def test_the_features_feed_the_next_step_of_a_pipeline(iris):
    X, y = iris
    pipeline = make_pipeline(
        StandardScaler(), quick(backbone="mlp"), LogisticRegression(max_iter=1000)
    ).fit(X, y)
    assert pipeline.score(X, y) > 0.9
    assert pipeline[-1].n_features_in_ == 100
    names = pipeline[:-1].get_feature_names_out()
    assert names[[0, 99]].tolist() == ["maxlclassifier0", "maxlclassifier99"]


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output_names_the_columns(iris, container):
    clf = quick().set_output(transform=container)
    table = clf.fit_transform(*iris)
    assert type(table).__module__.startswith(container)
    assert list(table.columns) == list(clf.get_feature_names_out())
    assert table.shape == (150, 1024)  # eight members of 128


@pytest.mark.parametrize(
    "wrap",
    [
        lambda clf: CalibratedClassifierCV(clf, cv=2),
        lambda clf: VotingClassifier([("a", clf), ("b", LogisticRegression())], voting="soft"),
        OneVsRestClassifier,
    ],
    ids=["calibrated", "voting", "one-vs-rest"],
)
def test_works_inside_other_classifiers(iris, wrap):
    X, y = iris
    names = np.array(["x", "y", "z"])[y]
    X = (X - X.mean(0)) / X.std(0)
    model = wrap(quick()).fit(X, names)
    assert model.score(X, names) > 0.85
    np.testing.assert_allclose(model.predict_proba(X).sum(1), 1, rtol=1e-6)


def test_predictions_across_folds_keep_string_labels(iris):
    names = np.array(["x", "y", "z"])[iris[1]]
    predicted = cross_val_predict(quick(), iris[0], names, cv=3)
    assert (predicted == names).mean() > 0.8


# A search over arrays hands out NumPy's scalars.
NUMPY_SCALARS = {
    "auxiliary": np.str_("uniform"),
    "auxiliary__every": np.int64(2),
    "auxiliary__lr": np.float32(0.002),
    "auxiliary__meta_gradient": np.str_("double_backward"),
    "auxiliary__meta_scale": np.float64(2),
    "auxiliary_weight": np.float32(0.5),
    "batch_size": np.int64(50),
    "early_stopping": np.bool_(True),
    "lr": np.float32(0.01),
    "max_epochs": np.int64(3),
    "n_threads": np.int64(1),
    "optimizer": np.str_("sgd"),
    "optimizer__weight_decay": np.float32(0.1),
    "psi": np.int64(3),
    "random_state": np.int64(3),
    "verbose": np.int64(0),
}


@pytest.mark.parametrize("name", NUMPY_SCALARS)
def test_parameters_may_be_scalars_of_numpy(iris, tmp_path, name):
    value = NUMPY_SCALARS[name]
    holders = {"auxiliary": Learned(), "optimizer": AdamW()}
    start = MAXLClassifier(**holders, max_epochs=2, random_state=0)
    clf = clone(start).set_params(**{name: value}).fit(*iris)
    plain = clone(start).set_params(**{name: value.item()}).fit(*iris)
    expected = plain.predict_proba(iris[0])
    np.testing.assert_array_equal(clf.predict_proba(iris[0]), expected)
    clf.save(tmp_path / "net.safetensors")
    again = MAXLClassifier.load(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(again.predict_proba(iris[0]), expected)
