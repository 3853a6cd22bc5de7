"""Does it help, by how much, and when not: all arms and rivals on images and tables.

    SKLEARN_MAXL_DATA=folder python benchmarks/evidence.py tune
    SKLEARN_MAXL_DATA=folder python benchmarks/evidence.py choose
    SKLEARN_MAXL_DATA=folder python benchmarks/evidence.py rates
    SKLEARN_MAXL_DATA=folder python benchmarks/evidence.py report [--sets digits-images:200 ...]
    SKLEARN_MAXL_DATA=folder python benchmarks/evidence.py cost

Four parts, each resumable and with one CSV row a run:

``tune`` tries settings one at a time on the sets named for tuning, and scores them on samples
that are in no training part and in no official test set (seeds from 100 on). Defaults come
from it. ``choose`` gives every set and size its best single task: the loss, the learning rate,
the weight decay and, for tables, the network with the best mean accuracy on a fifth of the
training part, over three seeds (one where more than 1,000 samples train). ``rates`` writes
down what ``lr="auto"`` chooses on the training part of a table; all arms with that default,
rivals too, are then given the number, which is the same fit, and the choice is made once.
``report`` then trains all arms on ten paired seeds: a seed draws the training part, the first
weights and the batches. It alone touches the test samples, and nothing is chosen by it.
``cost`` counts the floating-point operations of an epoch of each arm.

Fashion-MNIST and CIFAR-100 are halved to 14 x 14 and 16 x 16 pixels and learned by the default
ConvNet at half its width, so that the whole fits two cores in hours; the digits have the
default network. All arms of a set share network, epochs and batches.
"""

import argparse
import subprocess
import time
import warnings
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _ideas import (
    CONTEXTS,
    CONTEXTS_OF_TABLES,
    SETTINGS_OF_LABELS,
    SETTINGS_OF_TABLES,
    idea_of,
)
from _ideas import SETTINGS as IDEAS
from _measure import operations
from _rivals import Rival, predict_proba
from _runs import RESULTS, read, resume
from _sets import BUNDLED, IMAGES, OTHERWISE, TABLES, TUNED_ON, Split, shared_settings, split
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

import sklearn_maxl
from sklearn_maxl import MAXLClassifier
from sklearn_maxl._training.choose_lr import CANDIDATES
from sklearn_maxl._training.optimizers import resolve_lr, resolve_optimizer

# Tuning: settings on top of `BASE`, one change each.
TUNING_SEEDS = range(100, 108)
TUNING_TABLES = [(name, 200) for name in TUNED_ON]
MORE_ROWS = [(name, 1000) for name in TUNED_ON]
BASE: dict[str, Any] = {"lr": 3e-3, "optimizer": "adam", "schedule": "cosine", "views": None}
CHANGES: dict[str, dict[str, Any]] = {
    "single": {"auxiliary": None},
    "single, focal_gamma=1": {"auxiliary": None, "focal_gamma": 1.0},
    "single, focal_gamma=2": {"auxiliary": None, "focal_gamma": 2.0},
    "single, lr=0.001": {"auxiliary": None, "lr": 1e-3},
    "single, lr=0.01": {"auxiliary": None, "lr": 1e-2},
    "single, schedule='constant'": {"auxiliary": None, "schedule": "constant"},
    "uniform": {"auxiliary": "uniform"},
    "maxl": {},
    "maxl, meta_every=1": {"meta_every": 1},
    "maxl, frozen generator": {"meta_every": 10**9, "generator_lr": 1e-12},
    "maxl, focal_gamma=1": {"focal_gamma": 1.0},
    "maxl, focal_gamma=2": {"focal_gamma": 2.0},
    "maxl, meta_batch='next'": {"meta_batch": "next"},
    "maxl, meta_batch='holdout'": {"meta_batch": "holdout"},
    "maxl, meta_scale='inverse_lr'": {"meta_scale": "inverse_lr"},
    "maxl, entropy_weight=0": {"entropy_weight": 0.0},
    "maxl, information_weight=0.1": {"information_weight": 0.1},
    "maxl, auxiliary_weight=0.3": {"auxiliary_weight": 0.3},
    "maxl, auxiliary_weight=3": {"auxiliary_weight": 3.0},
    "maxl, auxiliary_weight_range=3": {"auxiliary_weight_range": 3.0},
    "maxl, psi=2": {"psi": 2},
    "maxl, psi=10": {"psi": 10},
    "maxl, generator_lr=0.01": {"generator_lr": 1e-2},
    "maxl, generator_optimizer='sgd'": {"generator_optimizer": "sgd"},
    "maxl, lr=0.001": {"lr": 1e-3},
    "maxl, lr=0.01": {"lr": 1e-2},
}
VIEW_CHANGES: dict[str, dict[str, Any]] = {
    "uniform, views": {"auxiliary": "uniform", "views": "rotations"},
    "uniform, views, psi=1": {"auxiliary": "uniform", "views": "rotations", "psi": 1},
    "maxl, views": {"views": "rotations"},
    "maxl, views, meta_every=1": {"views": "rotations", "meta_every": 1},
    "maxl, views, psi=2": {"views": "rotations", "psi": 2},
    "maxl, views, information_weight=0.1": {"views": "rotations", "information_weight": 0.1},
    "maxl, views, meta_scale='inverse_lr'": {"views": "rotations", "meta_scale": "inverse_lr"},
    "maxl, views, auxiliary_weight=3": {"views": "rotations", "auxiliary_weight": 3.0},
    "maxl, views, lr=0.001": {"views": "rotations", "lr": 1e-3},
    "maxl, views, lr=0.01": {"views": "rotations", "lr": 1e-2},
    "maxl, views, schedule='constant'": {"views": "rotations", "schedule": "constant"},
}


