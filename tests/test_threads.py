"""The number of torch threads inside a fit, and outside."""

import threading

import numpy as np
import pytest
import torch

from sklearn_maxl import MAXLClassifier
from sklearn_maxl._environment.threads import torch_threads


@pytest.fixture
def two_threads():
    """A program that has set two torch threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_the_number_holds_inside_and_is_put_back(two_threads):
    with torch_threads(1):
        assert torch.get_num_threads() == 1
        with torch_threads(3):
            assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == 2


def test_it_is_put_back_after_an_error(two_threads):
    with pytest.raises(ZeroDivisionError), torch_threads(1):
        raise ZeroDivisionError
    assert torch.get_num_threads() == 2


def test_none_leaves_it(two_threads):
    with torch_threads(None):
        assert torch.get_num_threads() == 2


def test_fits_in_several_threads_have_their_number_until_the_last_one_ends(two_threads):
    entered, leave = threading.Barrier(2), threading.Event()
    seen = []

    def first():
        with torch_threads(1):
            entered.wait(10)
        leave.set()

    def last():
        with torch_threads(1):
            entered.wait(10)
            assert leave.wait(10)
            seen.append(torch.get_num_threads())
        seen.append(torch.get_num_threads())

    workers = [threading.Thread(target=first), threading.Thread(target=last)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert seen == [1, 2]
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("data", ["iris", "images"])
def test_a_result_does_not_depend_on_what_the_program_has_set(data, request):
    X, y = request.getfixturevalue(data)
    results = []
    for n in (1, 2):
        before = torch.get_num_threads()
        torch.set_num_threads(n)
        try:
            clf = MAXLClassifier(max_epochs=2, random_state=0).fit(X, y)
            results.append(clf.predict_proba(X))
        finally:
            torch.set_num_threads(before)
    assert np.array_equal(*results)


@pytest.mark.parametrize("n", [1, 3])
def test_all_of_a_prediction_runs_on_the_number_that_is_set(iris, two_threads, monkeypatch, n):
    clf = MAXLClassifier(max_epochs=1).fit(*iris).set_params(n_threads=n)
    seen, log_softmax = [], torch.log_softmax
    clf.net_.module_.trunk.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))

    def watched(*args, **kwargs):
        seen.append(torch.get_num_threads())
        return log_softmax(*args, **kwargs)

    monkeypatch.setattr(torch, "log_softmax", watched)
    clf.predict_proba(iris[0])
    assert seen == [n] * 3  # features, members, probabilities
