"""``guard=True``: keep the auxiliary task only where it helps on held-out samples."""

import warnings
from typing import Any

import torch

from ._data import Arrays, Samples
from ._fit import Plan, Trained, hold_out, make_plan, replaced, run, stream
from ._sklearn_callbacks import Task


def guarded(estimator: Any, plan: Plan, psi: Any, task: Task) -> tuple[Trained, dict[str, Any]]:
    """The better of the estimator's arm and the single task, and what was found.

    Both are tried without the held-out part, from the same weights and on the same
    batches. The higher score on that part wins; of equal scores, the lower loss. The
    winner is then trained on all samples, so that nothing is lost by the trial; with
    early stopping, which holds that part out anyway, the trial is the fit.
    """
    settings = {"auxiliary": estimator, "single_task": replaced(estimator, auxiliary=None)}
    rest, held = plan.arrays, plan.parts.get("validation")
    stopping_early = held is not None
    if held is None:
        rest, held = hold_out(rest, estimator.validation_fraction, stream(plan.start, 1))

    def train(name: str, arrays: Arrays, label: str) -> Trained:
        setting = settings[name]
        own = make_plan(setting, arrays, plan.targets, plan.start)
        with task.training(label, estimator.max_epochs) as training:
            return run(setting, own, setting.auxiliary, psi, task=training)

    arms = {
        name: train(name, rest, f"trial of auxiliary={setting.auxiliary!r}")
        for name, setting in settings.items()
    }
    found = {name: _figures(arm, held) for name, arm in arms.items()}
    worth = {name: (values["score"], -values["loss"]) for name, values in found.items()}
    kept = "auxiliary" if worth["auxiliary"] > worth["single_task"] else "single_task"
    if kept == "single_task":
        warnings.warn(
            f"The auxiliary task (auxiliary={estimator.auxiliary!r}) did not help on the "
            f"{len(held.y)} samples that guard=True held out: score "
            f"{found['auxiliary']['score']:.4f}, single task {found['single_task']['score']:.4f}. "
            "The network was trained for the single task; history_.guard has the figures.",
            stacklevel=5,
        )
    chosen = arms[kept] if stopping_early else train(kept, plan.arrays, "training")
    return chosen, {"kept": kept, **found}


def _figures(arm: Trained, held: Arrays) -> dict[str, float]:
    samples = Samples.from_arrays(held, torch.device(arm.net.device))
    return {"score": arm.net.score_on(samples), "loss": arm.net.loss_on(samples)}
