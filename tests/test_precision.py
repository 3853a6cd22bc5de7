"""Training in bfloat16: as exact as bfloat16 is, and everything else in float32."""

import numpy as np
import pytest
import torch
from networks import make_case, problem_of_step, relative

from sklearn_maxl import MAXLClassifier
from sklearn_maxl._maths.at_parameters import AtParameters
from sklearn_maxl._maths.meta_gradient import double_backward, exact
from sklearn_maxl._maths.step import meta_problem, multi_task_step
from sklearn_maxl._maths.virtual_step import VirtualStep

CASES = {
    "mlp": {"net": "mlp"},
    "convolutions": {"net": "conv"},
    "momentum": {"net": "mlp", "optimizer": "momentum", "steps": 3},
    "Adam": {"net": "conv", "optimizer": "adam", "steps": 3},
    "another batch": {"net": "conv", "another": True, "weighted": True},
}


def problem(case, precision):
    f, g, batch, meta, optimizer, recipe = case
    A = g(batch.x, batch.y).detach()
    at = AtParameters(f, None, precision)
    optimizer.zero_grad()
    multi_task_step(at, batch, A, recipe)
    step = VirtualStep(optimizer, at.t)
    return meta_problem(at, batch, meta, A, recipe, step)


@pytest.mark.parametrize("settings", CASES.values(), ids=CASES)
def test_the_exact_meta_gradient_is_double_backward_in_bfloat16_too(settings):
    bf16 = problem(make_case(dtype=torch.float32, **settings), torch.bfloat16)
    M, dM_dY = exact(bf16)
    expected_M, expected = double_backward(bf16)
    assert (M.dtype, dM_dY.dtype) == (torch.float32, torch.float32)
    assert float(abs(M - expected_M)) <= 1e-6
    assert relative(dM_dY, expected) <= 2e-2


def test_the_exact_meta_gradient_keeps_two_digits_on_a_smooth_network():
    case = make_case("mlp", torch.float64)
    expected = exact(problem_of_step(*prepared(case)))[1]
    got = exact(problem(make_case("mlp", torch.float32), torch.bfloat16))[1]
    assert relative(got.double(), expected) <= 2e-2


def prepared(case):
    f, g, batch, meta, optimizer, recipe = case
    A = g(batch.x, batch.y).detach()
    multi_task_step(AtParameters(f), batch, A, recipe)
    return f, batch, meta, A, recipe, optimizer


@pytest.mark.parametrize("auxiliary", ["maxl", "uniform", None])
def test_weights_stay_in_float32(images, auxiliary):
    X, y = images
    clf = MAXLClassifier(
        "convnet", auxiliary=auxiliary, precision="bfloat16", max_epochs=8, random_state=0
    ).fit(X, y)
    plain = MAXLClassifier("convnet", auxiliary=auxiliary, max_epochs=8, random_state=0).fit(X, y)
    assert {p.dtype for p in clf.net_.module_.parameters()} == {torch.float32}
    assert not np.array_equal(clf.predict_proba(X), plain.predict_proba(X))  # it did something
    assert abs(clf.score(X, y) - plain.score(X, y)) <= 0.05
