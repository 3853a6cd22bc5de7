"""A table in a file, and what can be learned from it: columns, target, task.

Whatever is wrong with a file is a `TableError`, one sentence for the person who wrote
the command. What was decided for that person is in `notes`, to be shown.
"""

import bz2
import csv
import difflib
import gzip
import io
import lzma
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " "}
OPENERS: dict[str, Callable[..., IO[str]]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
MOST_CLASSES_OF_INTEGERS = 20
MOST_CATEGORIES = 20


class TableError(ValueError):
    """What is wrong with a file or with the choice of its columns."""


@dataclass
class Table:
    """Samples, target and what was decided on the way."""

    X: "pd.DataFrame"
    y: np.ndarray
    task: str
    notes: list[str] = field(default_factory=list)


# Reading


def read(path: str, separator: str = "auto") -> "pd.DataFrame":
    """A data frame from a CSV or Parquet file."""
    file = Path(path)
    if file.is_dir():
        raise TableError(f"{path} is a folder; give a CSV or Parquet file in it.")
    if not file.exists():
        names = [p.name for p in file.parent.iterdir()] if file.parent.is_dir() else []
        raise TableError(f"there is no file {path}.{near(file.name, names)}")
    if file.stat().st_size == 0:
        raise TableError(f"{path} is empty.")
    with file.open("rb") as stream:
        start = stream.read(1 << 16)
    if start[:4] == b"PAR1" or file.suffix.lower() in {".parquet", ".pq"}:
        return _read_parquet(path)
    if start[:4] == b"PK\x03\x04":
        raise TableError(f"{path} is a spreadsheet or an archive; save the table as CSV.")
    if file.suffix.lower() not in OPENERS:
        if b"\0" in start:
            raise TableError(f"{path} is not a text file; save the table as CSV in UTF-8.")
        if not start.strip():
            raise TableError(f"{path} is empty.")
    return _read_csv(path, separator)


def _read_parquet(path: str) -> "pd.DataFrame":
    import pandas as pd

    try:
        frame = pd.read_parquet(path)
    except ImportError as error:
        raise TableError(
            "reading Parquet needs pyarrow, which is not installed: pip install pyarrow, "
            "or save the table as CSV."
        ) from error
    except Exception as error:  # pyarrow's own kinds
        raise TableError(f"{path} can't be read as Parquet: {_one_line(error)}") from error
    return frame.rename(columns=str)


def _read_csv(path: str, separator: str) -> "pd.DataFrame":
    import pandas as pd

    opener = OPENERS.get(Path(path).suffix.lower(), open)
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            text = file.read().lstrip("\r\n")
        mark = SEPARATORS.get(separator, separator)
        if separator == "auto":
            mark = _find_separator(text)
        names = next(csv.reader(io.StringIO(text), delimiter=mark), [])
        twice = [name for name, count in Counter(names).items() if count > 1 and name]
        if twice:
            raise TableError(f"{path} has two columns called {twice[0]!r}; rename one of them.")
        with warnings.catch_warnings():
            # More values than names would be cut off.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                io.StringIO(text), sep=mark, na_values=["?"], index_col=False, low_memory=False
            )
    except TableError:
        raise
    except UnicodeError as error:
        raise TableError(f"{path} is not UTF-8 text; save the table as CSV in UTF-8.") from error
    except (
        pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError, csv.Error,
        TypeError, EOFError, lzma.LZMAError,
    ) as error:  # fmt: skip
        raise TableError(f"{path} can't be read as CSV: {_one_line(error)}") from error
    except OSError as error:
        raise TableError(f"{path} can't be read: {_one_line(error)}") from error


def _find_separator(text: str) -> str:
    """The one that cuts the first lines into most columns, the same number in all."""
    head = io.StringIO("\n".join(text.splitlines()[:30]))
    best, most = ",", 1
    for mark in ",;\t|":
        head.seek(0)
        widths = [len(row) for row in csv.reader(head, delimiter=mark) if row]
        if widths and min(widths) == max(widths) > most:
            best, most = mark, widths[0]
    return best


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".") + "."


