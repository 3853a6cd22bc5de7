"""What the README says of the evidence: the text in readme.md, with its numbers and its table."""

from pathlib import Path
from textwrap import fill

from benchmarks.evidence.arms import UNTUNED_IMAGES
from benchmarks.evidence.facts import facts
from benchmarks.evidence.tables import overview

TEXT = Path(__file__).with_name("readme.md")


def block() -> str:
    """The text between the marks."""
    parts = TEXT.read_text().format(**facts()).split("\n\n")
    said = [fill(part, 99, break_long_words=False, break_on_hyphens=False) for part in parts]
    return "\n\n".join([*said, overview(UNTUNED_IMAGES).markdown()])
