"""What every source of auxiliary labels has: the one protocol that training asks it by."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator

from .._data.arrays import Arrays
from .._networks.trunk import Frame
from .._tasks.auxiliary import Ints, Psi, resolve_psi


@dataclass(frozen=True)
class LabelInput:
    """What `Labels.fit` is given: the classes, the samples, and what a network needs.

    Parameters
    ----------
    classes : array of shape (C,)
        Names of the classes; in regression, numbers of the bins.
    psi : int, sequence of int, or mapping of class to int
        Auxiliary classes per class that the estimator asks for.
    rows : Arrays
        All samples of the fit, also those that it holds out: ``X`` (n, ...), ``y`` (n,) by
        the number of the class, ``weight`` (n,) or None, ``auxiliary_labels`` (n,) or None.
        Of a memory-mapped ``X``, an index of rows reads those; another one reads all.
    frame : Frame
        What makes a trunk like that of the multi-task network.
    device : str, default="cpu"
        Where networks are trained.
    n_threads : int or None, default=1
        Cores that torch uses.
    """

    classes: np.ndarray
    psi: Psi
    rows: Arrays
    frame: Frame
    device: str = "cpu"
    n_threads: int | None = 1


class Labels(BaseEstimator):
    """Base of the sources of auxiliary labels; by itself it spreads them evenly.

    A subclass holds parameters, as every scikit-learn estimator does. A fit makes a copy,
    calls `fit` and, with the samples that it trains on, `assign`. What the copy learns is
    kept in attributes that end with an underscore. Where labels exist for samples that were
    not trained on, a method ``soft_labels(X, y)`` gives them, as `Uniform` has it.

    Attributes
    ----------
    numbered_by_psi : bool
        Class attribute: whether the estimator's `psi` decides how many auxiliary classes
        there are. If so, ``psi="auto"`` can try several.
    needs_auxiliary_labels : bool
        Class attribute: whether `fit` of the estimator must be given ``auxiliary_labels``.
    predicts : bool
        Whether the auxiliary head predicts the classes, by the mass of each class's auxiliary
        classes: right for labels that say more than the class does.
    psi_ : array of shape (C,), int64
        Auxiliary classes of each class; `fit` sets it.

    Examples
    --------
    Labels by the sign of one column:

    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_maxl import MAXLClassifier
    >>> from sklearn_maxl.labels import Labels
    >>> class BySize(Labels):
    ...     def __init__(self, column=0):
    ...         self.column = column
    ...     def fit(self, task):
    ...         self.psi_ = np.full(len(task.classes), 2)
    ...         self.middle_ = float(np.median(task.rows.X[:, self.column]))
    ...         return self
    ...     def assign(self, rows, rng):
    ...         return (rows.X[:, self.column] > self.middle_).astype(int)
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MAXLClassifier(auxiliary=BySize(), lr=0.01, max_epochs=2).fit(X, y)
    >>> clf.predict_auxiliary(X).shape
    (150, 6)
    """

    numbered_by_psi: ClassVar[bool] = True
    needs_auxiliary_labels: ClassVar[bool] = False
    predicts: bool = False

    psi_: Ints

    def fit(self, task: LabelInput) -> Self:
        """Learn how many auxiliary classes there are, and what else is needed for labels.

        Parameters
        ----------
        task : LabelInput
            What the labels are for.

        Returns
        -------
        Labels
            This object.
        """
        self.psi_ = resolve_psi(task.psi, task.classes)
        return self

    def assign(self, rows: Arrays, rng: np.random.RandomState) -> Ints | None:
        """Give the samples that are trained on their labels.

        Parameters
        ----------
        rows : Arrays
            Training samples, as `LabelInput.rows`; in `partial_fit`, those of this call.
        rng : numpy.random.RandomState
            Where everything random comes from.

        Returns
        -------
        array of shape (n,), int, or None
            Position of each label in the block of the sample's class, from 0 to
            ``psi_[y] - 1``. None where the training step makes the labels: evenly spread
            or, for `Learned`, by the label generator.
        """
        return None

    def state(self) -> dict[str, object]:
        """What `fit` and `assign` learned, for a file.

        Returns
        -------
        dict of str to object
            Numbers, text, arrays, and lists or dictionaries of them. By default all
            attributes that end with an underscore. A file holds ``psi_`` anyway.
        """
        return {k: v for k, v in vars(self).items() if is_fitted_name(k) and k != "psi_"}

    def restore(self, state: Mapping[str, object], task: LabelInput) -> None:
        """Undo `state`, in place of `fit`; ``psi_`` is there already.

        Parameters
        ----------
        state : dict of str to object
            From a file that anybody may have written.
        task : LabelInput
            What the labels are for, without samples.

        Raises
        ------
        ValueError
            If it can't be what `state` gave.
        """
        if not all(map(is_fitted_name, state)):
            raise ValueError(f"its auxiliary labels have the unknown parts {sorted(state)[:3]}")
        self.__dict__.update(state)


class Stateless(Labels):
    """Labels for which ``psi_`` is all that a fit learns."""

    def restore(self, state: Mapping[str, object], task: LabelInput) -> None:
        if state:
            raise ValueError("its auxiliary labels have another source than it says")


def is_fitted_name(name: str) -> bool:
    """Whether an attribute is one that a fit sets, as scikit-learn names them."""
    return name.isidentifier() and name.endswith("_") and not name.startswith("_")


def restored_copy(labels: Labels, state: Mapping[str, object], task: LabelInput) -> Labels:
    """A copy of a holder with what another copy learned."""
    other = copy.copy(labels)
    other.psi_ = resolve_psi(task.psi, task.classes)
    other.restore(state, task)
    return other


def fitted_copy(labels: Labels, task: LabelInput) -> Labels:
    """A copy of a holder, fitted; the holder itself stays as it is."""
    other = copy.copy(labels)
    other.fit(task)
    psi = np.asarray(getattr(other, "psi_", None))
    if psi.shape != task.classes.shape or psi.dtype.kind not in "iu" or (psi < 1).any():
        raise ValueError(
            f"{type(labels).__name__}.fit must set psi_ to a whole number from 1 on for each of "
            f"the {len(task.classes)} classes; super().fit(task) sets it to the estimator's psi."
        )
    other.psi_ = psi.astype(np.int64)
    return other
