"""``psi="auto"``: a short trial of each number of auxiliary classes, judged on held-out data.

The paper's own numbers (2, 3, 5, 10; its Table 1) are tried. Together the trials
take half the epochs of the fit, so the choice costs at most half of it again.
"""

from dataclasses import replace

from .._data.samples import Samples
from . import evaluation
from .log import logger
from .plan import Plan, hold_out, stream
from .progress import Task
from .runs import run
from .settings import Settings

CANDIDATES = (5, 2, 10, 3)  # the first stays where nothing can be tried, or losses are equal
SHARE = 0.5  # of the fit's epochs, for all trials together


def trials(max_epochs: int) -> dict[int, int]:
    """Numbers to try, and the epochs of each trial, for a fit of so many epochs.

    Fits of less than eight epochs try fewer numbers, fits of less than four none.
    """
    affordable = int(SHARE * max_epochs)
    candidates = CANDIDATES[:affordable]
    if len(candidates) < 2:
        return {}
    return dict.fromkeys(candidates, affordable // len(candidates))


def trainings(settings: Settings, n: int) -> list[int]:
    """Epochs that each training of the choice reports to a progress bar."""
    return list(trials(settings.max_epochs).values())


def choose_psi(settings: Settings, plan: Plan, task: Task) -> tuple[Settings, dict[int, float]]:
    """The settings with the number that has the least held-out primary loss, and all losses.

    Each trial trains fresh networks, from the same start and on the same batches,
    without the part that it is judged on.
    """
    planned = trials(settings.max_epochs)
    if not planned:
        if settings.verbose:
            logger.info("psi=%d taken: so few epochs leave none for trials", CANDIDATES[0])
        return replace(settings, psi=CANDIDATES[0]), {}
    parts = dict(plan.parts)
    if "validation" in parts:
        held = parts.pop("validation")
    else:
        rng = stream(plan.seed, 0)
        parts["train"], held = hold_out(parts["train"], settings.validation_fraction, rng)
    shared = replace(plan, parts=parts)
    samples = Samples.from_arrays(held, settings.device)
    trial = settings.of_trial(early_stopping=False)
    losses = {}
    for number, (psi, epochs) in enumerate(planned.items(), start=1):
        name = f"trial {number} of {len(planned)}: psi={psi}"
        with task.training(name, epochs) as training:
            net = run(replace(trial, psi=psi, max_epochs=epochs), shared, task=training).net
        losses[psi] = evaluation.loss(net.outputs_on(samples), samples, settings.recipe)
        if settings.verbose:
            logger.info("%s, held-out loss %.4f after epoch %d", name, losses[psi], epochs)
    best = min(losses, key=losses.__getitem__)
    if settings.verbose:
        logger.info("psi=%d chosen", best)
    return replace(settings, psi=best), losses
