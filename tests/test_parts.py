"""A batch in parts, each in a thread of its own: their sums are the step of the whole batch.

`test_ranks.py` has the same with real processes; here it takes milliseconds, in float64.
"""

import copy
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from networks import flat, make_case, problem_of_step, relative, task_of
from torch import Tensor

from sklearn_maxl._maths import meta_gradient
from sklearn_maxl._maths.at_parameters import AtParameters
from sklearn_maxl._maths.meta_gradient import META_GRADIENTS, WithFallback
from sklearn_maxl._maths.parts import Part, along, of_whole, summed, whole
from sklearn_maxl._maths.step import generator_step, label_statistics, multi_task_step, scale_of

SITUATIONS = {
    "plain": {},
    "sample weights": {"weighted": True, "another": True},
    "Adam": {"optimizer": "adam", "steps": 3, "another": True},
    "information": {"information_weight": 0.3, "weighted": True},
    "sample weights learned": {"weight_range": 3.0, "information_weight": 0.1},
    "views": {"turned": True, "psi": [1, 2, 1]},
    "squared error": {"n_targets": 2, "weighted": True},
}


class Sums:
    """Sums over threads, which wait for each other."""

    def __init__(self, n: int):
        self.barrier = threading.Barrier(n, timeout=60)
        self.given: list[list[Tensor]] = [[] for _ in range(n)]

    def of(self, k: int) -> Callable[[Sequence[Tensor]], list[Tensor]]:
        def total(tensors: Sequence[Tensor]) -> list[Tensor]:
            self.given[k] = [t.detach().clone() for t in tensors]
            self.barrier.wait()
            sums = [torch.stack(ts).sum(0) for ts in zip(*self.given, strict=True)]
            self.barrier.wait()  # nobody gives anew before all have read
            return sums

        return total


def rows_of(batch, rows, n):
    """A part of a batch."""
    names = ("x", "y", "weight", "positions", "target", "view", "block")
    values = {k: None if (v := getattr(batch, k)) is None else v[rows] for k in names}
    return replace(batch, **values, part=Part(len(rows), n))


def step(case, way, total=whole):
    """A step of both networks; gradients and records, summed where there are parts."""
    f, g, batch, meta, optimizer, recipe = case
    task = task_of(g, batch)
    A = task.targets.detach()
    multi_task_step(AtParameters(f), batch, A, recipe)
    reached = {n: p for n, p in f.named_parameters() if p.grad is not None}
    for p, sums in zip(reached.values(), total([p.grad for p in reached.values()]), strict=True):
        p.grad.copy_(sums)
    problem = problem_of_step(f, batch, meta, A, recipe, optimizer, total=total)
    scale = scale_of(recipe, optimizer)
    ways = WithFallback(way)
    record = generator_step(problem, task, batch.weight, recipe, scale, ways, batch.part)
    mine = {n: p.grad for n, p in g.named_parameters() if p.grad is not None}
    found = summed(total, mine)
    statistics = label_statistics(task.detach(), batch.part)
    M = record["meta_loss"].reshape(1)
    return (
        flat({n: p.grad for n, p in reached.items()}),
        flat(found),
        total([M])[0],
        summed(total, statistics),
    )


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("way", META_GRADIENTS)
@pytest.mark.parametrize("parts", [[[0, 1, 2], [3, 4, 5, 6]], [[6, 0], [3], [1, 5, 2, 4]]])
def test_parts_add_up_to_the_whole_batch(way, situation, parts, monkeypatch):
    if way == "double_backward":  # it holds a lock while it waits, as processes may
        monkeypatch.setattr(meta_gradient, "_differentiable_attention", nullcontext)
    case = make_case("mlp", **SITUATIONS[situation])
    expected = step(copy.deepcopy(case), way)
    sums = Sums(len(parts))

    def part(k):
        own = copy.deepcopy(case)
        n = len(case.meta)
        meta_rows = torch.arange(k, n, len(parts))
        batch = rows_of(own.batch, torch.tensor(parts[k]), len(case.batch))
        meta = rows_of(own.meta, meta_rows, n)
        return step(own._replace(batch=batch, meta=meta), way, sums.of(k))

    with ThreadPoolExecutor(len(parts)) as pool:
        for G, generator, M, statistics in pool.map(part, range(len(parts))):
            assert relative(G, expected[0]) < 1e-12
            assert relative(generator, expected[1]) < 1e-10
            assert float(M) == pytest.approx(float(expected[2]), rel=1e-12)
            assert statistics.keys() == expected[3].keys()
            for name, value in statistics.items():
                torch.testing.assert_close(value, expected[3][name], rtol=1e-12, atol=1e-14)


def test_a_mean_over_a_part_is_its_share():
    mean = torch.tensor(3.0)
    assert of_whole(mean, None) is mean
    assert float(of_whole(mean, Part(rows=2, of=8))) == 0.75


def test_a_tensor_goes_along_in_the_same_message():
    messages = []

    def total(tensors):
        messages.append(len(tensors))
        return [2 * t for t in tensors]

    both, found = along(total, torch.tensor(5.0))
    assert [float(t) for t in both([torch.tensor(1.0), torch.tensor(2.0)])] == [2, 4]
    assert float(found()) == 10
    assert messages == [3]
