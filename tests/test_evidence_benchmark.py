"""The evidence's machinery: splits, rivals, scores, statistics, choices. The rows are its own."""

import re
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_rel, wilcoxon
from skorch.callbacks import Callback

from benchmarks.common.readme import README, renewed
from benchmarks.common.steps import with_step
from benchmarks.evidence import arms, choice, fits, ideas, readme, rivals, sets, statistics, tables
from benchmarks.evidence.settings import BASE, OF_TABLES
from benchmarks.package import holm
from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import MLP, Members
from sklearn_maxl.labels import Learned


def rows_of(X):
    return {x.tobytes() for x in X}


def test_splits_share_no_sample_and_follow_their_seed():
    first, again, other = (sets.split("digits-images", 200, seed, "test") for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.X, again.X)
    assert not np.array_equal(first.X, other.X)
    assert first.X.shape == (200, 1, 8, 8)
    assert not rows_of(first.X) & rows_of(first.X_test)
    assert len(sets.split("wine", 200, 0, "test").y) == 80  # all of the half but a tenth


def test_each_seed_is_scored_on_samples_of_its_own():
    parts = [sets.split("digits-images", 200, seed, "test").X_test for seed in range(10)]
    together = set().union(*map(rows_of, parts))
    assert len(together) == sum(map(len, parts)) == 1797 // 2


def test_decisions_and_reports_share_no_sample():
    def seen(name, part, seeds):
        splits = [sets.split(name, 200, seed, part) for seed in seeds]
        return set().union(*(rows_of(s.X) | rows_of(s.X_test) for s in splits))

    decisions = seen("digits-images", "validation", range(100, 104))
    reports = seen("digits-images", "test", range(10))
    assert not decisions & reports
    # The same images as a table, and turned, are in the same halves.
    halves = [
        sets.halves(len(sets.whole(name, "train")[1])) for name in ("digits", "digits-images")
    ]
    np.testing.assert_array_equal(halves[0]["test"], halves[1]["test"])


def test_official_test_samples_are_for_reports_only(monkeypatch):
    rng = np.random.RandomState(0)
    arrays = {
        subset: (rng.randint(256, size=(40, 1, 4, 4)).astype(np.uint8), np.arange(40) % 2, None)
        for subset in ("train10k", "test")
    }
    monkeypatch.setattr(sets, "fashion", arrays.get)
    decision = sets.split("fashion-mnist", 10, 100, "validation")
    report = sets.split("fashion-mnist", 10, 0, "test")
    official = rows_of(arrays["test"][0])
    assert len(report.X_test) == 4
    assert rows_of(report.X_test) <= official
    assert not rows_of(report.X) & official
    known = {x.tobytes() for x in arrays["train10k"][0]}
    assert len(decision.y_test) == 30
    assert all(x.tobytes() in known for x in decision.X_test)


def test_images_are_halved_to_the_mean_of_their_pixels():
    X = np.arange(16, dtype=np.uint8).reshape(1, 1, 4, 4)
    assert sets.small(X).tolist() == [[[[2, 4], [10, 12]]]]  # 2.5 is rounded to even


def of_images():
    return arms.fits("digits-images", choice.candidates("digits-images")[1], "shift 1")


@pytest.mark.parametrize("rival", ["label smoothing", "mixup", "turned", "four networks"])
def test_every_rival_learns(rival, images):
    X, y = images
    fit = of_images()[rival]
    clf = arms.classifier(fit.settings, {"max_epochs": 30}, 0).fit(X, y)
    for arm, reading in fit.arms.items():
        p = reading(clf, X)
        assert p.shape == (200, 10)
        np.testing.assert_allclose(p.sum(1), 1, rtol=1e-6)
        assert (p.argmax(1) == y).mean() > 0.7 or arm == "single, mean over turns", arm


