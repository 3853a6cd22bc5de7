"""The fit's random numbers stay its own."""

import threading
import time

import pytest
import torch

from sklearn_maxl._environment.random_state import isolated_rng, seed_rng

CPU = torch.device("cpu")


def draw(seed, pause=0.0):
    with isolated_rng(seed, CPU):
        first = torch.rand(2).tolist()
        time.sleep(pause)
        return first + torch.rand(1).tolist()


def test_the_global_state_is_as_before():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    inside = draw(5)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(5)
    assert torch.rand(2).tolist() + torch.rand(1).tolist() == inside


def test_a_seed_gives_the_same_numbers_whatever_came_before():
    torch.manual_seed(0)
    first = draw(7)
    torch.rand(10)
    assert draw(7) == first
    assert draw(8) != first


def test_the_global_state_is_as_before_after_an_exception():
    def fail():
        with isolated_rng(0, CPU):
            raise KeyError(torch.rand(3))

    before = torch.get_rng_state()
    with pytest.raises(KeyError):
        fail()
    assert torch.equal(torch.get_rng_state(), before)
    assert draw(0)


def test_nested_blocks_give_the_outer_one_its_state_back():
    with isolated_rng(1, CPU):
        torch.rand(3)
        expected = torch.rand(3).tolist()
    with isolated_rng(1, CPU):
        torch.rand(3)
        draw(2)
        assert torch.rand(3).tolist() == expected


def test_the_state_can_be_read_inside():
    with isolated_rng(0, CPU) as state:
        before = state()
        assert torch.equal(before, state())
        torch.rand(1)
        assert not torch.equal(before, state())


def test_seeding_again_replays_the_numbers():
    with isolated_rng(0, CPU):
        seed_rng(4, CPU)
        first = torch.rand(3)
        seed_rng(4, CPU)
        assert torch.equal(torch.rand(3), first)


def test_threads_take_turns():
    expected, got = [draw(i) for i in range(4)], {}

    def work(i):
        got[i] = [draw(i, pause=1e-3) for _ in range(5)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    before = torch.get_rng_state()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert torch.equal(torch.get_rng_state(), before)
    assert all(got[i] == [expected[i]] * 5 for i in range(4))
