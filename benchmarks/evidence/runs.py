"""The parts of the evidence, each resumable and with one CSV row a run."""

import time
import warnings
from functools import partial
from itertools import product

from sklearn.model_selection import train_test_split

from benchmarks.common.operations import operations
from benchmarks.common.resume import resume
from benchmarks.common.rows import RESULTS, results
from benchmarks.evidence.arms import COUNTED, DECIDING, SEEDS, Settings, classifier, fits
from benchmarks.evidence.choice import (
    Choice,
    augmentations,
    candidates,
    chosen,
    chosen_augmentation,
    single,
)
from benchmarks.evidence.fits import fitted_scores, settings_scores, version
from benchmarks.evidence.rivals import AUGMENTATIONS
from benchmarks.evidence.sets import Split, is_table, shared_settings, split
from benchmarks.evidence.settings import BASE, DECISIVE, SETTINGS, TUNING

TUNING_SEEDS = range(100, 108)
CHOICE_SEEDS = range(200, 203)
MANY = 1_000  # with more training samples than this, one seed: a fifth of them is enough
FOUND = ["max_epochs", "temperature"]
VALUES = ["accuracy", "log_loss", "calibration_error", "seconds", "version"]


def tune(seeds: int, wanted: list[str] | None, jobs: int) -> None:
    """Settings on the sets for tuning, on `seeds` seeds at most."""
    runs = [
        (*key, setting, seed)
        for i, seed in enumerate(TUNING_SEEDS)
        for keys, n_seeds, settings in TUNING
        for key in keys
        for setting in sorted(settings, key=lambda setting: setting not in DECISIVE)
        if i < min(n_seeds, seeds) and (wanted is None or setting in wanted)
    ]
    keys = ["data_set", "n", "setting", "seed"]
    once = list(dict.fromkeys(runs))  # a setting may be in two of the lists
    resume(RESULTS / "evidence_tuning.csv", keys, VALUES, once, tuning_run, jobs)


def tuning_run(name: str, n: int, setting: str, seed: int) -> tuple:
    # Tables were tuned with 100 units and epochs where a setting does not say otherwise.
    network = {"backbone": "mlp", "max_epochs": 100} if is_table(name) else {}
    shared = {**network, **shared_settings(name, n), **BASE}
    arm = {**BASE, **SETTINGS[setting]}
    return settings_scores(split(name, n, seed, "validation"), arm, shared, seed)


def choose(sets: list[tuple[str, int]], jobs: int) -> None:
    """The single task's candidates on a fifth of the training part, then its augmentation's."""
    runs = [
        (name, n, *candidate, seed)
        for (name, n), seed in product(sets, CHOICE_SEEDS)
        for candidate in candidates(name)
        if n <= MANY or seed == CHOICE_SEEDS[0]
    ]
    keys = ["data_set", "n", "focal_gamma", "lr", "weight_decay", "network", "seed"]
    rows = resume(RESULTS / "evidence_single.csv", keys, VALUES, runs, choice_run, jobs)
    augmented = [
        (name, n, augmentation, seed)
        for (name, n), seed in product(sets, CHOICE_SEEDS)
        if not is_table(name) and (n <= MANY or seed == CHOICE_SEEDS[0])
        for augmentation in augmentations(name)
    ]
    run = partial(augmentation_run, choices={key: chosen(rows, *key) for key in sets})
    keys = ["data_set", "n", "augmentation", "seed"]
    resume(RESULTS / "evidence_augmentation.csv", keys, VALUES, augmented, run, jobs)


def choice_run(
    name: str, n: int, gamma: float, lr: float, decay: float, network: str, seed: int
) -> tuple:
    settings = single((gamma, lr, decay, network))
    return settings_scores(held_out(name, n, seed), settings, shared_settings(name, n), seed)


