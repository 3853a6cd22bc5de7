"""The compliance tables: they are what the rows say, and the checks behind them can fail."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from benchmarks.common.rows import read, results
from benchmarks.compliance import pages, runs
from benchmarks.compliance.subjects import SUBJECTS, Subject
from benchmarks.compliance.tools import TOOLS, images, table

NOT_FOR_CLASSIFIERS = {"Pipeline, in the middle", 'set_output("pandas") of its features'}


def test_the_rows_are_of_all_estimators_checks_and_tools():
    rows = results("compliance")
    assert {row["estimator"] for row in rows} == set(SUBJECTS)
    for name in SUBJECTS:
        assert sum((r["part"], r["estimator"]) == ("checks", name) for r in rows) > 40
    tools = {(r["estimator"], r["check"]) for r in rows if r["part"] == "table"}
    classifiers = {name for name, subject in SUBJECTS.items() if subject.grid}
    assert tools == {(name, tool) for name in classifiers for tool in TOOLS}


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
def test_a_broken_estimator_fails():
    grid = {"C": [1.0, 2.0]}
    found = statuses(runs.checked(Broken))
    assert found["check_no_attributes_set_in_init"] == ("failed", "AssertionError")
    assert {status for status, _ in found.values()} >= {"passed", "failed"}
    tools = statuses(runs.used(Broken, grid, *table()))
    assert tools["Pipeline, last"] == ("failed", "AssertionError")
    assert tools["cross_validate, four scores"] == ("failed", "RuntimeError")
    assert {name for name, found in tools.items() if found[0] == "failed"} > NOT_FOR_CLASSIFIERS


@pytest.mark.filterwarnings("ignore")
def test_a_sound_estimator_passes():
    grid = {"C": [1.0, 2.0]}
    tools = statuses(runs.used(LogisticRegression, grid, *table()))
    assert set(tools) == set(TOOLS)
    assert {name for name, found in tools.items() if found[0] == "failed"} == NOT_FOR_CLASSIFIERS
    rows = statuses(runs.used(LogisticRegression, grid, *images()))
    assert rows["GridSearchCV"] == ("failed", "ValueError")  # it takes no images
    assert "ColumnTransformer with categories" not in rows


def test_one_estimator_is_run_anew_and_the_others_are_kept(tmp_path, monkeypatch):
    path, calls = tmp_path / "compliance.csv", []

    def checks(make):
        calls.append(make)
        yield (
            f"check_{len(calls)}",
            "passed" if len(calls) < 3 else "failed",
            "ValueError",
            "`no`",
        )

    monkeypatch.setattr(runs, "checked", checks)
    subjects = {name: Subject("scikit-learn", Broken) for name in "ab"}
    monkeypatch.setattr(runs, "SUBJECTS", subjects)
    runs.run(["a", "b"], path)
    runs.run(["a"], path)
    rows = read(path)
    assert [(row["estimator"], row["check"]) for row in rows] == [
        ("a", "check_3"),
        ("b", "check_2"),
    ]
    table = pages.failed_checks(rows).rst()
    assert "* - ``check_3``\n     - ``ValueError``\n     - –" in table
    assert pages.totals(rows).body == [
        ("``a``", rows[0]["version"], "0", "1", "0"),
        ("``b``", rows[1]["version"], "1", "0", "0"),
    ]
