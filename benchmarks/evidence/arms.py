"""The arms of the report: what each one fits, how the fit is asked, and on which sets."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.common.steps import with_step
from benchmarks.evidence.choice import Choice, single
from benchmarks.evidence.rivals import (
    AUGMENTATIONS,
    Mixup,
    Networks,
    Reading,
    as_it_predicts,
    auxiliary_head_upright,
    both,
    first_network_over_turns,
    first_networks,
    mean_over_turns,
    primary_head,
    turned,
)
from benchmarks.evidence.sets import BUNDLED, TABLES, TUNED_ON, is_table
from sklearn_maxl import MAXLClassifier

SEEDS = range(10)
# Half of a table's rows are reported on, and a tenth of them are a seed's test rows: 1,000 rows
# to train on are there in these.
OF_1000 = (
    *("adult", "churn", "letter", "pendigits", "phoneme", "satimage", "segmentation", "splice"),
)
OF_200 = tuple(name for name in (*TABLES, *BUNDLED) if name != "wine")
SMALL_TABLES = [*((name, 200) for name in OF_200), *((name, 1000) for name in OF_1000)]
# Few labels, images: where the defaults have to show that they help.
DECIDING = [
    *(("cifar100-20", 2500), ("fashion-mnist", 2000)),
    *(("fashion-mnist", 500), ("digits-images", 200)),
]
# What defaults were chosen on is in no mean that the text quotes.
TUNED_IMAGES = [("fashion-mnist", 500), ("digits-images", 200)]
UNTUNED_IMAGES = [key for key in DECIDING if key not in TUNED_IMAGES]
TUNED_TABLES = [key for key in SMALL_TABLES if key[0] in TUNED_ON]
UNTUNED_TABLES = [key for key in SMALL_TABLES if key[0] not in TUNED_ON]
# Images without an upright direction: digits turned at random, to tell the digit or the turn.
WITHOUT_UPRIGHT = [("turned-digits-digit", 200), ("turned-digits-turn", 200)]
REPORT_IMAGES = [*DECIDING, *WITHOUT_UPRIGHT]

Settings = dict[str, Any]
NO_VIEWS: Settings = {"views": None}
EVEN: Settings = {"auxiliary": "uniform"}
COUNTED: dict[str, Settings] = {
    "single, defaults": single(),
    "uniform": {**EVEN, **NO_VIEWS},
    "uniform, views": EVEN,
    "maxl, no views": NO_VIEWS,
    "maxl (default)": {},
}


@dataclass(frozen=True)
class Fit:
    """Settings of one fit, and the arms that are read from it.

    Attributes
    ----------
    settings : dict
        Parameters of the estimator; ``kind`` is another class that is fitted.
    arms : mapping of str to callable
        Name of an arm -> probabilities of the classes, from the fitted estimator and samples.
    own_trials : bool
        Whether it makes trials of its own on a table, because it trains otherwise than the
        network that the trials of the others are of.
    """

    settings: Settings
    arms: Mapping[str, Reading]
    own_trials: bool = False


def one(
    name: str, settings: Settings, reading: Reading = as_it_predicts, own_trials: bool = False
) -> dict[str, Fit]:
    """A fit that is one arm."""
    return {name: Fit(settings, {name: reading}, own_trials)}


def in_parts(name: str, settings: Settings) -> dict[str, Fit]:
    """A fit with views: what it predicts, and what each of its heads says of upright images."""
    readings = {
        name: as_it_predicts,
        f"{name}: primary head": primary_head,
        f"{name}: auxiliary head, upright": auxiliary_head_upright,
    }
    return {name: Fit(settings, readings)}


def networks(over_turns: bool) -> dict[str, Fit]:
    """Four plain networks with the settings of the default, and how good fewer of them are."""
    readings: dict[str, Reading] = {
        "single, defaults": partial(first_networks, n=1),
        "two networks": partial(first_networks, n=2),
        "four networks": partial(first_networks, n=4),
    }
    if over_turns:
        readings["single, mean over turns"] = first_network_over_turns
    return {"four networks": Fit(single(kind=Networks, n_networks=4), readings)}


# In the order in which they run.
def fits(name: str, choice: Choice, augmentation: str | None = None) -> dict[str, Fit]:
    """All fits of a set; `choice` is its best plain network, `augmentation` that of images."""
    smooth, mixed = single(label_smoothing=0.1), single(kind=with_step(Mixup))
    if is_table(name):
        return {
            **one("maxl (default)", {}),
            **one("best single", single(choice), own_trials=True),
            **networks(over_turns=False),
            **one("uniform", EVEN),
            **one("label smoothing", smooth, own_trials=True),
            **one("mixup", mixed, own_trials=True),
        }
    assert augmentation is not None
    ordinary = AUGMENTATIONS[augmentation]
    turned_too = partial(both, first=ordinary)
    of_images = {
        **one("maxl (default)", {}),
        **one("best single", single(choice)),
        **networks(over_turns=True),
        **in_parts("uniform, views", EVEN),
        **in_parts("self-supervised label augmentation", {**EVEN, "psi": 1}),
        **one("turned", single(augment=turned), mean_over_turns),
        **one("label smoothing", smooth),
        **one("best single, augmented", single(choice, augment=ordinary)),
        **one("turned, augmented", single(augment=turned_too), mean_over_turns),
        **in_parts("uniform, views, augmented", {**EVEN, "augment": ordinary}),
        **one("uniform", {**EVEN, **NO_VIEWS}),
        **one("maxl, no views", NO_VIEWS),
        **one("mixup", mixed),
    }
    if name.startswith("turned-digits"):
        few = ("maxl (default)", "best single", "four networks", "uniform, views", "turned")
        return {fit: of_images[fit] for fit in few}
    return of_images


def classifier(settings: Settings, shared: Settings, seed: int) -> Any:
    """An estimator with the shared settings and those of a fit; `kind` is a class of its own."""
    settings = dict(settings)
    kind = settings.pop("kind", MAXLClassifier)
    return kind(**{**shared, "random_state": seed, "device": "cpu", **settings})
