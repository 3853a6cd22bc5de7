"""What a column holds, and whether anything can be learned from it."""

import re
from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._columns import as_numbers, as_texts, columns_of, holds_collections, values_of

EMPTY = "no values"
CONSTANT = "one value only"
IDENTIFIER = "an identifier"
OWN_TEXT = "a text of its own in most rows"
COLLECTIONS = "lists or other collections"
REASONS = (EMPTY, CONSTANT, IDENTIFIER, OWN_TEXT, COLLECTIONS)

_NAMES_OF_IDENTIFIERS = re.compile(
    r"(^|[\W_])(id|uuid|guid)$|^index$|^rownames$|^unnamed: [\d.]+$|^$", re.IGNORECASE
)
_CAMEL_CASE = re.compile(r"[a-z]I[dD]$")
LEAST_NUMBERED_ROWS = 20


def kinds_of(X: Any, max_categories: int) -> list[tuple[Hashable, str, str]]:
    """Name, kind and the reason for leaving it out ("" for none) of each column.

    Kinds are "numbers", "dates" and "categories".
    """
    found = []
    for name, column in columns_of(X):
        values = values_of(column)
        kind = {"O": "categories", "M": "dates"}.get(values.dtype.kind, "numbers")
        found.append((name, kind, _reason(name, kind, values, max_categories)))
    return found


def _reason(name: Hashable, kind: str, values: np.ndarray, max_categories: int) -> str:
    if holds_collections(values):
        return COLLECTIONS
    if kind == "dates":
        missing = np.isnat(values)
    elif kind == "numbers":
        values = as_numbers(name, values)
        missing = np.isnan(values)
    else:
        values = as_texts(values)
        missing = values != values
    n_values = len(np.unique(values[~missing]))
    if n_values == 0:
        return EMPTY
    if n_values == 1 and not missing.any():
        return CONSTANT
    if kind == "categories" and n_values > max(max_categories, len(values) // 2):
        return OWN_TEXT
    if kind == "numbers" and n_values == len(values) and _identifies(name, values):
        return IDENTIFIER
    return ""


def _identifies(name: Hashable, values: NDArray[np.float64]) -> bool:
    """Whether different numbers are whole and called identifiers, or count the rows."""
    if (values % 1 != 0).any():
        return False
    if named_as_identifier(name):
        return True
    counted = values[0] in (0, 1) and bool((np.diff(values) == 1).all())
    return counted and len(values) >= LEAST_NUMBERED_ROWS


def named_as_identifier(name: Hashable) -> bool:
    """Whether a column is called as identifiers are, such as "id" or "PassengerId"."""
    return bool(_NAMES_OF_IDENTIFIERS.search(str(name)) or _CAMEL_CASE.search(str(name)))
