"""Warnings of fits in threads: each hears its own, and the process is as before."""

import threading
import warnings

import pytest

from sklearn_maxl.comparison._warned import warnings_of_block


def say(text, category=UserWarning):
    warnings.warn(text, category, stacklevel=1)


def test_blocks_of_two_threads_hear_their_own_and_leave_nothing_behind():
    before = warnings.showwarning, list(warnings.filters)
    both_in, both_said, first_out = (threading.Barrier(2) for _ in range(3))
    heard = {}

    def run(name, is_first):
        with warnings_of_block() as warned:
            both_in.wait(10)
            say(f"{name} begins")
            both_said.wait(10)
            if not is_first:
                first_out.wait(10)
                say(f"{name} ends", RuntimeWarning)
        if is_first:
            first_out.wait(10)
        heard[name] = warned

    threads = [threading.Thread(target=run, args=job) for job in (("a", True), ("b", False))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard["a"] == {UserWarning: "a begins"}
    assert heard["b"] == {UserWarning: "b begins", RuntimeWarning: "b ends"}
    assert (warnings.showwarning, list(warnings.filters)) == before


def test_a_block_within_a_block_hears_for_itself():
    with warnings_of_block() as outer:
        say("before")
        with warnings_of_block() as inner:
            say("within")
    assert (outer, inner) == ({UserWarning: "before"}, {UserWarning: "within"})


def test_who_has_no_block_is_heard_as_ever():
    entered, said = threading.Event(), threading.Event()

    def block():
        with warnings_of_block():
            entered.set()
            said.wait(10)

    with warnings.catch_warnings(record=True) as caught:
        thread = threading.Thread(target=block)
        thread.start()
        entered.wait(10)
        say("from elsewhere")
        said.set()
        thread.join()
    assert [str(warning.message) for warning in caught] == ["from elsewhere"]


def test_a_block_that_fails_is_left():
    before = warnings.showwarning
    with pytest.raises(ZeroDivisionError), warnings_of_block():
        raise ZeroDivisionError
    assert warnings.showwarning is before
