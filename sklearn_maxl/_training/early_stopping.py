"""Early stopping on a score."""

from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

State = TypeVar("State")


class BestState(Generic[State]):
    """Remembers the state that had the best score.

    The rule is `sklearn.neural_network.MLPClassifier`'s: stop when the score has
    not risen by `tol` for more than `n_iter_no_change` epochs in a row.

    Parameters
    ----------
    copy_state : callable
        Gives a copy of the state of now.
    tol : float
    n_iter_no_change : int
    """

    def __init__(self, copy_state: Callable[[], State], tol: float, n_iter_no_change: int):
        self.copy_state, self.tol, self.n_iter_no_change = copy_state, tol, n_iter_no_change
        self.score, self.state, self.waited = -np.inf, copy_state(), 0

    def stop(self, score: float) -> bool:
        """Take in the score of an epoch and tell whether training should end."""
        self.waited = self.waited + 1 if score < self.score + self.tol else 0
        if score > self.score:
            self.score, self.state = score, self.copy_state()
        return self.over

    @property
    def over(self) -> bool:
        """Whether the score has not risen for too long."""
        return self.waited > self.n_iter_no_change
