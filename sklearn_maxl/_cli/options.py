"""The commands' options: what they are called, and what values they take."""

import argparse
import shlex
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from .. import __version__
from .._environment.similar_names import did_you_mean
from ..comparison._arms import COMPARABLE, DEFAULT_ARMS
from .files import SEPARATORS, Format
from .sentences import TableError

SINGLE_TASK = ("none", "single")
"""How ``auxiliary=None`` is written."""
FORMAT = ("separator", "decimal", "encoding", "no_header")
TABLE = ("target", "task", *FORMAT, "lr", "epochs", "random_state", "drop")
"""Options that say how to read a file; and what to learn from it, and how."""
PREPARED = (
    "Text becomes one column per category, dates become numbers, missing values (empty, NA, ?) are "
    "filled in"
)


def program() -> str:
    """What the user typed to get here."""
    name = Path(sys.argv[0]).stem
    return name if name == "sklearn-maxl" else "python -m sklearn_maxl"


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog=program(), description="Meta auxiliary learning for tables in files."
    )
    parser.add_argument("--version", action="version", version=f"sklearn_maxl {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    _add_compare(commands)
    _add_fit(commands)
    _add_predict(commands)
    inspect = commands.add_parser(
        "inspect",
        help="what is in the file of a model?",
        description="Say what a model is, from what file it was made, and how it uses its columns.",
    )
    inspect.add_argument("model", help="file that fit wrote")
    return parser


def _add_compare(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    compare = commands.add_parser(
        "compare",
        help="do auxiliary labels help on the table in a file?",
        description="Train a network with and without auxiliary labels on the same folds and "
        f"seeds, and say whether they help. {PREPARED}; all is learned inside the folds.",
    )
    add = compare.add_argument
    _add_file(compare)
    _add_target(compare)
    _add_format(compare)
    names = ["none" if arm is None else arm for arm in DEFAULT_ARMS]
    add("--arms", nargs="+", default=names, metavar="ARM",
        help=f"what to compare; none is the single task (default: {' '.join(names)})")  # fmt: skip
    add("--quick", action="store_true",
        help="a first look, the same as --seeds 1 --folds 3")  # fmt: skip
    add("--seeds", type=at_least(1), help="repetitions (default: 2)")
    add("--folds", type=at_least(2), help="folds of each (default: 5)")
    _add_training(compare)
    add("--max-rows", type=at_least(10), default=5000, metavar="N",
        help="draw so many rows at random where there are more (default: 5000)")  # fmt: skip
    add("--scoring", help="scikit-learn's name of a score (default: accuracy, or R2)")
    add("--jobs", type=_jobs, default=-1, help="fits at a time (default: -1, all cores)")
    add("--output", metavar="PAGE.html", help="write a page with figures to this file")


def _add_fit(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    fit = commands.add_parser(
        "fit",
        help="train a model on the table in a file, and write it to a file",
        description="Train the default estimator on a table. First on four fifths of the rows, to "
        "estimate by the other fifth how good it is; then on all rows, for the file. "
        f"{PREPARED}.",
    )
    add = fit.add_argument
    _add_file(fit)
    _add_target(fit)
    add("--output", metavar="MODEL.maxl", help="file to write the model to")
    add("--force", action="store_true", help="replace the model that is there")
    _add_format(fit)
    add("--arm", default="maxl", metavar="ARM",
        help=f"auxiliary labels: {', '.join(COMPARABLE)} or none (default: maxl)")  # fmt: skip
    add("--quick", action="store_true", help="a first look, the same as --max-rows 1000")
    _add_training(fit)
    add("--max-rows", type=at_least(10), metavar="N",
        help="draw so many rows at random where there are more (default: all rows)")  # fmt: skip


def _add_predict(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    predict = commands.add_parser(
        "predict",
        help="predict the rows of a file with a model that fit wrote",
        description="Predict the rows of a file, in their order. Columns are found by their names. "
        "If the target is there as well, the predictions are scored.",
    )
    add = predict.add_argument
    add("model", help="file that fit wrote")
    _add_file(predict)
    add("--output", metavar="PREDICTIONS.csv",
        help="file to write, which is replaced if it is there (default: the terminal)")  # fmt: skip
    add("--keep", nargs="+", action="extend", default=[], metavar="COLUMN",
        help="columns to pass on (default: identifiers, or the numbers of the rows)")  # fmt: skip
    _add_format(predict)


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="CSV (also .gz, .bz2, .xz) or Parquet file")


def _add_target(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--target", metavar="COLUMN", help="column to predict; without it, the columns are listed")
    add("--task", choices=["auto", "classification", "regression"], default="auto",
        help="auto: numbers with fractions or more than 20 values are regression")  # fmt: skip
    add("--drop", nargs="+", action="extend", default=[], metavar="COLUMN",
        help="columns to leave out, such as identifiers")  # fmt: skip


def _add_format(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--separator", default="auto",
        help=f"auto, one character, or {', '.join(SEPARATORS)} (one or more)")  # fmt: skip
    add("--decimal", default="auto",
        help="comma, point, or auto: comma where values are separated by semicolons and all "
        "cells of a column are numbers with a comma")  # fmt: skip
    add("--encoding", default="auto",
        help="such as latin-1; auto: UTF-8, or what the mark at the start says")  # fmt: skip
    add("--no-header", action="store_true",
        help="the first line holds values; columns are called 1, 2, 3 ...")  # fmt: skip


def _add_training(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--epochs", type=at_least(1),
        help="of each fit (default: by the number of rows)")  # fmt: skip
    add("--lr", type=_rate, default="auto", help="learning rate (default: auto)")
    add("--random-state", "--seed", type=at_least(0), default=0, metavar="SEED",
        help="seed of everything (default: 0)")  # fmt: skip


def at_least(
    least: int, most: int = 2**32 - 1
) -> Callable[[str], int]:  # the largest seed there is
    """A whole number from `least` on."""

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


# What options mean


def form_of(options: argparse.Namespace) -> Format:
    """How a text file is written."""
    return Format(
        options.separator, options.decimal, options.encoding, header=not options.no_header
    )


def arm_named(name: str, option: str) -> str | None:
    """The arm that is meant, None for the single task."""
    if name.casefold() in SINGLE_TASK:
        return None
    if name not in COMPARABLE:
        known = [*COMPARABLE, "none"]
        hint = did_you_mean(name, known) or f" There are {', '.join(known)}."
        raise TableError(f"{option}: there is no arm {name!r}.{hint}")
    return name


def command(*words: object) -> str:
    """A command to type next."""
    return f"{program()} {shlex.join(map(str, words))}"


def options_of(options: argparse.Namespace, names: Iterable[str]) -> list[str]:
    """Some options as they were typed; those that say nothing are left out."""
    words: list[str] = []
    for name in names:
        value = getattr(options, name)
        if value in (None, "auto", False, []) or (name == "random_state" and value == 0):
            continue
        words.append(f"--{name.replace('_', '-')}")
        words += value if isinstance(value, list) else [] if value is True else [str(value)]
    return words


def check_installed(*packages: str) -> None:
    """Name a package that is missing, with the command that installs it."""
    for name in packages:
        try:
            __import__(name)
        except ImportError as error:
            raise TableError(
                f'this needs {name}, which is not installed: pip install "sklearn_maxl[cli]".'
            ) from error


def check_output(output: str) -> None:
    """A `TableError` if `output` can be no file."""
    path = Path(output).absolute()
    if path.is_dir() or not path.parent.is_dir():
        raise TableError(f"--output {output} is not a file in a folder that exists.")
