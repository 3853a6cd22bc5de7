"""What columns of text hold: numbers with a decimal comma, dates, nearly numbers."""

from typing import TYPE_CHECKING

from .sentences import plural, shown

if TYPE_CHECKING:
    import pandas as pd

DECIMAL_COMMA = r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?(?:[eE][+-]?\d+)?"
THOUSANDS = r"[+-]?[1-9]\d{0,2}(?:,\d{3})+"
DATE = (
    r"(?:(?P<year>\d{4})[-/.](?P<second>\d{1,2})[-/.](?P<third>\d{1,2})"
    r"|(?P<one>\d{1,2})(?P<mark>[-/.])(?P<two>\d{1,2})[-/.](?P<last>\d{4}))(?P<time>[ T]\d.*)?"
)
SIGNS_WITH_NUMBERS = r"[\s'%$€£¥]|,(?=\d{3}(?!\d))"
MOST_CELLS = 0.8
"""Share of cells that are like numbers, for a column that is meant to hold some."""

# How the cells of a column are written.
WITH_COMMA, DAY_FIRST, MONTH_FIRST, YEAR_FIRST = (
    "decimal comma", "day first", "month first", "year first",
)  # fmt: skip
WAYS = (WITH_COMMA, DAY_FIRST, MONTH_FIRST, YEAR_FIRST)


def is_text(column: "pd.Series") -> bool:
    """Whether all values are text; missing ones are not counted."""
    from pandas.api.types import infer_dtype

    return infer_dtype(column, skipna=True) == "string"


def convert(
    frame: "pd.DataFrame", decimal_comma: bool, notes: list[str]
) -> tuple["pd.DataFrame", dict[str, str]]:
    """Numbers and dates of the columns of text, and how each of those is written.

    `notes` says what was done, or might be wrong.
    """
    found: dict[str, list[str]] = {"dates": [], "numbers with a decimal comma": []}
    written: dict[str, str] = {}
    out = frame.copy(deep=False)
    for place, name in enumerate(frame.columns):
        column = frame.iloc[:, place]
        if not is_text(column):
            continue
        values = decimals(column) if decimal_comma else None
        kind, way = "numbers with a decimal comma", WITH_COMMA
        if values is None:
            values, way = dates(column, day_first=decimal_comma)
            kind = "dates"
        if values is not None:
            out[name], written[name] = values, way
            found[kind].append(name)
        elif doubt := nearly_numbers(column):
            notes.append(f"{name!r} {doubt}")
    for kind, names in found.items():
        if names:
            notes.append(f"column{plural(len(names))} of {kind}: {shown(names)}")
    return out, written


def decimals(column: "pd.Series") -> "pd.Series | None":
    """The numbers, if all cells are numbers with a decimal comma, or may be."""
    import pandas as pd

    words = column.str.strip()
    if not words.dropna().str.fullmatch(DECIMAL_COMMA).all():
        return None
    plain = words.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    return pd.to_numeric(plain).astype(float)


def dates(column: "pd.Series", way: str = "", day_first: bool = False) -> tuple[
    "pd.Series | None", str
]:  # fmt: skip
    """The dates, if all cells are dates in one way of writing, and that way.

    Where the year comes last, the month is first if all cells allow it; with dots between, or
    with `day_first`, it is the day if all cells allow it. `way` leaves no choice.
    """
    words = column.str.strip()
    parts = words.str.extract(f"^{DATE}$")
    if (parts["mark"].isna() & parts["year"].isna() & words.notna()).any() or words.isna().all():
        return None, ""
    if parts["mark"].isna().all():
        return _joined(words, parts["year"], parts["second"], parts["third"], parts), YEAR_FIRST
    day_first = day_first or bool((parts["mark"] == ".").any())
    ways = [DAY_FIRST, MONTH_FIRST] if day_first else [MONTH_FIRST, DAY_FIRST]
    for one in [way] if way in ways else ways:
        month, day = ("one", "two") if one == MONTH_FIRST else ("two", "one")
        months, days = (
            parts[name].fillna(parts[other]) for name, other in ((month, "second"), (day, "third"))
        )
        found = _joined(words, parts["year"].fillna(parts["last"]), months, days, parts)
        if found is not None:
            return found, one
    return None, ""


def _joined(
    words: "pd.Series", years: "pd.Series", months: "pd.Series", days: "pd.Series",
    parts: "pd.DataFrame",
) -> "pd.Series | None":  # fmt: skip
    """Dates of their parts; None if there is no such day."""
    import pandas as pd

    texts = years + "-" + months.str.zfill(2) + "-" + days.str.zfill(2) + parts["time"].fillna("")
    for form in ("ISO8601", "mixed"):
        try:
            found = pd.to_datetime(texts.where(words.notna()), utc=True, format=form)
        except ValueError:
            continue
        return found.dt.tz_localize(None)
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
