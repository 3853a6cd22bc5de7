"""One fit over several processes: what one process finds, and an end with a sentence."""

import copy
import threading
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import ranks
import torch
from networks import make_case
from ranks import together

from sklearn_maxl._environment.ranks import ALONE, Ranks, ranks_of_program
from sklearn_maxl._maths import meta_gradient
from sklearn_maxl._maths.at_parameters import parameters_of
from sklearn_maxl._maths.meta_gradient import META_GRADIENTS, WithFallback
from sklearn_maxl._maths.parts import Part
from sklearn_maxl._training.steps import RandomNumbers, Step

# The mathematics, in float64: threads in the place of processes


class Threads(Ranks):
    """Ranks that are threads of one process."""

    def __init__(self, number, count, barrier, shelf):
        self.number, self.count, self.barrier, self.shelf = number, count, barrier, shelf
        self.sent = 0

    def total(self, tensors):
        self.sent += 1
        self.shelf[self.number] = [t.detach().clone() for t in tensors]
        self.barrier.wait()
        found = [sum(own) for own in zip(*self.shelf, strict=True)]
        self.barrier.wait()
        return found


def step_of(case, ranks, way, learn):
    """A step's gradients of both networks, and its record."""
    f, g, batch, meta, optimizer, recipe = case
    numbers = RandomNumbers(False, np.random.RandomState(0), torch.device("cpu"))
    step = Step(f, g, optimizer, recipe, WithFallback(way), numbers, None, ranks)
    train, meta = (part_of(b, ranks) for b in (batch, meta))
    record = step.gradients(train, meta, True) if learn else step.generator_gradients(train, meta)
    grads = [[p.grad for p in parameters_of(net).values() if p.grad is not None] for net in (f, g)]
    return grads, record


def part_of(batch, ranks):
    """The rows of a rank; the whole batch, which counts nothing, where there are none."""
    if not ranks.several:
        return batch
    own = ranks.rows(len(batch))
    part = Part(own.stop - own.start, len(batch))
    own = own if part.rows else slice(None)
    columns = {"x", "y", "weight", "positions", "target", "view", "block"}
    cut = {n: t[own] for n in columns if (t := getattr(batch, n)) is not None}
    return replace(batch, **cut, part=part)


def in_threads(case, count, way, learn):
    """The same step by several threads, each with a copy of all."""
    barrier, shelf = threading.Barrier(count, timeout=ranks.SECONDS), [None] * count
    group = [Threads(number, count, barrier, shelf) for number in range(count)]
    found = [None] * count

    def work(rank, own):
        try:
            found[rank.number] = step_of(own, rank, way, learn)
        except BaseException as error:
            found[rank.number] = error
            barrier.abort()

    threads = [threading.Thread(target=work, args=(r, copy.deepcopy(case))) for r in group]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not [e for e in found if isinstance(e, BaseException)], found
    return found, [rank.sent for rank in group]


CASES = {
    "mlp": {},
    "weights of samples": {"weighted": True, "information_weight": 0.3},
    "another meta batch": {"another": True, "weighted": True, "optimizer": "adam", "steps": 2},
    "views": {"turned": True, "optimizer": "momentum", "steps": 1},
    "weights that are learned": {"weight_range": 1.0, "information_weight": 0.3},
    "numbers": {"n_targets": 2, "weighted": True},
}


@pytest.mark.parametrize("count", [2, 8])  # of seven rows, eight ranks leave one without
@pytest.mark.parametrize("way", META_GRADIENTS)
@pytest.mark.parametrize("name", CASES)
def test_a_step_in_parts_is_the_step_of_the_whole_batch(name, way, count, monkeypatch):
    if way == "double_backward":  # threads would wait for each other within its lock
        monkeypatch.setattr(meta_gradient, "_PROCESS_STATE", nullcontext())
    case = make_case("mlp", **CASES[name])
    for learn in (True, False):
        expected, record = step_of(copy.deepcopy(case), ALONE, way, learn)
        found, sent = in_threads(case, count, way, learn)
        checks = 1 if way == "exact" else 0  # forward mode is tried out in the first step
        assert sent == [3 + checks] * count  # G, v and the generator's gradient
        for grads, _ in found:
            for own, whole in zip(grads, expected, strict=True):
                assert len(own) == len(whole)
                for a, b in zip(own, whole, strict=True):
                    torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-13)
        for key in record:
            parts = torch.stack([own[key] for _, own in found])
            norm = key.endswith("norm")
            whole = parts.square().sum(0).sqrt() if norm else parts.sum(0)
            torch.testing.assert_close(whole, record[key], rtol=1e-9, atol=1e-13)


def test_rows_of_all_ranks_are_all_rows():
    for n in (0, 1, 7, 8, 9):
        group = [Threads(number, 4, None, None) for number in range(4)]
        cuts = [rank.rows(n) for rank in group]
        assert np.concatenate([np.arange(n)[cut] for cut in cuts]).tolist() == list(range(n))
        sizes = [cut.stop - cut.start for cut in cuts]
        assert max(sizes) - min(sizes) <= 1


def test_a_program_without_a_group_is_alone():
    assert ranks_of_program() is ALONE


# Whole fits, in processes of a group


@pytest.fixture(scope="module")
def fits_of_one():
    return ranks.all_fits()


def relative(a, b):
    """The largest difference of arrays of a fit's networks, relative to their size."""
    keys = [k for k in b if b[k].dtype.kind == "f" and "temperature" not in k]
    one, other = (np.concatenate([x[k].ravel() for k in keys]) for x in (a, b))
    return np.linalg.norm(one - other) / np.linalg.norm(other)


