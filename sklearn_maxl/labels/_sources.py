"""Where auxiliary labels come from: the hierarchy ``psi`` and the paper's arms.

Primary class ``i`` owns a block of ``psi[i]`` consecutive auxiliary classes, K in
all. A *source* knows ``psi`` and gives each training sample its label: an integer
in the block of the sample's class, or nothing where the labels are made in the
training step itself (learned, or uniform over the block).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]


def resolve_psi(psi: Any, classes: NDArray[Any]) -> Ints:
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
    if not np.issubdtype(values.dtype, np.integer) or (values < 1).any():
        raise ValueError(f"psi must be at least 1 and integer for every class, got {psi!r}.")
    return values.astype(np.int64)


def block_starts(psi: Ints) -> Ints:
    """First auxiliary class of each primary class, shape (C,)."""
    return np.cumsum(psi) - psi


def owner(psi: Ints) -> Ints:
    """Primary class of each auxiliary class, shape (K,)."""
    return np.repeat(np.arange(len(psi)), psi)


def blocks(psi: Ints) -> NDArray[np.bool_]:
    """The mask ``M = B(y, psi)`` of the paper for every class y, shape (C, K)."""
    return owner(psi) == np.arange(len(psi))[:, None]


class PsiSource:
    """Labels made in the training step (learned or uniform): this source only knows ``psi``."""

    def __init__(self, psi: Any, classes: NDArray[Any]):
        self.psi = resolve_psi(psi, classes)

    def assign(self, arrays: Any, rng: np.random.RandomState) -> Ints | None:
        """Label of each sample, or None where the training step makes it."""
        return None


class RandomSource(PsiSource):
    """The paper's Random baseline: a random auxiliary class of the sample's class, drawn once."""

    def assign(self, arrays: Any, rng: np.random.RandomState) -> Ints | None:
        """Draw a label for each sample."""
        return block_starts(self.psi)[arrays.y] + rng.randint(self.psi[arrays.y])


class HumanSource:
    """The paper's Human baseline: given labels, the distinct ones within each class its block."""

    def __init__(self, arrays: Any, n_classes: int):
        self.known = [np.unique(arrays.finer[arrays.y == i]) for i in range(n_classes)]
        self.psi = np.array([max(1, len(known)) for known in self.known], dtype=np.int64)

    def assign(self, arrays: Any, rng: np.random.RandomState) -> Ints:
        """Position of each given label within the block of its class."""
        labels = block_starts(self.psi)[arrays.y]
        for i, known in enumerate(self.known):
            own = arrays.y == i
            given = arrays.finer[own]
            if not np.isin(given, known).all():
                raise ValueError(
                    "auxiliary_labels holds labels that the first call did not see for their "
                    f"class: {np.setdiff1d(given, known).tolist()}; pass all of them there."
                )
            labels[own] += np.searchsorted(known, given)
        return labels


def check_auxiliary_labels(auxiliary_labels: ArrayLike | None, n_samples: int) -> NDArray[Any]:
    """Validate the fit parameter `auxiliary_labels`: one label of any type for each sample."""
    if auxiliary_labels is None:
        raise ValueError(
            "auxiliary='human' needs the finer labels: call fit(X, y, auxiliary_labels=...)."
        )
    labels = np.asarray(auxiliary_labels)
    if labels.shape != (n_samples,):
        raise ValueError(
            f"auxiliary_labels must hold one label for each sample, shape ({n_samples},), "
            f"but has shape {labels.shape}."
        )
    if labels.dtype.kind == "O":
        usable = not any(label is None or label != label for label in labels)
    else:
        usable = labels.dtype.kind != "f" or bool(
            (np.isfinite(labels) & (labels == np.floor(labels))).all()
        )
    if not usable:
        raise ValueError(
            "auxiliary_labels must be class labels (integers or strings), but holds "
            "continuous or missing values."
        )
    return labels


PSI_SOURCES: dict[str, Callable[..., PsiSource]] = {
    "maxl": PsiSource,
    "uniform": PsiSource,
    "random": RandomSource,
}

# The settings of the estimators' parameter `auxiliary`; those whose blocks psi decides.
ARMS = ("maxl", "uniform", "random", "kmeans", "human", None)
PSI_ARMS = (*PSI_SOURCES, "kmeans")
