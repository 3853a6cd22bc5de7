"""How far a comparison is: what is counted, what is judged by it, how often it is said."""

from itertools import count, pairwise

import pytest

from sklearn_maxl.comparison import _progress
from sklearn_maxl.comparison._progress import Progress, duration, told
from sklearn_maxl.comparison._runs import Found, Outcome


def found(seconds):
    return Found((0,), None, 0.01, seconds, {})


def fit(seconds):
    return Outcome(0, "a", None, 0.5, seconds, {})


def after(progress, *done):
    for one in done:
        progress.count(one)
    return str(progress)


def test_what_is_left_is_judged_by_what_searches_and_fits_took():
    progress = Progress(2, 10, 1)
    assert str(progress) == "0 of 2 searches, 0 of 10 fits"
    assert after(progress, found(60)) == "1 of 2 searches, 0 of 10 fits"  # fits: unknown
    line = "1 of 2 searches, 2 of 10 fits, about 2 min left"
    assert after(progress, fit(5), fit(10)) == line  # 60 + 8 * 7.5
    last = [found(60), *[fit(7.5)] * 8]
    assert after(progress, *last) == "2 of 2 searches, 10 of 10 fits"


def test_several_at_a_time_end_sooner_but_one_fit_is_not_shared():
    assert after(Progress(0, 9, 4), fit(40)) == "1 of 9 fits, about 80 s left"
    assert after(Progress(0, 2, 4), fit(40)) == "1 of 2 fits, about 40 s left"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.1, "1 s"), (89, "89 s"), (90, "2 min"), (600, "10 min"), (5400, "1.5 h"), (9000, "2.5 h")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_a_line_comes_after_seconds_and_then_now_and_then(monkeypatch):
    clock = count(0, 0.5)  # asked twice where something is said, else once
    monkeypatch.setattr(_progress.time, "monotonic", lambda: next(clock))
    progress, lines = Progress(0, 200, 1), []

    def fits():
        for _ in range(200):
            progress.count(fit(0.5))
            yield "fit"

    assert list(told(fits(), progress, lines.append)) == ["fit"] * 200
    fits_told = [int(line.split()[0]) for line in lines]
    assert fits_told[0] == 10
    assert {after - before for before, after in pairwise(fits_told)} == {60}


def test_what_is_over_at_once_is_not_told():
    lines = []
    progress = Progress(0, 3, 1)
    assert list(told(iter([fit(0.1)] * 3), progress, lines.append)) == [fit(0.1)] * 3
    assert lines == []