@pytest.mark.parametrize("backbone", [MLP(), Members((8,), n_members=2, dropout=0.0)])
def test_the_step_of_mixup_is_its_definition(backbone, iris):
    """One step, against the loss written out on logits."""
    X, y = iris
    settings = {"auxiliary": None, "lr": 1e-9, "max_epochs": 1}
    losses = []

    class Seen(rivals.Mixup):
        def multi_task_gradients(self, train, A):
            rng = np.random.RandomState()
            rng.set_state(self.random_numbers.rng.get_state())
            self.f.clear_gradients()
            one_hot = torch.nn.functional.one_hot(train.y, 3).float()
            share, other = rng.beta(0.2, 0.2), torch.from_numpy(rng.permutation(len(train.x)))
            x = share * train.x + (1 - share) * train.x[other]
            target = share * one_hot + (1 - share) * one_hot[other]
            target = 0.9 * target + 0.1 / 3  # labels of few rows are smooth
            log_p = torch.log_softmax(self.f(self.f.t, x)[0], dim=-1)
            expected = -(target * log_p).sum(-1).mean()
            record = super().multi_task_gradients(train, A)
            losses.append((float(record["primary_loss"]), float(expected.detach())))
            return record

    settings["kind"] = with_step(Seen)
    settings["backbone"] = backbone
    arms.classifier(settings, {}, 0).fit(X, y)
    found, expected = np.transpose(losses)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_rival_follows_the_schedule_of_the_arms(iris):
    rates = []

    class Watch(Callback):
        def on_epoch_end(self, net, **kwargs):
            rates.append(net.optimizer_.param_groups[0]["lr"])

    for kind in (MAXLClassifier, with_step(rivals.Mixup)):
        settings = {"kind": kind, "auxiliary": None, "callbacks": [("watch", Watch())]}
        arms.classifier(settings, {"max_epochs": 4, "lr": 0.01}, 0).fit(*iris)
    assert rates[:4] == rates[4:]
    assert rates[3] < rates[0]


def test_fewer_networks_are_the_first_of_several(iris):
    X, y = iris
    settings = {"auxiliary": None, "max_epochs": 3, "lr": 0.01}
    several = rivals.Networks(3, random_state=7, **settings).fit(X, y)
    alone = MAXLClassifier(**settings, random_state=7).fit(X, y)
    np.testing.assert_array_equal(rivals.first_networks(several, X, 1), alone.predict_proba(X))
    of_all = [member.predict_proba(X) for member in several.members_]
    assert not np.array_equal(of_all[0], of_all[1])
    np.testing.assert_allclose(rivals.first_networks(several, X, 3), np.mean(of_all, axis=0))


def test_a_fit_with_views_is_the_mean_of_its_turns(images):
    X, y = images
    clf = MAXLClassifier(auxiliary="uniform", max_epochs=10, random_state=0).fit(X, y)
    heads = [rivals.primary_head(clf, X), rivals.auxiliary_head_upright(clf, X)]
    for p in heads:
        np.testing.assert_allclose(p.sum(1), 1, rtol=1e-6)
    assert not np.allclose(*heads)
    np.testing.assert_array_equal(
        rivals.mean_over_turns(clf, X[:, :, ::-1].copy()).argmax(1),
        rivals.mean_over_turns(clf, np.rot90(X[:, :, ::-1], 1, (2, 3)).copy()).argmax(1),
    )


def test_shifted_images_keep_their_pixels_in_the_middle():
    x = torch.zeros(50, 1, 8, 8)
    x[:, :, 3:5, 3:5] = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    moved = rivals.shifted(x, pixels=2, mirrored=True)
    torch.testing.assert_close(moved.sum((1, 2, 3)), torch.full((50,), 10.0))
    places = {tuple(m.flatten().argmax().tolist() for m in (image,)) for image in moved}
    assert len(places) > 5
    assert not torch.equal(rivals.shifted(x, 0, mirrored=True), x)
    torch.testing.assert_close(rivals.shifted(x, 0, mirrored=False), x)


def test_every_arm_of_a_table_and_of_images_fits():
    cases = [
        ("digits-images", sets.split("digits-images", 100, 0, "test")),
        ("wine", sets.split("wine", 50, 0, "test")),
    ]
    for name, data in cases:
        known = arms.fits(name, choice.candidates(name)[1], "shift 1")
        for fit in known.values():
            for row in fits.fitted_scores(data, fit, {"max_epochs": 1, "lr": 0.01}, 0):
                arm, accuracy, loss, gap, seconds, code = row
                assert arm in tables.EXPLAINED
                assert 0 <= accuracy <= 1
                assert 0 <= gap <= 1
                assert loss > 0
                assert seconds >= 0
                assert code


