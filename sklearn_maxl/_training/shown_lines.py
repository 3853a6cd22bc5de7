"""Where the lines of `verbose` go: to a terminal, into one line of a notebook, or to a file."""

import logging
import sys
import threading
import time
from html import escape
from typing import Any

# Seconds between two lines of epochs, where they would fill a file or a cell of a notebook.
OF_FILE, OF_NOTEBOOK = 5.0, 0.1


class ShownLines(logging.Handler):
    """Shows what is said of a fit; for a program that has set up no logging.

    A terminal gets every line. A notebook gets one line for a fit, which is written over. Anything
    else (a file, a pipe) gets the lines of epochs only now and then.

    The record of an epoch has ``epoch``, its number and that of the last one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._of_thread = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._show(self.format(record), getattr(record, "epoch", None))
        except Exception:  # a line that can't be shown ends no fit
            self.handleError(record)

    def _show(self, line: str, epoch: tuple[int, int] | None) -> None:
        shell = notebook()
        if shell is not None:
            self._line_of(shell, epoch).show(line, epoch)
        elif sys.stderr is not None and (sys.stderr.isatty() or self._due(epoch)):
            print(line, file=sys.stderr, flush=True)  # noqa: T201

    def _due(self, epoch: tuple[int, int] | None) -> bool:
        """Whether a line is to go into a file: all, but few of those of epochs."""
        now, last = time.monotonic(), getattr(self._of_thread, "last", None)
        due = epoch is None or epoch[0] in (1, epoch[1]) or last is None or now >= last + OF_FILE
        if due:
            self._of_thread.last = now
        return due

    def _line_of(self, shell: Any, epoch: tuple[int, int] | None) -> "NotebookLine":
        """The line of this fit; a new one where another fit or another cell begins."""
        line = getattr(self._of_thread, "line", None)
        if line is None or line.is_over(shell.execution_count, epoch):
            line = self._of_thread.line = NotebookLine(shell.execution_count)
        return line


def notebook() -> Any:
    """The shell of the notebook that the program runs in; None elsewhere."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell if hasattr(shell, "kernel") else None


class NotebookLine:
    """A line in the output of a cell that is written over."""

    def __init__(self, cell: int):
        self.cell, self.epoch, self.at = cell, 0, -OF_NOTEBOOK
        self.handle: Any = None

    def is_over(self, cell: int, epoch: tuple[int, int] | None) -> bool:
        """Whether what comes is not of the fit that this line shows."""
        begins = self.epoch > 0 if epoch is None else epoch[0] <= self.epoch
        return cell != self.cell or begins

    def show(self, line: str, epoch: tuple[int, int] | None) -> None:
        """Write the line over; epochs that end in quick succession are left out."""
        from IPython.display import display

        bar, now = "", time.monotonic()
        if epoch is not None:
            self.epoch, last = epoch
            if self.epoch < last and now < self.at + OF_NOTEBOOK:
                return
            bar = f'<progress value="{self.epoch}" max="{last}"></progress> '
        self.at = now
        html = f'<div style="white-space:pre;font-family:monospace">{bar}{escape(line)}</div>'
        data = {"text/plain": line, "text/html": html}
        if self.handle is None:
            self.handle = display(data, raw=True, display_id=True)
        else:
            self.handle.update(data, raw=True)
