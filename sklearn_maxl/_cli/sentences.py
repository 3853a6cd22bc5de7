"""Sentences for the person who wrote the command."""

import difflib
from collections.abc import Iterable


class TableError(ValueError):
    """What is wrong with a file, with the choice of its columns, or with an option."""


def one_line(error: BaseException) -> str:
    """The text of an error without line breaks."""
    return " ".join(str(error).split()).rstrip(".") + "."


def plural(count: int) -> str:
    """The "s" of a word of which there are so many."""
    return "" if count == 1 else "s"


def near(name: str, names: Iterable[str]) -> str:
    """ " Did you mean ...?" where there are names like it."""
    names = list(names)
    folded = {n.casefold(): n for n in names}
    found = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(folded[f]) for f in found)}?" if found else ""


def shown(names: Iterable[object], most: int = 10) -> str:
    """The first of many names."""
    texts = [str(name) for name in names]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
