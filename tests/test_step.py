"""One step: what it leaves in ``.grad``, in the buffers, and in the record."""

import copy
from dataclasses import replace

import pytest
import torch
from networks import flat, make_batch, make_case, problem_of_step, relative, replay, task_of
from reference import entropy_term, focal_loss, information, maxl_step
from torch import nn

from sklearn_maxl._maths.at_parameters import AtParameters
from sklearn_maxl._maths.losses import REGULARISERS
from sklearn_maxl._maths.meta_gradient import META_GRADIENTS
from sklearn_maxl._maths.parts import Part
from sklearn_maxl._maths.step import (
    Batch,
    Recipe,
    SoftLabels,
    generator_step,
    gradient_similarity,
    label_statistics,
    label_sums,
    multi_task_step,
    regulariser,
    regulariser_gradient,
    scale_of,
    training_loss,
    weight_of_part,
)


def maxl(case, way="exact", Y=None, s=None):
    """Both gradients of one step; returns the record."""
    f, g, batch, meta, optimizer, recipe = case
    task = task_of(g, batch) if Y is None else SoftLabels(Y, s)
    A = task.targets.detach()
    replay()
    record = multi_task_step(AtParameters(f), batch, A, recipe)
    problem = problem_of_step(f, batch, meta, A, recipe, optimizer, replay)
    scale = scale_of(recipe, optimizer)
    ways = META_GRADIENTS[way]
    record.update(generator_step(problem, task, batch.weight, recipe, scale, ways))
    return record


def test_the_primary_step_is_the_gradient_of_the_weighted_focal_loss():
    case = make_case("mlp", weighted=True)
    f, batch = case.f, case.batch
    logits, _ = f(batch.x)
    one_hot = torch.eye(3, dtype=torch.float64)[batch.y]
    loss = (batch.weight * focal_loss(logits, one_hot, 2.0)).mean()
    expected = torch.autograd.grad(loss, list(f.trunk.parameters()))
    record = multi_task_step(AtParameters(f), batch, None, case.recipe)
    assert float(record["primary_loss"]) == pytest.approx(loss.item(), rel=1e-12)
    for p, d in zip(f.trunk.parameters(), expected, strict=True):
        assert torch.allclose(p.grad, d, rtol=1e-10, atol=1e-14)
    assert f.auxiliary_head.weight.grad is None


