"""The arms of the report: what each one sets, and on which sets."""

from typing import Any

from benchmarks.evidence.choice import Choice, single
from benchmarks.evidence.rivals import Rival
from benchmarks.evidence.sets import BUNDLED, IMAGES, TABLES, is_table
from sklearn_maxl import MAXLClassifier
from sklearn_maxl.labels import Learned

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

NO_VIEWS = {"views": None}
EARLIER_DEFAULTS: dict[str, dict[str, Any]] = {
    "lr=0.01": {"lr": 1e-2},
    "100 units": {"lr": 1e-2, "backbone": "mlp"},
}


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
        "learned weights": {"auxiliary": Learned(weight_range=3.0)},
        "maxl, paper": {"preset": "neurips2019"},
    }
    if is_table(name):
        # What was the default before: one rate for all tables, and then a smaller network too.
        for of, earlier in EARLIER_DEFAULTS.items():
            everywhere[f"single, {of}"] = single(**earlier)
            everywhere[f"uniform, {of}"] = {"auxiliary": "uniform", **earlier}
            everywhere[f"maxl, {of}"] = earlier
        return everywhere
    images: dict[str, dict[str, Any] | Rival] = {
        "uniform, views": {"auxiliary": "uniform"},
        "maxl, no views": dict(NO_VIEWS),
        "turned": Rival(turned=True),
        "best single, equal time": single(choice, max_epochs=3 * epochs),
        "frozen generator": {"auxiliary": Learned(every=10**9, lr=1e-12)},
        "kmeans": {"auxiliary": "kmeans", **NO_VIEWS},
    }
    if name.startswith("cifar100"):
        images["human"] = {"auxiliary": "human", **NO_VIEWS}
    first = ("maxl (default)", "best single", "single, defaults", "uniform", "uniform, views")
    both = {**everywhere, **images}
    return {arm: both[arm] for arm in (*first, *(a for a in both if a not in first))}


def classifier(settings: dict[str, Any], shared: dict[str, Any], seed: int) -> MAXLClassifier:
    """An estimator with the shared settings and those of an arm; `kind` is a class of its own."""
    settings = dict(settings)
    kind = settings.pop("kind", MAXLClassifier)
    fixed = {**shared, "random_state": seed, "device": "cpu"}
    if "preset" in settings:
        # The network and the budget of the other arms, everything else to the letter.
        fixed = {"backbone": "auto", "max_epochs": 100, "augment": None, **fixed}
        return MAXLClassifier.from_preset(settings["preset"], **fixed)
    return kind(**{**fixed, **settings})
