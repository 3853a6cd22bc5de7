"""What the page "From a file to predictions" shows is what the command writes."""

import itertools
import re
from pathlib import Path

import scripts

DOCS = Path(__file__).parents[1] / "docs"


def words(text):
    """A session without its numbers, and without what depends on them."""
    text = re.sub(r" \(\d+ and \d+ tried\)", "", text)
    text = re.sub(r"\b(yes|no),", "class,", re.sub(r"\d[\d.+a-z]*", "0", text))
    return " ".join(text.split())


def test_the_session_is_up_to_date(tmp_path):
    """With one epoch: the numbers are another machine's anyway."""
    module = scripts.load(DOCS / "_command.py")
    now, shown = module.session(tmp_path, "--epochs", "1"), module.SESSION.read_text("utf-8")
    assert words(now).replace("0 epoch,", "0 epochs,") == words(shown)
    assert "epochs (" in shown


def test_the_page_includes_all_of_the_session():
    page = (DOCS / "command.rst").read_text("utf-8")
    parts = re.findall(r"^\[(\w+)\]$", (DOCS / "command.txt").read_text("utf-8"), re.M)
    starts = re.findall(r":start-after: \[(\w+)\]\n +:end-before: \[(\w+)\]", page)
    assert sorted(starts) == sorted(itertools.pairwise(parts))