def near(name: str, names: Iterable[str]) -> str:
    """ " Did you mean ...?" where there are names like it."""
    names = list(names)
    folded = {n.casefold(): n for n in names}
    found = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(folded[f]) for f in found)}?" if found else ""


# Columns


def prepare(
    frame: "pd.DataFrame",
    target: str,
    task: str = "auto",
    drop: Iterable[str] = (),
    max_rows: int = 5000,
    n_folds: int = 2,
    random_state: int = 0,
) -> Table:
    """Samples and target of a data frame."""
    notes: list[str] = []
    if frame.empty and len(frame.columns):
        raise TableError("the table has a header, but no rows.")
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise TableError(f"there are two columns called {twice[0]!r}; rename one of them.")
    for name in (target, *drop):
        if name not in frame.columns:
            raise TableError(f"there is no column {name!r}.{_hint_of_columns(name, frame.columns)}")
    if target in drop:
        raise TableError(f"the target {target!r} can't be left out as well.")
    frame = frame.drop(columns=list(drop))
    missing = int(frame[target].isna().sum())
    if missing == len(frame):
        raise TableError(f"the target {target!r} has no values in any of its {len(frame)} rows.")
    if missing:
        frame = frame[frame[target].notna()]
        notes.append(f"{missing} row{_plural(missing)} without a target left out")
    y, task = _target(frame[target], task, notes)
    X = _features(frame.drop(columns=target), notes)
    if task == "classification":
        common = _of_common_classes(y, n_folds, max_rows, notes)
        X, y = X[common], y[common]
    if len(y) > max_rows:
        notes.append(f"{max_rows:,} of {len(y):,} rows drawn at random (--max-rows)")
        labels = y if task == "classification" else np.zeros(len(y))
        drawn = _draw_rows(labels, max_rows, random_state)
        X, y = X.iloc[drawn], y[drawn]
    return Table(X, y, task, notes)


def _hint_of_columns(name: str, names: Iterable[str]) -> str:
    names = [str(n) for n in names]
    suggested = near(name, names)
    if suggested:
        return suggested
    shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    return f" The columns are: {shown}."


def _plural(count: int) -> str:
    return "" if count == 1 else "s"


def _of_common_classes(
    y: np.ndarray, n_folds: int, max_rows: int, notes: list[str]
) -> NDArray[np.bool_]:
    """Which rows have a class that is not too rare for the folds, of the sample as well."""
    names, places, counts = np.unique(y, return_inverse=True, return_counts=True)
    enough = counts >= n_folds * max(1, len(y) / max_rows)
    if enough.sum() < 2:
        raise TableError(
            f"there are no two classes with enough rows for {n_folds} folds; take fewer folds"
            + ("." if len(y) <= max_rows else ", or more of the rows.")
        )
    if not enough.all():
        rare = zip(names[~enough], counts[~enough], strict=True)
        listed = ", ".join(f"{name} ({count})" for name, count in rare)
        notes.append(f"classes too rare for {n_folds} folds left out, with their rows: {listed}")
    return enough[places]


def _draw_rows(labels: np.ndarray, n: int, random_state: int) -> NDArray[np.int64]:
    """Places of `n` rows, of each label in proportion, but for less than one row."""
    rng = np.random.RandomState(random_state)
    _, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
    # Rows are shuffled within their label, and get their places there, from 0 to 1. The `n`
    # smallest of all places then hold the same share of each label.
    part = np.empty(len(labels))
    for place, count in enumerate(counts):
        part[places == place] = (rng.permutation(count) + 0.5) / count
    return np.sort(np.argsort(part, kind="stable")[:n])


