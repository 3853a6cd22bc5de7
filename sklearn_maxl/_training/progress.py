"""scikit-learn's callbacks (``set_callbacks``, 1.9 and later): progress bars, score monitors.

The one file that knows whether scikit-learn has them. A fit is a tree of tasks: the fit,
its trainings where it has several (the trials of each question come first), their epochs.
Where no callback is set, nobody is told and nothing is done.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator

from .._environment.ranks import ALONE, Ranks

if TYPE_CHECKING:
    from .fitted import Fitted

__all__ = ["UNTOLD", "CallbackSupportMixin", "Task", "ToldTask", "fit_task"]

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Adds nothing: an estimator has no ``set_callbacks``."""


class Task:
    """A task of a fit without callbacks: tells nobody."""

    @contextmanager
    def training(self, name: str, epochs: int) -> Iterator["Task"]:
        """One of the fit's trainings, which tells of so many epochs at most."""
        yield self

    def fitted_by(self, snapshot: Callable[[], "Fitted"]) -> "Task":
        """The same task, knowing what a fit would leave behind at this moment."""
        return self

    def epoch(self) -> "Task":
        """Begin an epoch, or another part of trials."""
        return self

    def end(self) -> bool:
        """End the task; whether a callback asks for no more tasks like it."""
        return False


UNTOLD = Task()


@dataclass(frozen=True)
class ToldTask(Task):
    """A task that callbacks are told of.

    Attributes
    ----------
    context : sklearn.callback.CallbackContext
    told : dict
        What every hook is passed: estimator, samples, targets, metadata.
    keep : callable
        (estimator, what a fit leaves behind) -> the estimator, fitted.
    attributes : callable, dict or None
        What makes a copy of the estimator a fitted one; a callable is asked only if a
        callback wants to see such a copy.
    only_training : bool
        Whether this is a fit whose epochs are its own tasks.
    """

    context: Any
    told: Mapping[str, object]
    keep: Callable[[BaseEstimator, "Fitted"], BaseEstimator]
    attributes: Callable[[], dict[str, object]] | dict[str, object] | None = None
    only_training: bool = False

    def begin(self) -> "ToldTask":
        """Tell that the task begins."""
        self.context.call_on_fit_task_begin(**self.told, reconstruction_attributes=self.attributes)
        return self

    def end(self) -> bool:
        return bool(
            self.context.call_on_fit_task_end(
                **self.told, reconstruction_attributes=self.attributes
            )
        )

    @contextmanager
    def training(self, name: str, epochs: int) -> Iterator[Task]:
        if self.only_training:
            yield self
            return
        task = self._subtask(name, epochs)
        yield task
        task.end()

    def fitted_by(self, snapshot: Callable[[], "Fitted"]) -> Task:
        def attributes() -> dict[str, object]:
            return vars(self.keep(copy.copy(self.told["estimator"]), snapshot()))

        return replace(self, attributes=attributes)

    def epoch(self) -> Task:
        # Trials have no estimator to show, which callbacks may ask of what is called an epoch.
        return self._subtask("part of trials" if self.attributes is None else "epoch")

    def _subtask(self, name: str, max_subtasks: int = 0) -> "ToldTask":
        context = self.context.subcontext(task_name=name, max_subtasks=max_subtasks)
        return replace(self, context=context, only_training=False).begin()


# Attributes by which scikit-learn's decorator of ``fit`` tears callbacks down, after errors too.
NEEDED_AFTERWARDS = ("_callback_fit_ctx", "_skl_callbacks_to_teardown")


@contextmanager
def fit_task(
    estimator: BaseEstimator,
    told: Mapping[str, object],
    keep: Callable[[BaseEstimator, "Fitted"], BaseEstimator],
    epochs_of_trainings: list[int],
    ranks: Ranks = ALONE,
) -> Iterator[Task]:
    """A fit as a task, of trainings of so many epochs each at most.

    Parameters
    ----------
    estimator : estimator
    told : dict
        Samples, targets and weights as they were given: ``X``, ``y``, ``sample_weight``.
    keep : callable
        (estimator, what a fit leaves behind) -> the estimator, fitted.
    epochs_of_trainings : list of int
    ranks : Ranks
        Rank 0 alone tells.
    """
    if ranks.number or not getattr(estimator, "_skl_callbacks", None):
        yield UNTOLD
        return
    epochs, only = epochs_of_trainings, len(epochs_of_trainings) == 1
    context = estimator._init_callback_context(max_subtasks=epochs[0] if only else len(epochs))
    weight = told["sample_weight"]
    metadata = None if weight is None else {"sample_weight": weight}
    told = {"estimator": estimator, "X": told["X"], "y": told["y"], "metadata": metadata}
    task = ToldTask(context, told, keep, only_training=only).begin()
    yield task
    replace(task, attributes={}).end()  # the estimator itself is fitted now
