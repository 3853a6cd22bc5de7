"""What the command says of a model in its file: where it comes from, and how its columns look."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from .._persistence.json_values import Plain, field
from .texts import WAYS

NUMBERS, CATEGORIES, DATES, LEFT_OUT = "numbers", "categories", "dates", "left out"
KINDS = (NUMBERS, CATEGORIES, DATES, LEFT_OUT)
TASKS = ("classification", "regression")


@dataclass(frozen=True)
class Column:
    """A column of the training file.

    Attributes
    ----------
    name : str
    kind : str
        "numbers", "categories", "dates" or "left out".
    written : str
        How its cells were written, where they were made numbers or dates of text.
    about : str
        What was in it, or why it is left out.
    """

    name: str
    kind: str
    written: str
    about: str


@dataclass(frozen=True)
class Score:
    """How well rows were predicted that were held out.

    Attributes
    ----------
    rows : int
    value : float
        Accuracy, or R2.
    error : float
        Standard error of the accuracy; of numbers, the mean absolute error of a prediction.
    baseline : float
        Accuracy of the most frequent class; of numbers, the mean absolute error of their mean.
    """

    rows: int
    value: float
    error: float
    baseline: float


@dataclass(frozen=True)
class Record:
    """Where a model comes from.

    Attributes
    ----------
    source : str
        Name of the training file.
    rows : int
        That the model was trained on.
    target : str
    written : str
        How the target's cells were written, where numbers were made of text.
    task : str
    seed : int
    columns : list of Column
        In the order of the file, without the target.
    score : Score or None
        None where there were too few rows to hold some out.
    """

    source: str
    rows: int
    target: str
    written: str
    task: str
    seed: int
    columns: list[Column]
    score: Score | None

    @property
    def used(self) -> list[Column]:
        """The columns that the model learned from."""
        return [column for column in self.columns if column.kind != LEFT_OUT]

    def to_plain(self) -> Plain:
        """The record as JSON."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Plain) -> "Record":
        """A record from JSON; a ValueError says what is wrong with it."""
        score = field(plain, "score", dict, None)
        return cls(
            source=field(plain, "source", str),
            rows=_count(plain, "rows"),
            target=field(plain, "target", str),
            written=_one_of(plain, "written", ("", *WAYS)),
            task=_one_of(plain, "task", TASKS),
            seed=_count(plain, "seed"),
            columns=list(map(_column, field(plain, "columns", list))),
            score=None if score is None else _score(score),
        )


def _column(plain: Any) -> Column:
    if type(plain) is not dict:
        raise ValueError("a column in its record is none")
    return Column(
        name=field(plain, "name", str),
        kind=_one_of(plain, "kind", KINDS),
        written=_one_of(plain, "written", ("", *WAYS)),
        about=field(plain, "about", str),
    )


def _score(plain: Plain) -> Score:
    numbers = [field(plain, name, float) for name in ("value", "error", "baseline")]
    if not all(map(math.isfinite, numbers)):
        raise ValueError("the score in its record is not finite")
    return Score(_count(plain, "rows"), *numbers)


def _count(plain: Plain, name: str) -> int:
    number: int = field(plain, name, int)
    if not 0 <= number < 2**63:
        raise ValueError(f"{name!r} in its record is {number}")
    return number


def _one_of(plain: Plain, name: str, known: tuple[str, ...]) -> str:
    text: str = field(plain, name, str)
    if text not in known:
        raise ValueError(f"{name!r} in its record is {text[:60]!r}")
    return text
