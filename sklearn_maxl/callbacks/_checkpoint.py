"""A fit that goes on where it was, after its process was killed."""

import os
from contextlib import AbstractContextManager
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from skorch.callbacks import Callback, EarlyStopping, LoadInitState, LRScheduler, ParamMapper

from .._environment.ranks import Ranks
from .._persistence.checkpoint import kept_in
from .._training.call import Call
from .._training.logbook import KeepsLogbook, Logbook

# Callbacks of skorch that change the training by what they keep to themselves, and what does the
# same without.
WITH_STATE: dict[type[Callback], str] = {
    EarlyStopping: "use early_stopping=True of the estimator",
    LRScheduler: "use schedule, which takes a function, too",
    ParamMapper: "leave one of the two out",
    LoadInitState: "leave it out: Checkpoint goes on by itself",
}


class Checkpoint(KeepsLogbook):
    """Write a file now and then, from which the same fit goes on after it was killed.

    Pass it in `callbacks`. After a kill, `fit` with the same data, parameters and `folder` goes
    on from the last file, and ends with the same bits as a fit that nothing disturbed. If that
    fit has ended, the call returns it at once, unless `random_state` is None.

    Parameters
    ----------
    folder : str or path-like
        Where the checkpoints of all fits go. It is made if it is not there. Each fit has a
        folder of its own in it, named after its data and parameters, so that the fits of a
        search can run side by side.
    every_n_epochs : int, default=1
        Write a file after every so many epochs, and in any case after the last epoch and after
        every trial on held-out samples (:ref:`held-out`). With 1 no epoch is trained twice.
    every_seconds : float, default=None
        Least time between two files of epochs, for large networks with short epochs. None is
        no limit.

    See Also
    --------
    sklearn_maxl.MAXLClassifier.save : Keep a fitted estimator.

    Notes
    -----
    :ref:`checkpoint` says what is in a file, when files are removed, and what is not covered.
    `partial_fit`, and `fit` that goes on with ``warm_start=True``, write none.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_maxl import MAXLClassifier
    >>> from sklearn_maxl.callbacks import Checkpoint
    >>> X, y = load_iris(return_X_y=True)
    >>> kept = Checkpoint(tempfile.mkdtemp())
    >>> clf = MAXLClassifier(callbacks=[kept], max_epochs=3, random_state=0).fit(X, y)
    >>> again = MAXLClassifier(callbacks=[kept], max_epochs=3, random_state=0).fit(X, y)
    >>> again.n_iter_  # read from the file, nothing was trained
    3
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        every_n_epochs: int = 1,
        every_seconds: float | None = None,
    ):
        self.folder = folder
        self.every_n_epochs = every_n_epochs
        self.every_seconds = every_seconds

    def logbook(self, call: Call, ranks: Ranks) -> AbstractContextManager[Logbook]:
        """The logbook, open for the time of a fit, which calls this itself.

        Parameters
        ----------
        call : Call
            The estimator, its settings and data.
        ranks : Ranks
            The processes that train together.

        Returns
        -------
        context manager
            Gives the `Logbook`.

        Raises
        ------
        ValueError
            If a parameter can't be used, or another callback keeps what training depends on.
        """
        self._check()
        refuse_lost_states(call.settings.callbacks or [])
        seconds = 0.0 if self.every_seconds is None else float(self.every_seconds)
        return kept_in(Path(self.folder), int(self.every_n_epochs), seconds, call, ranks)

    def _check(self) -> None:
        if not isinstance(self.folder, str | os.PathLike) or not str(self.folder):
            raise ValueError(f"folder of Checkpoint must be the name of one, got {self.folder!r}.")
        n: object = self.every_n_epochs
        seconds: object = self.every_seconds
        if type(n) is bool or not isinstance(n, Integral) or int(n) < 1:
            raise ValueError(f"every_n_epochs of Checkpoint must be 1 or more, got {n!r}.")
        if seconds is not None and not (isinstance(seconds, Real) and float(seconds) >= 0):
            raise ValueError(
                f"every_seconds of Checkpoint must be None, 0 or more, got {seconds!r}."
            )


def refuse_lost_states(callbacks: list[Any]) -> None:
    """Refuse callbacks that would train on otherwise than if nothing had happened."""
    for entry in callbacks:
        callback = entry[1] if isinstance(entry, tuple) else entry
        kind = callback if isinstance(callback, type) else type(callback)
        for with_state, cure in WITH_STATE.items():
            if issubclass(kind, with_state):
                raise ValueError(
                    f"callbacks: {kind.__name__} keeps a state that Checkpoint does not hold; "
                    f"{cure}."
                )
