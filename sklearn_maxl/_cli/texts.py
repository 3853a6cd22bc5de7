"""What columns of text hold: numbers with a decimal comma, dates, nearly numbers."""

import warnings
from typing import TYPE_CHECKING

from .sentences import plural, shown

if TYPE_CHECKING:
    import pandas as pd

DECIMAL_COMMA = r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?(?:[eE][+-]?\d+)?"
THOUSANDS = r"[+-]?[1-9]\d{0,2}(?:,\d{3})+"
DATE = r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})(?:[ T]\d.*)?"
SIGNS_WITH_NUMBERS = r"[\s'%$€£¥]|,(?=\d{3}(?!\d))"
MOST_CELLS = 0.8
"""Share of cells that are like numbers, for a column that is meant to hold some."""


def is_text(column: "pd.Series") -> bool:
    """Whether all values are text; missing ones are not counted."""
    from pandas.api.types import infer_dtype

    return infer_dtype(column, skipna=True) == "string"


def convert(frame: "pd.DataFrame", decimal_comma: bool, notes: list[str]) -> "pd.DataFrame":
    """Numbers and dates of the columns of text; `notes` says what was done, or might be wrong."""
    found: dict[str, list[str]] = {"dates": [], "numbers with a decimal comma": []}
    out = frame.copy(deep=False)
    for place, name in enumerate(frame.columns):
        column = frame.iloc[:, place]
        if not is_text(column):
            continue
        values = _decimals(column) if decimal_comma else None
        kind = "numbers with a decimal comma"
        if values is None:
            values, kind = _dates(column), "dates"
        if values is not None:
            out[name] = values
            found[kind].append(name)
        elif doubt := nearly_numbers(column):
            notes.append(f"{name!r} {doubt}")
    for kind, names in found.items():
        if names:
            notes.append(f"column{plural(len(names))} of {kind}: {shown(names)}")
    return out


def _decimals(column: "pd.Series") -> "pd.Series | None":
    """The numbers, if all cells are numbers with a decimal comma, or may be."""
    import pandas as pd

    words = column.str.strip()
    if not words.dropna().str.fullmatch(DECIMAL_COMMA).all():
        return None
    plain = words.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    return pd.to_numeric(plain).astype(float)


def _dates(column: "pd.Series") -> "pd.Series | None":
    """The dates, if all cells are dates in one way of writing, a month before its day first."""
    import pandas as pd

    words = column.str.strip()
    if not words.dropna().str.fullmatch(DATE).all():
        return None
    for form in ({}, {"format": "ISO8601"}, {"dayfirst": True}):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the order of day and month: told in a note
            try:
                return pd.to_datetime(words, utc=True, **form).dt.tz_localize(None)
            except ValueError:
                continue
    return None


def nearly_numbers(column: "pd.Series") -> str:
    """What most cells look like, if that is numbers."""
    import pandas as pd

    words = column.dropna().str.strip()
    like_decimals = words.str.fullmatch(DECIMAL_COMMA)
    commas = words[words.str.contains(",", regex=False)]
    if like_decimals.mean() >= MOST_CELLS and not commas.str.fullmatch(THOUSANDS).all():
        others = words[~like_decimals]
        if others.empty:
            return "looks like numbers with a decimal comma (--decimal comma)"
        return f"looks like numbers with a decimal comma, but {_such_as(others)}"
    bare = words.str.replace(SIGNS_WITH_NUMBERS, "", regex=True)
    if pd.to_numeric(bare, errors="coerce").notna().mean() < MOST_CELLS:
        return ""
    others = words[pd.to_numeric(words, errors="coerce").isna()]
    return f"looks like numbers, but {_such_as(others)}"


def _such_as(others: "pd.Series") -> str:
    cells = f"{len(others)} cell{plural(len(others))}"
    are = "is" if len(others) == 1 else "are"
    return f"{cells} {are} not, such as {others.iloc[0]!r}; it is taken for text"
