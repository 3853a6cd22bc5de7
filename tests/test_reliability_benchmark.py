"""Files made to harm: two thousand of them, and the trials behind the table can fail."""

import re
import sys
from collections import Counter
from random import Random

import numpy as np
import pytest

from benchmarks.common.rows import read, results
from benchmarks.reliability import files, outcomes, pages
from benchmarks.reliability.mutations import KINDS, Text, dumped, mutant, parts_of, sealed
from benchmarks.reliability.subjects import Subject, subjects

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="bounds of memory are Linux's")

N_FILES = 2000


@pytest.fixture(scope="module")
def known():
    return subjects()


def test_no_file_does_what_it_should_not(tmp_path):
    bad = files.run(N_FILES, 1, tmp_path / "rows.csv")
    assert bad == []
    rows = read(tmp_path / "rows.csv")
    assert sum(int(row["files"]) for row in rows) == N_FILES
    assert {row["change"] for row in rows} == set(KINDS)
    assert {row["outcome"] for row in rows} >= {"refused", "loaded"}


def test_a_file_depends_on_seed_and_number_alone(known):
    data = known["images"].data
    one, other = (mutant(data, Random("1 7")) for _ in range(2))
    assert one == other
    assert len({mutant(data, Random(f"1 {i}"))[1] for i in range(20)}) > 15


def test_parts_that_are_put_together_again_are_a_file_that_loads(known, tmp_path):
    for subject in known.values():
        found = outcomes.outcome(sealed(*parts_of(subject.data)), subject, tmp_path / "file")
        assert found[:2] == ("loaded", "")


def test_text_stands_in_json_as_it_is():
    value = {"a": [Text("NaN"), "\0"], "b": Text('1, "b": 2')}
    assert dumped(value) == '{"a": [NaN, "\\u0000"], "b": 1, "b": 2}'


class Estimator:
    """Stands for what a file is loaded as."""

    input_shape_ = (2,)
    history_ = "rows"
    classes_ = np.arange(2)

    def get_params(self, deep=False):
        return {}

    def predict(self, X):
        return np.zeros(len(X), int)

    def predict_proba(self, X):
        return np.full((len(X), 2), 0.5)

    def set_params(self, **params):
        return self

    def partial_fit(self, X, y):
        raise ValueError("not now")


def raises(error):
    def method(*args, **kwargs):
        raise error

    return method


def gives(value):
    return lambda *args, **kwargs: value


SENTENCE = "{} can't be loaded: it is cut off."
LOADS = {
    "loaded": lambda path: Estimator(),
    "refused": lambda path: raises(ValueError(SENTENCE.format(path)))(),
    "refused by the last resort": lambda path: raises(
        ValueError(SENTENCE.format(path).replace("cut off", "what does not fit together"))
    )(),
    "refused, not in a sentence": lambda path: raises(ValueError("wrong"))(),
    "another error": lambda path: raises(KeyError("a"))(),
    "too much memory": lambda path: raises(
        ValueError(SENTENCE.format(path).replace("cut off", "large (MemoryError)"))
    )(),
}
BROKEN = {
    "raises": {"predict": raises(IndexError("a"))},
    "length": {"predict": gives(np.zeros(3))},
    "not finite": {"predict_proba": gives(np.full((5, 2), np.nan))},
    "no probabilities": {"predict_proba": gives(np.ones((5, 2)))},
    "can't go on": {"partial_fit": raises(IndexError("a"))},
}


def outcome_of(load, tmp_path):
    subject = Subject(load, b"", np.zeros((5, 2)), np.zeros(5))
    return outcomes.outcome(b"", subject, tmp_path / "file").name


@pytest.mark.parametrize("name", LOADS)
def test_every_outcome_is_told_from_the_others(name, tmp_path, monkeypatch):
    monkeypatch.setattr(outcomes, "clone", lambda estimator: estimator)
    assert outcome_of(LOADS[name], tmp_path) == name
    assert (name in outcomes.HELD) == (name in ("loaded", "refused"))


@pytest.mark.parametrize("methods", BROKEN.values(), ids=BROKEN)
def test_what_does_not_do_its_work_is_broken(methods, tmp_path, monkeypatch):
    monkeypatch.setattr(outcomes, "clone", lambda estimator: estimator)
    for name, method in methods.items():
        monkeypatch.setattr(Estimator, name, method)
    assert outcome_of(lambda path: Estimator(), tmp_path) == "broken"
    monkeypatch.setattr(Estimator, "predict_proba", raises(ValueError("output is not finite")))
    assert "broken" not in outcomes.HELD


def test_bounds_of_time_and_memory_hold(tmp_path, monkeypatch):
    def endless(path):
        while True:
            pass

    monkeypatch.setattr(outcomes, "SECONDS", 0.05)
    assert outcome_of(endless, tmp_path) == "too long"
    monkeypatch.setattr(outcomes, "SECONDS", 20)
    assert outcome_of(lambda path: bytearray(2**30), tmp_path) == "another error"


CHILD = """
import json, os, sys
seed, start, stop = map(int, sys.argv[-3:])
for number in range(start, stop):
    about = {"number": number, "subject": "a", "change": "bytes"}
    print(json.dumps({**about, "outcome": ""}), flush=True)
    if number == 2:
        os.kill(os.getpid(), 11)
    print(json.dumps({**about, "outcome": "refused", "detail": "", "seconds": 0.5}), flush=True)
"""


def test_a_child_that_dies_is_an_outcome_and_another_goes_on(tmp_path, monkeypatch):
    program = tmp_path / "child.py"
    program.write_text(CHILD)
    popen = files.subprocess.Popen

    def of_our_own(command, **kwargs):
        return popen([command[0], str(program), *command[-3:]], **kwargs)

    monkeypatch.setattr(files.subprocess, "Popen", of_our_own)
    found = list(files.watched(0, 5))
    assert [one["outcome"] for one in found] == ["refused"] * 2 + ["crash"] + ["refused"] * 2
    assert found[2]["detail"] == "-11"
    bad = files.run(5, 0, tmp_path / "rows.csv")
    assert [one["number"] for one in bad] == [2]
    assert read(tmp_path / "rows.csv")[-1] == {
        "change": "bytes", "outcome": "refused", "files": "4", "slowest_seconds": "0.50",
    }  # fmt: skip


def test_the_page_says_what_the_rows_say():
    rows = results("reliability_files")
    counts = Counter({(r["change"], r["outcome"]): int(r["files"]) for r in rows})
    assert {r["change"] for r in rows} == set(KINDS) == set(pages.CHANGES)
    head, *_ = table = [pages.files(rows).head, *pages.files(rows).body]
    for change, cells in zip(pages.CHANGES, table[1:], strict=False):
        assert [int(c) for c in cells[1:]] == [counts[change, name] for name in head[1:]]
    told = pages.facts()
    n_files = int(told["n_files"].replace(",", ""))
    assert n_files == sum(counts.values()) == sum(int(cell) for cell in table[-1][1:])
    assert told["n_other"] == "none"
    command = r"Command: ``python -m benchmarks.reliability.files --files (\d+) --seed 0``"
    asked = re.fullmatch(command, pages.command())
    assert int(asked[1]) == n_files
