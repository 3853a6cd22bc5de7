"""Tables: for a page of the documentation, for the README and for a terminal."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


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
                lines.append(f"   {'* -' if i == 0 else '  -'} {cell}".rstrip())
        return "\n".join(lines)

    def markdown(self) -> str:
        """A table of Markdown."""
        lines = [f"| {' | '.join(row)} |" for row in (self.head, *self.body)]
        return "\n".join([lines[0], "|---" * len(self.head) + "|", *lines[1:]])

    def text(self) -> str:
        """Columns side by side."""
        rows = [[cell.replace("``", "") for cell in row] for row in (self.head, *self.body)]
        widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
        return "\n".join(lines)


def heading(text: str, line: str) -> str:
    """A heading of reStructuredText."""
    return f"{text}\n{line * len(text)}\n"
