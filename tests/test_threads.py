"""The number of torch threads inside a fit, and outside."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

from sklearn_maxl import MAXLClassifier
from sklearn_maxl._environment import threads
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


@pytest.mark.parametrize("n", [0, -1, 1.5, "2", True, 10**9])
def test_a_number_that_torch_cannot_take_is_refused_and_changes_nothing(iris, two_threads, n):
    clf = MAXLClassifier(max_epochs=1, lr=0.01).fit(*iris).set_params(n_threads=n)
    with pytest.raises(ValueError, match=r"n_threads must be .*whole number from 1 to 512, got"):
        clf.predict(iris[0])
    with pytest.raises(ValueError, match="n_threads"):
        clf.fit(*iris)
    assert torch.get_num_threads() == 2
    with torch_threads(1):
        pass
    assert torch.get_num_threads() == 2
    assert threads._THREADS._before == []


FORKED = """
import os, signal, sys
import numpy as np, torch
from sklearn.datasets import load_iris
from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import MLP
X, y = (np.tile(a.T, 20).T for a in load_iris(return_X_y=True))
parent, child, of_program = (eval(a) for a in sys.argv[1:])
torch.set_num_threads(of_program)
clf = MAXLClassifier(MLP((64,)), n_threads=parent, max_epochs=1, batch_size=3000, temperature=1)
clf.fit(X, y).set_params(n_threads=child)
if os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
signal.alarm(60)  # a child that waits for threads ends so
try:
    clf.fit(X, y).predict(X)
except RuntimeError as error:
    print(error)
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize(
    ("parent", "child", "of_program", "says"),
    [
        (2, 1, 2, ""),
        (1, 2, 1, ""),
        (2, 2, 1, "n_threads=2 can't work in this process: it was forked from one that has used"),
        (None, None, 2, "n_threads=None can't work in this process"),
    ],
)
def test_a_fork_of_a_process_with_several_threads_works_or_says_why_not(
    parent, child, of_program, says
):
    command = [sys.executable, "-W", "ignore", "-c", FORKED]
    command += [str(n) for n in (parent, child, of_program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(says)
    assert bool(done.stdout) == bool(says)