def test_sizes_of_one_set_count_once():
    means = {("a", 200): 1.0, ("a", 1000): 3.0, ("b", 200): -1.0, ("c", 200): 0.5}
    assert statistics.over_data_sets(means) == wilcoxon([2.0, -1.0, 0.5]).pvalue


def test_calibration_error_is_the_gap_of_confidence_and_accuracy():
    scores = fits.scores
    p = np.array([[0.8, 0.2]] * 10)
    y = np.array([0] * 6 + [1] * 4)
    accuracy, loss, gap = scores(y, p)
    assert (accuracy, gap) == (0.6, pytest.approx(0.2))
    assert loss == pytest.approx(-(6 * np.log(0.8) + 4 * np.log(0.2)) / 10, abs=1e-6)
    assert scores(np.array([0, 1]), np.eye(2))[2] == 0


def test_the_single_task_is_chosen_by_accuracy_then_by_loss():

    def row(candidate, accuracy, loss):
        gamma, lr, decay, network = map(str, candidate)
        return {"data_set": "wine", "n": "5", "focal_gamma": gamma, "lr": lr,
                "weight_decay": decay, "network": network, "accuracy": accuracy,
                "log_loss": loss}  # fmt: skip

    candidates = choice.candidates("wine")
    assert [c[3] for c in candidates] == ["auto"] * 12 + ["mlp"] * 12
    assert {c[3] for c in choice.candidates("digits-images")} == {"auto"}
    rows = [row(c, "0.5", "1.0") for c in candidates]
    rows[3] |= {"accuracy": "0.7", "log_loss": "0.9"}
    rows[17] |= {"accuracy": "0.7", "log_loss": "0.8"}
    assert choice.chosen(rows, "wine", 5) == candidates[17]
    assert choice.single(candidates[17])["backbone"] == "mlp"


def test_p_values_are_scipys_and_holms():
    rng = np.random.RandomState(0)
    a, b = rng.rand(2, 10)
    assert statistics.p_value(a - b) == pytest.approx(ttest_rel(a, b).pvalue)
    assert statistics.p_value(np.zeros(5)) == 1.0
    assert statistics.p_value(np.full(5, 0.1)) == 0.0
    # The example of Holm's procedure: 0.01 x 4, 0.015 x 3, 0.03 x 2, 0.04 x 1, never falling.
    np.testing.assert_allclose(holm([0.03, 0.01, 0.04, 0.015]), [0.06, 0.04, 0.06, 0.045])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
@settings(deadline=None)
def test_holm_lies_between_no_correction_and_bonferronis(p):
    corrected = holm(p)
    assert (corrected >= np.asarray(p) - 1e-12).all()
    assert (corrected <= np.minimum(1, len(p) * np.asarray(p)) + 1e-12).all()


def test_wins_and_losses_need_a_corrected_significance():
    noise = np.random.RandomState(0).normal(0, 0.01, (3, 10))
    differences = [noise[0] - noise[0].mean(), 0.05 + noise[1], -0.05 + noise[2]]
    assert statistics.wins_ties_losses(differences) == (1, 1, 1)


def test_critical_difference_is_demsars():
    # Demsar (JMLR 2006), section 3.2.4: four classifiers on 14 data sets.
    assert statistics.critical_difference(4, 14) == pytest.approx(1.25, abs=0.01)
    ranks = statistics.average_ranks({"a": np.array([0.9, 0.8]), "b": np.array([0.9, 0.7])})
    assert ranks == {"a": 1.25, "b": 1.75}


def test_a_row_names_the_code_without_a_git_checkout_too(monkeypatch):
    monkeypatch.setenv("GIT_DIR", "no/such/folder")
    assert fits.version() == version("sklearn_maxl")
    monkeypatch.setenv("PATH", "")
    assert fits.version() == version("sklearn_maxl")


def test_turned_digits_are_the_digits_turned_by_their_label():
    X, digit, _ = sets.whole("turned-digits-digit", "train")
    _, turn, _ = sets.whole("turned-digits-turn", "train")
    upright, y, _ = sets.whole("digits-images", "train")
    np.testing.assert_array_equal(digit, y)
    assert set(turn) == {0, 1, 2, 3}
    back = np.stack([np.rot90(x, -k, (1, 2)) for x, k in zip(X, turn, strict=True)])
    np.testing.assert_array_equal(back, upright)