@pytest.mark.parametrize("weighted", [False, True])
def test_the_training_loss_of_members_is_the_mean_of_theirs(weighted):
    batch = make_batch(weighted=weighted)
    rng = torch.Generator().manual_seed(0)
    outputs = torch.randn(2, 7, 3, generator=rng, dtype=torch.float64)
    logits = torch.randn(2, 7, 5, generator=rng, dtype=torch.float64)
    A = torch.softmax(torch.randn(7, 5, generator=rng, dtype=torch.float64), 1)
    L, record = training_loss(lambda t, x: (outputs, logits), {}, batch, A, Recipe(2.0, 0.0, 0.7))
    weight = 1.0 if batch.weight is None else batch.weight
    one_hot = torch.eye(3, dtype=torch.float64)[batch.y]
    primary = sum((weight * focal_loss(z, one_hot, 2.0)).mean() for z in outputs) / 2
    auxiliary = sum((weight * focal_loss(z, A, 2.0)).mean() for z in logits) / 2
    torch.testing.assert_close(L, primary + 0.7 * auxiliary, rtol=1e-12, atol=0)
    expected = {"primary_loss": primary, "auxiliary_loss": auxiliary}
    torch.testing.assert_close(record, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("way", META_GRADIENTS)
@pytest.mark.parametrize("net", ["mlp", "conv", "dropout", "unreached"])
def test_the_real_step_gets_the_gradient_of_the_whole_training_loss(net, way):
    case = make_case(net, another=True, weighted=True)
    _, M, _, G, _ = maxl_step(*case, replay)
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
    Y = torch.softmax(logits.masked_fill(~g.mask[batch.y], -torch.inf), dim=1)
    entropy = 0.2 * entropy_term(Y, batch.weight)
    (by_entropy,) = torch.autograd.grad(entropy, logits, retain_graph=True)
    record = maxl(case, Y=Y)
    by_meta = logits.grad - by_entropy
    for name, gradient in (("regulariser", by_entropy), ("meta", by_meta)):
        norm = torch.linalg.vector_norm(gradient)
        assert float(record[f"{name}_gradient_norm"]) == pytest.approx(norm.item(), rel=1e-8)


def test_the_recorded_norm_counts_the_weights_that_are_learned():
    case = make_case("mlp", weighted=True, another=True)
    case = case._replace(recipe=replace(case.recipe, regularisers={}))
    _, g, batch, *_ = case
    logits = torch.randn(7, 6, dtype=torch.float64, requires_grad=True)
    Y = torch.softmax(logits.masked_fill(~g.mask[batch.y], -torch.inf), dim=1)
    s = torch.linspace(0.2, 3.0, 7, dtype=torch.float64)
    record = maxl(case, Y=Y, s=s)
    norm = float(torch.linalg.vector_norm(logits.grad))
    assert float(record["meta_gradient_norm"]) == pytest.approx(norm, rel=1e-8)


def test_labels_without_a_graph_keep_their_weights():
    Y, s = torch.rand(3, 2, requires_grad=True), torch.rand(3, requires_grad=True)
    task = SoftLabels(Y, s).detach()
    assert torch.equal(task.Y, Y)
    assert torch.equal(task.s, s)
    assert not task.Y.requires_grad
    assert not task.s.requires_grad
    assert SoftLabels(Y).detach().s is None


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
    case = case._replace(recipe=replace(case.recipe, regularisers={"entropy_weight": 0.0}))
    expected = maxl_step(*case, replay)[4]
    maxl(case)
    got = {name: p.grad for name, p in case.g.named_parameters()}
    assert relative(flat(got), flat(expected)) < 1e-9


def test_without_any_regulariser_the_generator_descends_the_meta_loss_alone():
    case = make_case("mlp", another=True, weighted=True)
    case = case._replace(recipe=replace(case.recipe, regularisers={}))
    expected = maxl_step(*case, replay)[4]
    record = maxl(case)
    assert float(record["regulariser_gradient_norm"]) == 0
    got = {name: p.grad for name, p in case.g.named_parameters()}
    assert relative(flat(got), flat(expected)) < 1e-9


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("weights", [{}, {"entropy_weight": 0.0}, dict.fromkeys(REGULARISERS, 0)])
def test_no_regulariser_has_a_gradient_of_zero(weights, weighted):
    g, batch = (make_case("mlp", weighted=weighted)[i] for i in (1, 2))
    Y = g(*batch.labelled).detach()
    recipe = Recipe(regularisers=weights)
    assert torch.equal(regulariser_gradient(Y, batch.weight, recipe), torch.zeros_like(Y))
    assert float(regulariser(Y, batch.weight, recipe)) == 0
    assert regulariser(Y, batch.weight, recipe).dtype == Y.dtype


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("psi", [2, [1, 4, 2]])
def test_regularisers_add_up_by_their_weights(psi, weighted):
    g, batch = (make_case("mlp", weighted=weighted, psi=psi)[i] for i in (1, 2))
    ones = torch.ones(len(batch), dtype=torch.float64)
    weight = ones if batch.weight is None else batch.weight
    Y = g(*batch.labelled).detach().requires_grad_()
    recipe = Recipe(regularisers={"entropy_weight": 0.3, "information_weight": 0.7})
    expected = 0.3 * entropy_term(Y, weight) - 0.7 * information(Y, weight)
    R = regulariser(Y, batch.weight, recipe)
    assert float(R.detach()) == pytest.approx(float(expected.detach()), rel=1e-12)
    (dR_dY,) = torch.autograd.grad(expected, Y)
    got = regulariser_gradient(Y, batch.weight, recipe)
    used = Y > 0  # what is masked has no gradient at the logits
    assert relative(got[used], dR_dY[used]) < 1e-10
    assert not got.requires_grad


@pytest.mark.parametrize("light", [1.0, 1e-3])
def test_other_parts_count_by_the_sum_of_their_labels_however_light_they_are(light):
    rng = torch.Generator().manual_seed(0)
    Y = torch.softmax(2 * torch.randn(6, 4, generator=rng, dtype=torch.float64), 1)
    weight = torch.rand(6, generator=rng, dtype=torch.float64) + 0.1
    weight[4:] *= light
    recipe = Recipe(regularisers={"entropy_weight": 0.3, "information_weight": 0.7})
    whole = regulariser_gradient(Y, weight, recipe)[:4]
    others = label_sums(Y[4:], weight[4:])
    found = regulariser_gradient(Y[:4], weight[:4], recipe, others)
    torch.testing.assert_close(found, whole, rtol=1e-12, atol=1e-14)


def test_other_parts_in_which_nothing_counts_change_nothing():
    rng = torch.Generator().manual_seed(0)
    Y = torch.softmax(2 * torch.randn(6, 4, generator=rng, dtype=torch.float64), 1)
    weight = torch.rand(6, generator=rng, dtype=torch.float64) + 0.1
    recipe = Recipe(regularisers={"entropy_weight": 0.3, "information_weight": 0.7})
    found = regulariser_gradient(Y, weight, recipe, torch.zeros(5, dtype=torch.float64))
    expected = regulariser_gradient(Y, weight, recipe)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("rows", [0, 1, 4])
def test_samples_of_a_part_weigh_as_much_as_the_rows_that_count(rows):
    Y, weight = torch.full((4, 2), 0.5), torch.tensor([1.0, 2.0, 3.0, 4.0])
    part = Part(rows, 8)
    assert weight_of_part(Y, None, part).tolist() == [rows / 4] * 4
    assert torch.equal(weight_of_part(Y, weight, part), weight * rows / 4)


def test_a_step_that_is_shared_unless_told_otherwise_takes_its_gradient_from_the_network():
    f, g, batch, meta, optimizer, recipe = make_case("mlp", another=True)
    A = g(batch.x, batch.y).detach()
    for p in f.parameters():
        p.grad = torch.ones_like(p)
    G = problem_of_step(f, batch, meta, A, recipe, optimizer, replay).G
    assert all(G[name] is p.grad for name, p in f.named_parameters())


@pytest.mark.parametrize("net", ["mlp", "conv", "dropout", "unreached"])
def test_a_gradient_of_its_own_is_the_shared_one_and_changes_nothing(net):
    f, g, batch, meta, optimizer, recipe = make_case(net, another=True, weighted=True)
    A = g(batch.x, batch.y).detach()
    before = copy.deepcopy(f.state_dict())
    own = problem_of_step(f, batch, meta, A, recipe, optimizer, replay, shared=False).G
    assert all(p.grad is None for p in f.parameters())
    assert all(torch.equal(before[name], value) for name, value in f.state_dict().items())
    replay()
    multi_task_step(AtParameters(f), batch, A, recipe)
    shared = problem_of_step(f, batch, meta, A, recipe, optimizer, replay).G
    assert own.keys() == shared.keys()
    assert relative(flat(own), flat(shared)) < 1e-12


def test_gradient_similarity_is_the_cosine_on_the_trunk():
    f, g, batch, _, _, recipe = make_case("conv", weighted=True)
    Y = g(batch.x, batch.y).detach()
    before = copy.deepcopy(f.state_dict())
    got = gradient_similarity(AtParameters(f), batch, Y, recipe, replay)
    assert all(torch.equal(before[name], value) for name, value in f.state_dict().items())
    other = copy.deepcopy(f)
    outputs, auxiliary = other(batch.x)
    one_hot = torch.eye(3, dtype=torch.float64)[batch.y]
    gradients = []
    for loss in (focal_loss(outputs, one_hot, 2.0), focal_loss(auxiliary, Y, 2.0)):
        parts = torch.autograd.grad(
            (batch.weight * loss).mean(), list(other.trunk.parameters()), retain_graph=True
        )
        gradients.append(torch.cat([part.flatten() for part in parts]))
    a, b = gradients
    assert float(got) == pytest.approx(float(a @ b / (a.norm() * b.norm())), rel=1e-9)
    none = gradient_similarity(
        AtParameters(f), batch, Y, replace(recipe, auxiliary_weight=0.0), replay
    )
    assert float(none) == 0.0


def test_gradient_similarity_does_not_depend_on_the_size_of_the_losses():
    f, g, batch, _, _, recipe = make_case("mlp", weighted=True)
    Y = g(batch.x, batch.y).detach()
    expected = gradient_similarity(AtParameters(f), batch, Y, recipe, replay)
    tiny = replace(batch, weight=1e-12 * batch.weight)
    found = gradient_similarity(AtParameters(f), tiny, Y, recipe, replay)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=0)


