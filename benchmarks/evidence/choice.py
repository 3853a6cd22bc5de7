"""The best plain network of a set: its candidates, and which one validation chose."""

from itertools import product
from typing import Any

from benchmarks.common.rows import Rows, numbers, where
from benchmarks.evidence.rivals import AUGMENTATIONS
from benchmarks.evidence.sets import is_table
from sklearn_maxl.optimizers import AdamW

# The single task's candidates. Tables have two networks, the default and one of 100 units, and
# higher rates, because their fits have fewer steps.
RATES = {True: (3e-3, 1e-2, 3e-2), False: (1e-3, 3e-3, 1e-2)}

Choice = tuple[float, float, float, str]


def candidates(name: str) -> list[Choice]:
    """Focal gamma, learning rate, weight decay and network of each candidate."""
    networks = ("auto", "mlp") if is_table(name) else ("auto",)
    points = product((0.0, 2.0), RATES[is_table(name)], (0.0, 0.1))
    return [(*point, network) for network, point in product(networks, points)]


def single(choice: Choice | None = None, **parameters: Any) -> dict[str, Any]:
    """Settings of a single task: the defaults', or those that validation chose."""
    if choice is None:
        return {"auxiliary": None, **parameters}
    gamma, lr, decay, network = choice
    settings = {"auxiliary": None, "focal_gamma": gamma, "lr": lr, "optimizer": AdamW(decay)}
    own = {} if network == "auto" else {"backbone": network}  # images have one that all share
    return {**settings, **own, **parameters}


def chosen(rows: Rows, name: str, n: int) -> Choice:
    """The candidate with the best mean accuracy; of equal ones, with the lower log-loss."""
    of_set = where(rows, data_set=name, n=n)

    def worth(candidate: Choice) -> tuple[float, float]:
        mine = [row for row in of_set if candidate_of(row) == candidate]
        return numbers(mine, "accuracy").mean(), -numbers(mine, "log_loss").mean()

    return max(candidates(name), key=worth)


def augmentations(name: str) -> list[str]:
    """The candidates of a set's ordinary augmentation: a mirrored digit is no digit."""
    return [a for a in AUGMENTATIONS if "digits" not in name or "mirror" not in a]


def chosen_augmentation(rows: Rows, name: str, n: int) -> str:
    """The ordinary augmentation with the best mean accuracy; of equal ones the first."""
    of_set = where(rows, data_set=name, n=n)

    def worth(candidate: str) -> float:
        return numbers(where(of_set, augmentation=candidate), "accuracy").mean()

    return max(augmentations(name), key=worth)


def candidate_of(row: dict[str, str]) -> Choice:
    """The candidate that a row is of."""
    gamma, lr, decay = (float(row[name]) for name in ("focal_gamma", "lr", "weight_decay"))
    return gamma, lr, decay, row["network"]
