"""A fitted `TableEncoder` as plain JSON, and back.

Every value is checked for its type and its range before something is made of it.
"""

from typing import Any

from ..preprocessing import TableEncoder
from ..preprocessing._dates import PARTS
from ..preprocessing._kinds import REASONS
from ..preprocessing._state import Categories, Dates, Numbers, State, encoder_of, state_of
from .json_values import Plain, decode, encode, field

MAX_COLUMNS = 2**20
LARGEST = 1e307  # the median of equal numbers is made of their sum
MAX_CELLS = 2**22
"""Of the rows that categories are learned from again."""


def encoder_to_plain(encoder: TableEncoder) -> Plain:
    """What an encoder has learned, as JSON."""
    state = state_of(encoder)
    plain: Plain = {
        "max_categories": state.max_categories,
        "n_features": state.n_features,
        "feature_names": state.names,
        "left_out": [[encode(name), reason] for name, reason in state.left_out],
    }
    for name in ("numbers", "categories", "dates"):
        kind = state.kinds.get(name)
        plain[name] = None if kind is None else dict(vars(kind))
    encoder_from_plain(plain)
    return plain


def encoder_from_plain(plain: Plain) -> TableEncoder:
    """An encoder from JSON; a ValueError says what is wrong with it."""
    return encoder_of(state_from_plain(plain))


def state_from_plain(plain: Plain) -> State:
    """What an encoder has learned."""
    state = State(
        max_categories=_count(plain, "max_categories", 2, 2**31),
        n_features=_count(plain, "n_features", 1, MAX_COLUMNS + 1),
        names=_optional(plain, "feature_names", str),
        left_out=_left_out(plain),
        numbers=_numbers(field(plain, "numbers", dict, None)),
        categories=_categories(field(plain, "categories", dict, None)),
        dates=_dates(field(plain, "dates", dict, None)),
    )
    _check(len(state.kinds) > 0, "it names no column to learn from")
    places = [place for kind in state.kinds.values() for place in kind.places]
    inside = all(0 <= place < state.n_features for place in places)
    _check(inside and len(set(places)) == len(places), "its columns have no places of their own")
    _check(
        state.names is None or len(state.names) == state.n_features,
        "its names of columns are not one for each",
    )
    if state.categories is not None:
        _check_categories(state.categories, state.max_categories)
    return state


def _numbers(plain: Plain | None) -> Numbers | None:
    if plain is None:
        return None
    found = Numbers(
        _list(plain, "places", int), _list(plain, "medians", float), _list(plain, "gaps", bool)
    )
    _check_lengths(found.places, found.medians, found.gaps)
    _check_medians(found.medians)
    return found


def _categories(plain: Plain | None) -> Categories | None:
    if plain is None:
        return None
    frequent = _list(plain, "frequent", list)
    found = Categories(_list(plain, "places", int), frequent, _list(plain, "rare", bool))
    _check_lengths(found.places, frequent, found.rare)
    for own in frequent:
        texts = all(type(text) is str for text in own)
        _check(texts and own == sorted(set(own)), "its categories are not texts that differ")
        _check(len(own) > 0, "a column has no categories")
    _check(
        len(frequent) * (2 * max(map(len, frequent)) + 1) <= MAX_CELLS,
        f"its categories would take more than {MAX_CELLS} cells",
    )
    return found


def _check_categories(found: Categories, most: int) -> None:
    """Where rare ones share a column, the others have all columns but one; else fewer than all."""
    for own, rare in zip(found.frequent, found.rare, strict=True):
        fits = len(own) == most - 1 if rare else len(own) < most
        _check(fits, "its numbers of categories do not fit max_categories")


def _dates(plain: Plain | None) -> Dates | None:
    if plain is None:
        return None
    used = _list(plain, "used", list)
    found = Dates(
        _list(plain, "places", int), _list(plain, "first", int), used,
        _list(plain, "medians", float),
    )  # fmt: skip
    _check_lengths(found.places, found.first, used)
    flags = all(len(own) == len(PARTS) and all(type(u) is bool for u in own) for own in used)
    _check(flags and found.width > 0, "its parts of dates are none")
    _check(all(abs(n) < 2**63 for n in found.first), "a date of it is none")
    _check(len(found.medians) == found.width, "its medians of dates are not one for each part")
    _check_medians(found.medians)
    return found


def _left_out(plain: Plain) -> list[tuple[Any, str]]:
    pairs = field(plain, "left_out", list)
    found = []
    for pair in pairs:
        _check(type(pair) is list and len(pair) == 2, "a column that is left out is none")
        _check(pair[1] in REASONS, "a column is left out for no reason that there is")
        name = decode(pair[0])
        _check(name is None or isinstance(name, str | int | float | tuple), "a name is none")
        found.append((name, pair[1]))
    return found


def _count(plain: Plain, name: str, least: int, below: int) -> int:
    number: int = field(plain, name, int)
    _check(least <= number < below, f"{name!r} in its header is {number}")
    return number


def _optional(plain: Plain, name: str, kind: type) -> list[Any] | None:
    return None if field(plain, name, list, None) is None else _list(plain, name, kind)


def _list(plain: Plain, name: str, kind: type) -> list[Any]:
    """A list of values of one type."""
    values: list[Any] = field(plain, name, list)
    _check(
        all(type(v) is kind for v in values), f"{name!r} in its header has values of other kinds"
    )
    return values


def _check_lengths(places: list[int], *others: list[Any]) -> None:
    same = all(len(other) == len(places) for other in others)
    _check(len(places) > 0 and same, "its columns are not as many as their values")


def _check_medians(values: list[float]) -> None:
    _check(all(abs(v) < LARGEST for v in values), f"a median of it is not below {LARGEST:g}")


def _check(right: bool, wrong: str) -> None:
    if not right:
        raise ValueError(wrong)
