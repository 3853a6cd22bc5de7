"""Tables: for a page of the documentation, for the README and for a terminal."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

NO_BREAK = "\N{NO-BREAK SPACE}"


def unbroken(cell: str) -> str:
    """A cell whose number stays in one line with its error, and with the limits of a range."""
    for between in (" ± ", " to "):
        cell = re.sub(rf"(?<=\d){between}(?=[\dn])", between.replace(" ", NO_BREAK), cell)
    return cell


class Table(NamedTuple):
    """Cells of text, as in reStructuredText."""

    head: Sequence[str]
    body: Iterable[Sequence[str]]

    def rst(self) -> str:
        """A list-table of reStructuredText."""
        body = list(self.body)
        if not body:
            return "Not measured yet."
        lines = [".. list-table::", "   :header-rows: 1", ""]
        for row in (self.head, *body):
            for i, cell in enumerate(row):
                lines.append(f"   {'* -' if i == 0 else '  -'} {unbroken(cell)}".rstrip())
        return "\n".join(lines)

    def markdown(self) -> str:
        """A table of Markdown."""
        lines = [f"| {' | '.join(map(unbroken, row))} |" for row in (self.head, *self.body)]
        return "\n".join([lines[0], "|---" * len(self.head) + "|", *lines[1:]])

    def text(self) -> str:
        """Columns side by side."""
        rows = [[re.sub(r"``|\*\*", "", cell) for cell in row] for row in (self.head, *self.body)]
        widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
        return "\n".join(lines)


def heading(text: str, line: str) -> str:
    """A heading of reStructuredText."""
    return f"{text}\n{line * len(text)}\n"
