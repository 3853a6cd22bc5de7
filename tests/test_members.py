"""Several members in one network: each is a plain network with factors, and all are averaged."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import replay
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from torch import nn

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._maths.at_parameters import AtParameters
from sklearn_maxl._maths.step import Batch, Recipe, meta_loss, multi_task_step, primary_loss
from sklearn_maxl._networks.members import n_members
from sklearn_maxl._networks.multi_task import make_multi_task_net
from sklearn_maxl._networks.trunk import BackboneError, Frame
from sklearn_maxl._tasks.auxiliary import Hierarchy
from sklearn_maxl.backbones import MLP, Members
from sklearn_maxl.backbones._builder import with_members
from sklearn_maxl.backbones._members import MemberDropout
from sklearn_maxl.backbones._periodic import Periodic
from sklearn_maxl.labels import KMeans, Learned

X, Y = load_iris(return_X_y=True)
K, SIZES = 3, (6, 5)  # members and their layers


def holder(**parameters):
    return Members(**{"hidden_layer_sizes": SIZES, "n_members": K, **parameters})


def model(cls=MAXLClassifier, **parameters):
    settings = {"backbone": holder(), "max_epochs": 3, "lr": 0.01, "psi": 2, "random_state": 0}
    if cls is MAXLClassifier:
        settings["temperature"] = 1.0
    return cls(**{**settings, **parameters})


def network(psi=(2, 1, 3), numbers=False, n_outputs=3, dtype=torch.float64, **parameters):
    """A multi-task network whose factors and biases are all different."""
    torch.manual_seed(0)
    hierarchy = None if psi is None else Hierarchy(np.array(psi))
    members = holder(**{"dropout": 0.0, **parameters})
    frame = Frame(members.build, (4,), (np.zeros(4), np.ones(4)))
    f = make_multi_task_net(frame, n_outputs, hierarchy, numbers).to(dtype).train()
    with torch.no_grad():
        for p in f.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return f


def batch(n=7, weighted=True, n_targets=0):
    rng = torch.Generator().manual_seed(1)
    x = torch.randn(n, 4, generator=rng, dtype=torch.float64)
    weight = torch.rand(n, generator=rng, dtype=torch.float64) + 0.2 if weighted else None
    target = torch.randn(n, n_targets, generator=rng, dtype=torch.float64) if n_targets else None
    return Batch(x, torch.arange(n) % 3, weight, target=target)


# Each member by itself


def features_by_hand(trunk, k, x):
    """Features of one member, by layers that know nothing of members."""
    for i, layer in enumerate(layer for layer in trunk if not isinstance(layer, nn.ReLU)):
        own = layer.weight  # its matrix
        if i == 0:
            own = layer.s[k, 0][:, None] * own * layer.r[k, 0][None, :]
        x = torch.relu(x @ own.T + layer.bias[k, 0])
    return x


def head_by_hand(head, k, features):
    return features @ head.weight[k] + head.bias[k, 0]


def outputs_by_hand(f, k, z):
    features = features_by_hand(f.trunk, k, z)
    auxiliary = None if f.auxiliary_head is None else head_by_hand(f.auxiliary_head, k, features)
    return head_by_hand(f.primary_head, k, features), auxiliary


def test_a_member_is_a_plain_network_with_its_factors():
    f, z = network(), batch().x
    features = f.features(z)
    primary, auxiliary = f.outputs(z)
    assert features.shape == (K, 7, SIZES[-1])
    assert (primary.shape, auxiliary.shape) == ((K, 7, 3), (K, 7, 6))
    for k in range(K):
        torch.testing.assert_close(features[k], features_by_hand(f.trunk, k, z))
        own, finer = outputs_by_hand(f, k, z)
        torch.testing.assert_close(primary[k], own)
        torch.testing.assert_close(auxiliary[k], finer)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=3), st.integers(1, 5), st.integers(1, 4))
def test_shapes(sizes, members, n):
    trunk = Members(sizes, members).build((2, 3))
    assert n_members(trunk) == members
    assert trunk(torch.zeros(n, 2, 3)).shape == (members, n, sizes[-1])
    shared = sum(a * b for a, b in itertools.pairwise([6, *sizes]))
    own = 6 + sizes[0] + sum(sizes)  # factors of the first layer, and biases
    assert sum(p.numel() for p in trunk.parameters()) == shared + members * own


def test_members_differ_from_the_start_by_signs():
    torch.manual_seed(0)
    trunk = Members((8, 8), 4, dropout=0.0).build((20,))
    first, second = (layer for layer in trunk if not isinstance(layer, nn.ReLU))
    assert set(first.r.unique().tolist()) == {-1.0, 1.0}
    assert len(first.r.flatten(1).unique(dim=0)) == 4
    assert torch.equal(first.s, torch.ones_like(first.s))
    assert not hasattr(second, "s")
    for layer in (first, second):
        assert layer.bias.flatten(1).unique(dim=0).shape[0] == 4
        assert layer.weight.abs().max() <= layer.in_features**-0.5
    out = trunk(torch.randn(5, 20))
    assert not any(torch.allclose(a, b) for a, b in itertools.combinations(out, 2))


def test_one_member_is_a_plain_network():
    trunk = Members((5,), 1, dropout=0.0).build((4,))
    x = torch.randn(6, 4)
    assert trunk(x).shape == (1, 6, 5)
    torch.testing.assert_close(trunk(x)[0], features_by_hand(trunk, 0, x))
    clf = model(backbone=holder(n_members=1)).fit(X, Y)
    assert clf.transform(X).shape == (150, SIZES[-1])
    assert clf.predict_proba(X).shape == (150, 3)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"hidden_layer_sizes": ()}, "hidden_layer_sizes must be a sequence of positive integers"),
        ({"hidden_layer_sizes": 5}, "hidden_layer_sizes must be a sequence of positive integers"),
        ({"hidden_layer_sizes": (5, 0)}, "hidden_layer_sizes must be a sequence"),
        ({"n_members": 0}, "n_members must be a positive integer below 2\\*\\*31, got 0"),
        ({"n_members": -1}, "n_members must be a positive integer below 2\\*\\*31, got -1"),
        ({"n_members": 2.5}, "n_members must be a positive integer below 2\\*\\*31, got 2.5"),
        ({"n_members": "8"}, "n_members must be a positive integer below 2\\*\\*31, got '8'"),
        ({"n_members": None}, "n_members must be a positive integer below 2\\*\\*31, got None"),
        ({"dropout": -0.1}, "dropout must be a number from 0 to 1"),
        ({"dropout": 1.1}, "dropout must be a number from 0 to 1"),
        ({"dropout": np.array(0.5)}, "dropout must be a number from 0 to 1"),
        ({"periodic": "no"}, "periodic must be True or False, got 'no'"),
        ({"n_members": 10**30}, "n_members must be a positive integer below"),
    ],
)
def test_what_are_no_members_is_refused_in_words(parameters, message):
    with pytest.raises(ValueError, match=message):
        holder(**parameters).build((4,))
    for auxiliary in ("maxl", None):
        with pytest.raises(ValueError, match=message):
            model(backbone=holder(**parameters), auxiliary=auxiliary, max_epochs="auto").fit(X, Y)


@given(st.integers(1, 6), st.integers(1, 6))
def test_fewer_members(members, most):
    fewer = with_members(holder(n_members=members, periodic=True), most)
    if most == 1:
        assert fewer.get_params() == MLP(SIZES, 0.3).get_params()
    else:
        expected = holder(n_members=min(members, most), periodic=True)
        assert fewer.get_params() == expected.get_params()
    other = MLP()
    assert with_members(other, most) is other
    assert with_members("mlp", most) == "mlp"
    assert n_members(with_members("members", 2).build((4,))) == 2


# Waves


def waves_by_hand(layer, x):
    """Each number, then a sum of waves of each."""
    w, b, v, c = (p.detach().numpy() for p in (layer.w, layer.b, layer.v, layer.c))
    sums = [np.cos(np.outer(column, w[j]) + b[j]) @ v[j] + c[j] for j, column in enumerate(x.T)]
    return np.column_stack([x, *sums])


@given(st.integers(1, 5), st.integers(1, 6))
def test_waves_of_each_number_stand_beside_it(n_features, n):
    layer = Periodic(n_features).double()
    x = torch.randn(n, n_features, dtype=torch.float64)
    np.testing.assert_allclose(layer(x).detach(), waves_by_hand(layer, x.numpy()), atol=1e-12)
    trunk = Members(SIZES, K, periodic=True).build((n_features,))
    assert trunk(x.float()).shape == (K, n, SIZES[-1])
    assert trunk[1].in_features == 2 * n_features
    assert set(trunk[1].r.unique().tolist()) <= {-1.0, 1.0}  # still the first of the members


def test_waves_have_the_derivatives_of_finite_differences():
    layer = Periodic(3).double()
    x = torch.randn(4, 3, dtype=torch.float64)
    t = {name: p.detach() for name, p in layer.named_parameters()}
    direction = {name: torch.randn_like(p) for name, p in t.items()}
    dx = torch.randn_like(x)

    def f(t, x):
        return torch.func.functional_call(layer, t, (x,)).sin().sum()

    def moved(step):
        return f({name: p + step * direction[name] for name, p in t.items()}, x + step * dx)

    slope = (moved(1e-6) - moved(-1e-6)) / 2e-6
    _, forward = torch.func.jvp(f, (t, x), (direction, dx))
    assert float(forward) == pytest.approx(float(slope), rel=1e-7)
    of_t, of_x = torch.func.grad(f, argnums=(0, 1))(t, x)
    backward = sum((of_t[name] * direction[name]).sum() for name in t) + (of_x * dx).sum()
    assert float(backward) == pytest.approx(float(slope), rel=1e-7)


def test_a_sample_has_the_same_waves_alone_and_among_others():
    layer, x = Periodic(4), torch.randn(33, 4)
    assert torch.equal(torch.cat([layer(one[None]) for one in x]), layer(x))


# Dropout


def test_dropout_is_the_same_for_all_members():
    layer, x = MemberDropout(0.4), torch.randn(K, 50, 9)
    out = layer(x)
    kept = out != 0
    assert torch.equal(kept, kept[:1].expand_as(kept))
    assert 0.45 < kept.float().mean() < 0.75
    torch.testing.assert_close(out[kept], x[kept] / 0.6)
    assert not torch.equal(layer(x) != 0, kept)
    assert torch.equal(layer.eval()(x), x)


@pytest.mark.parametrize(("p", "factor"), [(0.0, 1.0), (1.0, 0.0)])
def test_dropout_of_nothing_and_of_all(p, factor):
    x = torch.randn(K, 5, 9)
    assert torch.equal(MemberDropout(p)(x), factor * x)


def test_dropout_is_in_training_only():
    trunk = holder(dropout=0.5).build((4,))
    x = torch.randn(20, 4)
    assert not torch.equal(trunk(x), trunk(x))
    trunk.eval()
    assert torch.equal(trunk(x), trunk(x))
    assert not any(isinstance(m, MemberDropout) for m in holder(dropout=0).build((4,)))


def test_random_numbers_start_again_in_each_pass():
    f, x = network(dropout=0.5), batch().x
    passes = []
    for _ in range(2):
        replay()
        passes.append(f.outputs(x)[0])
    assert torch.equal(*passes)
    assert not torch.equal(f.outputs(x)[0], passes[0])


# Losses: the mean over members of what each would have by itself


def losses_by_hand(logits, target, gamma):
    """Focal losses of soft targets."""
    p = torch.exp(logits) / torch.exp(logits).sum(1, keepdim=True)
    return -(target * (1 - p) ** gamma * torch.log(p)).sum(1)


def training_loss_by_hand(f, b, A, gamma, w):
    """Mean over members of each one's loss."""
    weight = torch.ones(len(b.x)).double() if b.weight is None else b.weight
    total = 0
    for k in range(K):
        primary, auxiliary = outputs_by_hand(f, k, b.x)
        if b.target is None:
            losses = losses_by_hand(primary, torch.eye(3).double()[b.y], gamma)
        else:
            losses = ((primary - b.target) ** 2).mean(1)
        finer = losses_by_hand(auxiliary, A, gamma)
        total = total + (weight * (losses + w * finer)).mean()
    return total / K


