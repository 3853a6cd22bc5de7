"""What scikit-learn's diagram of a fitted estimator shows of the fit."""

import re

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._estimators.diagram import about_as_html

pytestmark = pytest.mark.skipif(
    not hasattr(BaseEstimator, "_get_fitted_attr_html"),
    reason="below scikit-learn 1.9 a diagram has no fitted attributes",
)

SUMMARY = "<summary>Fit</summary>"


def quick(cls=MAXLClassifier, **params):
    return cls(**{"max_epochs": 2, "random_state": 0, **params})


def rows(html):
    return dict(re.findall(r'<tr class="default"><td>(.*?)</td><td>(.*?)</td></tr>', html))


@pytest.mark.parametrize("cls", [MAXLClassifier, MAXLRegressor])
def test_a_fitted_estimator_shows_its_fit_and_scikit_learns_own_parts(iris, cls):
    est = quick(cls)
    assert SUMMARY not in est._repr_html_()
    html = est.fit(*iris)._repr_html_()
    assert rows(html) == est.history_.about
    assert "<span>Fitted</span>" in html
    assert "<summary>Fitted attributes</summary>" in html
    assert "<summary>Parameters</summary>" in html
    assert est._repr_mimebundle_()["text/html"].count(SUMMARY) == 1
    assert est._repr_mimebundle_()["text/plain"] == repr(est)


def test_a_pipeline_and_a_search_show_it_once(iris):
    pipe = make_pipeline(StandardScaler(), quick()).fit(*iris)
    assert rows(pipe._repr_html_()) == pipe[-1].history_.about
    search = GridSearchCV(quick(), {"psi": [2, 3]}, cv=2).fit(*iris)
    html = search._repr_html_()
    assert html.count(SUMMARY) == 1
    assert rows(html) == search.best_estimator_.history_.about


def test_text_is_no_markup(iris):
    assert "<b>" not in about_as_html({"<b>": "<b>"})
    names = np.array(["<script>", "a & b", "c"])[iris[1]]
    html = quick().fit(iris[0], names)._repr_html_()
    assert "<script>'" not in html
    assert "&lt;script&gt;" in html  # scikit-learn's line of classes_


def test_the_display_as_text_stays(iris):
    with config_context(display="text"):
        assert not hasattr(quick().fit(*iris), "_repr_html_")