def test_every_idea_is_another_fit(iris):
    def fit(settings):
        shared = {"backbone": "mlp", "max_epochs": 3, "lr": 0.01, "auxiliary": Learned(every=1)}
        return arms.classifier(settings, shared, 0).fit(*iris).predict_proba(iris[0])

    plain = fit({})
    for idea, changes in OF_TABLES.items():
        other = fit(changes)
        assert np.isfinite(other).all(), idea
        assert not np.array_equal(other, plain) or idea.startswith("surgery"), idea
    np.testing.assert_array_equal(fit({}), plain)


def test_one_inner_step_is_the_exact_meta_gradient(iris):
    def labels(settings):
        learned = Learned(every=1, meta_scale="inverse_lr")
        clf = arms.classifier(settings, {"auxiliary": learned, "max_epochs": 5}, 0)
        return clf.fit(*iris).generate_auxiliary_labels(*iris)

    exact = labels({})
    np.testing.assert_allclose(labels(ideas.changed(ideas.InnerSteps, k=1)), exact, atol=1e-5)
    assert np.abs(labels(ideas.STEPS["2 inner steps"]) - exact).max() > 1e-4


def test_labels_over_hidden_values_leave_the_trunk_alone(iris):
    params = ideas.SETTINGS_OF_LABELS["labels over hidden values"]
    net = MAXLClassifier("mlp", max_epochs=2, random_state=0, **params).fit(*iris).net_
    trunk = net.generator_.trunk
    assert trunk.others == [net.module_.trunk]
    assert {name.split(".")[0] for name, _ in trunk.named_parameters()} == {"layers"}
    held = {p for group in net.generator_optimizer_.param_groups for p in group["params"]}
    assert set(trunk.parameters()) <= held


def test_both_heads_predict_probabilities(iris):
    clf = ideas.BothHeads(max_epochs=5, random_state=0).fit(*iris)
    alone = np.exp(MAXLClassifier.predict_log_proba(clf, iris[0]))
    blocks = clf.predict_auxiliary(iris[0]).reshape(150, 3, -1).sum(2)
    product = np.sqrt(alone * blocks)
    expected = product / product.sum(1, keepdims=True)
    np.testing.assert_allclose(clf.predict_proba(iris[0]), expected, rtol=1e-4)


def test_surgery_leaves_no_conflict_with_the_primary_gradient():
    g, h = torch.tensor([1.0, 0.0]), torch.tensor([-2.0, 3.0])
    torch.testing.assert_close(ideas.project(h, g), torch.tensor([0.0, 3.0]))
    torch.testing.assert_close(ideas.drop(h, g), torch.zeros(2))


def test_surgery_without_conflicts_is_the_packages_step(iris):
    def fit(**settings):
        shared = {"backbone": "mlp", "max_epochs": 3, "lr": 0.01, "temperature": 1.0}
        return arms.classifier(settings, shared, 0).fit(*iris).predict_proba(iris[0])

    unchanged = ideas.changed(ideas.Surgery, operation=lambda auxiliary, primary: auxiliary)
    np.testing.assert_allclose(fit(**unchanged), fit(), rtol=1e-4)


def test_labels_at_a_temperature_are_the_softmax_there():
    logits = torch.randn(4, 6)
    outside = torch.tensor([[False] * 3 + [True] * 3] * 4)
    Y = torch.softmax(logits.masked_fill(outside, -torch.inf), dim=1).requires_grad_()
    expected = torch.softmax((logits / 3).masked_fill(outside, -torch.inf), dim=1)
    torch.testing.assert_close(ideas.tempered(3.0, Y), expected)
    (gradient,) = torch.autograd.grad(ideas.tempered(3.0, Y)[:, 0].sum(), Y)
    assert gradient.isfinite().all()
    assert torch.equal(ideas.hard(Y).max(1).values, torch.ones(4))
    assert torch.equal(ideas.hard(Y).argmax(1), logits[:, :3].argmax(1))


def test_the_readme_says_what_the_rows_say():
    text = README.read_text()
    assert renewed(text, "evidence", readme.block()) == text


def test_the_page_on_choosing_names_the_settings_that_all_have():
    page = (Path(__file__).parents[1] / "docs" / "choosing.rst").read_text()
    settings = ", ".join(f"``{name}={value!r}``" for name, value in BASE.items())
    assert settings in re.sub(r"\s+", " ", page)
