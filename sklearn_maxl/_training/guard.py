"""``guard=True``: the auxiliary task shapes the network only where it helps on held-out samples."""

import warnings
from typing import Any

import torch

from .._data.data import Arrays, Samples
from .history import History
from .progress import Task
from .runs import Plan, Trained, hold_out, make_plan, replaced, run, stream


def fell_back(history: History) -> bool:
    """Whether a guard kept the single task."""
    return history.guard is not None and history.guard.get("kept") == "single_task"


def guarded(estimator: Any, plan: Plan, psi: Any, task: Task) -> tuple[Trained, dict[str, Any]]:
    """The better of the estimator's arm and the single task, and what was found.

    Both are tried without the held-out part, from the same weights and on the same
    batches. The higher score on that part wins; of equal scores, the lower loss. The
    winner is then trained on all samples, so that nothing is lost by the trial; with
    early stopping, which holds that part out anyway, the trial is the fit.

    Where the single task wins, the auxiliary head learns beside it what it can from a
    trunk that it does not change: predictions are those of ``auxiliary=None``, and
    everything that a fit with auxiliary labels has is there.
    """
    rest, held = plan.arrays, plan.parts.get("validation")
    stopping_early = held is not None
    if held is None:
        rest, held = hold_out(rest, estimator.validation_fraction, stream(plan.start, 1))

    def train(setting: Any, arrays: Arrays, apart: bool, label: str) -> Trained:
        own = make_plan(setting, arrays, plan.targets, plan.start, apart)
        with task.training(label, estimator.max_epochs) as training:
            return run(setting, own, setting.auxiliary, psi, task=training)

    tried = alone = estimator
    if not stopping_early:
        # Such a trial is nobody's fit: nothing is told of it, and it needs no auxiliary
        # head beside the single task.
        tried = replaced(estimator, callbacks=None, verbose=0)
        alone = replaced(tried, auxiliary=None)
    arms = {
        "auxiliary": train(tried, rest, False, f"trial of auxiliary={estimator.auxiliary!r}"),
        "single_task": train(alone, rest, True, "trial of auxiliary=None"),
    }
    found = {name: _figures(arm, held) for name, arm in arms.items()}
    worth = {name: (values["score"], -values["loss"]) for name, values in found.items()}
    kept = "auxiliary" if worth["auxiliary"] > worth["single_task"] else "single_task"
    if kept == "single_task":
        warnings.warn(
            f"The auxiliary task (auxiliary={estimator.auxiliary!r}) did not help on the "
            f"{len(held.y)} samples that guard=True held out: score "
            f"{found['auxiliary']['score']:.4f}, single task {found['single_task']['score']:.4f}. "
            "The network is trained for the single task, and the auxiliary head beside it; "
            "history_.guard has the figures.",
            stacklevel=5,
        )
    chosen = arms[kept]
    if not stopping_early:
        chosen = train(estimator, plan.arrays, kept == "single_task", "training")
    return chosen, {"kept": kept, **found}


def _figures(arm: Trained, held: Arrays) -> dict[str, float]:
    samples = Samples.from_arrays(held, torch.device(arm.net.device))
    return {"score": arm.net.score_on(samples), "loss": arm.net.loss_on(samples)}
