"""Labels without a network of their own: even, random, and given by hand."""

from collections.abc import Mapping
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._data.arrays import Arrays, is_gap
from .._tasks.auxiliary import Hierarchy, Ints
from ._labels import LabelInput, Labels, Stateless


class Uniform(Stateless):
    """Every label is spread evenly over the auxiliary classes of the sample's class.

    Nothing is learned: the control of `Learned`, of the same size.

    Examples
    --------
    >>> from sklearn_maxl import MAXLClassifier
    >>> from sklearn_maxl.labels import Uniform
    >>> MAXLClassifier(auxiliary=Uniform())
    MAXLClassifier(auxiliary=Uniform())
    """

    def soft_labels(self, X: np.ndarray, y: Ints) -> NDArray[np.float32]:
        """Labels of any samples.

        Parameters
        ----------
        X : array of shape (n, ...)
            Not looked at.
        y : array of shape (n,), int
            Numbers of their classes.

        Returns
        -------
        array of shape (n, sum of `psi_`), float32
            All mass of a label lies in the block of the sample's class.
        """
        share = 1 / self.psi_.astype(np.float32)
        return (Hierarchy(self.psi_).mask[y] * share[y, None]).astype(np.float32)


class Random(Stateless):
    """Every sample gets a random auxiliary class of its class, once: the paper's "Random".

    Examples
    --------
    >>> from sklearn_maxl import MAXLClassifier
    >>> from sklearn_maxl.labels import Random
    >>> MAXLClassifier(auxiliary=Random(), psi=3)
    MAXLClassifier(auxiliary=Random(), psi=3)
    """

    def assign(self, rows: Arrays, rng: np.random.RandomState) -> Ints:
        return rng.randint(self.psi_[rows.y])


class Human(Labels):
    """Labels that are given to ``fit(X, y, auxiliary_labels=...)``: the paper's "Human".

    The distinct labels of a class are its auxiliary classes; `psi` is not looked at.

    Parameters
    ----------
    predicts : bool, default=True
        Whether the auxiliary head predicts the classes: the probability of a class is that of
        its auxiliary classes together. True labels tell a network more than it learns from
        the classes, but only the auxiliary head comes to know it
        (``python -m benchmarks.studies.coarse_classes``). Until it has learned its task, the
        primary head has a say of up to one half. False, the paper's: the primary head
        predicts. Ignored with `views`, where the auxiliary head always predicts.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_maxl import MAXLClassifier
    >>> from sklearn_maxl.labels import Human
    >>> X, digit = load_digits(return_X_y=True)
    >>> clf = MAXLClassifier(auxiliary=Human(), lr=0.01, max_epochs=2)
    >>> clf.fit(X, digit % 2, auxiliary_labels=digit).psi_
    array([5, 5])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {"predicts": ["boolean"]}

    numbered_by_psi = False
    needs_auxiliary_labels = True

    def __init__(self, predicts: bool = True):
        self.predicts = predicts

    known_: list[np.ndarray]

    def fit(self, task: LabelInput) -> Self:
        rows = task.rows
        assert rows.auxiliary_labels is not None
        classes = range(len(task.classes))
        self._number([np.unique(rows.auxiliary_labels[rows.y == i]) for i in classes])
        return self

    def _number(self, known: list[np.ndarray]) -> None:
        self.known_ = known
        self.psi_ = np.array([max(1, len(labels)) for labels in known], dtype=np.int64)

    def assign(self, rows: Arrays, rng: np.random.RandomState) -> Ints:
        assert rows.auxiliary_labels is not None
        positions = np.zeros(len(rows.y), dtype=np.int64)
        for i, known in enumerate(self.known_):
            own = rows.y == i
            given = rows.auxiliary_labels[own]
            if not np.isin(given, known).all():
                raise ValueError(
                    "auxiliary_labels holds labels that the first call did not see for their "
                    f"class: {np.setdiff1d(given, known).tolist()}; pass all of them there."
                )
            positions[own] = np.searchsorted(known, given)
        return positions

    def state(self) -> dict[str, object]:
        return {"known": self.known_}

    def restore(self, state: Mapping[str, object], task: LabelInput) -> None:
        known = state["known"] if state.keys() == {"known"} else None
        if not isinstance(known, list) or any(np.ndim(labels) != 1 for labels in known):
            raise ValueError("its finer labels are not those of an estimator")
        self._number(known)


def check_auxiliary_labels(
    auxiliary_labels: ArrayLike | None, n_samples: int, source: str = "'human'"
) -> np.ndarray:
    """Validate the fit parameter `auxiliary_labels`: one label of any type for each sample."""
    if auxiliary_labels is None:
        raise ValueError(
            f"auxiliary={source} needs the finer labels: call fit(X, y, auxiliary_labels=...)."
        )
    labels = np.asarray(auxiliary_labels)
    if labels.shape != (n_samples,):
        raise ValueError(
            f"auxiliary_labels must hold one label for each sample, shape ({n_samples},), "
            f"but has shape {labels.shape}."
        )
    if labels.dtype.kind == "O":
        kinds = ({str}, {Real, np.bool_})
        usable = any(all(isinstance(v, tuple(kind)) for v in labels) for kind in kinds)
        usable = usable and not any(map(is_gap, labels))
    elif labels.dtype.kind == "f":
        usable = bool((np.isfinite(labels) & (labels == np.floor(labels))).all())
    else:
        usable = labels.dtype.kind not in "Mm"
    if not usable:
        raise ValueError(
            "auxiliary_labels must be class labels, all integers or all strings, but holds "
            "continuous, missing or other values."
        )
    return labels
