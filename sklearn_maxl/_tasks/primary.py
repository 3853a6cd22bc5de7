"""What the primary task is asked to predict, and the classes that own the auxiliary ones.

A classifier's classes are the classes of ``y``. A regressor has none, so its
targets are cut into quantile bins and each bin is one "primary class" for the
hierarchy ``psi`` and the mask; the primary loss never sees the bins.
"""

from collections.abc import Mapping
from numbers import Integral, Real
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.multiclass import check_classification_targets

from .._environment.stored_arrays import finite, positive

State = dict[str, object]

MOST = np.finfo(np.float64).max
MOST_OF_FLOAT32 = np.finfo(np.float32).max


class Encoded(NamedTuple):
    """Codes of the classes (n,) and, in regression, the standardised targets (n, m)."""

    y: NDArray[np.int64]
    target: NDArray[np.float32] | None = None


class Classes:
    """Class labels as integers 0..C-1.

    Parameters
    ----------
    y : array of shape (n,)
    known : array of shape (C,) or None
        All classes there will ever be; None finds them in `y`.
    name : str
        The estimator that errors name.
    """

    regression = False

    def __init__(self, y: np.ndarray, known: np.ndarray | None, name: str):
        _check_classes(y)
        self.names = np.unique(y) if known is None else known
        self.name = name
        if len(self.names) < 2:
            raise ValueError(
                f"{name} needs samples of at least 2 classes, but y contains only one class: "
                f"{self.names.tolist()[0]!r}."
            )

    @property
    def n_outputs(self) -> int:
        """Outputs of the primary head."""
        return len(self.names)

    def encode(self, y: np.ndarray) -> Encoded:
        """Position of each label among the classes."""
        _check_classes(y)
        known = np.isin(y, self.names)
        if not known.all():
            raise ValueError(
                f"y holds classes that {self.name} was not fitted for: "
                f"{np.unique(y[~known]).tolist()}; the known ones are {self.names.tolist()}."
            )
        return Encoded(np.searchsorted(self.names, y).astype(np.int64))

    def state(self) -> State:
        """What a file holds: the names."""
        return {"names": self.names}

    @classmethod
    def from_state(cls, state: Mapping[str, object], name: str) -> Self:
        """Undo `state`, whoever wrote the file."""
        if state.keys() != {"names"}:
            raise ValueError(f"its targets are not those of a {name}")
        classes = state["names"]
        row = classes if isinstance(classes, np.ndarray) and classes.ndim == 1 else None
        if row is None or not np.array_equal(np.unique(row), row):
            raise ValueError("its classes are no sorted array of distinct labels")
        # Several of each: scikit-learn warns of targets that hardly ever repeat.
        return cls(np.repeat(row, 3), row, name)


def _check_classes(y: np.ndarray) -> None:
    refuse_objects(y)
    try:
        check_classification_targets(y)
    except ValueError as error:
        raise ValueError(f"{error} Use MAXLRegressor for numbers.") from error


def refuse_objects(y: ArrayLike) -> None:
    """Say what to do with labels in an array of objects that are not all text."""
    labels = np.asarray(y)
    if labels.dtype.kind != "O" or all(isinstance(label, str) for label in labels.ravel()):
        return
    kinds = {type(label) for label in labels.ravel()}
    types: dict[str, tuple[type, ...]] = {
        "bool": (bool, np.bool_),
        "int": (Integral,),
        "float": (Real,),
        "str": (object,),
    }
    one = next(name for name, t in types.items() if all(issubclass(kind, t) for kind in kinds))
    raise ValueError(
        f"Unknown label type: objects of type {' and '.join(sorted(k.__name__ for k in kinds))}. "
        f"Give all labels in y one type, for instance with y.astype({one})."
    )


BINS = ("shape", "mean", "scale", "direction", "edges")


