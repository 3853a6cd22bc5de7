"""Sentences for the person who wrote the command."""

from collections.abc import Iterable


class TableError(ValueError):
    """What is wrong with a file, with the choice of its columns, or with an option."""


def one_line(error: BaseException) -> str:
    """The text of an error without line breaks."""
    return " ".join(str(error).split()).rstrip(".") + "."


def plural(count: int) -> str:
    """The "s" of a word of which there are so many."""
    return "" if count == 1 else "s"


def shown(names: Iterable[object], most: int = 10) -> str:
    """The first of many names."""
    texts = [str(name) for name in names]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
