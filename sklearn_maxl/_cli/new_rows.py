"""The rows of a new file, with the columns that a model was trained on.

Columns are found by their names and read as those of the training file were: what is a number, a
text or a date there is one here, and a date has its day where it had it there.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._environment.similar_names import did_you_mean
from ..preprocessing._columns import as_dates, as_numbers, values_of
from ..preprocessing._kinds import IDENTIFIER, named_as_identifier
from .files import (
    Format,
    Written,
    column_named,
    find_column,
    is_parquet,
    read_parquet,
    read_text,
    words_of,
)
from .model import Model
from .record import CATEGORIES, DATES, NUMBERS, Column
from .sentences import TableError, plural, printable, shown
from .texts import DATE, WAYS, WITH_COMMA, dates, decimals, is_text

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class NewRows:
    """What a model is to predict.

    Attributes
    ----------
    X : DataFrame
        The columns that the model learned from, in its order and with its names.
    passed_on : DataFrame
        Columns for the output, as they stand in the file.
    target : Series or None
        The model's target, as it stands in the file, if it is there.
    file : Written or None
        How the file is written; None for Parquet.
    """

    X: "pd.DataFrame"
    passed_on: "pd.DataFrame"
    target: "pd.Series | None"
    file: Written | None


def read_new(path: str, form: Format, model: Model, keep: list[str], notes: list[str]) -> NewRows:
    """The rows of a file, checked; `notes` says what was decided."""
    used = [column for column in model.columns if column.kind in (NUMBERS, CATEGORIES, DATES)]
    file = None if is_parquet(path) else read_text(path, form)
    if file is None:
        frame = words = read_parquet(path)
    else:
        names = file.parse([], nrows=0, dtype=str).columns
        places = _places(path, used, names)
        frame = file.parse(notes, decimal=file.point, dtype=_as_text(used, places, names, file))
        words = words_of(file, list(range(len(names))))
    if frame.empty:
        raise TableError(f"{path} has a header, but no rows.")
    places = _places(path, used, frame.columns)
    target = None if model.record is None else find_column(model.record.target, frame.columns)
    passed_on = _passed_on(model, keep, frame.columns, {*places.values(), target})
    _note_unknown(model, frame.columns, {*places.values(), target, *passed_on}, notes)
    X = _converted(used, frame[[places[column.name] for column in used]], file)
    _note_new_categories(X, model.categories(), notes)
    return NewRows(X, words[passed_on], None if target is None else words[target], file)


# Columns by name


def _places(path: str, used: list[Column], names: Iterable[str]) -> dict[str, str]:
    """The file's own name of each column that the model learned from."""
    names = list(names)
    found = {column.name: find_column(column.name, names) for column in used}
    missing = [name for name, own in found.items() if own is None]
    if missing:
        count = f"{len(missing)} column{plural(len(missing))}"
        hint = did_you_mean(missing[0], names) or f" Its columns are: {shown(names)}."
        listed = shown(map(printable, missing))
        raise TableError(
            f"{path} lacks {count} that the model learned from: {listed}.{printable(hint)}"
        )
    return {name: own for name, own in found.items() if own is not None}


def _as_text(
    used: list[Column], places: dict[str, str], names: Iterable[str], file: Written
) -> dict[Any, type]:
    """The columns that pandas must not take for numbers."""
    names = list(names)
    own = [places[c.name] for c in used if c.kind == CATEGORIES or c.written]
    return {name if file.header else names.index(name): str for name in own}


def _passed_on(
    model: Model, keep: list[str], names: Iterable[str], taken: set[str | None]
) -> list[str]:
    """The columns for the output: those that were asked for, or else identifiers."""
    names = list(names)
    if keep:
        return [column_named(name, names) for name in keep]
    known = {column.name for column in model.columns if column.about == IDENTIFIER}
    return [n for n in names if n not in taken and (n in known or named_as_identifier(n))]


def _note_unknown(
    model: Model, names: Iterable[str], used: set[str | None], notes: list[str]
) -> None:
    known = [column.name for column in model.columns]
    others = [n for n in names if n not in used and find_column(n, known) is None]
    if others:
        columns = f"column{plural(len(others))}"
        listed = shown(map(printable, others))
        notes.append(f"{columns} that the model does not know, ignored: {listed}")


# Cells


def _converted(used: list[Column], frame: "pd.DataFrame", file: Written | None) -> "pd.DataFrame":
    """The columns with the model's names, and of the kinds that they had in training."""
    wrong = []
    frame = frame.copy(deep=False)
    frame.columns = [column.name for column in used]
    for column in used:
        try:
            frame[column.name] = _column(column, frame[column.name], file)
        except ValueError as error:
            wrong.append(f"{printable(repr(column.name))} {printable(error)}")
    if wrong:
        more = f"; and {len(wrong) - 3} more columns" if len(wrong) > 3 else ""
        raise TableError(f"{'; '.join(wrong[:3])}{more}.")
    return frame


def _column(column: Column, cells: "pd.Series", file: Written | None) -> "pd.Series":
    """Cells as they were in training; a ValueError says what they are instead."""
    import pandas as pd

    if column.kind == CATEGORIES:
        return cells
    if not is_text(cells):
        check = as_numbers if column.kind == NUMBERS else as_dates
        try:
            check(column.name, values_of(cells))
        except ValueError as error:
            others = "dates" if column.kind == NUMBERS else "numbers"
            raise ValueError(
                f"held {column.kind} in the training file, and holds {others} or other things here"
            ) from error
        return cells
    if column.kind == NUMBERS:
        found = decimals(cells) if file is not None and file.comma else None
        if found is None:
            found = pd.to_numeric(cells, errors="coerce")
        bad = cells[found.isna() & cells.notna()]
        said = "held numbers in the training file"
    else:
        way = column.written if column.written in WAYS and column.written != WITH_COMMA else ""
        found, _ = dates(cells, way, day_first=file is not None and file.comma)
        if found is not None:
            return found
        bad = cells[cells.notna() & ~cells.fillna("").str.strip().str.fullmatch(DATE)]
        bad = cells[cells.notna()] if bad.empty else bad
        said = f"held dates{f', the {way},' if way else ''} in the training file"
    if len(bad):
        raise ValueError(
            f"{said}, and holds {str(bad.iloc[0])[:40]!r} in row {bad.index[0] + 1} here"
        )
    return found


def _note_new_categories(
    X: "pd.DataFrame", categories: dict[str, list[str]], notes: list[str]
) -> None:
    """Tell of columns in which nothing is known."""
    for name, known in categories.items():
        cells = X[name].dropna().astype(str)
        if len(cells) and not cells.isin(known).any():
            first = printable(repr(cells.iloc[0]))
            notes.append(
                f"{printable(repr(name))} holds none of the categories of the training file, but "
                f"others, such as {first}"
            )