def augmentation_run(
    name: str, n: int, augmentation: str, seed: int, *, choices: dict[tuple[str, int], Choice]
) -> tuple:
    settings = single(choices[name, n], augment=AUGMENTATIONS[augmentation])
    return settings_scores(held_out(name, n, seed), settings, shared_settings(name, n), seed)


def held_out(name: str, n: int, seed: int) -> Split:
    """A training part, of which a fifth is scored."""
    data = split(name, n, seed, "validation")
    X, X_val, y, y_val = train_test_split(
        data.X, data.y, test_size=0.2, stratify=data.y, random_state=seed
    )
    return Split(X, y, X_val, y_val)


def trials(sets: list[tuple[str, int]], seeds: int, jobs: int) -> None:
    """What the trials of a fit choose on the training parts of tables."""
    runs = [(*key, seed) for seed in range(seeds) for key in sets if is_table(key[0])]
    values = [*FOUND, "most_epochs", "seconds", "version"]
    path = RESULTS / "evidence_trials.csv"
    resume(path, ["data_set", "n", "seed"], values, runs, trials_run, jobs)


def trials_run(name: str, n: int, seed: int) -> tuple:
    warnings.simplefilter("ignore")
    data = split(name, n, seed, "test")
    start = time.process_time()
    clf = classifier(single(), shared_settings(name, n), seed).fit(data.X, data.y)
    seconds = time.process_time() - start
    most = max(trial["value"] for trial in clf.history_.trials)
    return clf.n_iter_, clf.temperature_, most, round(seconds, 2), version()


def report(sets: list[tuple[str, int]], seeds: int, wanted: list[str] | None, jobs: int) -> None:
    """All arms on the test samples."""
    rows = results("evidence_single")
    augmented = results("evidence_augmentation")
    choices = {
        key: (
            chosen(rows, *key),
            None if is_table(key[0]) else chosen_augmentation(augmented, *key),
        )
        for key in sets
    }
    found = {
        (row["data_set"], int(row["n"]), int(row["seed"])): {
            "max_epochs": int(row["max_epochs"]),
            "temperature": float(row["temperature"]),
        }
        for row in results("evidence_trials")
    }
    missing = {key for key in sets if is_table(key[0])} - {key[:2] for key in found}
    if missing:
        raise SystemExit(f"Run the part trials first, for {sorted(missing)}.")
    runs = [
        (name, n, fit, seed)
        for seed in range(seeds)
        for name, n in sets
        for fit in fits(name, *choices[name, n])
        if wanted is None or fit in wanted
    ]
    keys = ["data_set", "n", "fit", "seed"]
    run = partial(report_run, choices=choices, found=found)
    resume(RESULTS / "evidence.csv", keys, ["arm", *VALUES], runs, run, jobs)


def report_run(
    name: str,
    n: int,
    fit: str,
    seed: int,
    *,
    choices: dict[tuple[str, int], tuple[Choice, str | None]],
    found: dict[tuple[str, int, int], Settings],
) -> list[tuple]:
    of_fit = fits(name, *choices[name, n])[fit]
    of_split = found[name, n, seed] if is_table(name) and not of_fit.own_trials else {}
    data, shared = split(name, n, seed, "test"), {**shared_settings(name, n), **of_split}
    return fitted_scores(data, of_fit, shared, seed)


def cost() -> None:
    """Operations of an epoch of each arm that is a setting of the estimator."""
    runs = [(*key, arm) for key in [*DECIDING, ("vehicle", 200)] for arm in COUNTED]
    path = RESULTS / "evidence_cost.csv"
    resume(path, ["data_set", "n", "arm"], ["operations", "version"], runs, cost_run, 1)


def cost_run(name: str, n: int, arm: str) -> tuple:
    warnings.simplefilter("ignore")
    data = split(name, n, SEEDS[0], "validation")
    shared = {**shared_settings(name, n), "max_epochs": 1}
    clf = classifier({"lr": 1e-2, "temperature": 1.0, **COUNTED[arm]}, shared, 0)
    return operations(lambda: clf.fit(data.X, data.y)), version()