def assert_same_bits(one, other):
    for key in ("tensors", "history", "trials", "random_state"):
        np.testing.assert_equal(one[key], other[key])


@pytest.mark.parametrize("count", [2, 3])
def test_several_processes_find_what_one_finds(count, fits_of_one, tmp_path):
    first, *others = together(count, ranks.all_fits, tmp_path)
    for name, expected in fits_of_one.items():
        found = first[name]
        for other in others:
            assert_same_bits(found, other[name])
        assert found["tensors"].keys() == expected["tensors"].keys()
        assert relative(found["tensors"], expected["tensors"]) < 1e-5, name
        assert found["trials"] == expected["trials"]
        np.testing.assert_equal(found["random_state"], expected["random_state"])
        assert len(found["history"]) == len(expected["history"])
        for row, whole in zip(found["history"], expected["history"], strict=True):
            assert row.keys() == whole.keys()
            for key in row.keys() - {"time"}:
                # A deviation is the root of a small difference of large numbers.
                a, b = (r[key] ** 2 if key.endswith("deviation") else r[key] for r in (row, whole))
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6, err_msg=f"{name} {key}")


def test_running_statistics_are_averaged_and_a_seed_of_none_is_shared(tmp_path):
    one, other = together(2, ranks.other_fits, tmp_path)
    for name in one:
        assert_same_bits(one[name], other[name])
    whole = ranks.small("uniform", backbone=ranks.normalised_first).fit(*ranks.table())
    found = one["normalised"]["tensors"]["module_.trunk.0.running_mean"]
    expected = whole.net_.module_.trunk[0].running_mean.numpy()
    # Batches of 25 are cut into 13 and 12: nearly the mean of the whole, and no rank's own.
    np.testing.assert_allclose(found, expected, atol=0.01)
    assert int(one["normalised"]["tensors"]["module_.trunk.0.num_batches_tracked"]) == 20


# What does not go well


def test_a_rank_with_another_fit_ends_all_and_is_named(tmp_path):
    for error in together(2, ranks.differs, tmp_path / "two", 1):
        assert isinstance(error, ValueError)
        assert str(error).startswith("Rank 1 of 2 sees other values than rank 0 for X, lr; ")
    for error in together(3, ranks.differs, tmp_path / "three", 0):
        assert str(error).startswith("Rank 0 of 3 sees other values than the other ranks for X, lr")


def test_what_one_rank_refuses_ends_all(tmp_path):
    first, second = together(2, ranks.bad_data, tmp_path)
    assert isinstance(second, ValueError)
    assert str(first) == f"Rank 1 of 2 ended the fit of all: ValueError: {second}"


@pytest.mark.parametrize(
    ("work", "said"),
    [
        (ranks.one_row_each, "needs two rows on each of 2 ranks, but the smallest batch has 2"),
        (ranks.synchronised, "use BatchNorm: each rank normalises by its own rows"),
    ],
)
def test_networks_that_parts_of_a_batch_do_not_do_for(work, said, tmp_path):
    for error in together(2, work, tmp_path):
        assert isinstance(error, ValueError)
        assert said in str(error)


def test_a_callback_that_stops_one_rank_stops_all_in_the_same_epoch(tmp_path):
    assert together(2, ranks.stops, tmp_path) == [2, 2]


def test_a_rank_that_dies_ends_the_others_with_a_sentence(tmp_path):
    (said, fitted), nothing = together(2, ranks.dies, tmp_path)
    assert nothing is None
    assert said.startswith("Rank 0 of 2 does not reach the other ranks any more")
    assert not fitted


def test_a_rank_that_hangs_ends_the_others_with_the_timeout(tmp_path):
    error, _ = together(2, ranks.stays_away, tmp_path, tmp_path, seconds=10)
    assert isinstance(error, RuntimeError)
    assert "hangs for longer than the timeout of init_process_group" in str(error)


def test_a_fit_whose_rank_died_goes_on_from_the_checkpoint(tmp_path):
    kept = tmp_path / "kept"
    together(2, ranks.checkpointed, tmp_path / "first", kept, 3)
    (folder,) = kept.iterdir()
    assert (folder / "newest.safetensors").exists()
    again = together(2, ranks.checkpointed, tmp_path / "second", kept, None)
    undisturbed = together(2, ranks.checkpointed, tmp_path / "third", tmp_path / "other", None)
    for found, expected in zip(again, undisturbed, strict=True):
        assert (found["begun"], expected["begun"]) == ([3, 4], [0, 1, 2, 3, 4])
        np.testing.assert_equal(found["tensors"], expected["tensors"])
        np.testing.assert_equal(found["random_state"], expected["random_state"])
    assert_same_bits(*again)
    assert [p.name for p in kept.iterdir()] == [folder.name]
    for other in (3, 1):  # of other bits
        errors = together(other, ranks.checkpointed, tmp_path / f"of {other}", kept, None)
        assert all(f"ranks was 2 and is {other}" in str(error) for error in errors)


def test_rank_0_alone_logs_and_writes(tmp_path):
    (lines, printed, names), (silent, nothing, others) = together(2, ranks.speaks, tmp_path)
    assert [line.split("  ")[0] for line in lines] == ["epoch 1 of 2", "epoch 2 of 2"]
    assert printed
    assert names == ["PrintLog"]
    assert (silent, nothing, others) == ([], [], [])


def test_fits_in_threads_and_forks_of_a_rank_are_its_own(fits_of_one, tmp_path):
    none, found = together(2, ranks.by_itself, tmp_path)
    assert none == []
    assert len(found) == 2
    for own in found:
        expected = fits_of_one["uniform"]
        np.testing.assert_equal(own["tensors"], expected["tensors"])
