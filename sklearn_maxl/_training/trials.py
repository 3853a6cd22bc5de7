"""What a fit decides by trials on held-out samples, before its own training."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from . import choose_lr, choose_psi
from .fitted import Fitted
from .plan import Plan
from .progress import UNTOLD, Task
from .runs import run
from .settings import Settings

Decision = tuple[Settings, dict[float, float] | dict[int, float] | None]


@dataclass(frozen=True)
class Trial:
    """How one setting is decided.

    Attributes
    ----------
    found_in : str
        Attribute of the history that keeps what was found.
    trainings : callable
        (settings, number of samples) -> the epochs that each training reports to a progress bar.
    decide : callable
        (settings, plan, task) -> the settings with the answer, and what was found.
    """

    found_in: str
    trainings: Callable[[Settings, int], list[int]]
    decide: Callable[[Settings, Plan, Task], Decision]


# In the order in which they are decided; `Settings.undecided` has the names.
TRIALS: dict[str, Trial] = {
    "lr": Trial("lr_scores", choose_lr.trainings, choose_lr.choose_lr),
    "psi": Trial("psi_losses", choose_psi.trainings, choose_psi.choose_psi),
}


def epochs_of_trainings(settings: Settings, n: int) -> list[int]:
    """The most epochs that each training of a fit reports to a progress bar, in order."""
    trials = [e for name in settings.undecided for e in TRIALS[name].trainings(settings, n)]
    return [*trials, settings.max_epochs]


def fit(settings: Settings, plan: Plan, task: Task) -> Fitted:
    """Decide what is undecided, then train."""
    names = settings.undecided
    settings, found = decide(settings, plan, task)
    decided = ", ".join(f"{name}={getattr(settings, name)}" for name in names)
    with task.training(f"training with {decided}", settings.max_epochs) as training:
        fitted = run(settings, plan, task=training)
    vars(fitted.history).update(found)
    return fitted


def decide(
    settings: Settings, plan: Plan, task: Task = UNTOLD
) -> tuple[Settings, dict[str, dict[float, float] | dict[int, float] | None]]:
    """The settings with nothing undecided, and what each trial found."""
    found = {}
    for name in settings.undecided:
        settings, found[TRIALS[name].found_in] = TRIALS[name].decide(settings, plan, task)
    return replace(settings, undecided=()), found
