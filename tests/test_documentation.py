"""The "?" of the HTML representation."""

import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._estimators import documentation
from sklearn_maxl._estimators.documentation import VARIABLE

ESTIMATORS = [MAXLClassifier, MAXLRegressor]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_question_mark_leads_to_the_page_of_the_estimator(estimator, monkeypatch):
    monkeypatch.setenv(VARIABLE, "https://docs.example/maxl/")
    page = f"https://docs.example/maxl/generated/sklearn_maxl.{estimator.__name__}.html"
    assert f'href="{page}"' in estimator()._repr_html_()
    assert f'href="{page}"' in make_pipeline(StandardScaler(), estimator())._repr_html_()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_without_an_address_there_is_no_link(estimator, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(documentation, "_project_url", lambda label: "")
    assert estimator()._get_doc_link() == ""
    assert "href" not in estimator()._repr_html_()


def test_the_address_can_come_from_the_metadata(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(
        documentation, "metadata", lambda name: Metadata(["Documentation, https://a.example/b/"])
    )
    assert documentation.documentation_url() == "https://a.example/b"
    monkeypatch.setattr(documentation, "metadata", lambda name: Metadata(None))
    assert documentation.documentation_url() == ""


class Metadata:
    def __init__(self, entries):
        self.entries = entries

    def get_all(self, name):
        assert name == "Project-URL"
        return self.entries


def test_a_class_of_ones_own_has_no_page(monkeypatch):
    monkeypatch.setenv(VARIABLE, "https://docs.example")
    own = type("Own", (MAXLClassifier,), {"__module__": "elsewhere"})
    assert own()._get_doc_link() == ""