def with_decay(weight_decay: float, **settings: Any) -> dict[str, Any]:
    """A setting at the learning rate of tables, with AdamW."""
    return {
        "lr": 1e-2,
        "optimizer": partial(torch.optim.AdamW, weight_decay=weight_decay),
        **settings,
    }


# At the learning rate that tables have by default, on more seeds.
DECAY_CHANGES: dict[str, dict[str, Any]] = {
    "single, lr=0.01": {"auxiliary": None, "lr": 1e-2},
    "maxl, lr=0.01": {"lr": 1e-2},
    "single, lr=0.01, weight_decay=0.1": with_decay(0.1, auxiliary=None),
    "single, lr=0.01, weight_decay=0.3": with_decay(0.3, auxiliary=None),
    "uniform, lr=0.01, weight_decay=0.1": with_decay(0.1, auxiliary="uniform"),
    "maxl, lr=0.01, weight_decay=0.1": with_decay(0.1),
    "maxl, lr=0.01, weight_decay=0.1, auxiliary_weight=0.3": with_decay(0.1, auxiliary_weight=0.3),
}

# What the package does not have: `_ideas`.
ON_TABLES, ON_IMAGES = "maxl, lr=0.01, weight_decay=0.1", "maxl, views"
WIDE = ("400 units", "400 units with dropout 0.3", "400 units with dropout 0.5")
TABLE_IDEAS: dict[str, dict[str, Any]] = {
    **{f"{ON_TABLES}, {idea}": with_decay(0.1) for idea in (*CONTEXTS, *CONTEXTS_OF_TABLES)},
    **{
        f"{ON_TABLES}, {idea}": with_decay(0.1, **settings)
        for idea, settings in {**IDEAS, **SETTINGS_OF_LABELS, **SETTINGS_OF_TABLES}.items()
    },
    **{
        f"single, lr=0.01, weight_decay=0.1, {idea}": with_decay(0.1, auxiliary=None, **settings)
        for idea, settings in SETTINGS_OF_TABLES.items()
    },
    # Whether a wide network that gains with auxiliary labels does so at a rate of its own too.
    **{
        f"{arm}, lr={lr}, weight_decay=0.1, {width}": with_decay(
            0.1, auxiliary=auxiliary, **{**SETTINGS_OF_TABLES[width], "lr": lr}
        )
        for width in WIDE
        for arm, auxiliary, lr in (
            ("single", None, 0.001),
            ("single", None, 0.003),
            ("uniform", "uniform", 0.01),
            ("maxl", "maxl", 0.003),
        )
    },
}
# With the network and the weight decay that tables have by default: one rate for all, or one
# that each fit chooses.
RATES_TRIED: tuple[float | str, ...] = (*CANDIDATES, "auto")


