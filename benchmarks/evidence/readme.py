"""What the README says of the evidence: the text in readme.md, with its numbers and its table."""

from pathlib import Path
from textwrap import fill

from benchmarks.common.means import mean_and_error
from benchmarks.common.tables import Table
from benchmarks.evidence.arms import DECIDING
from benchmarks.evidence.compared import BEST, DEFAULT, difference, scores, there, title
from benchmarks.evidence.facts import facts

README = Path(__file__).parents[2] / "README.md"
TEXT = Path(__file__).with_name("readme.md")
MARKS = (
    "<!-- evidence: written by python -m benchmarks.evidence readme -->",
    "<!-- end of evidence -->",
)
ARMS = (
    *("maxl (default)", "uniform, views", "maxl, no views", "uniform", "label smoothing"),
    *("mixup", "turned", "two networks"),
)


def table() -> Table:
    """Differences to the best plain network on the deciding sets."""
    keys = there(DECIDING, DEFAULT, BEST)
    body = [
        (arm, *(mean_and_error(difference(key, arm, BEST), sign="+") for key in keys))
        for arm in ARMS
        if there(keys, arm) == keys
    ]
    plain = [mean_and_error(scores(key, BEST)) for key in keys]
    return Table(
        ("minus the best plain network, points", *map(title, keys)),
        [*body, ("*accuracy of the best plain network, %*", *plain)],
    )


def block() -> str:
    """The text between the marks."""
    said = fill(
        TEXT.read_text().format(**facts()), 99, break_long_words=False, break_on_hyphens=False
    )
    return f"{said}\n\n{table().markdown()}"


def renewed(readme: str) -> str:
    """A README with the block written anew."""
    before, rest = readme.split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    return f"{before}{MARKS[0]}\n\n{block()}\n\n{MARKS[1]}{after}"


def write() -> None:
    """Write the block of the README anew."""
    README.write_text(renewed(README.read_text()))
