"""The published recipes, as parameters of the estimators; docs/method.rst compares them."""

from ..labels import Learned
from ..optimizers import SGD

PAPER: dict[str, object] = {
    "backbone": "vgg16",
    "psi": 5,
    "auxiliary_weight": 1.0,
    "views": None,
    "focal_gamma": 2.0,
    "label_smoothing": 0.0,
    "optimizer": "sgd",
    "lr": 0.01,
    "schedule": "halving",
    "batch_size": 100,
    "max_epochs": 200,
}
# The text of 2019's ICLR version says L1; the code has torch's weight decay, L2.
WEIGHT_DECAY = 5e-4

PRESETS = ("neurips2019", "iclr2019")


def preset(name: str) -> dict[str, object]:
    """Parameters of a recipe, with objects of their own."""
    if name not in PRESETS:
        raise ValueError(f"name={name!r} is not a preset; use {' or '.join(map(repr, PRESETS))}.")
    labels = Learned(optimizer=SGD(weight_decay=WEIGHT_DECAY), every=1, entropy_weight=0.2)
    if name == "neurips2019":
        labels.set_params(lr=1e-3, alternation="epoch")
        return {**PAPER, "auxiliary": labels, "augment": "crop_flip"}
    labels.set_params(lr=1e-5, meta_batch="holdout")
    return {**PAPER, "auxiliary": labels, "validation_fraction": 0.1}
