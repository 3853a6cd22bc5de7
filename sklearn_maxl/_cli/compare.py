"""``compare``: do auxiliary labels help on the table in a file?"""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from .. import MAXLClassifier, MAXLRegressor
from ..comparison._compare import Comparison, tracked_compare
from ..comparison._paired_runs import Done
from ..comparison._progress import Progress, told
from ..preprocessing import tabular_pipeline
from .files import read
from .options import (
    TABLE,
    arm_named,
    check_installed,
    check_output,
    command,
    form_of,
    options_of,
)
from .scores import check_score
from .sentences import TableError, in_words, percent, plural, shown
from .tables import Table, prepare

if TYPE_CHECKING:
    from tqdm import tqdm

BASELINES: dict[str, dict[str, BaseEstimator]] = {
    "classification": {
        "most frequent class": DummyClassifier(),
        "linear": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        "forest": RandomForestClassifier(),
    },
    "regression": {
        "mean": DummyRegressor(),
        "linear": make_pipeline(StandardScaler(), Ridge()),
        "forest": RandomForestRegressor(),
    },
}
"""What the arms are seen beside: other estimators behind the same preparation."""


def _resolve(options: argparse.Namespace) -> None:
    """Fill in what was not said, and depends on --quick."""
    quick, usual = {"seeds": 1, "folds": 3}, {"seeds": 2, "folds": 5}
    for name, value in (quick if options.quick else usual).items():
        if getattr(options, name) is None:
            setattr(options, name, value)


def compare(options: argparse.Namespace) -> None:
    """What the command does, in order: everything that can be wrong comes before the fits."""
    _resolve(options)
    arms = _arms(options.arms)
    form = form_of(options)
    check_installed("pandas", *([] if options.output is None else ["matplotlib"]))
    if options.output is not None:
        check_output(options.output)
    notes: list[str] = []
    source = read(options.file, options.target, form, notes)
    table = prepare(
        source.frame, source.target, options.task, options.drop, options.max_rows, options.folds,
        options.random_state, notes,
    )  # fmt: skip
    if options.scoring is not None:
        check_score(options.scoring, table.y, table.task)
    facts = _facts(options, table, source.target)
    for name, text in facts:
        sys.stdout.write(f"{name}: {text}\n")
    sys.stdout.flush()
    start = time.perf_counter()
    found = _fit(options, table, arms)
    _report(found, facts, time.perf_counter() - start, options)


def _fit(options: argparse.Namespace, table: Table, arms: list[str | None]) -> Comparison:
    estimator = MAXLClassifier if table.task == "classification" else MAXLRegressor
    network = estimator(max_epochs=options.epochs or "auto", lr=options.lr)
    baselines = {name: tabular_pipeline(one) for name, one in BASELINES[table.task].items()}
    with in_words():
        return tracked_compare(
            tabular_pipeline(network), table.X, table.y, options.folds, arms, None,
            options.seeds, options.scoring, None, options.jobs, options.random_state, _track,
            baselines,
        )  # fmt: skip


def _arms(names: Sequence[str]) -> list[str | None]:
    names = [part for name in names for part in name.split(",") if part]
    arms = [arm_named(name, "--arms") for name in names]
    if None not in arms:
        raise TableError("--arms needs none, the single task, which the others are compared to.")
    if len(set(arms)) < max(len(arms), 2):
        raise TableError("--arms needs at least two that differ.")
    return arms


def _facts(options: argparse.Namespace, table: Table, target: str) -> list[tuple[str, str]]:
    """What is compared, for the reader of the report."""
    y = table.y
    words = {"numbers": "numeric", "categories": "text", "dates": "date"}
    kinds = [f"{table.kinds[kind]} {word}" for kind, word in words.items() if table.kinds[kind]]
    if table.task == "classification":
        names, counts = np.unique(y, return_counts=True)
        text = f"{target}, {len(names)} classes: {shown(names)}"
        text += f"; {percent(counts.max() / len(y))} of the rows are {names[counts.argmax()]}"
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
    found: Comparison, facts: list[tuple[str, str]], seconds: float, options: argparse.Namespace
) -> None:
    following = _next(found, options)
    output = options.output
    sys.stdout.write(f"\n{found}\n\nNext: {following}\n\nAll fits took {seconds:.0f} s.")
    if output is not None:
        title = f"Do auxiliary labels help on {Path(options.file).name}?"
        page = found._page(title, [*facts, ("Next", following)])
        try:
            Path(output).write_text(page, encoding="utf-8")
        except OSError as error:
            raise TableError(f"--output {output} can't be written: {error.strerror}.") from error
        sys.stdout.write(f" Page with figures: {output}")
    sys.stdout.write("\n")


def _next(found: Comparison, options: argparse.Namespace) -> str:
    """The command that trains the arm of the verdict on the same table."""
    arm = found._summary.recommended.auxiliary
    words = [options.file, *options_of(options, TABLE), "--arm", "none" if arm is None else arm]
    return command("fit", *words, "--output", f"{Path(options.file).name.split('.')[0]}.maxl")


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
