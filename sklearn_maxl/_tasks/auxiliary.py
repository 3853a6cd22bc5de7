"""How auxiliary classes are numbered: the hierarchy of classes, views and auxiliary classes.

Primary class ``i`` owns ``psi[i]`` auxiliary classes. Where the auxiliary task has V views, it
owns as many in each view. All of them stand in one row of K columns::

    class 0, view 0 | class 0, view 1 | ... | class 1, view 0 | ...
     psi[0] columns    psi[0] columns          psi[1] columns

A *block* is the columns of one pair of class and view. `Hierarchy` is the only place that
knows this order; a *position* counts from the start of a block.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from .views import Views

Ints = NDArray[np.int64]
Indices = TypeVar("Indices", Ints, torch.Tensor)

Psi = int | Sequence[int] | Mapping[object, int]


def resolve_psi(psi: Psi, classes: np.ndarray) -> Ints:
    """Auxiliary classes per primary class, in the order of `classes`.

    Parameters
    ----------
    psi : int, sequence of int, or mapping of class to int
    classes : array of shape (C,)

    Returns
    -------
    array of shape (C,), int64
    """
    if isinstance(psi, Mapping):
        missing = [c for c in classes.tolist() if c not in psi]
        unknown = [c for c in psi if c not in classes.tolist()]
        if missing or unknown:
            raise ValueError(
                f"psi must name every class of y (in regression, every bin) once: missing "
                f"{missing}, not in y {unknown}."
            )
        psi = [psi[c] for c in classes.tolist()]
    values = np.full(len(classes), psi) if np.ndim(psi) == 0 else np.asarray(psi)
    if values.shape != classes.shape:
        raise ValueError(
            f"psi has {values.shape[0] if values.ndim else 0} entries, but y has {len(classes)} "
            f"classes (in regression, bins); give one number for each of {classes.tolist()}."
        )
    whole = np.issubdtype(values.dtype, np.integer)
    if not whole or (values < 1).any() or (values >= 2**40).any():
        raise ValueError(
            f"psi must be at least 1, below 2**40 and integer for every class, got {psi!r}."
        )
    return values.astype(np.int64)


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """The numbers of all auxiliary classes.

    Parameters
    ----------
    psi : array of shape (C,), int64
        Auxiliary classes of each primary class.
    views : Views or None
        Views of a sample in the auxiliary task; None has one, the sample as it is.
    """

    psi: Ints
    views: Views | None = None

    @property
    def n_views(self) -> int:
        """``V``."""
        return 1 if self.views is None else self.views.n

    @property
    def block_sizes(self) -> Ints:
        """Columns of each block, shape (C * V,)."""
        return np.repeat(self.psi, self.n_views)

    @property
    def n_labels(self) -> int:
        """``K``, the columns of all blocks."""
        return int(self.block_sizes.sum())

    @property
    def block_starts(self) -> Ints:
        """First column of each block, shape (C * V,)."""
        return np.cumsum(self.block_sizes) - self.block_sizes

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """The paper's ``M = B(y, psi)`` for every block, shape (C * V, K)."""
        owner = np.repeat(np.arange(len(self.block_sizes)), self.block_sizes)
        return owner == np.arange(len(self.block_sizes))[:, None]

    def block(self, y: Indices, view: Indices | int = 0) -> Indices:
        """Number of the block of each class ``y`` in a view."""
        return y * self.n_views + view

    @property
    def columns(self) -> Ints:
        """Columns of each block, shape (C, V, max psi); K fills up the smaller ones."""
        position = np.arange(self.psi.max())
        within = position < self.block_sizes[:, None]
        columns = np.where(within, self.block_starts[:, None] + position, self.n_labels)
        return columns.reshape(len(self.psi), self.n_views, -1)

    @property
    def own_columns(self) -> Ints:
        """Columns of the samples as they are: view 0 of every class, shape (sum psi,)."""
        own = self.columns[:, 0].ravel()
        return own[own < self.n_labels]

    @property
    def without_views(self) -> "Hierarchy":
        """The numbering of `own_columns`: what users see."""
        return Hierarchy(self.psi)

    @property
    def owner(self) -> Ints:
        """Class of each of `own_columns`, shape (sum psi,)."""
        return np.repeat(np.arange(len(self.psi)), self.psi)

    def one_hot(self, y: Ints, position: Ints) -> NDArray[np.float32]:
        """Labels at a position of their class's block, shape (n, sum psi)."""
        columns = self.without_views.block_starts[y] + position
        return np.eye(int(self.psi.sum()), dtype=np.float32)[columns]

    def by_class(self, values: np.ndarray) -> list[np.ndarray]:
        """Cut what has `own_columns` as its last axis into the part of each class."""
        return np.split(values, np.cumsum(self.psi)[:-1], axis=-1)

    def mass_by_class(self, mass: torch.Tensor) -> list[torch.Tensor]:
        """Sum over the views of a mass of all columns, shape (psi[i],) for each class."""
        sizes = (self.n_views * self.psi).tolist()
        return [part.view(self.n_views, -1).sum(0) for part in torch.split(mass, sizes)]
