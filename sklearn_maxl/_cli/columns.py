"""How each column of a table is used, for the reader and for the model's file."""

from typing import TYPE_CHECKING

import numpy as np

from ..preprocessing import TableEncoder
from ..preprocessing._columns import as_dates, as_numbers, as_texts, values_of
from .files import Source
from .record import CATEGORIES, DATES, LEFT_OUT, NUMBERS, Column
from .sentences import plural, printable
from .tables import Table
from .texts import YEAR_FIRST

if TYPE_CHECKING:
    import pandas as pd

MOST_LINES = 40
LONGEST = 30
WORDS = {NUMBERS: "number", CATEGORIES: "category", DATES: "date", LEFT_OUT: "left out"}


def columns_of(source: Source, table: Table) -> list[Column]:
    """Kind and content of each column but the target, in the order of the file."""
    found = []
    for name, kind, reason in table.columns:
        if reason:
            found.append(Column(str(name), LEFT_OUT, "", reason))
            continue
        about = {NUMBERS: _numbers, CATEGORIES: _categories, DATES: _dates}[kind](table.X[name])
        found.append(Column(str(name), kind, source.written.get(name, ""), about))
    return found


def preview(columns: list[Column], most: int = MOST_LINES) -> list[list[str]]:
    """A line for each column: name, use, content."""
    lines = [["Column", "used as", "with"]]
    for column in columns[:most]:
        way = "" if column.written == YEAR_FIRST else column.written
        used = WORDS[column.kind] + (f", {way}" if way else "")
        lines.append([short(column.name), used, printable(column.about)])
    if len(columns) > most:
        lines.append([f"and {len(columns) - most} more", "", ""])
    return lines


def short(text: object) -> str:
    """A name that fits into a line."""
    name = printable(text)
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 3]}..."


def _numbers(column: "pd.Series") -> str:
    values = as_numbers(column.name, values_of(column))
    known = values[~np.isnan(values)]
    if not len(known):
        return "no values in the rows that were drawn"
    return f"{known.min():.6g} to {known.max():.6g}{_missing(len(values) - len(known))}"


def _categories(column: "pd.Series") -> str:
    words = as_texts(values_of(column))
    known = words[words == words].astype(str)
    names, counts = np.unique(known, return_counts=True)
    if not len(names):
        return "no values in the rows that were drawn"
    missing = _missing(len(words) - len(known))
    most = TableEncoder().max_categories
    if len(names) + bool(missing) >= most:  # the rare ones are not told, for they may name persons
        return f"{len(names)} categories, the {most - 1} most frequent by themselves{missing}"
    first = ", ".join(short(names[i]) for i in np.argsort(-counts, kind="stable")[:3])
    more = ", ..." if len(names) > 3 else ""
    kinds = "category" if len(names) == 1 else "categories"
    return f"{len(names)} {kinds}: {first}{more}{missing}"


def _dates(column: "pd.Series") -> str:
    values = as_dates(column.name, values_of(column))
    known = values[~np.isnat(values)].astype("datetime64[D]")
    if not len(known):
        return "no values in the rows that were drawn"
    return f"{known.min()} to {known.max()}{_missing(len(values) - len(known))}"


def _missing(count: int) -> str:
    return f"; {count:,} value{plural(count)} missing" if count else ""
