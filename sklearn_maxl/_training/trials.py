"""What a fit decides by trials on held-out samples, before its own training.

One stage for all that is decided so. A question has candidates: the settings of the fit with
one of them changed. All candidates of all questions are trained without the same folds, in turn,
and judged on those: who predicts as many rows right as the best, give or take what chance
does to so many rows, and has the best probabilities among those, wins.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold
from torch.nn import functional as F

from .._data.samples import Samples
from .._environment.ranks import ALONE, Ranks
from .._tasks.auxiliary import Ints
from ..labels import Learned, Uniform
from . import evaluation
from .checks import DivergedError
from .fitted import Fitted
from .history import trial_line
from .log import logger
from .logbook import BLANK, Logbook, Outputs
from .plan import Plan, make_plan, stream
from .progress import UNTOLD, Task
from .runs import fresh, run
from .settings import Settings
from .stack import can_stack, train_stack

Folds = list[tuple[NDArray[np.int64], NDArray[np.int64]]]
Found = list[dict[str, object]]

N_FOLDS = 5
ENOUGH = 120  # rows that are predicted, at least: with many, fewer of the folds are held out
MARGIN = 0.5  # standard errors that an accuracy may be lower by and still count as equal
PSI = (5, 2, 10, 3)  # the paper's numbers (its Table 1); the first as above
SHARE_OF_PSI = 0.5  # of the fit's epochs, for the trainings without one fold of all of PSI
SPREAD = 0.3  # standard deviation of the logarithm of temperatures, before any row is seen
TEMPERATURES = np.geomspace(0.05, 20, 121)

# Parameters of an estimator that no trial of "max_epochs" and "temperature" depends on: all of the
# auxiliary task, and what only watches. Estimators that differ in nothing else find the same; any
# other parameter counts.
WITHOUT_EFFECT = frozenset(
    {"auxiliary", "psi", "auxiliary_weight", "views", "callbacks", "verbose"}
)


@dataclass(frozen=True)
class Question:
    """Something that trials decide.

    Attributes
    ----------
    setting : str
        Name in `Settings.undecided` that it answers.
    candidates : callable
        Settings of the fit -> those to try, by the value that the history tells.
    takes : tuple of str
        The settings that a fit takes over from the candidate that is chosen.
    most_folds : int
        How many folds are held out, at most.
    calibrates : bool
        Whether the candidates are such as the fit trains, so that their temperature is its own.
    """

    setting: str
    candidates: Callable[[Settings], dict[object, Settings]]
    takes: tuple[str, ...]
    most_folds: int = N_FOLDS
    calibrates: bool = True


def lengths(settings: Settings) -> dict[object, Settings]:
    """The epochs of the fit, and fewer of them, with which noise is not learned by heart.

    Without an auxiliary task: the trials are the same for every `auxiliary`, so that what
    differs between two estimators with other auxiliary labels is the labels' doing.
    """
    several = {max(1, settings.max_epochs // k) for k in (1, *settings.shorter)}
    return {n: single_task(settings, max_epochs=n) for n in sorted(several, reverse=True)}


def the_fit_itself(settings: Settings) -> dict[object, Settings]:
    """The network of the fit without an auxiliary task."""
    return {settings.temperature: single_task(settings)}


def single_task(settings: Settings, **changes: Any) -> Settings:
    """The settings of a trial without an auxiliary task."""
    return settings.of_trial(labels=None, views=None, generator=None, **changes)


def sources_of_labels(settings: Settings) -> dict[object, Settings]:
    """The labels of the fit, labels that are spread evenly, and none."""
    assert settings.labels is not None
    name = "maxl" if isinstance(settings.labels, Learned) else type(settings.labels).__name__
    uniform, none = {"labels": Uniform(), "generator": None}, {"labels": None, "generator": None}
    return {
        None: settings.of_trial(**none, views=None),
        "uniform": settings.of_trial(**uniform),
        name: settings.of_trial(),
    }


def numbers_of_classes(settings: Settings) -> dict[object, Settings]:
    """Short trainings with each number of auxiliary classes; fewer where epochs are few."""
    affordable = int(SHARE_OF_PSI * settings.max_epochs)
    if affordable < 2:
        return {}
    psi = PSI[:affordable]
    return {k: settings.of_trial(psi=k, max_epochs=affordable // len(psi)) for k in psi}


# Settings that go with the labels.
OF_LABELS = ("labels", "views", "generator")
# What does not depend on the auxiliary task.
OF_SINGLE_TASK = ("max_epochs", "temperature")
QUESTIONS = (
    Question("max_epochs", lengths, ("max_epochs",), most_folds=2),
    Question("temperature", the_fit_itself, (), most_folds=2),
    Question("auxiliary", sources_of_labels, OF_LABELS),
    Question("psi", numbers_of_classes, ("psi",), most_folds=1, calibrates=False),
)


@dataclass(frozen=True)
class Score:
    """How a candidate did on held-out rows.

    Attributes
    ----------
    right : array of bool or None
        Which rows were predicted right; None in regression.
    loss : float
        Mean primary loss, of classes at the best temperature and with what that costs.
    temperature : float
        What the logits are divided by; 1 in regression.
    """

    right: NDArray[np.bool_] | None
    loss: float
    temperature: float = 1.0


def asked(settings: Settings) -> list[Question]:
    """The questions that are open: the trials of lengths tell the temperature, too."""
    answered = {"temperature"} if "max_epochs" in settings.undecided else set()
    return [q for q in QUESTIONS if q.setting in {*settings.undecided} - answered]


def epochs_of_trainings(settings: Settings, y: Ints) -> list[int]:
    """The most that each training of a fit reports to a progress bar, in order."""
    questions = asked(settings) if enough_rows(y) else []
    return [*(0 for q in questions if q.candidates(settings)), settings.max_epochs]


def fit(
    settings: Settings, plan: Plan, task: Task, logbook: Logbook = BLANK, ranks: Ranks = ALONE
) -> Fitted:
    """Decide what is undecided, then train.

    Every rank makes the same trials by itself, and all have to find the same.
    """
    asked_for = [question.setting for question in QUESTIONS]
    names = sorted({*settings.undecided} - {"temperature"}, key=asked_for.index)
    settings, found = decide(settings, plan, task, logbook)
    check_same_found(found, ranks)
    decided = ", ".join(
        f"{name}={getattr(settings, name)}" for name in names if name != "auxiliary"
    )
    name = f"training with {decided}" if decided else "training"
    with task.training(name, settings.max_epochs) as training:
        fitted = run(settings, plan, task=training, logbook=logbook, ranks=ranks)
    fitted.history.trials = found
    return fitted


def check_same_found(found: Found, ranks: Ranks) -> None:
    """Refuse to train together what trials have made different."""
    first, *others = ranks.gathered(found)
    differ = [number for number, theirs in enumerate(others, start=1) if theirs != first]
    if differ:
        raise ValueError(
            f"Trials found something else on rank {differ[0]} than on rank 0, whose machine rounds "
            "otherwise; use machines of one kind, or give max_epochs, temperature, auxiliary and "
            "psi a value instead of 'auto'."
        )


def decide(
    settings: Settings, plan: Plan, task: Task = UNTOLD, logbook: Logbook = BLANK
) -> tuple[Settings, Found]:
    """The settings with nothing undecided, and what the trials found: a row for each candidate."""
    found: Found = []
    for question in asked(settings):
        if question.setting == "psi" and settings.labels is None:
            continue  # the trials have just chosen to have no auxiliary classes
        settings, rows = _answer(question, settings, plan, task, logbook)
        found += rows
    return replace(settings, undecided=()), found


def _answer(
    question: Question, settings: Settings, plan: Plan, task: Task, logbook: Logbook
) -> tuple[Settings, Found]:
    name = question.setting
    candidates = question.candidates(settings)
    folds = held_out_folds(plan, question.most_folds)
    if not folds or not candidates:
        if settings.verbose:
            reason = "so few epochs leave none" if folds else f"no class has the {N_FOLDS} rows"
            logger.info("%s=%s taken: %s for trials", name, _told(settings, name), reason)
        return settings, []
    outputs = _outputs(name, candidates, plan, folds, settings, task, logbook)
    held = np.concatenate([held for _, held in folds])
    samples = Samples.from_arrays(plan.arrays.take(held), torch.device("cpu"))
    scores = {
        value: score_of(torch.from_numpy(own), samples, settings)
        for value, own in zip(candidates, outputs, strict=True)
    }
    weight = weights_of(plan)[held]
    chosen = choice(scores, weight)
    rows: Found = [
        {
            "setting": name,
            "value": s.temperature if name == "temperature" else value,
            "accuracy": None if s.right is None else float(np.average(s.right, weights=weight)),
            "loss": s.loss,
            "temperature": s.temperature,
            "chosen": bool(value == chosen),
        }
        for value, s in scores.items()
    ]
    if settings.verbose:
        for row in rows:
            logger.info("%s", trial_line({**row, "chosen": False}))
        logger.info("%s=%s chosen", name, next(r["value"] for r in rows if r["chosen"]))
    taken = {name: getattr(candidates[chosen], name) for name in question.takes}
    if question.calibrates and "temperature" in settings.undecided:
        taken["temperature"] = scores[chosen].temperature
    return replace(settings, **taken), rows


def _told(settings: Settings, name: str) -> object:
    return type(settings.labels).__name__ if name == "auxiliary" else getattr(settings, name)


def _outputs(
    name: str,
    candidates: dict[object, Settings],
    plan: Plan,
    folds: Folds,
    settings: Settings,
    task: Task,
    logbook: Logbook,
) -> list[Outputs]:
    """Outputs of each candidate for the rows that are held out, fold by fold."""
    several = [replace(s, early_stopping=False) for s in candidates.values()]
    trainings = [
        (i, value, fold) for fold in range(len(folds)) for i, value in enumerate(candidates)
    ]
    start = make_plan(several[0], plan.arrays, plan.targets, plan.seed)
    fitted = fresh(several[0], start)
    if can_stack(several, fitted.net):
        with task.training(f"trials of {name}", settings.max_epochs) as training:
            stack = partial(_stacked, several, fitted, start, folds, training)
            n_held = sum(len(held) for _, held in folds)
            whole = len(several), n_held, plan.targets.n_outputs
            return list(logbook.trial(name, whole, lambda: np.stack(stack())))
    parts: list[list[Outputs]] = [[] for _ in several]
    with task.training(f"trials of {name}", len(trainings)) as training:
        for number, (i, value, fold) in enumerate(trainings, start=1):
            if settings.verbose:
                told = (number, len(trainings), name, value, fold + 1)
                logger.info("trial %d of %d: %s=%s, fold %d", *told)
            epoch = training.epoch()
            train = partial(_single, several[i], plan, *folds[fold])
            shape = len(folds[fold][1]), plan.targets.n_outputs
            parts[i].append(logbook.trial(f"{name}.{i}.{fold}", shape, train))
            epoch.end()
    return [np.concatenate(own) for own in parts]


def _single(
    settings: Settings, plan: Plan, rest: NDArray[np.int64], held: NDArray[np.int64]
) -> Outputs:
    """Outputs for rows that are held out, of a network that is trained on the rest."""
    own = make_plan(settings, plan.arrays.take(rest), plan.targets, plan.seed)
    samples = Samples.from_arrays(plan.arrays.take(held), settings.device)
    try:
        return run(settings, own).net.outputs_on(samples).numpy()
    except DivergedError:
        return np.full((len(held), plan.targets.n_outputs), np.nan, np.float32)


def _stacked(
    several: Sequence[Settings], fitted: Fitted, plan: Plan, folds: Folds, task: Task
) -> list[Outputs]:
    """The same, of all networks at once: a row that is held out weighs nothing."""
    weights = np.stack([weights_of(plan)] * len(folds))
    for own, (_, held) in zip(weights, folds, strict=True):
        own[held] = 0
    outputs = train_stack(several, fitted, plan, weights, task)
    return [
        np.concatenate([own[fold, held] for fold, (_, held) in enumerate(folds)]) for own in outputs
    ]


def weights_of(plan: Plan) -> NDArray[np.float64]:
    """The weights of all rows."""
    weight = plan.arrays.weight
    return np.ones(len(plan.arrays.y)) if weight is None else weight


def enough_rows(y: Ints) -> bool:
    """Whether any class has rows for each of the folds."""
    return bool(np.bincount(y).max() >= N_FOLDS)


def held_out_folds(plan: Plan, most: int = N_FOLDS) -> Folds:
    """Rows to train on and rows to predict, for each fold that is held out; none for few rows."""
    y = plan.arrays.y
    if not enough_rows(y):
        return []
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=stream(plan.seed, 2))
    wanted = min(most, N_FOLDS, max(1, math.ceil(ENOUGH * N_FOLDS / len(y))))
    with warnings.catch_warnings():
        # A class of few rows is in some of the folds only, for all candidates alike.
        warnings.filterwarnings("ignore", "The least populated class")
        return list(islice(folds.split(y, y), wanted))


def score_of(outputs: torch.Tensor, samples: Samples, settings: Settings) -> Score:
    """The score of outputs for held-out rows."""
    numbers = samples.target is not None
    if not outputs.isfinite().all():  # diverged
        return Score(None if numbers else np.zeros(len(outputs), bool), math.inf)
    if numbers:
        return Score(None, evaluation.loss(outputs, samples, settings.recipe))
    weight = torch.ones(len(samples)) if samples.weight is None else samples.weight
    # In float64, where the largest float32 can be divided by the lowest temperature.
    temperature, loss = best_temperature(outputs.double(), samples.y, weight)
    return Score(outputs.argmax(1).numpy() == samples.y.numpy(), loss, temperature)


def best_temperature(
    logits: torch.Tensor, y: torch.Tensor, weight: torch.Tensor
) -> tuple[float, float]:
    """What to divide logits by for the least log-loss (Guo et al., ICML 2017), and that loss.

    Few rows tell it badly, so a number far from 1 has to be worth it: the logarithm is normally
    distributed before any row is seen, which adds to the loss. And one row more counts, which
    may be of any class: where every row is predicted right, no prediction would else leave a
    doubt (Laplace's rule of succession).
    """
    n, share = len(y), (weight / weight.sum()).to(logits)
    losses, with_doubt = [], []
    for t in TEMPERATURES:
        log_p = F.log_softmax(logits / t, dim=1)
        loss = float(F.nll_loss(log_p, y, reduction="none") @ share)
        losses.append(loss + (math.log(t) / SPREAD) ** 2 / (2 * n))
        with_doubt.append(losses[-1] - float(log_p.mean(1) @ share) / n)
    best = int(np.argmin(with_doubt))
    return float(TEMPERATURES[best]), losses[best]


def choice(scores: dict[object, Score], weight: NDArray[np.float64]) -> object:
    """The candidate with the least loss of those that are as accurate as the most accurate.

    As accurate is what is worse by no more than `MARGIN` standard errors of the difference on
    the same rows, as McNemar's test (1947) has it.
    """

    def accuracy(value: object) -> float:
        right = scores[value].right
        return 0.0 if right is None else float(np.average(right, weights=weight))

    def as_good(value: object) -> bool:
        mine, its = scores[value].right, scores[best].right
        if mine is None or its is None:
            return True
        d = weight * (its.astype(float) - mine)
        return bool(d.sum() <= MARGIN * np.linalg.norm(d))

    best = max(scores, key=accuracy)
    return min((value for value in scores if as_good(value)), key=lambda value: scores[value].loss)
