"""One text for a parameter that two estimators share."""

import inspect
import re
from collections.abc import Callable
from typing import TypeVar

Described = TypeVar("Described")
PLACEHOLDER = re.compile(r"^ *\{(\w+)\}$", re.MULTILINE)


def with_parameters_of(source: type) -> Callable[[type[Described]], type[Described]]:
    """Class decorator: a line ``{name}`` in the docstring becomes `source`'s entry for it.

    A name that `source` does not document is an error at import.
    """

    def fill(cls: type[Described]) -> type[Described]:
        assert cls.__doc__
        assert source.__doc__
        texts = entries(source.__doc__)
        # Python takes the indentation away from 3.13 on.
        text = inspect.cleandoc(cls.__doc__)
        cls.__doc__ = PLACEHOLDER.sub(lambda match: texts[match.group(1)], text)
        return cls

    return fill


def entries(docstring: str) -> dict[str, str]:
    """Entries of the sections "Parameters" and "Attributes", by name."""
    found = {}
    text = inspect.cleandoc(docstring)
    for section in ("Parameters", "Attributes"):
        body = re.split(rf"^{section}\n-+\n", text, flags=re.MULTILINE)[1]
        body = re.split(r"^[A-Z][\w ]*\n-+\n", body, flags=re.MULTILINE)[0]
        for entry in re.split(r"^(?=\w+ : )", body, flags=re.MULTILINE):
            if entry.strip():
                found[entry.split(" : ")[0]] = entry.rstrip()
    return found
