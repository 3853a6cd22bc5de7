"""Alternation by epochs: a pass for each network, written out by hand."""

import itertools

import numpy as np
import pytest
import torch
from networks import make_case, problem_of_step, replay, task_of
from reference import maxl_step
from skorch.callbacks import Callback

from sklearn_maxl import MAXLClassifier
from sklearn_maxl._maths.meta_gradient import exact
from sklearn_maxl._maths.step import generator_step
from sklearn_maxl._training.steps import Step
from sklearn_maxl.backbones import MLP, ConvNet
from sklearn_maxl.callbacks import GradientSimilarity
from sklearn_maxl.labels import Learned, Uniform


@pytest.mark.parametrize("net", ["mlp", "conv", "dropout"])
def test_the_generators_own_step_is_the_papers(net):
    case = make_case(net, another=True, weighted=True, weight_range=2.0)
    f, g, batch, meta, optimizer, recipe = case
    expected = maxl_step(*case, replay)[4]
    task = task_of(g, batch)
    A = task.targets.detach()
    problem = problem_of_step(f, batch, meta, A, recipe, optimizer, replay, shared=False)
    generator_step(problem, task, batch.weight, recipe, 1.0, exact)
    for name, p in g.named_parameters():
        assert torch.allclose(p.grad, expected[name], rtol=1e-9, atol=1e-14)


def states(images, **parameters):
    class Record(Callback):
        def initialize(self):
            self.states = []
            return self

        def on_batch_end(self, net, batch=None, training=False, **kwargs):
            self.states.append(net.state())

    clf = MAXLClassifier(
        ConvNet(channels=(4,)),
        batch_size=50,
        max_epochs=1,
        random_state=0,
        callbacks=[Record()],
        **parameters,
    ).fit(*images)
    return clf.net_.callbacks_[0][1].states, clf


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def weights(state):
    """Without the running statistics, which follow every pass of the generator."""
    return {n: t for n, t in state.items() if "running" not in n and "batches" not in n}


def test_an_epoch_is_a_pass_for_each_network(images):
    seen, clf = states(images, auxiliary=Learned(alternation="epoch", every=1))
    assert len(seen) == 8  # 200 images in batches of 50, twice
    first, second = seen[:4], seen[4:]
    for before, after in itertools.pairwise(first):
        assert not same(weights(before["module_"]), weights(after["module_"]))
        assert same(weights(before["generator_"]), weights(after["generator_"]))
    for before, after in itertools.pairwise([first[-1], *second]):
        assert same(before["module_"], after["module_"])  # running statistics included
        assert not same(weights(before["generator_"]), weights(after["generator_"]))
    assert np.isfinite(clf.history_[-1]["meta_loss"])


def test_the_generators_pass_also_keeps_to_every(images):
    seen, _ = states(images, auxiliary=Learned(alternation="epoch", every=2))
    pairs = itertools.pairwise(weights(state["generator_"]) for state in seen[3:])
    changed = [not same(before, after) for before, after in pairs]
    assert changed == [True, False, True, False]


@pytest.mark.parametrize("n_batches", [1, 2, 3, 4, 5, 7, 8])
@pytest.mark.parametrize("every", [3, 8])
def test_the_generator_learns_in_one_of_so_many_of_its_own_steps(iris, n_batches, every):
    rows = np.random.RandomState(0).permutation(150)[: 15 * n_batches]
    learned = []

    class Watched(Step):
        def generator_gradients(self, train, meta):
            learned[-1] = True
            return super().generator_gradients(train, meta)

    class Count(Callback):
        def on_batch_begin(self, net, kind=None, **kwargs):
            learned.append(False if kind.generator else None)

    class Classifier(MAXLClassifier):
        step_class = Watched

    epochs = -(-2 * every // n_batches) + 1
    labels = Learned(alternation="epoch", every=every)
    clf = Classifier(
        MLP((4,)), auxiliary=labels, callbacks=[Count()], batch_size=15, max_epochs=epochs, lr=0.01
    ).fit(iris[0][rows], iris[1][rows])
    own = [step for step in learned if step is not None]
    assert len(own) == n_batches * epochs
    assert own == [number % every == 0 for number in range(len(own))]
    assert clf.net_.generator_optimizer_.state
    in_epoch = np.reshape(own, (epochs, n_batches)).any(axis=1)
    np.testing.assert_array_equal(np.isfinite(clf.history_["meta_loss"]), in_epoch)


def test_the_turns_go_on_over_calls_and_files(iris, tmp_path):
    clf = MAXLClassifier(
        MLP((4,)), auxiliary=Learned(alternation="epoch", every=3), batch_size=150, lr=0.01
    )
    for _ in range(4):
        clf.partial_fit(*iris, classes=[0, 1, 2])
    clf.save(tmp_path / "clf.safetensors")
    clf = MAXLClassifier.load(tmp_path / "clf.safetensors")
    for _ in range(4):
        clf.partial_fit(*iris)
    learned = np.isfinite(clf.history_["meta_loss"]).tolist()
    assert learned == [True, False, False, True, False, False, True, False]


@pytest.mark.parametrize("n_batches", [1, 2, 4, 5])
def test_gradient_similarity_is_measured_in_steps_of_the_network(iris, n_batches):
    measured = []

    class Watched(GradientSimilarity):
        def on_batch_begin(self, net, **kwargs):
            before = len(self.measured_)
            super().on_batch_begin(net, **kwargs)
            if len(self.measured_) > before:
                measured.append((net.n_steps_, kwargs["kind"].network))

    rows = np.random.RandomState(0).permutation(150)[: 15 * n_batches]
    labels = Learned(alternation="epoch", every=2)
    MAXLClassifier(
        MLP((4,)), auxiliary=labels, callbacks=[Watched(every=3)], batch_size=15, max_epochs=5,
        lr=0.01,
    ).fit(iris[0][rows], iris[1][rows])  # fmt: skip
    assert measured == [(step, True) for step in range(0, 5 * n_batches, 3)]


def test_arms_without_a_generator_have_one_pass(images):
    for auxiliary in (None, "uniform", Uniform(), "random", "kmeans"):
        seen, _ = states(images, auxiliary=auxiliary)
        assert len(seen) == 4
        for before, after in itertools.pairwise(seen):
            assert not same(weights(before["module_"]), weights(after["module_"]))