class Bins:
    """Standardised targets, and their quantile bins 0..B-1.

    Targets of several columns are binned along their first principal component, the direction
    in which they differ most. Bin 0 is at the low end of the first column that counts in it.

    Parameters
    ----------
    y : array of shape (n,) or (n, m)
    weight : array of shape (n,) or None
        Weights of the samples for the mean, the deviation, the direction and the quantiles.
    n_bins : int
        Bins asked for; there are fewer where equal targets would fall on both
        sides of an edge.
    name : str
        The estimator that errors name.
    """

    regression = True

    def __init__(
        self, y: NDArray[np.float64], weight: NDArray[np.float64] | None, n_bins: int, name: str
    ):
        self.name, self.shape = name, y.shape[1:]
        columns = self._columns(y)
        # Divided by a power of two, so that squares are neither too large nor too small.
        size = np.frexp(np.abs(columns).max(axis=0))[1]
        scaled = np.ldexp(columns, -size)
        mean = np.average(scaled, axis=0, weights=weight)
        deviation = np.sqrt(np.average((scaled - mean) ** 2, axis=0, weights=weight))
        self.mean: NDArray[np.float64] = np.ldexp(mean, size)
        scale: NDArray[np.float64] = np.ldexp(deviation, size)
        self.scale = np.where(scale > 0, scale, 1.0)
        z = (columns - self.mean) / self.scale
        self.direction = principal_direction(z, weight)
        along = z @ self.direction
        edges = quantiles(along, weight, n_bins)
        self.edges = edges[edges < along.max()]  # no bin without a sample
        self.names = np.arange(len(self.edges) + 1)

    @property
    def n_outputs(self) -> int:
        """Outputs of the primary head."""
        return len(self.mean)

    def encode(self, y: NDArray[np.float64]) -> Encoded:
        """Bin and standardised value of each target."""
        if y.shape[1:] != self.shape:
            raise ValueError(
                f"y has targets of shape {y.shape[1:]}, but {self.name} was fitted for targets of "
                f"shape {self.shape}."
            )
        with np.errstate(over="ignore"):
            z = (self._columns(y) - self.mean) / self.scale
        z = np.clip(z, -MOST_OF_FLOAT32, MOST_OF_FLOAT32)
        bins = np.searchsorted(self.edges, z @ self.direction)  # an edge ends its bin
        return Encoded(bins.astype(np.int64), z.astype(np.float32))

    def decode(self, outputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predicted targets, in the units and the shape of ``y``; clipped to what float64 holds."""
        with np.errstate(over="ignore"):
            targets = outputs * self.scale + self.mean
        return np.clip(targets, -MOST, MOST).reshape(-1, *self.shape)

    def state(self) -> State:
        """What a file holds: all that makes bins from numbers."""
        return {name: getattr(self, name) for name in BINS}

    @classmethod
    def from_state(cls, state: Mapping[str, object], name: str) -> Self:
        """Undo `state`, whoever wrote the file."""
        if state.keys() != set(BINS):
            raise ValueError(f"its targets are not those of a {name}")
        shape = state["shape"]
        if not isinstance(shape, tuple) or len(shape) > 1:
            raise ValueError("its targets are neither numbers nor rows of numbers")
        bins, n = cls.__new__(cls), shape or (1,)
        bins.name, bins.shape = name, shape
        bins.mean, bins.scale = finite(state["mean"], n), positive(state["scale"], n)
        bins.direction = finite(state["direction"], n)
        edges = np.asarray(state["edges"])
        bins.edges = finite(edges, (edges.size,))
        if (np.diff(bins.edges) <= 0).any():
            raise ValueError("its bins are not in order")
        bins.names = np.arange(len(bins.edges) + 1)
        return bins

    @staticmethod
    def _columns(y: NDArray[np.float64]) -> NDArray[np.float64]:
        return y.reshape(len(y), -1).astype(np.float64)


def principal_direction(
    z: NDArray[np.float64], weight: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """The unit vector along which rows differ most, by a sign that a draw of rows does not flip.

    A decomposition leaves the sign open. Positive is the first part of at least half the
    size of the largest; of two columns, that is the first one.
    """
    rows = z if weight is None else np.sqrt(weight / weight.max())[:, None] * z
    direction: NDArray[np.float64] = np.linalg.svd(rows, full_matrices=False)[2][0]
    size = np.abs(direction)
    first = np.argmax(size >= size.max() / 2)
    return direction if direction[first] >= 0 else -direction


def quantiles(
    values: NDArray[np.float64], weight: NDArray[np.float64] | None, n_bins: int
) -> NDArray[np.float64]:
    """Least values at which a share 1/B, 2/B, ... of the weight is reached; each once, in order.

    Found from the values, of which there are few, and not from the shares: B may be any number.
    """
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(np.ones(len(values)) if weight is None else weight[order])
    share = reached / reached[-1]
    # How many of the shares are reached. Rounding must not push an edge to the next value.
    n_shares = np.floor((share + 1e-12) * n_bins).clip(max=n_bins - 1)
    return np.unique(values[order][np.diff(n_shares, prepend=0) > 0])


Targets = Classes | Bins
