"""What a fit records: one row per epoch, read as a table or by column."""

import copy
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .._data.scalars import Scalars
from .._maths.losses import entropies
from .._tasks.auxiliary import Hierarchy, Ints
from . import history_html

Row = dict[str, int | float | np.ndarray]

# Rows that calls of `partial_fit` leave: a stream may go on for ever.
ROWS_OF_STREAM = 1000

# What a trial records.
TRIAL = ("setting", "value", "accuracy", "loss", "temperature", "chosen")

# Mean mass below this share of the even one (1 / psi): the auxiliary class is out of use.
IN_USE = 0.1


class History(list[Row]):
    """Epochs as rows (dictionaries), with the columns one index away.

    ``history[-1]`` is the last epoch, ``history["meta_loss"]`` a column as an
    array, ``print(history)`` a table, ``pandas.DataFrame(history)`` a data frame.
    A notebook shows it as curves, with what was chosen and tried.
    Where a setting was changed between two fits, some rows lack a column: it is NaN there.

    Attributes
    ----------
    trials : list of dict
        What was tried on held-out samples before the fit, a row each: the "setting"
        ("max_epochs", "temperature", "auxiliary" or "psi"), its "value", its "accuracy" (None
        in regression), its "loss" (of classes, at the best "temperature") and whether it was
        "chosen".
        ``pandas.DataFrame(history.trials)`` is a table.
    about : dict of str to str
        What was chosen and what came of it, in words: the source of the auxiliary labels, the
        network, the rate, the epochs, the temperature, the held-out score.

    Examples
    --------
    >>> from sklearn_maxl._training.history import History
    >>> history = History([{"epoch": 1, "primary_loss": 0.5}, {"epoch": 2, "primary_loss": 0.25}])
    >>> history["primary_loss"]
    array([0.5 , 0.25])
    >>> print(history)
    epoch  primary_loss
        1        0.5000
        2        0.2500
    """

    def __init__(self, rows: Iterable[Row] = ()):
        super().__init__(rows)
        self.trials: list[dict[str, object]] = []
        self.about: dict[str, str] = {}

    def __getitem__(self, key):  # type: ignore[no-untyped-def]
        if isinstance(key, str):
            return self._column(key)
        return super().__getitem__(key)

    def _column(self, name: str) -> np.ndarray:
        known = [row[name] for row in self if name in row]
        if not known:
            raise KeyError(name)
        if len(known) == len(self):
            return np.array(known)
        missing = np.full(np.shape(known[0]), np.nan)
        return np.array([row.get(name, missing) for row in self])

    @property
    def n_epochs(self) -> int:
        """Epochs that were run, those without a row included."""
        return int(self[-1]["epoch"]) if self else 0

    def state(self) -> dict[str, object]:
        """What a file holds: rows, and what trials found."""
        return {"rows": [dict(row) for row in self], "trials": self.trials}

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> Self:
        """Undo `state`, whoever wrote the file."""
        rows = state.get("rows")
        if not isinstance(rows, list) or not rows:
            raise ValueError("its history has no rows")
        if state.keys() != {"rows", "trials"}:
            raise ValueError("its history is not made of rows and trials")
        numbers = (int, float, np.number, np.ndarray)
        for row in rows:
            values = row.values() if isinstance(row, dict) else [None]
            if not all(
                isinstance(v, numbers) and np.asarray(v).dtype.kind in "iuf" for v in values
            ):
                raise ValueError("its history holds what is no number")
        shapes = [(name, np.shape(value)) for row in rows for name, value in row.items()]
        if any(type(name) is not str for name, _ in shapes) or len(dict(shapes)) < len({*shapes}):
            raise ValueError("its history is not made of columns, each of one shape")
        history = cls(rows)
        if not all(type(row.get("epoch")) is int and row["epoch"] > 0 for row in rows):
            raise ValueError("its history has a row without the number of its epoch")
        trials = state["trials"]
        if not isinstance(trials, list) or not all(map(is_trial, trials)):
            raise ValueError("its history has a trial that is not made of " + ", ".join(TRIAL))
        history.trials = trials
        return history

    def columns(self) -> list[str]:
        """Names of what epochs record."""
        return list(dict.fromkeys(name for row in self for name in row))

    def __str__(self) -> str:
        lines = [self.columns(), *self._cells()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = [
            "  ".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True))
            for line in lines
        ]
        facts = [f"{name}: {line}" for name, line in self.about.items()]
        return "\n".join([*table, *map(trial_line, self.trials), *facts])

    def _repr_html_(self) -> str:
        return history_html.page(self, self.columns(), self._cells(), self.about, self.trials)

    def _cells(self) -> list[list[str]]:
        """What is read of each row."""
        names = self.columns()
        return [[format_cell(row.get(name)) for name in names] for row in self]


def is_trial(stored: object) -> bool:
    """Whether this is what a trial records."""
    return (
        isinstance(stored, dict)
        and stored.keys() == set(TRIAL)
        and isinstance(stored["setting"], str)
        and isinstance(stored["value"], str | Real | None)
        and isinstance(stored["accuracy"], float | None)
        and isinstance(stored["loss"], float)
        and isinstance(stored["temperature"], float)
        and isinstance(stored["chosen"], bool)
    )


def trial_line(trial: Mapping[str, Any]) -> str:
    """A trial for reading."""
    accuracy = trial["accuracy"]
    right = "" if accuracy is None else f"accuracy {accuracy:.4f}, "
    mark = ", chosen" if trial["chosen"] else ""
    return f"trial of {trial['setting']}={trial['value']}: {right}loss {trial['loss']:.4f}{mark}"