def rate_setting(arm: str, lr: float | str) -> str:
    """The name of a setting of `TABLE_RATES`."""
    return f"{arm}, lr={lr!r}, default network"


TABLE_RATES: dict[str, dict[str, Any]] = {
    rate_setting(arm, lr): with_decay(0.1, auxiliary=auxiliary, backbone="auto", lr=lr)
    for arm, auxiliary in (("single", None), ("maxl", "maxl"))
    for lr in RATES_TRIED
}
IMAGE_IDEAS: dict[str, dict[str, Any]] = {
    **{f"{ON_IMAGES}, {idea}": {"views": "rotations"} for idea in CONTEXTS},
    **{f"{ON_IMAGES}, {idea}": {"views": "rotations", **s} for idea, s in IDEAS.items()},
}

# Where every run takes tens of seconds, the settings that decide, and fewer seeds.
DECISIVE = (
    *("single", "single, lr=0.001", "single, schedule='constant'", "uniform", "maxl"),
    *("uniform, views", "maxl, views", "maxl, views, lr=0.001"),
    *("maxl, views, schedule='constant'", "maxl, views, psi=2", "uniform, views, psi=1"),
)
RATES = (
    *("single", "single, lr=0.001", "single, lr=0.01"),
    *("uniform", "maxl", "maxl, lr=0.001", "maxl, lr=0.01"),
)
# Data sets, seeds at most, and the settings tried there.
TUNING: list[tuple[list[tuple[str, int]], int, tuple[str, ...]]] = [
    ([("digits-images", 200)], 4, (*CHANGES, *VIEW_CHANGES)),
    ([("fashion-mnist", 500)], 3, DECISIVE),
    ([("cifar100-10", 2500)], 2, DECISIVE),
    ([*TUNING_TABLES, *MORE_ROWS], 8, tuple(DECAY_CHANGES)),
    (
        [(name, n) for n in (200, 1000) for name in (*TUNED_ON, *OTHERWISE)],
        4,
        tuple(TABLE_RATES),
    ),
    (TUNING_TABLES, 4, tuple(CHANGES)),
    (MORE_ROWS, 4, RATES),
    ([*TUNING_TABLES, *MORE_ROWS], 4, tuple(TABLE_IDEAS)),
    ([("digits-images", 200)], 4, tuple(IMAGE_IDEAS)),
]
SETTINGS = {
    **CHANGES,
    **VIEW_CHANGES,
    **DECAY_CHANGES,
    **TABLE_IDEAS,
    **TABLE_RATES,
    **IMAGE_IDEAS,
}

# The single task's candidates; tables have two networks, the default and one of 100 units.
GRID = list(product((0.0, 2.0), (1e-3, 3e-3, 1e-2), (0.0, 0.1)))
CHOICE_SEEDS = range(200, 203)
MANY = 1_000  # with more training samples than this, one seed: a fifth of them is enough

SEEDS = range(10)
# Half of wine's rows are fewer than 200.
SMALL_TABLES = [
    (name, n) for n in (200, 1000) for name in (*TABLES, *BUNDLED) if (name, n) != ("wine", 1000)
]
# Few labels, images: where the defaults have to show that they help.
DECIDING = [
    *(("digits-images", 200), ("fashion-mnist", 500)),
    *(("fashion-mnist", 2000), ("cifar100-20", 2500)),
]
OTHER_SIZES = [("digits-images", 100), ("digits-images", 500), ("fashion-mnist", 10000)]
# Images without an upright direction: digits turned at random, to tell the digit or the turn.
WITHOUT_UPRIGHT = [("turned-digits-digit", 200), ("turned-digits-turn", 200)]
COUNTED = ("single, defaults", "uniform", "uniform, views", "maxl, no views", "maxl (default)")
REPORT_IMAGES = [key for key in IMAGES if key[0] != "cifar100-10"]

Choice = tuple[float, float, float, str]


