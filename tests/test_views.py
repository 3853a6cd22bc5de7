"""Views of the auxiliary task: how they are drawn, which labels they have, how they predict."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import HALF_TURNS, QUARTER_TURNS, make_batch, make_networks

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._data.arrays import Arrays
from sklearn_maxl._data.batches import TrainingData
from sklearn_maxl._data.samples import Samples
from sklearn_maxl._networks.multi_task import block_sums
from sklearn_maxl._tasks.auxiliary import Hierarchy
from sklearn_maxl._tasks.views import VIEWS, primary_share, rotations
from sklearn_maxl._training.settings import resolve
from sklearn_maxl.backbones import ConvNet
from sklearn_maxl.labels import Learned

ARMS = ["maxl", "uniform", "random", "kmeans", "human"]


def fitted(images, **params):
    X, y = images
    base = {"backbone": ConvNet((4, 6)), "max_epochs": 2, "psi": 2, "random_state": 0}
    clf = MAXLClassifier(**{**base, **params})
    return clf.fit(X, y, auxiliary_labels=2 * y + np.arange(len(y)) % 2)


@pytest.mark.parametrize(
    ("shape", "views"),
    [
        ((1, 8, 8), QUARTER_TURNS),
        ((3, 5, 5), QUARTER_TURNS),
        ((3, 4, 6), HALF_TURNS),
        ((7,), None),
        ((2, 30), None),
    ],
)
def test_auto_is_for_images(shape, views):
    asked = {"backbone": ConvNet(), "input_shape": shape}
    auto, none = (
        resolve(MAXLClassifier(**asked, views=v).get_params(deep=False), shape, regression=False)
        for v in ("auto", None)
    )
    assert auto.views == views
    assert none.views is None
    assert {"rotations": rotations} == VIEWS
    if views is None:
        with pytest.raises(ValueError, match=r"views=.rotations. is for images"):
            rotations(shape)
    else:
        assert rotations(shape) == views


@pytest.mark.parametrize(("views", "width"), [(QUARTER_TURNS, 4), (HALF_TURNS, 6)])
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_each_sample_gets_the_view_of_its_number(views, width, data):
    v = data.draw(st.lists(st.integers(0, views.n - 1), min_size=1, max_size=6))
    x = torch.randn(len(v), 2, 4, width)
    expected = [np.rot90(a, n * 4 // views.n, (1, 2)) for a, n in zip(x.numpy(), v, strict=True)]
    np.testing.assert_array_equal(views.each(x, torch.tensor(v)), np.stack(expected))


def test_views_differ_and_the_first_is_the_sample():
    x = torch.randn(3, 1, 4, 4)
    views = QUARTER_TURNS.all(x)
    assert torch.equal(views[0], x)
    assert len({tuple(view.flatten().tolist()) for view in views}) == 4


def test_a_batch_has_every_view_and_the_block_that_belongs_to_it():
    X = np.random.RandomState(0).randn(60, 1, 4, 4).astype(np.float32)
    y = np.arange(60) % 3
    samples = Samples.from_arrays(Arrays(X, y), torch.device("cpu"))
    data = TrainingData(samples, hierarchy=Hierarchy(np.array([1, 2, 1]), QUARTER_TURNS))
    batch = data.batch(torch.arange(60), np.random.RandomState(1))
    v = batch.block - 4 * batch.y
    assert set(v.tolist()) == {0, 1, 2, 3}
    assert torch.equal(batch.x, torch.from_numpy(X))
    assert torch.equal(batch.view, QUARTER_TURNS.each(batch.x, v))
    again = data.batch(torch.arange(60), np.random.RandomState(1))
    assert torch.equal(batch.view, again.view)


def test_both_heads_see_one_pass_over_samples_and_views():
    f, g = make_networks("conv", [1, 2, 1], views=QUARTER_TURNS)
    batch = make_batch(views=QUARTER_TURNS)
    primary, auxiliary = copy.deepcopy(f)(*batch.inputs)
    features = f.features(f.prepare(torch.cat([batch.x, batch.view])))
    torch.testing.assert_close(primary, f.primary_head(features[:7]))
    torch.testing.assert_close(auxiliary, f.auxiliary_head(features[7:]))
    Y = g(*batch.labelled)
    assert Y.shape == (7, 16)
    assert torch.count_nonzero(Y[~f.mask[batch.block]]) == 0


@given(st.lists(st.integers(1, 4), min_size=2, max_size=4), st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_sums_over_blocks_of_unequal_size(psi, seed):
    K, start = sum(psi), np.cumsum(psi) - psi
    logits = 40 * torch.randn(5, K, generator=torch.Generator().manual_seed(seed)).double()
    columns = torch.from_numpy(Hierarchy(np.array(psi)).columns[:, 0])
    got = block_sums(logits, columns)
    expected = [logits[:, a : a + n].logsumexp(1) for a, n in zip(start, psi, strict=True)]
    torch.testing.assert_close(got, torch.stack(expected, dim=1))


def test_prediction_is_the_mean_over_the_views_of_what_their_blocks_say():
    psi = [1, 3, 2]
    f, _ = make_networks("conv", psi, views=QUARTER_TURNS)
    f.eval()
    x = make_batch().x
    first = np.cumsum([0, *np.repeat(psi, 4)])
    logs = []
    for v in range(4):
        turned = torch.rot90(x, v, (2, 3))
        p = torch.softmax(f.auxiliary_head(f.transform(turned)), dim=1)
        mass = torch.stack(
            [p[:, first[4 * i + v] : first[4 * i + v + 1]].sum(1) for i in range(3)], dim=1
        )
        logs.append(torch.log(mass / mass.sum(1, keepdim=True)))
    primary = torch.log_softmax(f.primary(x), dim=1)
    torch.testing.assert_close(f.prediction(x), (primary + sum(logs) / 4) / 2)  # not learned yet
    f.primary_share.fill_(0)
    torch.testing.assert_close(f.prediction(x), sum(logs) / 4)
    own = [k for i in range(3) for k in range(first[4 * i], first[4 * i + 1])]
    logits = f.auxiliary_head(f.transform(x))[:, own]
    torch.testing.assert_close(f.auxiliary(x), torch.softmax(logits, dim=1))


def test_the_primary_head_has_a_say_until_the_auxiliary_task_is_learned(images):
    X, y = images
    params = {"backbone": ConvNet((16, 32)), "lr": 0.01, "schedule": "constant"}
    clf = fitted(images, **params, warm_start=True)
    net = clf.net_.module_
    share = net.primary_share.item()
    assert 0 < share <= 0.5
    p, q = (torch.from_numpy(clf.net_.apply(head, X)) for head in (net.primary, net.joint))
    both = (share * torch.log_softmax(p, 1) + (1 - share) * q).double()
    np.testing.assert_allclose(clf.predict_log_proba(X), torch.log_softmax(both, 1), rtol=1e-5)
    clf.set_params(max_epochs=60).fit(X, y)
    net = clf.net_.module_
    assert net.primary_share == 0
    last = torch.from_numpy(clf.net_.apply(net.joint, X)).double()
    np.testing.assert_allclose(clf.predict_log_proba(X), torch.log_softmax(last, 1), rtol=1e-6)
    assert clf.score(X, y) > 0.9


def test_early_stopping_keeps_the_head_that_its_score_was_of(images):
    clf = fitted(images, early_stopping=True)
    before = clf.net_.state()  # what is kept of the best epoch
    share = clf.net_.module_.primary_share
    kept = share.item()
    share.fill_(1 - kept)
    clf.net_.load_state(before)
    assert share.item() == kept


def test_the_head_that_predicts_is_saved(images, tmp_path):
    X, _ = images
    clf = fitted(images)
    clf.net_.module_.primary_share.fill_(0.25)
    clf.save(tmp_path / "net.safetensors")
    again = MAXLClassifier.load(tmp_path / "net.safetensors")
    assert again.net_.module_.primary_share == 0.25
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))


@pytest.mark.parametrize(
    ("joint", "primary", "share"),
    [(0.95, 1.0, 0), (0.9, 0.8, 0), (0.875, 0.95, 0.25), (0.9, 1.0, 0.5), (0.1, 1.0, 0.5)],
)
def test_the_share_of_the_primary_head_rises_with_its_lead(joint, primary, share):
    assert primary_share(joint, primary) == pytest.approx(share)


@given(st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_samples_are_taken_evenly(n, wanted):
    samples = Samples.from_arrays(Arrays(np.arange(n), np.arange(n)), torch.device("cpu"))
    some = samples.evenly(wanted)
    index = some.y.tolist()
    assert len(some) == len(set(index)) == min(n, wanted)
    assert index[0] == 0
    assert index == sorted(index)
    assert len(index) == 1 or index[-1] == n - 1


@pytest.mark.parametrize("arm", ARMS)
def test_labels_and_predictions_of_every_arm_keep_the_shape_of_psi(images, arm):
    X, y = images
    clf = fitted(images, auxiliary=arm)
    assert clf.net_.module_.views == QUARTER_TURNS
    assert clf.psi_.tolist() == [2] * 10
    outputs = [clf.predict_auxiliary(X)]
    if hasattr(clf, "generate_auxiliary_labels"):
        Y = clf.generate_auxiliary_labels(X, y)
        assert (Y[np.repeat(np.arange(10), 2)[None, :] != y[:, None]] == 0).all()
        outputs.append(Y)
    for output in outputs:
        assert output.shape == (200, 20)
        np.testing.assert_allclose(output.sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(clf.predict_proba(X).sum(1), 1, rtol=1e-9)
    assert clf.history_[-1]["auxiliary_in_use"].shape == (10,)


def test_one_label_in_every_view_is_its_own_auxiliary_class(images):
    clf = fitted(images, auxiliary="human", psi=2)
    y = torch.arange(10).repeat_interleave(4)
    v = torch.arange(4).repeat(10)
    together = torch.cat(
        [clf.net_.module_.labels_at(4 * y + v, torch.full((40,), label)) for label in (0, 1)]
    )
    assert together.shape == (80, 80)
    assert torch.equal(together.sum(0), torch.ones(80))  # every auxiliary class exactly once
    assert torch.equal(together.sum(1), torch.ones(80))


def test_exact_and_double_backward_train_the_same_labels(images):
    labels = [
        fitted(
            images, auxiliary=Learned(meta_gradient=way, every=1), max_epochs=1
        ).generate_auxiliary_labels(*images)
        for way in ("exact", "double_backward")
    ]
    np.testing.assert_allclose(*labels, atol=1e-4)


def test_fits_repeat_and_go_on(images):
    X, y = images
    first, second = (fitted(images).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    clf = fitted(images, warm_start=True).fit(X, y)
    assert clf.n_iter_ == 4
    clf.set_params(views=None)
    with pytest.raises(ValueError, match="views or auxiliary were changed"):
        clf.fit(X, y)
    clf = MAXLClassifier(ConvNet((4, 6)), random_state=0).partial_fit(X, y, classes=np.arange(10))
    assert clf.partial_fit(X[:50], y[:50]).n_iter_ == 2


def test_images_that_are_not_square_are_turned_upside_down(images):
    X, y = images
    clf = fitted((X[:, :, :6], y))
    assert clf.net_.module_.views == HALF_TURNS
    assert clf.predict_proba(X[:5, :, :6]).shape == (5, 10)


def test_a_table_has_no_views(iris):
    assert MAXLClassifier(max_epochs=1).fit(*iris).net_.module_.views is None
    with pytest.raises(ValueError, match=r"views=.rotations. is for images"):
        MAXLClassifier(views="rotations", max_epochs=1).fit(*iris)


def test_the_single_task_and_a_regression_have_none(images):
    X, y = images
    assert fitted(images, auxiliary=None).net_.module_.views is None
    reg = MAXLRegressor(ConvNet((4, 6)), max_epochs=1).fit(X, y.astype(float))
    assert reg.net_.module_.views is None
    assert "views" not in reg.get_params()
