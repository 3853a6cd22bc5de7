"""What tuning tries: settings on top of `BASE`, one change each."""

from typing import Any

from benchmarks.evidence.ideas import SETTINGS as IDEAS
from benchmarks.evidence.ideas import (
    SETTINGS_OF_LABELS,
    SETTINGS_OF_TABLES,
    STEPS,
)
from benchmarks.evidence.sets import TUNED_ON
from sklearn_maxl.labels import Learned
from sklearn_maxl.optimizers import AdamW

TUNING_TABLES = [(name, 200) for name in TUNED_ON]
MORE_ROWS = [(name, 1000) for name in TUNED_ON]
BASE: dict[str, Any] = {"lr": 3e-3, "optimizer": "adam", "schedule": "cosine", "views": None}
BASE["temperature"] = 1.0
CHANGES: dict[str, dict[str, Any]] = {
    "single": {"auxiliary": None},
    "single, focal_gamma=1": {"auxiliary": None, "focal_gamma": 1.0},
    "single, focal_gamma=2": {"auxiliary": None, "focal_gamma": 2.0},
    "single, lr=0.001": {"auxiliary": None, "lr": 1e-3},
    "single, lr=0.01": {"auxiliary": None, "lr": 1e-2},
    "single, schedule='constant'": {"auxiliary": None, "schedule": "constant"},
    "uniform": {"auxiliary": "uniform"},
    "maxl": {},
    "maxl, meta_every=1": {"auxiliary": Learned(every=1)},
    "maxl, frozen generator": {"auxiliary": Learned(every=10**9, lr=1e-12)},
    "maxl, focal_gamma=1": {"focal_gamma": 1.0},
    "maxl, focal_gamma=2": {"focal_gamma": 2.0},
    "maxl, meta_batch='holdout'": {"auxiliary": Learned(meta_batch="holdout")},
    "maxl, meta_scale='inverse_lr'": {"auxiliary": Learned(meta_scale="inverse_lr")},
    "maxl, entropy_weight=0": {"auxiliary": Learned(entropy_weight=0.0)},
    "maxl, information_weight=0.1": {"auxiliary": Learned(information_weight=0.1)},
    "maxl, auxiliary_weight=0.3": {"auxiliary_weight": 0.3},
    "maxl, auxiliary_weight=3": {"auxiliary_weight": 3.0},
    "maxl, auxiliary_weight_range=3": {"auxiliary": Learned(weight_range=3.0)},
    "maxl, psi=2": {"psi": 2},
    "maxl, psi=10": {"psi": 10},
    "maxl, generator_lr=0.01": {"auxiliary": Learned(lr=1e-2)},
    "maxl, generator_optimizer='sgd'": {"auxiliary": Learned(optimizer="sgd")},
    "maxl, lr=0.001": {"lr": 1e-3},
    "maxl, lr=0.01": {"lr": 1e-2},
}
# Has rows, and is no option any more: the meta loss on the batch of the next step.
GONE = ("maxl, meta_batch='next'",)
VIEWS = {"views": "rotations"}
VIEW_CHANGES: dict[str, dict[str, Any]] = {
    "uniform, views": {"auxiliary": "uniform", **VIEWS},
    "uniform, views, psi=1": {"auxiliary": "uniform", **VIEWS, "psi": 1},
    "maxl, views": VIEWS,
    "maxl, views, meta_every=1": {**VIEWS, "auxiliary": Learned(every=1)},
    "maxl, views, psi=2": {**VIEWS, "psi": 2},
    "maxl, views, information_weight=0.1": {**VIEWS, "auxiliary": Learned(information_weight=0.1)},
    "maxl, views, meta_scale='inverse_lr'": {
        **VIEWS,
        "auxiliary": Learned(meta_scale="inverse_lr"),
    },
    "maxl, views, auxiliary_weight=3": {**VIEWS, "auxiliary_weight": 3.0},
    "maxl, views, lr=0.001": {**VIEWS, "lr": 1e-3},
    "maxl, views, lr=0.01": {**VIEWS, "lr": 1e-2},
    "maxl, views, schedule='constant'": {**VIEWS, "schedule": "constant"},
}


def with_decay(weight_decay: float, **settings: Any) -> dict[str, Any]:
    """A setting at the learning rate of tables, with AdamW."""
    return {"lr": 1e-2, "optimizer": AdamW(weight_decay), **settings}


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

# What the package does not have: `ideas`.
ON_TABLES, ON_IMAGES = "maxl, lr=0.01, weight_decay=0.1", "maxl, views"
WIDE = ("400 units", "400 units with dropout 0.3", "400 units with dropout 0.5")
OF_TABLES = {**STEPS, **IDEAS, **SETTINGS_OF_LABELS, **SETTINGS_OF_TABLES}
TABLE_IDEAS: dict[str, dict[str, Any]] = {
    **{f"{ON_TABLES}, {idea}": with_decay(0.1, **settings) for idea, settings in OF_TABLES.items()},
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
IMAGE_IDEAS: dict[str, dict[str, Any]] = {
    f"{ON_IMAGES}, {idea}": {**VIEWS, **settings} for idea, settings in {**STEPS, **IDEAS}.items()
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
    **IMAGE_IDEAS,
}