def is_table(name: str) -> bool:
    """Whether the samples of a set are rows."""
    return name.partition(", ")[0] in (*TABLES, *BUNDLED)


def candidates(name: str) -> list[Choice]:
    """Focal gamma, learning rate, weight decay and network of each candidate."""
    networks = ("auto", "mlp") if is_table(name) else ("auto",)
    return [(*numbers, network) for network in networks for numbers in GRID]


def single(choice: Choice | None = None, **parameters: Any) -> dict[str, Any]:
    """Settings of a single task: the defaults', or those that validation chose."""
    if choice is None:
        return {"auxiliary": None, **parameters}
    gamma, lr, decay, network = choice
    optimizer = partial(torch.optim.AdamW, weight_decay=decay)
    settings = {"auxiliary": None, "focal_gamma": gamma, "lr": lr, "optimizer": optimizer}
    own = {} if network == "auto" else {"backbone": network}  # images have one that all share
    return {**settings, **own, **parameters}


# What each arm sets, as a function of the chosen single task and of the settings that a set
# shares. In the order in which they run; the ones after the gap are for images only.
def arms(name: str, choice: Choice, shared: dict[str, Any]) -> dict[str, dict[str, Any] | Rival]:
    """All arms of a set."""
    epochs = shared.get("max_epochs", 100)
    everywhere: dict[str, dict[str, Any] | Rival] = {
        "maxl (default)": {},
        "best single": single(choice),
        "single, defaults": single(),
        "uniform": {"auxiliary": "uniform", **NO_VIEWS},
        "single, focal": single(focal_gamma=2.0),
        "label smoothing": Rival(label_smoothing=0.1),
        "mixup": Rival(mixup=0.2),
        "two networks": Rival(members=2),
        "random": {"auxiliary": "random", **NO_VIEWS},
        "learned weights": {"auxiliary_weight_range": 3.0},
        "maxl, paper": {"preset": "neurips2019"},
        "guard": {"guard": True},
    }
    if is_table(name):
        # What was the default before: one rate for all tables, and then a smaller network too.
        for of, earlier in EARLIER_DEFAULTS.items():
            everywhere[f"single, {of}"] = single(**earlier)
            everywhere[f"uniform, {of}"] = {"auxiliary": "uniform", **earlier}
            everywhere[f"maxl, {of}"] = earlier
        return {**everywhere, "guard, lr=0.01": {"guard": True, **EARLIER_DEFAULTS["lr=0.01"]}}
    images: dict[str, dict[str, Any] | Rival] = {
        "uniform, views": {"auxiliary": "uniform"},
        "maxl, no views": dict(NO_VIEWS),
        "turned": Rival(turned=True),
        "best single, equal time": single(choice, max_epochs=3 * epochs),
        "frozen generator": {"meta_every": 10**9, "generator_lr": 1e-12},
        "kmeans": {"auxiliary": "kmeans", **NO_VIEWS},
    }
    if name.startswith("cifar100"):
        images["human"] = {"auxiliary": "human", **NO_VIEWS}
    first = ("maxl (default)", "best single", "single, defaults", "uniform", "uniform, views")
    both = {**everywhere, **images}
    return {arm: both[arm] for arm in (*first, *(a for a in both if a not in first))}


NO_VIEWS = {"views": None}
EARLIER_DEFAULTS: dict[str, dict[str, Any]] = {
    "lr=0.01": {"lr": 1e-2},
    "100 units": {"lr": 1e-2, "backbone": "mlp"},
}


def classifier(settings: dict[str, Any], shared: dict[str, Any], seed: int) -> MAXLClassifier:
    """An estimator with the shared settings and those of an arm."""
    settings = dict(settings)
    fixed = {**shared, "random_state": seed, "device": "cpu"}
    if "preset" in settings:
        # The network and the budget of the other arms, everything else to the letter.
        fixed = {"backbone": "auto", "max_epochs": 100, "augment": None, **fixed}
        return MAXLClassifier.from_preset(settings["preset"], **fixed)
    return MAXLClassifier(**{**fixed, **settings})


