"""What the README says of the evidence: the text in readme.md, with its numbers and its table."""

from pathlib import Path
from textwrap import fill

from benchmarks.evidence.arms import DECIDING
from benchmarks.evidence.compared import DEFAULT
from benchmarks.evidence.facts import facts
from benchmarks.evidence.tables import SLA, overview

TEXT = Path(__file__).with_name("readme.md")
ARMS = (
    *(DEFAULT, "uniform, views", SLA, f"{SLA}: primary head", f"{SLA}: auxiliary head, upright"),
    *("single, defaults", "single, mean over turns", "turned", "four networks"),
    *("label smoothing", "mixup", "best single, augmented", "turned, augmented"),
    "uniform, views, augmented",
)


def block() -> str:
    """The text between the marks."""
    said = fill(
        TEXT.read_text().format(**facts()), 99, break_long_words=False, break_on_hyphens=False
    )
    return f"{said}\n\n{overview(DECIDING, ARMS).markdown()}"