def test_a_parameter_that_is_not_reached_adds_nothing_to_the_gradient_similarity():
    f, g, batch, _, _, recipe = make_case("unreached", weighted=True)
    Y = g(batch.x, batch.y).detach()
    found = gradient_similarity(AtParameters(f), batch, Y, recipe, replay)
    f.trunk.unused.requires_grad_(False)
    expected = gradient_similarity(AtParameters(f), batch, Y, recipe, replay)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("lr", [0.3, 1e-8, 0.0])
def test_the_scale_divides_the_learning_rate_out_unless_there_is_none(lr):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=lr)
    assert scale_of(Recipe(meta_scale=None), optimizer) == (1 / lr if lr else 1.0)
    assert scale_of(Recipe(meta_scale=7.0), optimizer) == 7.0


def test_label_statistics_sum_mass_and_average_entropy():
    Y = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    statistics = label_statistics(SoftLabels(Y))
    assert statistics["label_mass"].tolist() == [0.5, 0.5, 1.0]
    assert float(statistics["label_entropy"]) == pytest.approx(torch.log(torch.tensor(2.0)) / 2)


def test_label_statistics_average_weights_and_their_squares():
    s = torch.tensor([1.0, 3.0])
    statistics = label_statistics(SoftLabels(torch.eye(2), s))
    assert float(statistics["generated_weight"]) == 2.0
    assert float(statistics["squared_generated_weight"]) == 5.0


def test_label_statistics_of_a_part_are_those_of_the_rows_that_count():
    Y = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    statistics = label_statistics(SoftLabels(Y), Part(rows=1, of=4))
    assert statistics["label_mass"].tolist() == [0.25, 0.25, 0.5]
    assert float(statistics["label_entropy"]) == pytest.approx(torch.log(torch.tensor(2.0)) / 8)


def test_a_batch_has_as_many_samples_as_labels():
    assert len(make_batch(5)) == 5
