"""Early stopping on a score."""

from typing import Any

import numpy as np


class BestState:
    """Remembers the best state of a net's networks.

    The rule is `sklearn.neural_network.MLPClassifier`'s: stop when the score has
    not risen by `tol` for more than `n_iter_no_change` epochs in a row.
    """

    def __init__(self, net: Any):
        self.net = net
        self.best, self.state, self.waited = -np.inf, net.state(), 0

    def stop(self, score: float) -> bool:
        """Take in the score of an epoch and tell whether training should end."""
        self.waited = self.waited + 1 if score < self.best + self.net.tol else 0
        if score > self.best:
            self.best, self.state = score, self.net.state()
        return self.waited > self.net.n_iter_no_change

    def restore(self) -> None:
        """Put the best state back."""
        self.net.load_state(self.state)
