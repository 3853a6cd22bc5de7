"""What arrays and tables hold that is no number: found by column, refused with its cure."""

import datetime
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from scipy import sparse

from .._data.arrays import GAPS, is_gap

TIMES = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)
NAMED_AT_MOST = 3

# Names of the types of columns, which tables of pandas, polars and Arrow spell differently.
OF_TIMES = re.compile("date|time|duration|period")
OF_ARRAYS = re.compile("list|array")
OF_CELLS = re.compile("object|str|category|categorical|enum|utf8")


def contents(array: Any) -> dict[str, list[str]]:
    """Which of "dates", "arrays", "text" and "gaps" an array holds, and the columns that do.

    Columns are as one would write them in Python; an array that is no table has one, "".
    Gaps are those that no column of floats can hold: None, pandas' NA and NaT.
    """
    found: dict[str, list[str]] = {}
    for column, dtype, values in _columns(array):
        for kind in _kinds(dtype, values):
            found.setdefault(kind, []).append(column)
    return found


def _columns(array: Any) -> Iterator[tuple[str, Any, Any]]:
    """Name, type and values of what may hold anything but numbers, column by column."""
    if hasattr(array, "columns") and hasattr(array, "dtypes"):
        for i, (name, dtype) in enumerate(zip(array.columns, array.dtypes, strict=True)):
            if _may_hold_anything(dtype):
                values = array.iloc[:, i] if hasattr(array, "iloc") else array[:, i]
                yield repr(name), dtype, values
            else:
                yield repr(name), dtype, ()
        return
    dtype = getattr(array, "dtype", None)
    if dtype is None or not _may_hold_anything(dtype):
        yield "", dtype, ()
        return
    values = np.asarray(array)
    if values.ndim != 2:
        yield "", dtype, values.ravel()
        return
    for j in range(values.shape[1]):
        yield str(j), dtype, values[:, j]


def _plain_type(dtype: Any) -> Any:
    """The type of the categories, where a column has some."""
    return getattr(getattr(dtype, "categories", None), "dtype", dtype)


def _may_hold_anything(dtype: Any) -> bool:
    dtype = _plain_type(dtype)
    return getattr(dtype, "kind", "") in ("O", "U", "S", "T") or bool(
        OF_CELLS.match(str(dtype).lower())
    )


def _kinds(dtype: Any, values: Iterable[Any]) -> set[str]:
    dtype = _plain_type(dtype)
    name = str(dtype).lower()
    if getattr(dtype, "kind", "") in ("M", "m") or OF_TIMES.match(name):
        return {"dates"}
    if OF_ARRAYS.match(name):
        return {"arrays"}
    types = set(map(type, values))  # a few of them, however many values there are
    kinds = {_kind(each) for each in types}
    if any(issubclass(each, str) for each in types) and not all(map(_reads_as_number, values)):
        kinds.add("text")
    return kinds - {""}


def _kind(cell: type) -> str:
    if cell.__name__ in GAPS:  # before dates: pandas' NaT is one
        return "gaps"
    if issubclass(cell, TIMES) or cell.__name__ == "Period":  # of pandas
        return "dates"
    if issubclass(cell, np.ndarray | list | tuple) or (
        hasattr(cell, "__array__") and not issubclass(cell, np.generic)
    ):
        return "arrays"
    return ""


def _reads_as_number(cell: Any) -> bool:
    if not isinstance(cell, str):
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return True


def refuse_what_is_no_number(X: Any, name: str) -> None:
    """Say what to do with dates, text, arrays in cells and gaps in samples."""
    found = contents(X)
    if "dates" in found:
        raise ValueError(
            f"X holds dates or times{_in(found['dates'])}; turn them into numbers first, such as "
            "days since a first date; sklearn_maxl.preprocessing.tabular_pipeline(estimator) does."
        )
    _refuse_arrays(X, "X", found)
    if "text" in found:
        raise ValueError(
            f"X holds text{_in(found['text'])}; encode it first: "
            "sklearn_maxl.preprocessing.tabular_pipeline(estimator) takes tables as they are, "
            "OneHotEncoder is for categories, TfidfVectorizer for sentences (sparse matrices are "
            "accepted)."
        )
    if "gaps" in found:
        raise ValueError(
            f"Input X contains NaN or other missing values{_in(found['gaps'])}, which {name} "
            "does not accept; replace them by np.nan, for instance with X.fillna(np.nan), and put "
            "an imputer such as sklearn.impute.SimpleImputer in front."
        )


def refuse_gaps_and_dates(values: Any, name: str) -> None:
    """Say what to do with dates and missing values among targets or weights."""
    if sparse.issparse(values):
        raise ValueError(f"{name} is sparse; pass {name}.toarray().")
    found = contents(values)
    if "dates" in found:
        raise ValueError(
            f"{name} holds dates or times; make numbers of them, such as days since a first date, "
            "or for classes text."
        )
    _refuse_arrays(values, name, found)
    array = np.asarray(values)
    cells = array.ravel() if array.dtype.kind in ("O", "T") else ()
    if any(map(is_gap, cells)) or (array.dtype.kind == "f" and np.isnan(array).any()):
        raise ValueError(
            f"Input {name} contains NaN or other missing values; leave out these samples, in X too."
        )


def _refuse_arrays(array: Any, name: str, found: dict[str, list[str]]) -> None:
    if "arrays" not in found:
        return
    column = found["arrays"][0]
    cells = f"[:, {column}]" if column else ""
    if hasattr(array, "columns"):
        cells = f"[{column}]"
    raise ValueError(
        f"{name} holds arrays in its cells{_in(found['arrays'])}; make one array of them first, "
        f"with np.stack({name}{cells})."
    )


def refuse_lazy(array: Any, name: str) -> None:
    """Say what to do with a table that polars has not made yet."""
    if type(array).__name__ == "LazyFrame":
        raise ValueError(f"{name} is a LazyFrame; collect() it first: {name}.collect().")


def _in(columns: list[str]) -> str:
    """ " in columns 'a', 'b'"; nothing for an array that is no table."""
    if columns == [""]:
        return ""
    more = ", ..." if len(columns) > NAMED_AT_MOST else ""
    several = "s" if len(columns) > 1 else ""
    return f" in column{several} " + ", ".join(columns[:NAMED_AT_MOST]) + more
