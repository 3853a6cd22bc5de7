"""What a `TableEncoder` has learned, as plain values, and an encoder made of it again.

scikit-learn's transformers are made by their own ``fit``, on a few rows from which they learn what
is known: none of their private attributes is set.
"""

import datetime
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from ._dates import PARTS
from ._encoder import TableEncoder, steps_for, transformers


@dataclass(frozen=True)
class Numbers:
    """Columns of numbers: places among all columns, medians, and which have a column of gaps."""

    places: list[int]
    medians: list[float]
    gaps: list[bool]

    @property
    def width(self) -> int:
        """Columns that they become."""
        return len(self.places) + sum(self.gaps)

    def fitted(self, step: Pipeline) -> Pipeline:
        """The step, as if it had seen the training rows."""
        rows = np.tile(np.array(self.medians), (3, 1))  # three: their median is exact
        rows[1:, np.array(self.gaps)] = np.nan
        return step.fit(rows)


@dataclass(frozen=True)
class Categories:
    """Columns of categories: those that have a column each, and whether rare ones share one.

    Which the rare ones were is not kept: new ones are counted among them.
    """

    places: list[int]
    frequent: list[list[str]]
    rare: list[bool]

    @property
    def width(self) -> int:
        """Columns that they become."""
        return sum(map(len, self.frequent)) + sum(self.rare)

    def fitted(self, step: Pipeline) -> Pipeline:
        """The step, as if it had seen the training rows."""
        n = 2 * max(map(len, self.frequent)) + 1
        rows = np.empty((n, len(self.places)), dtype=object)
        for place, (frequent, rare) in enumerate(zip(self.frequent, self.rare, strict=True)):
            cells = [_other_than(frequent)] if rare else []
            rows[:, place] = [*cells, *(n * frequent)][:n]
        return step.fit(rows)


@dataclass(frozen=True)
class Dates:
    """Columns of dates: the first of each in microseconds since 1970, which parts are used."""

    places: list[int]
    first: list[int]
    used: list[list[bool]]
    medians: list[float]

    @property
    def width(self) -> int:
        """Columns that they become."""
        return sum(map(sum, self.used))

    def fitted(self, step: Pipeline) -> Pipeline:
        """The step, as if it had seen the training rows."""
        parts, imputer = step[0], step[1]
        parts.n_features_in_ = len(self.places)
        parts.first_ = np.array(self.first, dtype="datetime64[us]")
        parts.used_ = np.array(self.used).reshape(-1, len(PARTS))
        imputer.fit(np.array([self.medians]))
        return step


@dataclass(frozen=True)
class State:
    """All that an encoder has learned; `names` is None where not all of them are text."""

    max_categories: int
    n_features: int
    names: list[str] | None
    left_out: list[tuple[Hashable, str]]
    numbers: Numbers | None
    categories: Categories | None
    dates: Dates | None

    @property
    def kinds(self) -> dict[str, Numbers | Categories | Dates]:
        """The kinds of columns that there are."""
        all_of_them = {"numbers": self.numbers, "categories": self.categories, "dates": self.dates}
        return {name: kind for name, kind in all_of_them.items() if kind is not None}

    @property
    def width(self) -> int:
        """Columns that the table becomes."""
        return sum(kind.width for kind in self.kinds.values())


def state_of(encoder: TableEncoder) -> State:
    """What a fitted encoder has learned."""
    columns = encoder.column_transformer_
    places = {name: list(map(int, own)) for name, _, own in columns.transformers_}
    steps = columns.named_transformers_
    names = getattr(encoder, "feature_names_in_", None)
    numbers = categories = dates = None
    if "numbers" in steps:
        imputer = steps["numbers"][1]
        with_gaps = set(imputer.indicator_.features_.tolist())
        medians = imputer.statistics_.tolist()
        gaps = [place in with_gaps for place in range(len(medians))]
        numbers = Numbers(places["numbers"], medians, gaps)
    if "categories" in steps:
        one_hot = steps["categories"][2]
        rare = [[] if some is None else some.tolist() for some in one_hot.infrequent_categories_]
        frequent = [
            [value for value in known.tolist() if value not in set(others)]
            for known, others in zip(one_hot.categories_, rare, strict=True)
        ]
        categories = Categories(places["categories"], frequent, list(map(bool, rare)))
    if "dates" in steps:
        parts, imputer = steps["dates"][0], steps["dates"][1]
        first = parts.first_.astype("datetime64[us]").astype(np.int64).tolist()
        dates = Dates(places["dates"], first, parts.used_.tolist(), imputer.statistics_.tolist())
    return State(
        max_categories=int(encoder.max_categories),
        n_features=int(encoder.n_features_in_),
        names=None if names is None else names.tolist(),
        left_out=list(encoder.left_out_.items()),
        numbers=numbers,
        categories=categories,
        dates=dates,
    )


def encoder_of(state: State) -> TableEncoder:
    """A fitted encoder that has learned this."""
    encoder = TableEncoder(state.max_categories)
    steps = {
        name: step.set_output(transform="default")  # whatever the program has set
        for name, step in steps_for(state.max_categories).items()
    }
    places = {name: kind.places for name, kind in state.kinds.items()}
    frozen = {name: FrozenEstimator(kind.fitted(steps[name])) for name, kind in state.kinds.items()}
    columns = transformers(frozen, places).fit(_any_rows(state))
    columns.transformers = transformers(steps_for(state.max_categories), places).transformers
    columns.transformers_ = [
        (name, step.estimator if isinstance(step, FrozenEstimator) else step, own)
        for name, step, own in columns.transformers_
    ]
    encoder.column_transformer_ = columns
    encoder.left_out_ = dict(state.left_out)
    encoder.n_features_in_ = state.n_features
    if state.names is not None:
        for one in (encoder, columns):
            one.feature_names_in_ = np.array(state.names, dtype=object)
    return encoder


def _any_rows(state: State) -> np.ndarray:
    """Two rows with the right kinds of columns."""
    rows = np.zeros((2, state.n_features), dtype=object)
    for name, value in (("categories", ""), ("dates", datetime.date(2000, 1, 1))):
        if name in state.kinds:
            rows[:, state.kinds[name].places] = value
    return rows


def _other_than(texts: list[str]) -> str:
    """A text that is none of these."""
    return next(text for n in range(len(texts) + 1) if (text := f"rare {n}") not in texts)
