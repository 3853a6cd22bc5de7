"""What a fit leaves behind: all that predictions, another fit or a file need."""

from dataclasses import dataclass

import numpy as np

from .._data.on_disk import OnDisk
from .._networks.trunk import Scaling
from .._tasks.auxiliary import Hierarchy, Ints
from .._tasks.primary import Targets
from ..labels import Labels, Learned
from .history import History
from .net import MAXLNet
from .settings import Settings


@dataclass(frozen=True)
class Fitted:
    """A trained pair of networks, or one that is about to be.

    Attributes
    ----------
    settings : Settings
        Of the training, with what trials decided.
    targets : Classes or Bins
    scaling : pair of arrays
        Mean and scale of the inputs.
    labels : Labels or None
        Where the auxiliary labels come from, fitted; None without an auxiliary task.
    net : MAXLNet
    seed : int
        That of the plan: a training that goes on holds out the same rows again.
    """

    settings: Settings
    targets: Targets
    scaling: Scaling
    labels: Labels | None
    net: MAXLNet
    seed: int

    @property
    def hierarchy(self) -> Hierarchy | None:
        """The auxiliary classes; None without an auxiliary task."""
        return self.net.hierarchy

    @property
    def psi(self) -> Ints:
        """Auxiliary classes of each class; zeros without an auxiliary task."""
        if self.labels is None:
            return np.zeros(len(self.targets.names), dtype=np.int64)
        return self.labels.psi_

    @property
    def history(self) -> History:
        """A row for each epoch."""
        return self.net.epochs_

    def soft_labels(self, X: np.ndarray | OnDisk, y: Ints) -> np.ndarray:
        """Soft labels of samples and their classes by number, shape (n, sum psi), float32."""
        assert self.hierarchy is not None
        if self.net.has_generator_:
            blocks = self.hierarchy.block(y)  # of the samples as they are
            labels = self.net.apply(self.net.generator_, X, blocks)
            return labels[:, self.hierarchy.own_columns]
        return self.labels.soft_labels(X, y)  # type: ignore[union-attr]


def gives_soft_labels(labels: Labels | None) -> bool:
    """Whether labels exist for other samples than those that were trained on."""
    return isinstance(labels, Learned) or hasattr(labels, "soft_labels")
