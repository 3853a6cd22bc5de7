"""What each entry of a header is, in one table; a file with anything else is refused.

Entries that the table does not name are not read.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .json_values import Plain, short

Checked = dict[str, Any]  # a header whose entries are what the table says


class Kind(Protocol):
    """A kind of value."""

    def check(self, value: object, name: str) -> None:
        """ValueError if a value, that of the entry `name`, is of another kind."""


@dataclass(frozen=True)
class Whole:
    """A whole number from `least` on and below `below`."""

    least: int = 0
    below: int = 2**63

    def check(self, value: object, name: str) -> None:
        if type(value) is not int or not self.least <= value < self.below:
            wanted = f"a whole number from {self.least} to {self.below - 1}"
            raise ValueError(f"{name!r} in its header is {short(value)}, not {wanted}")


@dataclass(frozen=True)
class Positive:
    """A finite number above 0, with a point."""

    def check(self, value: object, name: str) -> None:
        if type(value) is not float or not 0 < value < math.inf:
            raise ValueError(f"{name!r} in its header is {short(value)}, no positive number")


@dataclass(frozen=True)
class Just:
    """A value of a type."""

    kind: type

    def check(self, value: object, name: str) -> None:
        if type(value) is not self.kind:
            words = {str: "text", bool: "true or false", dict: "an object", list: "a list"}
            wanted = words[self.kind]
            raise ValueError(f"{name!r} in its header is {short(value)}, not {wanted}")


@dataclass(frozen=True)
class OrNull:
    """A value of a kind, or none."""

    kind: Kind

    def check(self, value: object, name: str) -> None:
        if value is not None:
            self.kind.check(value, name)


@dataclass(frozen=True)
class Items:
    """A list of so many values of a kind."""

    kind: Kind
    least: int = 0
    most: int | None = None

    def check(self, value: object, name: str) -> None:
        Just(list).check(value, name)
        assert isinstance(value, list)
        if len(value) < self.least or (self.most is not None and len(value) > self.most):
            wanted = f"from {self.least} to {self.most}" if self.most else f"{self.least} or more"
            raise ValueError(f"{name!r} in its header has {len(value)} values, not {wanted}")
        for item in value:
            self.kind.check(item, name)


@dataclass(frozen=True)
class ByName:
    """An object with any names, each with a value of a kind; None is any value."""

    kind: Kind | None = None

    def check(self, value: object, name: str) -> None:
        Just(dict).check(value, name)
        assert isinstance(value, dict)
        if self.kind is not None:
            for key, part in value.items():
                self.kind.check(part, key)


@dataclass(frozen=True)
class Entries:
    """An object with at least these names, each with a value of its kind."""

    kinds: Mapping[str, Kind]

    def check(self, value: object, name: str) -> None:
        Just(dict).check(value, name)
        assert isinstance(value, dict)
        for key, kind in self.kinds.items():
            if key not in value:
                raise ValueError(f"its header lacks {key!r}")
            kind.check(value[key], key)


TEXT, FLAG, COUNT, SEED = Just(str), Just(bool), Whole(), Whole(below=2**31)

# Of one sample. A trial sample is made for networks of the caller's own.
MAX_VALUES = 2**26
MAX_SIDES = 31  # of a sample

LABELS = Entries(
    {
        "kind": OrNull(ByName()),  # a holder; null is one of the user's own making
        "not_stored": Items(TEXT),
        "psi": Items(Whole(1), least=1),
        "state": ByName(),  # read by the source of labels
    }
)
HEADER = Entries(
    {
        "estimator": TEXT,
        "versions": ByName(TEXT),
        "parameters": ByName(ByName()),  # held against those of the estimator in parameters.py
        "not_stored": Items(TEXT),
        "feature_names": OrNull(Items(TEXT)),
        "device": TEXT,
        "targets": ByName(),  # read by `Classes` or `Bins`
        "input_shape": Items(Whole(1, MAX_VALUES + 1), least=1, most=MAX_SIDES),
        "channels_last": ByName(FLAG),
        "history": ByName(),  # read by `History`
        "lr": Positive(),
        "n_samples": COUNT,
        "max_epochs": Whole(1),
        "n_steps": COUNT,
        "n_generator_steps": COUNT,
        "n_scheduled": COUNT,
        "plan_seed": SEED,
        "seed": SEED,
        "labels": OrNull(LABELS),
    }
)

OPTIMIZER = Entries({"groups": Just(list), "numbers": ByName()})
TRAINING = Entries(
    {
        "random_state": ByName(),
        "optimizers": Items(OPTIMIZER, least=1, most=2),
        "meta_gradient": Just(list),
        **dict.fromkeys(("n_epochs", "n_scheduled", "n_steps", "n_generator_steps"), COUNT),
        "rows": Just(list),
        "rows_of_skorch": Just(list),
        "callbacks": ByName(),
        "best": OrNull(Just(list)),
        "over": FLAG,
        "asked_to_stop": FLAG,
    }
)
WHOSE = Entries({"fingerprint": ByName(TEXT), "surroundings": ByName(TEXT)})
CHECKPOINT = Entries({"seed": SEED, "labels": OrNull(LABELS), "training": OrNull(TRAINING)})


def checked(header: Plain) -> Checked:
    """The header of an estimator's file; refused if an entry is not what it has to be."""
    HEADER.check(header, "header")
    return header