@pytest.mark.parametrize("gamma", [0.0, 2.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_targets", [0, 2])
def test_losses_and_gradients_are_means_over_members(gamma, weighted, n_targets):
    f = network(numbers=bool(n_targets), n_outputs=n_targets or 3)
    b = batch(weighted=weighted, n_targets=n_targets)
    A = torch.softmax(torch.randn(7, 6, dtype=torch.float64), 1)
    expected = training_loss_by_hand(f, b, A, gamma, 0.7)
    wanted = torch.autograd.grad(expected, list(f.parameters()))
    recipe = Recipe(gamma, auxiliary_weight=0.7)
    record = multi_task_step(AtParameters(f, f.outputs), b, A, recipe)
    for p, gradient in zip(f.parameters(), wanted, strict=True):
        torch.testing.assert_close(p.grad, gradient)
    total = record["primary_loss"] + 0.7 * record["auxiliary_loss"]
    torch.testing.assert_close(total, expected.detach())


def test_a_gradient_is_that_of_finite_differences():
    f, b = network(psi=None), batch()
    at = AtParameters(f, f.outputs)
    multi_task_step(at, b, None, Recipe())
    direction = {name: torch.randn_like(p) for name, p in at.t.items()}

    def loss(step):
        moved = {name: (p + step * direction[name]).detach() for name, p in at.t.items()}
        return float(meta_loss(at, moved, b, Recipe()))

    slope = sum((p.grad * direction[name]).sum() for name, p in at.t.items())
    assert float(slope) == pytest.approx((loss(1e-6) - loss(-1e-6)) / 2e-6, rel=1e-6)


def test_the_loss_of_members_is_above_that_of_their_mean():
    """Jensen's inequality: what is trained is no loss of the ensemble."""
    f, b = network(psi=None), batch(weighted=False)
    outputs = f.outputs(b.x)[0]
    of_mean = primary_loss(f.together(outputs), b, Recipe())
    assert of_mean < primary_loss(outputs, b, Recipe())


@pytest.mark.parametrize("parameters", [{"dropout": 0.0}, {"dropout": 0.3}, {"periodic": True}])
@pytest.mark.parametrize("cls", [MAXLClassifier, MAXLRegressor])
def test_both_ways_of_the_meta_gradient_train_the_same(parameters, cls):
    data = (X, Y) if cls is MAXLClassifier else (X[:, :3], X[:, 3])
    predict = "predict_proba" if cls is MAXLClassifier else "predict"
    exact, double = (
        model(
            cls,
            backbone=holder(**parameters),
            auxiliary=Learned(every=1, meta_gradient=way),
        ).fit(*data)
        for way in ("exact", "double_backward")
    )
    np.testing.assert_allclose(
        getattr(exact, predict)(data[0]), getattr(double, predict)(data[0]), atol=1e-5
    )
    np.testing.assert_allclose(
        exact.generate_auxiliary_labels(*data), double.generate_auxiliary_labels(*data), atol=1e-5
    )
    assert (exact.history_["meta_loss"] > 0).all()


# What they predict


def log_softmax(logits):
    return logits - logsumexp(logits, axis=2, keepdims=True)


def members_of(f, x):
    """Both outputs of every member."""
    with torch.no_grad():
        z = f.prepare(x)
        both = [outputs_by_hand(f, k, z) for k in range(K)]
    return [None if own[0] is None else torch.stack(own).numpy() for own in zip(*both, strict=True)]


def test_classes_have_the_mean_of_the_members_probabilities():
    f, x = network().eval(), batch().x
    primary, auxiliary = members_of(f, x)
    expected = np.log(np.exp(log_softmax(primary)).mean(0))
    np.testing.assert_allclose(f.prediction(x).detach(), expected, atol=1e-10)
    finer = np.exp(log_softmax(auxiliary)).mean(0)
    np.testing.assert_allclose(f.auxiliary(x).detach(), finer, atol=1e-10)


def test_numbers_are_the_mean_of_the_members():
    f, x = network(numbers=True, n_outputs=2).eval(), batch().x
    primary, _ = members_of(f, x)
    np.testing.assert_allclose(f.prediction(x).detach(), primary.mean(0))


def test_a_fitted_classifier_predicts_so():
    clf = model().fit(X, Y)
    found, features = clf.predict_proba(X), clf.transform(X)
    assert features.shape == (150, K * SIZES[-1])
    assert len(clf.get_feature_names_out()) == K * SIZES[-1]
    f = clf.net_.module_.eval()
    f.trunk[2], f.trunk[5] = nn.ReLU(), nn.ReLU()  # for dropout: what is positive stays
    primary, _ = members_of(f, torch.tensor(X))
    np.testing.assert_allclose(found, np.exp(log_softmax(primary)).mean(0), atol=1e-5)
    with torch.no_grad():
        z = f.prepare(torch.tensor(X))
        own = [features_by_hand(f.trunk, k, z).numpy() for k in range(K)]
    np.testing.assert_allclose(features, np.concatenate(own, axis=1), atol=1e-5)


@pytest.mark.parametrize("target", [X[:, 3], X[:, 2:]], ids=["one", "two"])
def test_a_fitted_regressor_predicts_so(target):
    reg = model(MAXLRegressor, backbone=holder(dropout=0.0)).fit(X[:, :2], target)
    found = reg.predict(X[:, :2])
    assert found.shape == target.shape
    primary, _ = members_of(reg.net_.module_, torch.tensor(X[:, :2]))
    expected = primary.mean(0) * target.std(0) + target.mean(0)
    np.testing.assert_allclose(found, expected.reshape(target.shape), atol=1e-5)


def test_a_prediction_does_not_depend_on_the_rows_beside_it():
    clf = model().fit(X, Y)
    whole = clf.predict_proba(X)
    alone = np.concatenate([clf.predict_proba(x[None]) for x in X[:20]])
    np.testing.assert_allclose(alone, whole[:20], atol=1e-6)
    np.testing.assert_allclose(clf.predict_proba(X[::-1])[::-1], whole, atol=1e-6)


@pytest.mark.parametrize("auxiliary", ["maxl", "uniform", None])
@pytest.mark.parametrize("cls", [MAXLClassifier, MAXLRegressor])
def test_files_and_modules_of_torch_predict_the_same(cls, auxiliary, tmp_path):
    data = (X, Y) if cls is MAXLClassifier else (X[:, :3], X[:, 3])
    predict = "predict_proba" if cls is MAXLClassifier else "predict"
    est = model(cls, auxiliary=auxiliary).fit(*data)
    expected = getattr(est, predict)(data[0])
    np.testing.assert_allclose(est.to_torch()(torch.tensor(data[0])), expected, atol=1e-5)
    est.save(tmp_path / "it")
    loaded = cls.load(tmp_path / "it")
    assert loaded.backbone.get_params() == holder().get_params()
    methods = [predict, "transform", *(["predict_auxiliary"] if auxiliary else [])]
    for method in methods:
        one, other = (getattr(e, method)(data[0]) for e in (est, loaded))
        np.testing.assert_array_equal(one, other)


def test_an_exported_program_predicts_the_same():
    clf = model().fit(X, Y)
    x = torch.tensor(X)
    rows = ({0: torch.export.Dim("n")},)
    program = torch.export.export(clf.to_torch(), (x[:5],), dynamic_shapes=rows).module()
    np.testing.assert_allclose(program(x), clf.predict_proba(X), atol=1e-5)


# In an estimator


def test_a_name_is_short_for_them():
    clf = model(backbone="members", max_epochs=1).fit(X, Y)
    assert n_members(clf.net_.module_.trunk) == 8
    assert clf.transform(X[:2]).shape == (2, 8 * 128)


def test_seeds_repeat_and_clones_are_alike():
    clf = model()
    p = clf.fit(X, Y).predict_proba(X)
    other = clone(clf)
    assert other.backbone is not clf.backbone
    assert other.backbone.get_params() == clf.backbone.get_params()
    np.testing.assert_array_equal(other.fit(X, Y).predict_proba(X), p)
    assert not np.array_equal(other.set_params(random_state=1).fit(X, Y).predict_proba(X), p)


def test_a_grid_search_reaches_the_number_of_members():
    clf = model(auxiliary=None)
    search = GridSearchCV(clf, {"backbone__n_members": [1, 4]}, cv=2).fit(X, Y)
    best = search.best_estimator_
    assert n_members(best.net_.module_.trunk) == search.best_params_["backbone__n_members"]
    scores = {
        k: clone(clf).set_params(backbone__n_members=k).fit(X[::2], Y[::2]).predict_proba(X)
        for k in (1, 4)
    }
    assert not np.allclose(scores[1], scores[4])
    assert clf.backbone.n_members == K


def test_labels_come_from_one_network():
    clf = model().fit(X, Y)
    assert n_members(clf.net_.generator_.trunk) is None
    labels = clf.generate_auxiliary_labels(X, Y)
    assert labels.shape == (150, 6)
    np.testing.assert_allclose(labels.sum(1), 1, atol=1e-5)
    given = model(auxiliary=Learned(holder())).fit(X, Y)
    assert n_members(given.net_.generator_.trunk) is None


class OwnMembers(nn.Module):
    """A user's own network of several members."""

    def __init__(self, n_members=2):
        super().__init__()
        self.n_members = n_members
        self.layers = nn.ModuleList(nn.Linear(4, 5) for _ in range(2))

    def forward(self, x):
        return torch.stack([torch.tanh(layer(x)) for layer in self.layers])


def test_a_network_of_ones_own_may_have_members():
    own = model(backbone=OwnMembers(), auxiliary=Learned(MLP((4,)))).fit(X, Y)
    assert own.transform(X).shape == (150, 10)
    np.testing.assert_allclose(own.predict_proba(X).sum(1), 1)


@pytest.mark.parametrize(
    "parameters",
    [
        {"backbone": OwnMembers()},
        {"backbone": MLP((4,)), "auxiliary": Learned(OwnMembers())},
    ],
    ids=["like the backbone", "given"],
)
def test_a_generator_of_ones_own_may_have_none(parameters):
    with pytest.raises(BackboneError, match="generator has several members"):
        model(**parameters).fit(X, Y)


@pytest.mark.parametrize("told", [3, 1, None])
def test_a_network_that_has_other_members_than_it_says_is_refused(told):
    with pytest.raises(BackboneError, match=r"but two samples became \(2, 2, 5\)"):
        model(backbone=OwnMembers(told), auxiliary=None).fit(X, Y)


def test_clusters_and_members_go_together():
    clf = model(auxiliary=KMeans()).fit(X, Y)
    labels = clf.generate_auxiliary_labels(X, Y)
    assert set(np.unique(labels)) == {0.0, 1.0}
    assert (labels.sum(1) == 1).all()
    assert clf.predict_auxiliary(X).shape == (150, 6)


def test_views_of_images_and_members_go_together(images):
    rows, y = images[0][:60], images[1][:60] % 2
    clf = model(max_epochs=2).fit(rows, y)
    p = clf.predict_proba(rows)
    f, x = clf.net_.module_, torch.tensor(rows)
    assert f.views.n == 4
    with torch.no_grad():
        turns = [f.features(view) for view in f.views.all(f.prepare(x))]
        logs = []
        for v, features in enumerate(turns):  # what all members say of a turn
            auxiliary = torch.softmax(f.auxiliary_head(features), 2)
            blocks = auxiliary.reshape(K, len(x), 2, 4, 2)[:, :, :, v].sum(3)
            logs.append(torch.log((blocks / blocks.sum(2, keepdim=True)).mean(0)))
        joint = torch.stack(logs).mean(0)
        own = torch.log(torch.softmax(f.primary_head(turns[0]), 2).mean(0))
        torch.testing.assert_close(f.joint(x).softmax(1), joint.softmax(1), atol=1e-5, rtol=0)
        mixed = torch.lerp(joint, own, f.primary_share)
    np.testing.assert_allclose(p, mixed.softmax(1), atol=1e-5)
    assert clf.generate_auxiliary_labels(rows, y).shape == (60, 4)
