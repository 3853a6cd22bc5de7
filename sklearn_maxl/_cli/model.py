"""A model in a file, as the commands use it."""

import datetime
import sys
from dataclasses import dataclass

from sklearn.pipeline import Pipeline

from .. import MAXLClassifier, MAXLRegressor
from .._environment.torch_state import own_torch
from .._persistence import container
from .._persistence.pipelines import load_pipeline
from ..preprocessing._state import state_of
from .files import check_file
from .record import LEFT_OUT, Column, Record
from .sentences import TableError, printable

CLASSES = (MAXLClassifier, MAXLRegressor)


@dataclass(frozen=True)
class Model:
    """A pipeline, and what its file says of it.

    Attributes
    ----------
    path : str
    pipeline : Pipeline
    created : datetime
    record : Record or None
        None where no command wrote the file.
    versions : dict
    """

    path: str
    pipeline: Pipeline
    created: datetime.datetime
    record: Record | None
    versions: dict[str, str]

    @property
    def task(self) -> str:
        """What it was trained for."""
        network = self.pipeline[-1]
        return "classification" if isinstance(network, MAXLClassifier) else "regression"

    @property
    def columns(self) -> list[Column]:
        """Those of the training file; of a pipeline that was saved in Python, as it knows them."""
        if self.record is not None:
            return self.record.columns
        state = state_of(self.pipeline[0])
        reasons = {str(name): reason for name, reason in state.left_out}
        kinds = {place: name for name, kind in state.kinds.items() for place in kind.places}
        names = state.names or [f"x{place}" for place in range(state.n_features)]
        return [
            Column(name, kinds.get(place, LEFT_OUT), "", reasons.get(name, ""))
            for place, name in enumerate(names)
        ]

    def categories(self) -> dict[str, list[str]]:
        """The known categories of columns where all others are new."""
        found = state_of(self.pipeline[0])
        if found.categories is None or found.names is None:
            return {}
        own = zip(
            found.categories.places, found.categories.frequent, found.categories.rare, strict=True
        )
        return {found.names[place]: known for place, known, rare in own if not rare}


def load_model(path: str) -> Model:
    """What is in a file; a `TableError` if that is no model for tables."""
    check_file(path, "the file of a model")
    try:
        with own_torch(1):
            loaded = load_pipeline(path, CLASSES)
        with container.read_aloud(path):
            record = None if loaded.record is None else Record.from_plain(loaded.record)
            if record is not None:
                _check_fits(record, loaded.pipeline)
    except ValueError as error:
        raise TableError(f"{printable(error)} Is it a file that fit wrote?") from error
    except OSError as error:
        raise TableError(f"{path} can't be read: {error.strerror}.") from error
    for note in loaded.notes:
        sys.stderr.write(f"warning: {printable(note)}\n")
    return Model(path, loaded.pipeline, loaded.created, record, loaded.versions)


def _check_fits(record: Record, pipeline: Pipeline) -> None:
    """Whether a record tells of the columns that the table's preparation has."""
    names = getattr(pipeline[0], "feature_names_in_", None)
    if names is None or [column.name for column in record.used] != names.tolist():
        raise ValueError("its record tells of other columns than its preparation has")
    kinds = {
        place: name for name, kind in state_of(pipeline[0]).kinds.items() for place in kind.places
    }
    if any(
        kinds.get(place, column.kind) != column.kind for place, column in enumerate(record.used)
    ):
        raise ValueError("its record tells of other kinds of columns than its preparation has")