def format_cell(value: float | np.ndarray | None) -> str:
    """A value for reading: integers as they are, four digits, an array by its mean."""
    if value is None:
        return "-"
    if isinstance(value, (int, np.integer)):
        return str(value)
    return f"{np.mean(value):.4f}"


Rows = TypeVar("Rows", bound=list[Any])


def copy_of_rows(rows: Rows) -> Rows:
    """A copy that costs the same for any number of epochs: only the last row may change."""
    copied = type(rows)(rows)
    vars(copied).update(vars(rows))
    copied[-1:] = copy.deepcopy(list.__getitem__(rows, slice(-1, None)))
    return copied


class EpochSums:
    """What the batches of an epoch report; it stays on the device until the end."""

    def __init__(self) -> None:
        self.scalars: dict[str, Scalars] = {}
        self.counts: dict[str, list[int]] = {}
        self.sums: dict[str, Tensor] = {}

    def add(self, values: dict[str, Tensor], n: int) -> None:
        """Keep batch means (scalars, with the batch's `n` samples) and add up sums (vectors)."""
        for name, value in values.items():
            if value.ndim == 0:
                self.scalars.setdefault(name, Scalars()).append(value)
                self.counts.setdefault(name, []).append(n)
            else:
                self.sums[name] = self.sums[name] + value if name in self.sums else value

    def of_part(self) -> dict[str, Tensor]:
        """What parts of the same batches add to: all but norms, which add by their squares."""
        scalars = {name: values.all() for name, values in self.scalars.items()}
        squares = {n: v.square() if n in NORMS else v for n, v in scalars.items()}
        return {**squares, **self.sums}

    def become(self, totals: Mapping[str, Tensor]) -> None:
        """Take the sums of what `of_part` gives in several processes for what was recorded."""
        for name in self.scalars:
            values = totals[name].sqrt() if name in NORMS else totals[name]
            self.scalars[name] = Scalars.of(values)
        self.sums = {name: totals[name] for name in self.sums}

    def mean(self, name: str) -> float:
        """Mean of a scalar over the epoch's samples."""
        values = self.scalars[name].all().cpu().numpy()
        return float(np.average(values, weights=self.counts[name]))

    def means(self) -> dict[str, float]:
        """Means of all scalars."""
        return {name: self.mean(name) for name in self.scalars}


NORMS = ("meta_gradient_norm", "regulariser_gradient_norm")
LOSSES = ("primary_loss", "auxiliary_loss", "meta_loss")


def summary(
    number: int,
    means: Mapping[str, float],
    sums: EpochSums,
    hierarchy: Hierarchy | None,
    learned: bool,
    validation_score: float | None,
) -> Row:
    """The row of an epoch, from its sums and the means that were read of them."""
    row: Row = {"epoch": number}
    expected = LOSSES[: 1 if hierarchy is None else 3 if learned else 2]
    row.update({name: means.get(name, np.nan) for name in expected})
    if validation_score is not None:
        row["validation_score"] = validation_score
    if hierarchy is not None:
        row.update(label_columns(sums, hierarchy))
    if learned:  # an epoch may be shorter than the time between two turns of the generator
        meta = means.get("meta_gradient_norm", np.nan)
        regulariser = means.get("regulariser_gradient_norm", np.nan)
        row["gradient_norm_ratio"] = meta / regulariser if regulariser else np.inf
    return row


def label_columns(sums: EpochSums, hierarchy: Hierarchy) -> Row:
    """Summary of the epoch's auxiliary labels, those of a class's views taken together.

    Returns
    -------
    dict
        ``auxiliary_in_use``, array of shape (C,): share of the auxiliary classes of
        each primary class that get at least a tenth of their even share of its mass;
        0 for a class without samples.
        ``mean_label_entropy``: entropy in nats of the mean label within a class,
        averaged over the samples' classes; log(psi) when all are used evenly.
        ``label_entropy``: mean entropy of a single label. The difference of the two
        is what a label tells about its sample beyond the class.
        Where weights of the samples are learned, ``generated_weight`` and
        ``generated_weight_deviation``: their mean and standard deviation.
    """
    if "label_mass" not in sums.sums:
        return {}
    mass = hierarchy.mass_by_class(sums.sums["label_mass"].cpu().double())
    in_use, entropy, total = np.zeros(len(mass)), 0.0, 0.0
    for i, block in enumerate(mass):
        n_i = float(block.sum())
        if n_i > 0:
            m = block / n_i
            in_use[i] = float((m >= IN_USE / len(m)).double().mean())
            entropy += n_i * float(entropies(m.unsqueeze(0)))
            total += n_i
    columns: Row = {
        "auxiliary_in_use": in_use.round(4),
        "mean_label_entropy": entropy / max(total, 1.0),
        "label_entropy": sums.mean("label_entropy"),
    }
    if "generated_weight" in sums.scalars:
        mean = sums.mean("generated_weight")
        columns["generated_weight"] = mean
        variance = sums.mean("squared_generated_weight") - mean**2
        columns["generated_weight_deviation"] = max(variance, 0.0) ** 0.5
    return columns


def share_in_use(in_use: NDArray[np.float64], psi: Ints) -> float:
    """Share of all auxiliary classes that are in use; classes without samples don't count."""
    seen = in_use > 0
    return float(np.average(in_use[seen], weights=psi[seen])) if seen.any() else 1.0
