"""What can be learned from a table: columns, target, task.

Whatever is wrong is a `TableError`, one sentence for the person who wrote the command. What
was decided for that person is in `notes`, to be shown.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..preprocessing import TableEncoder
from ..preprocessing._columns import as_numbers, as_texts, holds_collections, values_of
from ..preprocessing._kinds import kinds_of
from .files import column_named
from .sentences import TableError, plural, shown
from .texts import is_text, nearly_numbers

if TYPE_CHECKING:
    import pandas as pd

MOST_CLASSES_OF_INTEGERS = 20
DROPPED = "by --drop"


@dataclass
class Table:
    """Samples, target and what was decided on the way.

    Attributes
    ----------
    X : DataFrame
        The columns that are learned from.
    y : ndarray
    task : str
        "classification" or "regression".
    columns : list of tuple
        Name, kind and the reason for leaving it out ("" for none) of each column of the file but
        the target.
    notes : list of str
    """

    X: "pd.DataFrame"
    y: np.ndarray
    task: str
    columns: list[tuple[str, str, str]]
    notes: list[str] = field(default_factory=list)

    @property
    def kinds(self) -> Counter[str]:
        """How many columns are learned from, by kind."""
        return Counter(kind for _, kind, reason in self.columns if not reason)


def prepare(
    frame: "pd.DataFrame",
    target: str,
    task: str = "auto",
    drop: Iterable[str] = (),
    max_rows: int | None = 5000,
    n_folds: int = 2,
    random_state: int = 0,
    notes: Iterable[str] = (),
) -> Table:
    """Samples and target of a data frame; its columns have names that differ.

    None for `max_rows` takes all rows. Classes with fewer rows than `n_folds` are left out.
    """
    notes = list(notes)
    if frame.empty and len(frame.columns):
        raise TableError("the table has a header, but no rows.")
    drop = [column_named(name, frame.columns) for name in drop]
    if target in drop:
        raise TableError(f"the target {target!r} can't be left out as well.")
    names = [name for name in frame.columns if name != target]
    frame = frame.drop(columns=drop)
    missing = int(frame[target].isna().sum())
    if missing == len(frame):
        raise TableError(f"the target {target!r} has no values in any of its {len(frame)} rows.")
    if missing:
        frame = frame[frame[target].notna()]
        notes.append(f"{missing} row{plural(missing)} without a target left out")
    y, task = _target(frame[target], task, notes)
    X, found = _features(frame.drop(columns=target), notes)
    columns = [(name, *found.get(name, ("", DROPPED))) for name in names]
    max_rows = len(y) if max_rows is None else max_rows
    if task == "classification":
        common = _of_common_classes(y, n_folds, max_rows, notes)
        X, y = X[common], y[common]
    elif len(y) < 2 * n_folds:
        raise TableError(f"{len(y)} rows are too few for {n_folds} folds; take fewer folds.")
    if len(y) > max_rows:
        notes.append(f"{max_rows:,} of {len(y):,} rows drawn at random (--max-rows)")
        labels = y if task == "classification" else np.zeros(len(y))
        drawn = draw_rows(labels, max_rows, random_state)
        X, y = X.iloc[drawn], y[drawn]
    return Table(X, y, task, columns, notes)


def _of_common_classes(
    y: np.ndarray, n_folds: int, max_rows: int, notes: list[str]
) -> NDArray[np.bool_]:
    """Which rows have a class that is not too rare for the folds, of the sample as well."""
    names, places, counts = np.unique(y, return_inverse=True, return_counts=True)
    purpose = f"{n_folds} folds" if n_folds > 1 else f"{max_rows} rows drawn at random"
    enough = counts >= n_folds * max(1, len(y) / max_rows)
    if enough.sum() < 2:
        more = ["more of the rows"] if len(y) > max_rows else []
        raise TableError(
            f"there are no two classes with enough rows for {purpose}; take "
            + " or ".join([*["fewer folds"] * (n_folds > 1), *more])
            + "."
        )
    if not enough.all():
        rare = zip(names[~enough], counts[~enough], strict=True)
        listed = ", ".join(f"{name} ({count})" for name, count in rare)
        notes.append(f"classes too rare for {purpose} left out, with their rows: {listed}")
    return enough[places]


def draw_rows(labels: np.ndarray, n: int, random_state: int) -> NDArray[np.int64]:
    """Places of `n` rows, of each label in proportion, but for less than one row."""
    rng = np.random.RandomState(random_state)
    _, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
    # Rows are shuffled within their label, and get their places there, from 0 to 1. The `n`
    # smallest of all places then hold the same share of each label.
    part = np.empty(len(labels))
    for place, count in enumerate(counts):
        part[places == place] = (rng.permutation(count) + 0.5) / count
    return np.sort(np.argsort(part, kind="stable")[:n])


# Target


def _target(column: "pd.Series", task: str, notes: list[str]) -> tuple[np.ndarray, str]:
    """The target's values, and whether they are classes or numbers."""
    name = column.name
    values = _values_of_target(column)
    numeric = values.dtype.kind in "iuf"
    n_values = len(np.unique(values))
    fractions = numeric and bool((values % 1 != 0).any())
    if n_values == 1:
        raise TableError(
            f"the target {name!r} has one value only, {values.tolist()[0]!r}: nothing can be "
            "learned."
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
        return _checked_numbers(column, values), task
    if fractions:
        raise TableError(
            f"the target {name!r} holds numbers with fractions, which are no classes; "
            "use --task regression."
        )
    _check_classes(column, values, n_values)
    if not numeric:
        _note_labels_that_differ_little(values, notes)
    return values, task


def _values_of_target(column: "pd.Series") -> np.ndarray:
    """Numbers, whole ones as integers, or text."""
    from pandas.api.types import infer_dtype

    values = values_of(column)
    if holds_collections(values):
        raise TableError(
            f"the target {column.name!r} holds lists or other collections; it has to hold a "
            "class or a number in each row."
        )
    if values.dtype.kind == "M":
        raise TableError(
            f"the target {column.name!r} holds dates, which can't be predicted; make numbers of "
            "them, such as days."
        )
    if values.dtype.kind in "iu":
        return values
    if values.dtype.kind not in "fm" or infer_dtype(column) == "boolean":
        return as_texts(column.to_numpy(dtype=object)).astype(str)
    if np.isinf(values).any():
        raise TableError(f"the target {column.name!r} holds infinite numbers.")
    numbers = as_numbers(column.name, values)
    whole = bool((numbers % 1 == 0).all() and (np.abs(numbers) < 2**53).all())
    return numbers.astype(np.int64) if whole else numbers


def _checked_numbers(column: "pd.Series", values: np.ndarray) -> NDArray[np.float64]:
    if values.dtype.kind == "U":
        raise TableError(
            f"the target {column.name!r} holds text such as {str(values[0])!r}, which is not for "
            f"regression; {_doubt(column) or 'leave out --task regression.'}"
        )
    return values.astype(np.float64)


def _check_classes(column: "pd.Series", values: np.ndarray, n_values: int) -> None:
    if n_values <= max(2, len(values) // 4):
        return
    advice = " Try --task regression." if values.dtype.kind in "iuf" else ""
    raise TableError(
        f"the target {column.name!r} has {n_values} classes in {len(values)} rows, too many to "
        f"learn; {_doubt(column) or 'is it an identifier?'}{advice}"
    )


def _doubt(column: "pd.Series") -> str:
    """What the text of a target looks like, for the end of a sentence."""
    doubt = nearly_numbers(column) if is_text(column) else ""
    return doubt and f"it {doubt}."


def _note_labels_that_differ_little(labels: np.ndarray, notes: list[str]) -> None:
    alike: dict[str, list[str]] = {}
    for label in np.unique(labels).tolist():
        alike.setdefault(" ".join(label.split()).casefold(), []).append(label)
    for same in alike.values():
        if len(same) > 1:
            listed = " and ".join(map(repr, same))
            notes.append(f"classes that differ by blanks or capital letters only: {listed}")


# Features


def _features(
    frame: "pd.DataFrame", notes: list[str]
) -> tuple["pd.DataFrame", dict[str, tuple[str, str]]]:
    """The columns to learn from; and kind and reason for leaving it out, of each column."""
    if frame.columns.empty:
        raise TableError("there is no column but the target; is it the right --separator?")
    found = kinds_of(frame, TableEncoder().max_categories)
    unused: dict[str, list[str]] = {}
    for name, _, reason in found:
        if reason:
            unused.setdefault(reason, []).append(str(name))
    for reason, names in unused.items():
        notes.append(f"column{plural(len(names))} left out ({reason}): {shown(names)}")
    kept = [(name, kind) for name, kind, reason in found if not reason]
    if not kept:
        raise TableError(f"no column is left to learn from ({'; '.join(notes)}).")
    infinite = [str(name) for name, kind in kept if kind == "numbers" and _infinite(frame[name])]
    if infinite:
        notes.append(f"infinite numbers taken for missing: {shown(infinite)}")
    return (
        frame[[name for name, _ in kept]],
        {str(name): (kind, reason) for name, kind, reason in found},
    )


def _infinite(column: "pd.Series") -> bool:
    values = values_of(column)
    return values.dtype.kind == "f" and bool(np.isinf(values).any())