def scores(y: np.ndarray, probabilities: np.ndarray) -> tuple[float, float, float]:
    """Accuracy, log-loss, and the expected calibration error over 15 bins (Guo et al., 2017)."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == y
    bins = np.minimum((15 * confidence).astype(int), 14)
    gaps = [float(abs((right[bins == b] - confidence[bins == b]).sum())) for b in range(15)]
    loss = log_loss(y, probabilities, labels=np.arange(probabilities.shape[1]))
    return round(float(right.mean()), 6), round(loss, 6), round(sum(gaps) / len(y), 6)


def fitted_scores(
    data: Split,
    arm: dict[str, Any] | Rival,
    shared: dict[str, Any],
    seed: int,
    lr: float | str = "auto",
) -> tuple:
    """Scores and seconds of one arm, at the rate `lr` if it has none of its own."""
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    if isinstance(arm, Rival):
        shape = data.X.shape[1:]
        optimizer, lr = resolve_optimizer("auto", shape), resolve_lr(lr, shape)
        probabilities = predict_proba(
            arm, data.X, data.y, data.X_test, seed, optimizer=partial(optimizer, lr=lr), **shared
        )
        seconds = time.perf_counter() - start
    else:
        clf = classifier(arm if "preset" in arm else {"lr": lr, **arm}, shared, seed)
        clf.fit(data.X, data.y, auxiliary_labels=data.finer)
        seconds = time.perf_counter() - start
        probabilities = clf.predict_proba(data.X_test)
    return *scores(data.y_test, probabilities), round(seconds, 2), version()


def version() -> str:
    """Commit of the code; outside a git checkout, the version of the package."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=7"]
    try:
        here = Path(__file__).parent
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=here)
    except (OSError, subprocess.CalledProcessError):
        return sklearn_maxl.__version__
    return done.stdout.strip()


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
    # Tables were tuned with 100 units where a setting does not say otherwise.
    network = {"backbone": "mlp"} if is_table(name) else {}
    shared = {**network, **shared_settings(name, n), **BASE}
    arm = {**BASE, **SETTINGS[setting]}
    with idea_of(setting):
        return fitted_scores(split(name, n, seed, "validation"), arm, shared, seed)


CHOICES = RESULTS / "evidence_single.csv"


def choose(sets: list[tuple[str, int]], jobs: int) -> None:
    """The single task's candidates on a fifth of the training part."""
    runs = [
        (name, n, *candidate, seed)
        for (name, n), seed in product(sets, CHOICE_SEEDS)
        for candidate in candidates(name)
        if n <= MANY or seed == CHOICE_SEEDS[0]
    ]
    keys = ["data_set", "n", "focal_gamma", "lr", "weight_decay", "network", "seed"]
    resume(CHOICES, keys, VALUES, runs, choice_run, jobs)


def choice_run(
    name: str, n: int, gamma: float, lr: float, decay: float, network: str, seed: int
) -> tuple:
    data = split(name, n, seed, "validation")
    X, X_val, y, y_val = train_test_split(
        data.X, data.y, test_size=0.2, stratify=data.y, random_state=seed
    )
    held = Split(X, y, X_val, y_val)
    return fitted_scores(held, single((gamma, lr, decay, network)), shared_settings(name, n), seed)


def chosen(rows: list[dict[str, str]], name: str, n: int) -> Choice:
    """The candidate with the best mean accuracy; of equal ones, with the lower log-loss."""

    def worth(candidate: Choice) -> tuple[float, float]:
        mine = [
            r
            for r in rows
            if (r["data_set"], r["n"]) == (name, str(n)) and candidate_of(r) == candidate
        ]
        return (
            float(np.mean([float(r["accuracy"]) for r in mine])),
            -float(np.mean([float(r["log_loss"]) for r in mine])),
        )

    return max(candidates(name), key=worth)


def candidate_of(row: dict[str, str]) -> Choice:
    numbers = (float(row[name]) for name in ("focal_gamma", "lr", "weight_decay"))
    return *numbers, row["network"]  # type: ignore[return-value]


RATES_CHOSEN = RESULTS / "evidence_rates.csv"


