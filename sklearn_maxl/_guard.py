"""``guard=True``: keep the auxiliary task only where it helps on held-out samples."""

import warnings
from typing import Any

import torch

from ._data import Samples
from ._fit import Plan, Trained, run, with_validation


def guarded(estimator: Any, plan: Plan, psi: Any) -> tuple[Trained, dict[str, Any]]:
    """The better of the estimator's arm and the single task, and what was found.

    Both are tried without the held-out part, from the same weights and on the same
    batches. The higher score on that part wins; of equal scores, the lower loss. The
    winner is then trained on all samples, so that nothing is lost by the trial; with
    early stopping, which holds that part out anyway, the trial is the fit.
    """
    trial = with_validation(plan, estimator.validation_fraction, draw=1)  # psi's is 0
    arms = {
        "auxiliary": run(estimator, trial, estimator.auxiliary, psi),
        "single_task": run(estimator, trial, None, None),
    }
    found = {name: _figures(arm, trial) for name, arm in arms.items()}
    worth = {name: (values["score"], -values["loss"]) for name, values in found.items()}
    kept = "auxiliary" if worth["auxiliary"] > worth["single_task"] else "single_task"
    if kept == "single_task":
        warnings.warn(
            f"The auxiliary task (auxiliary={estimator.auxiliary!r}) did not help on the "
            f"{len(trial.parts['validation'].y)} samples that guard=True held out: score "
            f"{found['auxiliary']['score']:.4f}, single task {found['single_task']['score']:.4f}. "
            "The network was trained for the single task; history_.guard has the figures.",
            stacklevel=5,
        )
    chosen = arms[kept]
    if trial is not plan:
        chosen = run(estimator, plan, chosen.arm, psi)
    return chosen, {"kept": kept, **found}


def _figures(arm: Trained, plan: Plan) -> dict[str, float]:
    held = Samples.from_arrays(plan.parts["validation"], torch.device(arm.net.device))
    return {"score": arm.net.score_on(held), "loss": arm.net.loss_on(held)}
