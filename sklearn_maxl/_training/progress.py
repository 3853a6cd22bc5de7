"""scikit-learn's callbacks (``set_callbacks``, 1.9 and later): progress bars, score monitors.

The one file that knows whether scikit-learn has them. A fit is a tree of tasks: the fit,
its trainings where it has several (trials of ``lr="auto"``, ``psi="auto"`` and ``guard=True``),
their epochs. Where no callback is set, nobody is told and nothing is done.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

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

    def fitted_by(self, keep: Callable[[Any], Any]) -> "Task":
        """The same task, knowing how a copy of the estimator is fitted at this moment."""
        return self

    def epoch(self) -> "Task":
        """Begin an epoch."""
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
    attributes : callable, dict or None
        What makes a copy of the estimator a fitted one; a callable is asked only if a
        callback wants to see such a copy.
    only_training : bool
        Whether this is a fit whose epochs are its own tasks.
    """

    context: Any
    told: dict[str, Any]
    attributes: Callable[[], dict[str, Any]] | dict[str, Any] | None = None
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

    def fitted_by(self, keep: Callable[[Any], Any]) -> Task:
        estimator = self.told["estimator"]
        return replace(self, attributes=lambda: vars(keep(copy.copy(estimator))))

    def epoch(self) -> Task:
        return self._subtask("epoch")

    def _subtask(self, name: str, max_subtasks: int = 0) -> "ToldTask":
        context = self.context.subcontext(task_name=name, max_subtasks=max_subtasks)
        return replace(self, context=context, only_training=False).begin()


@contextmanager
def fit_task(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    epochs_of_trainings: Callable[[], list[int]],
) -> Iterator[Task]:
    """A fit as a task, of trainings of so many epochs each at most.

    scikit-learn's decorator of ``fit`` tears the callbacks down, after errors too.
    """
    if not getattr(estimator, "_skl_callbacks", None):
        yield UNTOLD
        return
    epochs = epochs_of_trainings()
    only = len(epochs) == 1
    context = estimator._init_callback_context(max_subtasks=epochs[0] if only else len(epochs))
    metadata = None if sample_weight is None else {"sample_weight": sample_weight}
    told = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
    task = ToldTask(context, told, only_training=only).begin()
    yield task
    replace(task, attributes={}).end()  # the estimator itself is fitted now