def _target(column: "pd.Series", task: str, notes: list[str]) -> tuple[np.ndarray, str]:
    """The target's values, and whether they are classes or numbers."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    name, n = column.name, len(column)
    numeric = is_numeric_dtype(column) and not is_bool_dtype(column)
    n_values = column.nunique()
    fractions = numeric and bool((column % 1 != 0).any())
    if n_values == 1:
        raise TableError(
            f"the target {name!r} has one value only, {column.iloc[0]!r}: nothing can be learned."
        )
    if task == "auto":
        classes = not fractions and (not numeric or n_values <= MOST_CLASSES_OF_INTEGERS)
        task = "classification" if classes else "regression"
        if not classes:
            kind = "numbers with fractions" if fractions else f"{n_values} different whole numbers"
            notes.append(
                f"regression, because {name!r} holds {kind} (--task classification if not)"
            )
    if task == "regression":
        if not numeric:
            raise TableError(
                f"the target {name!r} holds text such as {column.iloc[0]!r}, which is not for "
                "regression; leave out --task regression."
            )
        values = column.to_numpy(dtype=float)
        if not np.isfinite(values).all():
            raise TableError(f"the target {name!r} holds infinite numbers.")
        return values, task
    if fractions:
        raise TableError(
            f"the target {name!r} holds numbers with fractions, which are no classes; "
            "use --task regression."
        )
    if n_values > max(2, n // 4):
        raise TableError(
            f"the target {name!r} has {n_values} classes in {n} rows, too many to learn; "
            "is it an identifier?" + (" Try --task regression." if numeric else "")
        )
    if numeric:
        return column.to_numpy(dtype=np.int64), task
    return column.astype(str).to_numpy(dtype=str), task


def _features(frame: "pd.DataFrame", notes: list[str]) -> "pd.DataFrame":
    """Columns to learn from: numbers as floats, everything else as text."""
    from pandas.api.types import is_numeric_dtype

    if frame.columns.empty:
        raise TableError("there is no column but the target; is it the right --separator?")
    empty, index, own = "without values", "of an index", "with a text of its own in most rows"
    out: dict[str, np.ndarray] = {}
    unused: dict[str, list[object]] = {empty: [], index: [], own: []}
    infinite = []
    most = max(MOST_CATEGORIES, len(frame) // 2)
    for name in frame.columns:
        column = frame[name]
        numeric = is_numeric_dtype(column)
        if column.isna().all():
            unused[empty].append(name)
        elif str(name).startswith("Unnamed: ") and column.is_unique:
            unused[index].append(name)
        elif numeric:
            values = column.to_numpy(dtype=float, na_value=np.nan)
            if np.isinf(values).any():
                infinite.append(name)
                values = np.where(np.isinf(values), np.nan, values)
            out[str(name)] = values
        elif (text := column.astype(str).astype(object)).nunique() > most:
            unused[own].append(name)
        else:
            out[str(name)] = text.where(column.notna(), np.nan).to_numpy(dtype=object)
    for reason, names in unused.items():
        if names:
            notes.append(
                f"column{_plural(len(names))} {reason} left out: {', '.join(map(str, names))}"
            )
    if infinite:
        notes.append(f"infinite numbers taken for missing: {', '.join(map(str, infinite))}")
    if not out:
        raise TableError(f"no column is left to learn from ({'; '.join(notes)}).")
    return type(frame)(out)


def pipeline(X: "pd.DataFrame", estimator: BaseEstimator) -> Pipeline:
    """The estimator behind scikit-learn's transformers, which learn from training folds only.

    Numbers: the median where one is missing, and a column that says so. Text: a column
    for each category, missing ones have their own; rare ones share one.
    """
    numbers = [name for name in X.columns if X[name].dtype.kind == "f"]
    texts = [name for name in X.columns if name not in numbers]
    impute = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    one_hot = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing", keep_empty_features=True),
        OneHotEncoder(
            sparse_output=False,
            max_categories=MOST_CATEGORIES,
            handle_unknown="infrequent_if_exist",
        ),
    )
    columns = ColumnTransformer(
        [("numbers", impute, numbers), ("texts", one_hot, texts)], sparse_threshold=0
    )
    return Pipeline([("columns", columns), ("network", estimator)])
