"""Sentences for the person who wrote the command."""

import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class TableError(ValueError):
    """What is wrong with a file, with the choice of its columns, or with an option."""


class FitError(Exception):
    """What went wrong in a fit or a prediction."""


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


def printable(text: object) -> str:
    """A text of a file without signs that would steer a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


def percent(share: float) -> str:
    """Such as "81.5 %", without the quotes."""
    return f"{100 * share:.1f} %"


def aligned(lines: list[list[str]]) -> str:
    """Lines with their cells under each other."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(map(str.ljust, line, widths)).rstrip() for line in lines
    )  # fmt: skip


@contextmanager
def in_words() -> Iterator[None]:
    """Errors of an estimator as a `FitError`, and each of its warnings in a line afterwards."""
    with warnings.catch_warnings(record=True) as caught:
        try:
            yield
        except (ValueError, RuntimeError, MemoryError) as error:
            raise FitError(printable(one_line(error))) from error
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        sys.stderr.write(f"warning: {printable(message)}\n")
