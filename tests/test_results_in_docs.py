"""What the pages show of the measurements: a CSV in, the table out; and nothing is forgotten."""

import importlib
import re
from io import StringIO
from pathlib import Path

import pytest

from benchmarks.common import rows

pytest.importorskip("sphinx")
pytest.importorskip("matplotlib")

from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

DOCS = Path(__file__).parents[1] / "docs"
USED = {
    "TABLES": r"^\.\. results:: (\S+)$",
    "FIGURES": r"^\.\. results-figure:: (.+)$",
    "FACTS": r":result:`(\S+)`",
}


@pytest.fixture
def extension(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    module = importlib.import_module("_results")
    module.known("TABLES")  # imports what knows the folder of the rows, before a test has another
    return module


@pytest.fixture
def build(extension, tmp_path):
    """A function that builds a page of one text; it returns the page and what Sphinx said."""

    def page(text):
        source, out, said = tmp_path / "docs", tmp_path / "out", StringIO()
        source.mkdir(exist_ok=True)
        (source / "index.rst").write_text(f"Page\n====\n\n{text}\n")
        with docutils_namespace():
            app = Sphinx(
                source, None, out, tmp_path / "doctrees", "html", {"extensions": ["_results"]},
                status=None, warning=said,
            )  # fmt: skip
            app.build()
        return (out / "index.html").read_text(), said.getvalue()

    return page


def test_a_csv_goes_in_and_its_table_comes_out(build, tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "RESULTS", tmp_path)
    (tmp_path / "hidden_clusters.csv").write_text(
        "# a machine\nsetting,seed,agreement,accuracy,label_entropy,seconds\n"
        "default,0,0.1,0.9,1.0,2\ndefault,1,0.3,1.0,0.5,2\nrandom labels,0,0.0,,,\n"
    )
    page, said = build("Before.\n\n.. results:: studies.hidden_clusters\n\nAfter.")
    assert said == ""
    page = page.replace("\N{NO-BREAK SPACE}", "_")
    cells = re.findall(r"<t[hd][^>]*>(?:<p>)?(.*?)(?:</p>)?\n?</t[hd]>", page)
    assert cells == [
        *("setting", "agreement", "entropy of a label", "accuracy in %"),
        *("default", "0.20_±_0.10", "0.75", "95.00_±_5.00"),
        *("random labels", "0.00_±_nan", "", ""),
    ]
    assert page.index("Before.") < page.index("<table") < page.index("After.")


def test_headings_of_a_section_are_those_of_the_page(build):
    page, said = build("Part\n----\n\n.. results:: speed.import.cpu\n\nNext\n----\n\nText.")
    assert said == ""
    headings = re.findall(r"<h(\d)>(.*?)<", page)
    assert headings[:2] == [("1", "Page"), ("2", "Part")]
    assert headings[2][0] == "3"
    assert "ratios to import torch" in headings[2][1]
    assert headings[3] == ("2", "Next")


def test_a_figure_is_drawn_and_a_number_said(build, tmp_path):
    page, said = build(
        ".. results-figure:: speed.import.cpu\n   :alt: in words\n\n   A caption.\n\n"
        ":result:`speed.reached` of :result:`speed.goals`."
    )
    assert said == ""
    assert 'alt="in words"' in page
    assert "A caption." in page
    assert re.search(r"<p>\d+ of \d+\.</p>", page)
    for theme in ("light", "dark"):
        assert f'class="only-{theme}"' in page
        assert (tmp_path / "out" / "_images" / f"speed_import_cpu_0_{theme}.svg").exists()


def test_two_figures_stand_side_by_side_with_one_caption(build):
    page, said = build(".. results-figure:: peers.beside_others evidence.summary\n\n   A caption.")
    assert said == ""
    assert page.count("<figure") == page.count("A caption.") == 1
    names = re.findall(r"_images/(\w+)_light\.svg", page)
    assert names == ["peers_beside_others_0", "peers_beside_others_1", "evidence_summary_0"]


@pytest.mark.parametrize(
    ("text", "example"),
    [
        (".. results:: {}", "studies.few_labels"),
        (".. results-figure:: {}", "evidence.ranks_tables"),
        (":result:`{}`", "evidence.machine"),
    ],
)
def test_an_unknown_name_is_told_with_the_known_ones(build, text, example):
    _, said = build(text.format("studies.no_such"))
    assert "index.rst:4: ERROR: No results 'studies.no_such'; there are " in said
    assert example in said


@pytest.mark.parametrize("kind", USED)
def test_every_name_stands_on_a_page_and_every_name_on_a_page_is_known(extension, kind):
    pages = "\n".join(path.read_text() for path in sorted(DOCS.glob("*.rst")))
    used = " ".join(re.findall(USED[kind], pages, re.MULTILINE)).split()
    assert set(used) == set(extension.known(kind))
    if kind == "TABLES":
        assert len(used) == len(set(used))


def test_no_table_of_results_is_kept_in_git_as_text():
    for name in ("speed", "evidence", "peers", "choosing", "compliance"):
        assert "list-table" not in (DOCS / f"{name}.rst").read_text()
