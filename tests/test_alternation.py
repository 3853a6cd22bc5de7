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
from sklearn_maxl.backbones import ConvNet
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


def test_arms_without_a_generator_have_one_pass(images):
    for auxiliary in (None, "uniform", Uniform(), "random", "kmeans"):
        seen, _ = states(images, auxiliary=auxiliary)
        assert len(seen) == 4
        for before, after in itertools.pairwise(seen):
            assert not same(weights(before["module_"]), weights(after["module_"]))
