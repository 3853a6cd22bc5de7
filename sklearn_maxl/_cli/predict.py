"""``predict``: classes and probabilities, or numbers, for the rows of a file."""

import argparse
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._persistence.container import replace_file
from ..preprocessing._columns import as_texts
from .model import Model, load_model
from .new_rows import NewRows, read_new
from .options import check_installed, check_output, form_of
from .scores import quality, score_of
from .sentences import TableError, in_words, one_line, plural, printable
from .texts import WITH_COMMA, decimals

if TYPE_CHECKING:
    import pandas as pd

OTHER_FORMATS = (".parquet", ".pq", ".xlsx", ".xls", ".gz", ".bz2", ".xz", ".zip", ".maxl")


def predict(options: argparse.Namespace) -> None:
    """What the command does, in order."""
    form = form_of(options)
    check_installed("pandas")
    _check_predictions_file(options)
    model = load_model(options.model)
    if not hasattr(model.pipeline[0], "feature_names_in_"):
        raise TableError(
            f"{options.model} was trained on a table without names of columns; use "
            "sklearn_maxl.tables.load_pipeline in Python."
        )
    notes: list[str] = []
    rows = read_new(options.file, form, model, options.keep, notes)
    predictions, answers = _predictions(model, rows)
    say = sys.stderr if options.output is None else sys.stdout
    for note in notes:
        say.write(f"Note: {note}\n")
    if rows.target is not None:
        say.write(f"Score: {_score(model, rows, answers)}\n")
    data = _csv(predictions, rows)
    if options.output is None:
        sys.stdout.write(data)
        return
    _write(options.output, data)
    n = len(predictions)
    say.write(f"Predictions: {options.output}, {n:,} row{plural(n)}\n")


def _check_predictions_file(options: argparse.Namespace) -> None:
    """Predictions can be made again, so they are replaced; what they are made of is not."""
    if options.output is None:
        return
    check_output(options.output)
    output = Path(options.output)
    if output.suffix.lower() in OTHER_FORMATS:
        raise TableError(
            f"--output {options.output} would be CSV under another name; give one that ends with "
            ".csv."
        )
    for name in (options.file, options.model):
        if output.exists() and Path(name).exists() and output.samefile(name):
            raise TableError(f"--output {options.output} is what is read; give another name.")


def _predictions(model: Model, rows: NewRows) -> tuple["pd.DataFrame", np.ndarray]:
    """The table of the output as texts, and the predictions."""
    import pandas as pd

    with in_words():
        # Of categories that were not seen in training the notes tell.
        warnings.filterwarnings("ignore", "Found unknown categories")
        if model.task == "classification":
            probabilities = model.pipeline.predict_proba(rows.X)
            classes = model.pipeline.classes_
            answers = classes[probabilities.argmax(axis=1)]
        else:
            answers = model.pipeline.predict(rows.X)
    out = rows.passed_on.copy()
    if out.columns.empty:
        out["row"] = np.arange(1, len(out) + 1)
    comma = _has_commas(model, rows)
    columns: dict[str, Any] = {}
    if model.task == "classification":
        columns["prediction"] = answers.astype(str)
        for name, values in zip(classes, probabilities.T, strict=True):
            columns[f"probability_{name}"] = _texts(values, ".6f", comma)
    else:
        columns["prediction"] = _texts(answers, ".10g", comma)
    own = pd.DataFrame(columns, index=out.index)
    return pd.concat([out, own], axis=1), answers


def _has_commas(model: Model, rows: NewRows) -> bool:
    """Whether the new file has decimal commas: it says so, or may, and the training file had."""
    if rows.file is None or not rows.file.comma:
        return False
    written = [column.written for column in model.columns]
    written += [] if model.record is None else [model.record.written]
    return rows.file.point == "," or WITH_COMMA in written


def _texts(values: np.ndarray, form: str, comma: bool) -> list[str]:
    texts = [format(value, form) for value in values.tolist()]
    return [text.replace(".", ",") for text in texts] if comma else texts


def _csv(predictions: "pd.DataFrame", rows: NewRows) -> str:
    """The table as a text that is written as the new file is."""
    mark = "," if rows.file is None or rows.file.separator == " " else rows.file.separator
    text: str = predictions.to_csv(index=False, sep=mark, lineterminator="\n")
    return text


def _write(output: str, data: str) -> None:
    """Put the file there at once: whatever happens, it is whole, or the one before it is."""
    try:
        replace_file(output, [data.encode()])
    except OSError as error:
        why = error.strerror or one_line(error)
        raise TableError(f"--output {output} can't be written: {why.rstrip('.')}.") from error


# The score of a file with the target in it


def _score(model: Model, rows: NewRows, answers: np.ndarray) -> str:
    """How good the predictions are, of the rows that have a target."""
    assert rows.target is not None
    assert model.record is not None
    name = printable(model.record.target)
    truth = (_classes if model.task == "classification" else _numbers)(model, rows)
    known = np.array([value == value for value in truth])
    if not known.any():
        return f"none, for no row has a value of {name} that can be read"
    if model.task == "classification":
        answers = as_texts(answers)
    score = score_of(truth[known], answers[known], truth[known], model.task)
    n = f"{score.rows:,} row{plural(score.rows)}"
    return f"{quality(score, model.task)} on the {n} with a value of {name}"


def _classes(model: Model, rows: NewRows) -> np.ndarray:
    """The target as texts, NaN where it is missing."""
    import pandas as pd

    cells, names = rows.target, model.pipeline.classes_
    assert cells is not None
    if names.dtype.kind in "iu" and rows.file is not None:
        cells = pd.to_numeric(cells, errors="coerce").astype(float)
    elif set(names) <= {"True", "False"} and rows.file is not None:
        cells = cells.str.strip().str.capitalize()
    return as_texts(cells.to_numpy(dtype=object, na_value=np.nan))


def _numbers(model: Model, rows: NewRows) -> np.ndarray:
    """The target as numbers, NaN where it is missing."""
    import pandas as pd

    cells = rows.target
    assert cells is not None
    found = decimals(cells) if rows.file is not None and rows.file.comma else None
    found = pd.to_numeric(cells, errors="coerce") if found is None else found
    numbers = found.to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan)
