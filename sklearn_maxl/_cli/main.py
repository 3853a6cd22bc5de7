"""The command line: ``python -m sklearn_maxl compare data.csv --target y``."""

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import MAXLClassifier, MAXLRegressor, __version__
from .._environment.similar_names import did_you_mean
from ..comparison._arms import COMPARABLE, DEFAULT_ARMS
from ..comparison._compare import Comparison, tracked_compare
from ..comparison._paired_runs import Done
from ..comparison._progress import Progress, told
from ..preprocessing import tabular_pipeline
from .files import SEPARATORS, Format, read
from .scores import check_score
from .sentences import TableError, one_line, plural, shown
from .tables import Table, prepare

if TYPE_CHECKING:
    from tqdm import tqdm

_SINGLE_TASK = ("none", "single")
"""How ``auxiliary=None`` is written in --arms."""


class FitError(Exception):
    """What went wrong in a fit."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code.

    It is 0, 1 for a fit that failed, 2 for a wrong call or file, or 130 if interrupted.
    """
    options = _parser().parse_args(argv)
    try:
        return _compare(options)
    except TableError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except FitError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sklearn_maxl", description="Meta auxiliary learning for tables in files."
    )
    parser.add_argument("--version", action="version", version=f"sklearn_maxl {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    compare = commands.add_parser(
        "compare",
        help="do auxiliary labels help on the table in a file?",
        description="Train a network with and without auxiliary labels on the same folds and "
        "seeds, and say whether they help. Text becomes one column per category, dates become "
        "numbers, missing values (empty, NA, ?) are filled in; all is learned inside the folds.",
    )
    add = compare.add_argument
    add("file", help="CSV (also .gz, .bz2, .xz) or Parquet file")
    add("--target", metavar="COLUMN", help="column to predict; without it, the columns are listed")
    add("--task", choices=["auto", "classification", "regression"], default="auto",
        help="auto: numbers with fractions or more than 20 values are regression")  # fmt: skip
    add("--drop", nargs="+", action="extend", default=[], metavar="COLUMN",
        help="columns to leave out, such as identifiers")  # fmt: skip
    add("--separator", default="auto",
        help=f"auto, one character, or {', '.join(SEPARATORS)} (one or more)")  # fmt: skip
    add("--decimal", default="auto",
        help="comma, point, or auto: comma where values are separated by semicolons and all "
        "cells of a column are numbers with a comma")  # fmt: skip
    add("--encoding", default="auto",
        help="such as latin-1; auto: UTF-8, or what the mark at the start says")  # fmt: skip
    add("--no-header", action="store_true",
        help="the first line holds values; columns are called 1, 2, 3 ...")  # fmt: skip
    names = ["none" if arm is None else arm for arm in DEFAULT_ARMS]
    add("--arms", nargs="+", default=names, metavar="ARM",
        help=f"what to compare; none is the single task (default: {' '.join(names)})")  # fmt: skip
    add("--quick", action="store_true",
        help="a first look, the same as --seeds 1 --folds 3")  # fmt: skip
    add("--seeds", type=_at_least(1), help="repetitions (default: 2)")
    add("--folds", type=_at_least(2), help="folds of each (default: 5)")
    add("--epochs", type=_at_least(1),
        help="of each fit (default: by the number of rows)")  # fmt: skip
    add("--lr", type=_rate, default="auto", help="learning rate (default: auto)")
    add("--max-rows", type=_at_least(10), default=5000, metavar="N",
        help="draw so many rows at random where there are more (default: 5000)")  # fmt: skip
    add("--scoring", help="scikit-learn's name of a score (default: accuracy, or R2)")
    add("--jobs", type=_jobs, default=-1, help="fits at a time (default: -1, all cores)")
    add("--random-state", type=_at_least(0), default=0, help="seed of everything (default: 0)")
    add("--output", metavar="PAGE.html", help="write a page with figures to this file")
    return parser


def _at_least(
    least: int, most: int = 2**32 - 1
) -> Callable[[str], int]:  # the largest seed there is
    def whole_number(text: str) -> int:
        if not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"must be from {least} to {most}, got {text}")
        return int(text)

    return whole_number


def _rate(text: str) -> float | str:
    if text == "auto":
        return text
    if not 0 < float(text) < np.inf:
        raise argparse.ArgumentTypeError(f"must be auto or a number above 0, got {text}")
    return float(text)


def _jobs(text: str) -> int:
    if int(text) == 0:
        raise argparse.ArgumentTypeError("must not be 0: 1 for one fit at a time, -1 for all cores")
    return int(text)


def _resolve(options: argparse.Namespace) -> None:
    """Fill in what was not said, and depends on --quick."""
    quick, usual = {"seeds": 1, "folds": 3}, {"seeds": 2, "folds": 5}
    for name, value in (quick if options.quick else usual).items():
        if getattr(options, name) is None:
            setattr(options, name, value)


