"""``fit``: a model of the table in a file, written to a file."""

import argparse
import logging
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from .. import MAXLClassifier, MAXLRegressor
from .._persistence.pipelines import save_pipeline
from ..comparison._progress import duration
from ..preprocessing import tabular_pipeline
from .columns import columns_of, preview
from .files import Source, read
from .options import (
    FORMAT,
    arm_named,
    check_installed,
    check_output,
    command,
    form_of,
    options_of,
)
from .record import Record, Score
from .scores import held_out, score_of
from .sentences import TableError, aligned, in_words, one_line, percent, printable, shown
from .tables import Table, draw_rows, prepare

if TYPE_CHECKING:
    import pandas as pd

HELD_OUT = 5
"""What the rows are divided by for those that are held out."""
FEWEST = 20
"""Rows of which some are held out."""
QUICK_ROWS = 1000
EVERY = 10.0  # seconds between two lines of a fit


def fit(options: argparse.Namespace) -> None:
    """What the command does, in order: everything that can be wrong comes before the fits."""
    if options.quick and options.max_rows is None:
        options.max_rows = QUICK_ROWS
    arm = arm_named(options.arm, "--arm")
    form = form_of(options)
    check_installed("pandas")
    _check_model_file(options)
    notes: list[str] = []
    source = read(options.file, options.target, form, notes)
    table = prepare(
        source.frame, source.target, options.task, options.drop, options.max_rows, 1,
        options.random_state, notes,
    )  # fmt: skip
    columns = columns_of(source, table)
    _tell(options, source, table)
    sys.stdout.write(f"\n{aligned(preview(columns))}\n\n")
    sys.stdout.flush()
    model = tabular_pipeline(_network(options, table, arm))
    score = _held_out_score(model, table, options.random_state)
    _train(model, table.X, table.y, f"training on all {len(table.y):,} rows")
    model[-1].set_params(verbose=0)
    record = Record(
        source=Path(options.file).name,
        rows=len(table.y),
        target=source.target,
        written=source.written.get(source.target, ""),
        task=table.task,
        seed=options.random_state,
        columns=columns,
        score=score,
    )
    _save(model, options.output, record)
    sys.stdout.write(
        f"Held-out score: {held_out(score, table.task)}\n"
        f"Model: {options.output}, trained on all {len(table.y):,} rows\n\n"
        f"Next: {_next(options)}\n"
    )


def _next(options: argparse.Namespace) -> str:
    """The command that predicts the rows of a file that is written as the table is."""
    words = ["predict", options.output, "NEW.csv", "--output", "predictions.csv"]
    return command(*words, *options_of(options, FORMAT))


def _check_model_file(options: argparse.Namespace) -> None:
    """A model is dear, and its data may be gone: none is replaced by chance."""
    name = f"{Path(options.file).name.split('.')[0]}.maxl"
    if options.output is None:
        raise TableError(f"give the file for the model with --output, such as --output {name}.")
    check_output(options.output)
    output, file = Path(options.output), Path(options.file)
    if output.exists() and file.exists() and output.samefile(file):
        raise TableError(f"--output {options.output} is the table itself; give another name.")
    if output.exists() and not options.force:
        raise TableError(
            f"--output {options.output} is there already; give another name, or --force to "
            "replace it."
        )


def _tell(options: argparse.Namespace, source: Source, table: Table) -> None:
    y = table.y
    if table.task == "classification":
        names, counts = np.unique(y, return_counts=True)
        text = f"classification into {len(names)} classes: {shown(map(printable, names))}; "
        text += (
            f"{percent(counts.max() / len(y))} of the rows are {printable(names[counts.argmax()])}"
        )
    else:
        text = f"regression, numbers from {y.min():g} to {y.max():g}"
    facts = [
        ("File", f"{options.file}, {len(y):,} rows"),
        ("Target", printable(source.target)),
        ("Task", text),
        *(("Note", note) for note in table.notes if not note.startswith("column")),
    ]
    for name, said in facts:
        sys.stdout.write(f"{name}: {said}\n")


def _network(
    options: argparse.Namespace, table: Table, arm: str | None
) -> MAXLClassifier | MAXLRegressor:
    estimator = MAXLClassifier if table.task == "classification" else MAXLRegressor
    return estimator(
        auxiliary=arm, max_epochs=options.epochs or "auto", lr=options.lr, verbose=1,
        random_state=options.random_state,
    )  # fmt: skip


def _held_out_score(model: Pipeline, table: Table, seed: int) -> Score | None:
    """The score of the same training without a fifth of the rows, on that fifth."""
    n = len(table.y)
    if n < FEWEST:
        return None
    labels = table.y if table.task == "classification" else np.zeros(n)
    held: NDArray[np.int64] = draw_rows(labels, round(n / HELD_OUT), seed)
    rest = np.setdiff1d(np.arange(n), held)
    other = clone(model)
    what = f"training on {len(rest):,} rows, to be scored on the other {len(held):,}"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "These columns are left out")  # of fewer rows
        _train(other, table.X.iloc[rest], table.y[rest], what)
        predicted = other.predict(table.X.iloc[held])
    return score_of(table.y[held], predicted, table.y[rest], table.task)


def _train(model: Pipeline, X: "pd.DataFrame", y: np.ndarray, what: str) -> None:
    """Fit a model, or say why not."""
    with in_words(), _told(what):
        model.fit(X, y)


def _save(model: Pipeline, output: str, record: Record) -> None:
    try:
        save_pipeline(model, output, [type(model[-1])], record.to_plain())
    except OSError as error:
        raise TableError(
            f"--output {output} can't be written: {error.strerror or one_line(error)}"
        ) from error


class _Last(logging.Handler):
    """The last line that a fit said to its logger."""

    line = ": trials on held-out rows"

    def emit(self, record: logging.LogRecord) -> None:
        self.line = f": {record.getMessage()}"


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Say what is being done and, every few seconds, how far it is."""
    sys.stderr.write(f"{what} ...\n")
    start, over, last = time.monotonic(), threading.Event(), _Last()

    def tell() -> None:
        while not over.wait(EVERY):
            sys.stderr.write(f"  {duration(time.monotonic() - start)}{last.line}\n")
            sys.stderr.flush()

    thread = threading.Thread(target=tell, daemon=True)
    logger = logging.getLogger("sklearn_maxl")
    before = logger.level, logger.propagate
    logger.addHandler(last)
    logger.propagate = False
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        logger.removeHandler(last)
        level, logger.propagate = before
        logger.setLevel(level)
