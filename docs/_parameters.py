"""Sphinx: headings between the groups of a long list of parameters.

A parameter whose text begins with ``**Training.**`` begins the group "Training". The docstring
stays as numpydoc and scikit-learn read it; only the page gets a heading.
"""

import re
from typing import Any

from sphinx.application import Sphinx

NAME = re.compile(r"^ {4}\*\*\w+\*\* : ")
GROUP = re.compile(r"^( {8})\*\*([^*]+)\.\*\* ")


def with_headings(lines: list[str]) -> list[str]:
    """The lines that numpydoc makes of a docstring, with a heading before each group."""
    found: list[str] = []
    for line in lines:
        group = GROUP.match(line)
        if group and found and NAME.match(found[-1]):
            name = found.pop()
            found += ["", f"    .. rubric:: {group[2]}", "", name, group[1] + line[group.end() :]]
        else:
            found.append(line)
    return found


def process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Autodoc's hook, after numpydoc's."""
    lines[:] = with_headings(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx's hook."""
    app.connect("autodoc-process-docstring", process, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
