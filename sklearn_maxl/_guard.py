"""``guard=True``: keep the auxiliary task only where it helps on held-out samples."""

import warnings
from typing import Any

import torch

from ._data import Samples
from ._fit import Plan, Trained, run


def guarded(estimator: Any, plan: Plan, trained: Trained) -> tuple[Trained, dict[str, Any]]:
    """The better of the trained arm and a single-task net, and what was found.

    Both start from the same weights and see the same batches. The higher score on
    the held-out samples wins; of equal scores, the lower loss.
    """
    single = run(estimator, plan, None, None)
    found: dict[str, Any] = {}
    for name, arm in (("auxiliary", trained), ("single_task", single)):
        held = Samples.from_arrays(plan.parts["validation"], torch.device(arm.net.device))
        found[name] = {"score": arm.net.score_on(held), "loss": arm.net.loss_on(held)}
    worth = {name: (values["score"], -values["loss"]) for name, values in found.items()}
    helps = worth["auxiliary"] > worth["single_task"]
    found = {"kept": "auxiliary" if helps else "single_task", **found}
    if helps:
        return trained, found
    scores = [f"{found[name]['score']:.4f}" for name in ("auxiliary", "single_task")]
    warnings.warn(
        f"The auxiliary task (auxiliary={estimator.auxiliary!r}) did not help on the "
        f"{len(plan.parts['validation'].y)} samples that guard=True held out: score {scores[0]}, "
        f"single task {scores[1]}. The single-task network was kept; history_.guard has the "
        "figures.",
        stacklevel=6,
    )
    return single, found
