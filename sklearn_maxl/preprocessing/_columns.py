"""The columns of a table as arrays. Neither pandas nor polars is needed, or imported."""

import datetime
from collections.abc import Hashable
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray


def columns_of(X: Any) -> list[tuple[Hashable, Any]]:
    """Names and columns of a data frame of pandas or polars, or of an array."""
    if hasattr(X, "iloc"):  # pandas, where a name may stand for two columns
        return [(name, X.iloc[:, place]) for place, name in enumerate(X.columns)]
    if hasattr(X, "get_columns"):  # polars
        return [(column.name, column) for column in X.get_columns()]
    return [(f"x{place}", column) for place, column in enumerate(np.asarray(X).T)]


def values_of(column: Any) -> np.ndarray:
    """Numbers, truth values, dates or spans of time as NumPy has them; all else as objects.

    A column of objects that are all numbers, or all dates, becomes one of numbers, or dates.
    """
    if hasattr(column, "iloc") and column.dtype.kind == "M":  # with a time zone, objects
        return column.to_numpy(dtype="datetime64[us]")
    values = column.to_numpy() if hasattr(column, "to_numpy") else np.asarray(column)
    if str(column.dtype) == "category":  # whatever the categories are, numbers included
        return values.astype(object)
    if values.ndim > 1:  # polars' arrays and structures
        return _objects([tuple(row) for row in values])
    if values.dtype.kind in "iufbMm":
        return values
    values = values.astype(object)
    types = {type(value) for value in values if not is_missing(value)}
    if types and all(issubclass(t, Real | Decimal | np.bool_) for t in types):
        return np.array([_as_float(v) for v in values])
    if types and all(issubclass(t, datetime.date | np.datetime64) for t in types):
        return np.array([_without_zone(v) for v in values], dtype="datetime64[us]")
    return values


def is_missing(value: object) -> bool:
    """None, NaN, NaT, or pandas' NA, which can't be compared."""
    if value is None or type(value).__name__ == "NAType":
        return True
    return not _is_collection(value) and bool(value != value)


def holds_collections(values: np.ndarray) -> bool:
    """Whether there are lists, arrays or dictionaries in the cells."""
    return values.dtype.kind == "O" and any(map(_is_collection, values))


def _objects(values: list[Any]) -> NDArray[np.object_]:
    """An array of one dimension, whatever the values are."""
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _is_collection(value: object) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str | bytes)


def _as_float(value: Any) -> float:
    try:
        return np.nan if is_missing(value) else float(value)
    except OverflowError:  # a whole number of more than 308 digits
        return np.inf


def _without_zone(value: Any) -> Any:
    """A date; with a time zone, as it is in UTC."""
    if is_missing(value):
        return None
    if getattr(value, "tzinfo", None) is not None:
        return value.astimezone(datetime.UTC).replace(tzinfo=None)
    return value


# The columns of a table as one array. They are functions of modules, so that they can be pickled.


def numbers(X: Any) -> NDArray[np.float64]:
    """Spans of time in days; infinite numbers are missing, since no network can take them."""
    return np.column_stack([as_numbers(name, values_of(c)) for name, c in columns_of(X)])


def as_numbers(name: Hashable, values: np.ndarray) -> NDArray[np.float64]:
    if values.dtype.kind == "m":
        values = values / np.timedelta64(1, "D")
    elif values.dtype.kind == "O":
        values = np.where([is_missing(v) for v in values], np.nan, values)
    if values.dtype.kind == "M":
        raise ValueError(f"X holds dates in column {name!r}, which held numbers in fit.")
    try:
        values = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"X holds other things than numbers in column {name!r}, which held numbers in fit: "
            f"{error}."
        ) from error
    return np.where(np.isfinite(values), values, np.nan)


def texts(X: Any) -> NDArray[np.object_]:
    """Everything as text; NaN where a value is missing."""
    return np.column_stack([as_texts(values_of(column)) for _, column in columns_of(X)])


def as_texts(values: np.ndarray) -> NDArray[np.object_]:
    return _objects([np.nan if is_missing(value) else _as_text(value) for value in values])


def _as_text(value: object) -> str:
    """2.0 as "2": with a gap in a column, its whole numbers become fractions."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def dates(X: Any) -> NDArray[np.datetime64]:
    """Microseconds since 1970, in UTC where there are time zones."""
    return np.column_stack([as_dates(name, values_of(c)) for name, c in columns_of(X)])


def as_dates(name: Hashable, values: np.ndarray) -> NDArray[np.datetime64]:
    nothing = values.dtype.kind in "Of" and all(is_missing(value) for value in values)
    if nothing:
        return np.full(len(values), np.datetime64("NaT"), dtype="datetime64[us]")
    if values.dtype.kind != "M":
        raise ValueError(
            f"X holds no dates in column {name!r}, which held dates in fit, but "
            f"{values[0]!r}; convert it, for instance with pandas.to_datetime."
        )
    return values.astype("datetime64[us]")