def rates(sets: list[tuple[str, int]], seeds: int, jobs: int) -> None:
    """What ``lr="auto"`` chooses on the training parts of tables."""
    runs = [(*key, seed) for seed in range(seeds) for key in sets if is_table(key[0])]
    values = ["lr", *(f"score, lr={lr}" for lr in CANDIDATES), "seconds", "version"]
    resume(RATES_CHOSEN, ["data_set", "n", "seed"], values, runs, rates_run, jobs)


def rates_run(name: str, n: int, seed: int) -> tuple:
    warnings.simplefilter("ignore")
    data = split(name, n, seed, "test")
    start = time.perf_counter()
    clf = classifier(single(), shared_settings(name, n), seed).fit(data.X, data.y)
    seconds = time.perf_counter() - start
    found = [round(clf.history_.lr_scores[lr], 6) for lr in CANDIDATES]
    return clf.lr_, *found, round(seconds, 2), version()


def report(sets: list[tuple[str, int]], seeds: int, wanted: list[str] | None, jobs: int) -> None:
    """All arms on the test samples."""
    rows = read(CHOICES)
    choices = {key: chosen(rows, *key) for key in sets}
    rate = {
        (r["data_set"], int(r["n"]), int(r["seed"])): float(r["lr"]) for r in read(RATES_CHOSEN)
    }
    missing = {key for key in sets if is_table(key[0])} - {key[:2] for key in rate}
    if missing:
        raise SystemExit(f"Run the part rates first, for {sorted(missing)}.")
    runs = [
        (name, n, arm, seed)
        for seed in range(seeds)
        for name, n in sets
        for arm in arms(name, choices[name, n], shared_settings(name, n))
        if wanted is None or arm in wanted
    ]
    keys = ["data_set", "n", "arm", "seed"]
    run = partial(report_run, choices=choices, rate=rate)
    resume(RESULTS / "evidence.csv", keys, VALUES, runs, run, jobs)


def report_run(
    name: str,
    n: int,
    arm: str,
    seed: int,
    *,
    choices: dict[tuple[str, int], Choice],
    rate: dict[tuple[str, int, int], float],
) -> tuple:
    shared = shared_settings(name, n)
    settings = arms(name, choices[name, n], shared)[arm]
    lr = rate[name, n, seed] if is_table(name) else "auto"
    return fitted_scores(split(name, n, seed, "test"), settings, shared, seed, lr)


def cost() -> None:
    """Operations of an epoch of each arm that is a setting of the estimator."""
    runs = [
        (name, n, arm)
        for name, n in [*DECIDING, ("vehicle", 200)]
        for arm, settings in arms(name, candidates(name)[0], {}).items()
        if isinstance(settings, dict) and arm in COUNTED
    ]
    path = RESULTS / "evidence_cost.csv"
    resume(path, ["data_set", "n", "arm"], ["operations", "version"], runs, cost_run, 1)


def cost_run(name: str, n: int, arm: str) -> tuple:
    warnings.simplefilter("ignore")
    data = split(name, n, SEEDS[0], "validation")
    shared = {**shared_settings(name, n), "max_epochs": 1}
    settings = arms(name, candidates(name)[0], shared)[arm]
    clf = classifier({"lr": 1e-2, **settings, "max_epochs": 1}, shared, 0)
    return operations(lambda: clf.fit(data.X, data.y)), version()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("tune", "choose", "rates", "report", "cost"))
    parser.add_argument("--sets", nargs="+", help="name:n; default: all")
    parser.add_argument("--arms", nargs="+", help="or settings of tune; default: all")
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    parser.add_argument("--jobs", type=int, default=2)
    a = parser.parse_args()
    everything = [*REPORT_IMAGES, *SMALL_TABLES]
    named = [tuple(s.rsplit(":", 1)) for s in a.sets or []]
    sets = [(name, int(n)) for name, n in named] or everything
    if a.part == "tune":
        tune(a.seeds, a.arms, a.jobs)
    elif a.part == "choose":
        choose(sets, a.jobs)
    elif a.part == "rates":
        rates(sets, a.seeds, a.jobs)
    elif a.part == "cost":
        cost()
    else:
        report(sets, a.seeds, a.arms, a.jobs)


if __name__ == "__main__":
    main()
