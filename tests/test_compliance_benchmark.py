"""The compliance tables: they are what the rows say, and the checks behind them can fail."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

FOLDER = Path(__file__).parents[1] / "benchmarks"
OWN = ("_runs", "_tools", "report", "compliance")

NOT_FOR_CLASSIFIERS = {"Pipeline, in the middle", 'set_output("pandas") of its features'}


@pytest.fixture
def load(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    for name in OWN:
        # What a test imports is forgotten after it.
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.delitem(sys.modules, name)
    return importlib.import_module


def test_the_page_is_what_the_rows_say(load):
    compliance = load("compliance")
    text = compliance.PAGE.read_text()
    assert compliance.page(text, compliance.RESULTS / "compliance.csv") == text


def test_the_rows_are_of_all_estimators_checks_and_tools(load):
    compliance = load("compliance")
    rows = compliance.read(compliance.RESULTS / "compliance.csv")
    assert {row["estimator"] for row in rows} == set(compliance.SUBJECTS)
    for name in compliance.SUBJECTS:
        assert sum((r["part"], r["estimator"]) == ("checks", name) for r in rows) > 40
    tools = {(r["estimator"], r["check"]) for r in rows if r["part"] == "table"}
    classifiers = {name for name, subject in compliance.SUBJECTS.items() if subject.grid}
    assert tools == {(name, tool) for name in classifiers for tool in compliance.TOOLS}


class Broken(LogisticRegression):
    """Says the same of every sample, and has an attribute that nobody asked for."""

    def __init__(self, C=1.0):
        super().__init__(C=C)
        self.surprise = 1

    def predict(self, X):
        return np.repeat(self.classes_[:1], len(X))

    def predict_proba(self, X):
        raise RuntimeError("no probabilities")


def statuses(rows):
    return {check: (status, exception) for check, status, exception, _ in rows}


@pytest.mark.filterwarnings("ignore")
def test_a_broken_estimator_fails(load):
    compliance, grid = load("compliance"), {"C": [1.0, 2.0]}
    found = statuses(compliance.checked(Broken))
    assert found["check_no_attributes_set_in_init"] == ("failed", "AssertionError")
    assert {status for status, _ in found.values()} >= {"passed", "failed"}
    tools = statuses(compliance.used(Broken, grid, *compliance.table()))
    assert tools["Pipeline, last"] == ("failed", "AssertionError")
    assert tools["cross_validate, four scores"] == ("failed", "RuntimeError")
    assert {name for name, found in tools.items() if found[0] == "failed"} > NOT_FOR_CLASSIFIERS


@pytest.mark.filterwarnings("ignore")
def test_a_sound_estimator_passes(load):
    compliance, grid = load("compliance"), {"C": [1.0, 2.0]}
    tools = statuses(compliance.used(LogisticRegression, grid, *compliance.table()))
    assert set(tools) == set(compliance.TOOLS)
    assert {name for name, found in tools.items() if found[0] == "failed"} == NOT_FOR_CLASSIFIERS
    rows = statuses(compliance.used(LogisticRegression, grid, *compliance.images()))
    assert rows["GridSearchCV"] == ("failed", "ValueError")  # it takes no images
    assert "ColumnTransformer with categories" not in rows


def test_one_estimator_is_run_anew_and_the_others_are_kept(load, tmp_path, monkeypatch):
    compliance, path = load("compliance"), tmp_path / "compliance.csv"
    runs = []

    def checks(make):
        runs.append(make)
        yield (f"check_{len(runs)}", "passed" if len(runs) < 3 else "failed", "ValueError", "`no`")

    monkeypatch.setattr(compliance, "checked", checks)
    subjects = {name: compliance.Subject("scikit-learn", Broken) for name in "ab"}
    monkeypatch.setattr(compliance, "SUBJECTS", subjects)
    compliance.run(["a", "b"], path)
    compliance.run(["a"], path)
    rows = compliance.read(path)
    assert [(row["estimator"], row["check"]) for row in rows] == [
        ("a", "check_3"),
        ("b", "check_2"),
    ]
    block = compliance.block(path)
    assert "* - ``check_3``\n     - ``ValueError``\n     - –" in block
