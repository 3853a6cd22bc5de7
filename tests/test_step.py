"""One step: what it leaves in ``.grad``, in the buffers, and in the record."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from networks import make_batch, make_case, relative, replay
from reference import entropy_term, focal_loss, maxl_step
from torch import nn

import sklearn_maxl
from sklearn_maxl._meta_gradient import META_GRADIENTS
from sklearn_maxl._step import (
    Batch,
    Recipe,
    generator_step,
    label_statistics,
    multi_task_step,
    primary_step,
)

# torch's forward mode scripts a table when it is first used.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")


def maxl(case, way="exact", Y=None):
    """Both gradients of one step; returns the record."""
    f, g, batch, meta, optimizer, recipe = case
    Y = g(batch.x, batch.y) if Y is None else Y
    replay()
    record = multi_task_step(f, batch, Y.detach(), recipe)
    record.update(generator_step(f, batch, meta, Y, recipe, optimizer, META_GRADIENTS[way], replay))
    return record


def test_the_primary_step_is_the_gradient_of_the_weighted_focal_loss():
    case = make_case("mlp", weighted=True)
    f, batch = case.f, case.batch
    logits, _ = f(batch.x)
    one_hot = torch.eye(3, dtype=torch.float64)[batch.y]
    loss = (batch.weight * focal_loss(logits, one_hot, 2.0)).mean()
    expected = torch.autograd.grad(loss, list(f.trunk.parameters()))
    record = primary_step(f, batch, case.recipe)
    assert float(record["primary_loss"]) == pytest.approx(loss.item(), rel=1e-12)
    for p, d in zip(f.trunk.parameters(), expected, strict=True):
        assert torch.allclose(p.grad, d, rtol=1e-10, atol=1e-14)
    assert f.auxiliary_head.weight.grad is None


@pytest.mark.parametrize("way", META_GRADIENTS)
@pytest.mark.parametrize("net", ["mlp", "conv", "dropout", "unreached"])
def test_the_real_step_gets_the_gradient_of_the_whole_training_loss(net, way):
    case = make_case(net, another=True, weighted=True)
    _, M, _, G, _ = maxl_step(*case[:5], 2.0, 0.7, 0.2, replay)
    record = maxl(case, way)
    grads = {name: p.grad for name, p in case.f.named_parameters() if p.grad is not None}
    assert grads.keys() == G.keys()
    assert all(torch.allclose(grads[n], G[n], rtol=1e-9, atol=1e-14) for n in G)
    assert float(record["meta_loss"]) == pytest.approx(M.item(), rel=1e-10)


@pytest.mark.parametrize("way", META_GRADIENTS)
@pytest.mark.parametrize("net", ["conv", "instance_norm"])
def test_running_statistics_move_once_a_step_and_with_the_training_batch(net, way):
    case = make_case(net, another=True)
    plain = copy.deepcopy(case.f)
    for _ in range(2):
        maxl(case, way)
        plain(case.batch.x)
    moved = dict(case.f.named_buffers())
    if net == "conv":  # instance norm does not count
        assert int(moved["trunk.1.num_batches_tracked"]) == 2
    assert not torch.equal(moved["trunk.1.running_mean"], torch.zeros(3))
    assert all(torch.equal(moved[name], b) for name, b in plain.named_buffers())


@pytest.mark.parametrize("way", META_GRADIENTS)
def test_the_generators_step_leaves_parameters_and_modes_alone(way):
    case = make_case("conv", optimizer="momentum", steps=1, another=True)
    values = [p.clone() for p in (*case.f.parameters(), *case.g.parameters())]
    maxl(case, way)
    now = [*case.f.parameters(), *case.g.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(now, values, strict=True))
    assert all(m.training for m in case.f.modules())
    assert all(type(p) is nn.Parameter for p in now)


def test_the_recorded_norms_are_those_at_the_generators_logits():
    case = make_case("mlp", weighted=True)
    _, g, batch, *_ = case
    logits = torch.randn(7, 6, dtype=torch.float64, requires_grad=True)
    Y = torch.softmax(logits.masked_fill(~g.blocks[batch.y], -torch.inf), dim=1)
    entropy = 0.2 * entropy_term(Y, batch.weight)
    (by_entropy,) = torch.autograd.grad(entropy, logits, retain_graph=True)
    record = maxl(case, Y=Y)
    by_meta = logits.grad - by_entropy
    for name, gradient in (("entropy", by_entropy), ("meta", by_meta)):
        norm = torch.linalg.vector_norm(gradient)
        assert float(record[f"{name}_gradient_norm"]) == pytest.approx(norm.item(), rel=1e-8)


@pytest.mark.parametrize("way", META_GRADIENTS)
def test_a_hierarchy_of_one_class_each_leaves_the_generator_in_peace(way):
    case = make_case("mlp", psi=1)
    record = maxl(case, way)
    assert all(torch.count_nonzero(p.grad) == 0 for p in case.g.parameters())
    assert float(record["meta_gradient_norm"]) == 0
    assert all(torch.isfinite(v).all() for v in record.values())


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("way", META_GRADIENTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_network_that_is_certain_has_finite_gradients(dtype, way, gamma):
    case = make_case("mlp", dtype, gamma=gamma, another=True)
    with torch.no_grad():  # p is exactly 1 in both heads
        case.f.primary_head.bias.copy_(torch.tensor([1e3, 0.0, 0.0]))
        case.f.auxiliary_head.bias[0] = 1e3
    record = maxl(case, way)
    assert all(torch.isfinite(v).all() for v in record.values())
    assert all(torch.isfinite(p.grad).all() for p in case.g.parameters())
    assert all(torch.isfinite(p.grad).all() for p in case.f.parameters())


def test_a_class_absent_from_the_batch_has_a_finite_entropy_gradient():
    case = make_case("mlp")
    only = case.batch.y == 0
    batch = Batch(case.batch.x[only], case.batch.y[only])
    maxl(case._replace(batch=batch, meta=batch))
    assert all(torch.isfinite(p.grad).all() for p in case.g.parameters())


def test_without_an_entropy_weight_the_generator_descends_the_meta_loss_alone():
    case = make_case("mlp", another=True)
    f, g, batch, meta, optimizer, _ = case
    expected = maxl_step(f, g, batch, meta, optimizer, 2.0, 0.7, 0.0, replay)[4]
    maxl(case._replace(recipe=Recipe(2.0, 0.7, 0.0)))
    got = torch.cat([p.grad.flatten() for p in g.parameters()])
    assert relative(got, torch.cat([expected[n].flatten() for n, _ in g.named_parameters()])) < 1e-9


def test_label_statistics_sum_mass_and_average_entropy():
    Y = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    statistics = label_statistics(Y)
    assert statistics["label_mass"].tolist() == [0.5, 0.5, 1.0]
    assert float(statistics["label_entropy"]) == pytest.approx(torch.log(torch.tensor(2.0)) / 2)


def test_a_batch_has_as_many_samples_as_labels():
    assert len(make_batch(5)) == 5


ISOLATED = """
import importlib, pathlib, sys, types
package = types.ModuleType("sklearn_maxl")
package.__path__ = [sys.argv[1]]
sys.modules["sklearn_maxl"] = package
for name in sys.argv[2:]:
    importlib.import_module(f"sklearn_maxl.{name}")
found = {"sklearn", "skorch", "scipy", "joblib"} & sys.modules.keys()
assert not found, found
"""
MATHEMATICS = ["_auxiliary", "_devices", "_history", "_losses", "_meta_gradient", "_networks"]
MATHEMATICS += ["_random", "_step", "_virtual_step"]


def test_the_mathematics_needs_neither_skorch_nor_scikit_learn():
    path = str(Path(sklearn_maxl.__file__).parent)
    command = [sys.executable, "-W", "error", "-c", ISOLATED, path, *MATHEMATICS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
