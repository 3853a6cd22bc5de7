"""The published recipes, as parameters of the estimators; docs/method.rst compares them."""

from functools import partial
from typing import Any

import torch

_PAPER = {
    "backbone": "vgg16",
    "auxiliary": "maxl",
    "psi": 5,
    "auxiliary_weight": 1.0,
    "views": None,
    "entropy_weight": 0.2,
    "focal_gamma": 2.0,
    "meta_every": 1,
    "optimizer": "sgd",
    "lr": 0.01,
    # The text of 2019's ICLR version says L1; the code has torch's weight decay, L2.
    "generator_optimizer": partial(torch.optim.SGD, weight_decay=5e-4),
    "schedule": "halving",
    "batch_size": 100,
    "max_epochs": 200,
}

PRESETS: dict[str, dict[str, Any]] = {
    "neurips2019": {
        **_PAPER,
        "generator_lr": 1e-3,
        "meta_batch": "same",
        "alternation": "epoch",
        "augment": "crop_flip",
    },
    "iclr2019": {
        **_PAPER,
        "generator_lr": 1e-5,
        "meta_batch": "holdout",
        "validation_fraction": 0.1,
        "alternation": "batch",
    },
}


def preset(name: str) -> dict[str, Any]:
    """Parameters of a recipe."""
    if name not in PRESETS:
        raise ValueError(f"name={name!r} is not a preset; use {' or '.join(map(repr, PRESETS))}.")
    return dict(PRESETS[name])
