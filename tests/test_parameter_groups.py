"""The page of an estimator has a heading before each group of its parameters."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

from sklearn_maxl import MAXLClassifier, MAXLRegressor

pytest.importorskip("sphinx")
from numpydoc.docscrape_sphinx import SphinxDocString

DOCS = Path(__file__).parents[1] / "docs"
GROUPS = ["Task", "Auxiliary labels", "Training", "Running"]


@pytest.mark.parametrize("estimator", [MAXLClassifier, MAXLRegressor])
def test_each_group_has_its_heading_and_no_parameter_is_lost(estimator, monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    with_headings = importlib.import_module("_parameters").with_headings
    lines = str(SphinxDocString(inspect.getdoc(estimator))).splitlines()
    page = with_headings(lines)
    headings = [line.split(":: ")[1] for line in page if ".. rubric:: " in line]
    assert [name for name in headings if name in GROUPS] == GROUPS

    names = re.compile(r"^ {4}\*\*(\w+)\*\* : ", re.MULTILINE)
    of_page, of_docstring = (names.findall("\n".join(text)) for text in (page, lines))
    assert of_page == of_docstring
    assert of_page[: len(inspect.signature(estimator).parameters)] == [
        *inspect.signature(estimator).parameters
    ]
    text = "\n".join(page)
    assert "**Training.**" not in text
    first = text.index(".. rubric:: Training\n")
    assert first < text.index("**optimizer** : ") < text.index(".. rubric:: Running\n")
    assert text.index(".. rubric:: Auxiliary labels\n") < text.index("**psi** : ") < first


def test_a_list_without_groups_stays_as_it_is(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    with_headings = importlib.import_module("_parameters").with_headings
    lines = ["A text.", "", ":Parameters:", "", "    **a** : int", "        A **bold** number."]
    assert with_headings(lines) == lines
