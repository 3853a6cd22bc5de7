"""Sphinx: tables, figures and numbers of the measurements, made when the pages are built.

    .. results:: speed.goals                a table, or several with their headings
    .. results-figure:: speed.arms.cpu      a figure, with the options and caption of ``figure``
    :result:`speed.reached`                 a number in a sentence

The name is that of a folder of ``benchmarks/`` and of an entry in its ``pages``, which reads
``benchmarks/results``.
"""

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst.directives.images import Figure
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective, SphinxRole

from benchmarks.common.rows import RESULTS

FOLDERS = ("compliance", "evidence", "peers", "reliability", "speed", "studies")
DRAWN = "generated"  # where figures go, in the folder of the pages


@cache
def known(kind: str) -> dict[str, Any]:
    """All names of "TABLES", "FIGURES" or "FACTS", and what they stand for."""
    found: dict[str, Any] = {}
    for folder in FOLDERS:
        entries = getattr(import_module(f"benchmarks.{folder}.pages"), kind, {})
        entries = entries() if callable(entries) else entries
        found |= {f"{folder}.{name}": entry for name, entry in entries.items()}
    return found


def entry(kind: str, name: str) -> Any:
    """What a name stands for."""
    entries = known(kind)
    if name not in entries:
        raise LookupError(f"No results {name!r}; there are {', '.join(sorted(entries))}.")
    return entries[name]


def remember(env: Any) -> None:
    """A page is made anew when rows have changed."""
    for path in RESULTS.glob("*.csv"):
        env.note_dependency(str(path))


class Results(SphinxDirective):
    """Puts a table where it stands, as if the page said it."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        remember(self.env)
        name = self.arguments[0]
        try:
            table = entry("TABLES", name)
        except LookupError as error:
            raise self.error(str(error)) from error
        found = table()
        text = found if isinstance(found, str) else found.rst()
        self.state_machine.insert_input(text.splitlines(), f"{self.get_location()}: {name}")
        return []


class ResultsFigure(Figure, SphinxDirective):
    """Draws a figure and shows it."""

    def run(self) -> list[nodes.Node]:
        remember(self.env)
        name = self.arguments[0]
        try:
            draw = entry("FIGURES", name)
        except LookupError as error:
            raise self.error(str(error)) from error
        path = Path(self.env.srcdir) / DRAWN / f"{name.replace('.', '_')}.svg"
        draw(path)
        self.arguments[0] = f"/{DRAWN}/{path.name}"
        return super().run()


class Result(SphinxRole):
    """Says a number."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        remember(self.env)
        try:
            return [nodes.Text(entry("FACTS", self.text))], []
        except LookupError as error:
            message = self.inliner.reporter.error(str(error), line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx's hook."""
    app.add_directive("results", Results)
    app.add_directive("results-figure", ResultsFigure)
    app.add_role("result", Result())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