def _compare(options: argparse.Namespace) -> int:
    """What the command does, in order: everything that can be wrong comes before the fits."""
    _resolve(options)
    arms = _arms(options.arms)
    form = Format(
        options.separator, options.decimal, options.encoding, header=not options.no_header
    )
    _check_installed(options.output)
    notes: list[str] = []
    frame, target = read(options.file, options.target, form, notes)
    table = prepare(
        frame, target, options.task, options.drop, options.max_rows, options.folds,
        options.random_state, notes,
    )  # fmt: skip
    if options.scoring is not None:
        check_score(options.scoring, table.y, table.task)
    facts = _facts(options, table, target)
    for name, text in facts:
        sys.stdout.write(f"{name}: {text}\n")
    sys.stdout.flush()
    start = time.perf_counter()
    found = _fit(options, table, arms)
    _report(found, facts, time.perf_counter() - start, options.output, Path(options.file).name)
    return 0


def _fit(options: argparse.Namespace, table: Table, arms: list[str | None]) -> Comparison:
    estimator = MAXLClassifier if table.task == "classification" else MAXLRegressor
    network = estimator(max_epochs=options.epochs or "auto", lr=options.lr)
    with warnings.catch_warnings(record=True) as caught:
        try:
            found = tracked_compare(
                tabular_pipeline(network), table.X, table.y, options.folds, arms, None,
                options.seeds, options.scoring, None, options.jobs, options.random_state, _track,
            )  # fmt: skip
        except (ValueError, RuntimeError, MemoryError) as error:
            raise FitError(one_line(error)) from error
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        sys.stderr.write(f"warning: {message}\n")
    return found


def _arms(names: Sequence[str]) -> list[str | None]:
    names = [part for name in names for part in name.split(",") if part]
    arms = [None if name.casefold() in _SINGLE_TASK else name for name in names]
    for arm in arms:
        if arm is not None and arm not in COMPARABLE:
            known = [*COMPARABLE, "none"]
            hint = did_you_mean(arm, known) or f" There are {', '.join(known)}."
            raise TableError(f"--arms: there is no arm {arm!r}.{hint}")
    if None not in arms:
        raise TableError("--arms needs none, the single task, which the others are compared to.")
    if len(set(arms)) < max(len(arms), 2):
        raise TableError("--arms needs at least two that differ.")
    return arms


def _check_installed(output: str | None) -> None:
    for name in ["pandas"] if output is None else ["pandas", "matplotlib"]:
        try:
            __import__(name)
        except ImportError as error:
            raise TableError(
                f'this needs {name}, which is not installed: pip install "sklearn_maxl[cli]".'
            ) from error
    if output is not None:
        page = Path(output).absolute()
        if page.is_dir() or not page.parent.is_dir():
            raise TableError(f"--output {output} is not a file in a folder that exists.")


def _facts(options: argparse.Namespace, table: Table, target: str) -> list[tuple[str, str]]:
    """What is compared, for the reader of the report."""
    y = table.y
    words = {"numbers": "numeric", "categories": "text", "dates": "date"}
    kinds = [f"{table.kinds[kind]} {word}" for kind, word in words.items() if table.kinds[kind]]
    if table.task == "classification":
        names, counts = np.unique(y, return_counts=True)
        text = f"{target}, {len(names)} classes: {shown(names)}"
        share = f"{counts.max() / len(y):.1%}".replace("%", " %")
        text += f"; {share} of the rows are {names[counts.argmax()]}"
    else:
        text = f"{target}, numbers from {y.min():g} to {y.max():g}"
    n = options.epochs
    epochs = f"{n} epoch{plural(n)}" if n else "epochs by the number of rows"
    return [
        ("File", options.file),
        ("Rows", f"{len(y):,}"),
        ("Columns", ", ".join(kinds)),
        ("Target", text),
        ("Training", f"{epochs}, seed {options.random_state}"),
        *(("Note", note) for note in table.notes),
    ]


def _report(
    found: Comparison, facts: list[tuple[str, str]], seconds: float, output: str | None, name: str
) -> None:
    sys.stdout.write(f"\n{found}\n\nAll fits took {seconds:.0f} s.")
    if output is not None:
        page = found._page(f"Do auxiliary labels help on {name}?", facts)
        try:
            Path(output).write_text(page, encoding="utf-8")
        except OSError as error:
            raise TableError(f"--output {output} can't be written: {error.strerror}.") from error
        sys.stdout.write(f" Page with figures: {output}")
    sys.stdout.write("\n")


def _track(done: Iterator[Done], progress: Progress) -> Iterable[Done]:
    """On stderr: a progress bar for somebody at a terminal, else a line now and then."""
    try:
        from tqdm import tqdm
    except ImportError:
        tqdm = None
    if tqdm is None or not sys.stderr.isatty():
        return told(done, progress, lambda text: sys.stderr.write(f"{text}\n"))
    shape = "{percentage:3.0f}%|{bar}| {desc}"
    bar = tqdm(total=progress.total, bar_format=shape, file=sys.stderr, leave=False)
    return _shown(done, progress, bar)


def _shown(done: Iterator[Done], progress: Progress, bar: "tqdm") -> Iterator[Done]:
    with bar:
        bar.set_description_str(str(progress))
        for one in done:
            bar.set_description_str(str(progress), refresh=False)
            bar.update()
            yield one
