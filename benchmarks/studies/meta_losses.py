"""Do labels within a class help if their meta loss does not die with the training loss?

    SKLEARN_MAXL_DATA=folder python -m benchmarks.studies.meta_losses

The meta-gradient is in proportion to the gradient of the primary loss on the meta data. On rows
that the network trains on, that loss goes to zero, and the labels end where the regulariser wants
them: evenly spread. Here the meta loss is taken on other rows, on noisy ones, or is one that does
not go to zero. Except for the first two arms, the meta-gradient is divided by the learning rate.
The network is the default of tables, and learned labels learn in each step. Tables for tuning; the
table is in docs/learned.rst.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import StratifiedKFold
from torch import Tensor

from benchmarks.common.steps import with_step
from benchmarks.evidence.arms import classifier
from benchmarks.evidence.fits import scores, version
from benchmarks.evidence.sets import Split, split
from benchmarks.package import (
    Batch,
    MetaProblem,
    MultiTaskNet,
    Parameters,
    Record,
    SoftLabels,
    Step,
    over_members,
)
from benchmarks.studies.study import study
from sklearn_maxl import MAXLClassifier
from sklearn_maxl.labels import Learned

N = 200
SETS = [
    f"{name}{kind}"
    for kind in ("", ", noisy")
    for name in ("vehicle", "segmentation", "mfeat-factors")
]
SEEDS = range(150, 160)
FOLDS = 5
STRONG = {"every": 1, "meta_scale": "inverse_lr"}
State = dict[str, Tensor]


class OfNoisyRows(Step):
    """The meta loss is that of the batch with noise: another view of it, as tables have one."""

    def gradients(self, train: Batch, meta: Batch, learn_labels: bool) -> Record:
        return super().gradients(train, replace(meta, x=noisy(meta.x)), learn_labels)


def noisy(z: Tensor) -> Tensor:
    """Prepared rows with normal noise of a third of a standard deviation."""
    return z + 0.3 * torch.randn_like(z)


class Margin(Step):
    """The meta loss is the mean of minus the log-odds of the class, which has no end."""

    def generator_gradient(self, problem: MetaProblem, task: SoftLabels, *others: Any) -> Record:
        problem = replace(problem, meta_loss=self.margin)
        return super().generator_gradient(problem, task, *others)

    def label_gradients(self, train: Batch, meta: Batch, *others: Any, **more: Any) -> Record:
        self.margin = partial(minus_log_odds, self.f, meta)
        return super().label_gradients(train, meta, *others, **more)


def minus_log_odds(f: Callable[..., tuple[Tensor, Any]], meta: Batch, t: Parameters) -> Tensor:
    """Log of what the other classes have together minus that of the own class, at `t`."""
    logits, _ = f(t, meta.x)
    own = meta.y.unsqueeze(1).expand(*logits.shape[:-1], 1)
    others = logits.scatter(-1, own, -torch.inf).logsumexp(-1)
    odds = over_members((others - logits.gather(-1, own).squeeze(-1)).unsqueeze(-1)).squeeze(-1)
    return odds.mean() if meta.weight is None else (meta.weight * odds).mean()


class GoesOn(Step):
    """The generator starts as another one ended, and learns on rows of its own."""

    state: State | None = None
    rows: tuple[np.ndarray, np.ndarray]

    def __init__(self, *args: Any):
        super().__init__(*args)
        if self.generator is None:  # in trials
            return
        if self.state is not None and not hasattr(self.generator, "went_on"):
            self.generator.load_state_dict(self.state)
        self.generator.went_on = True

    def gradients(self, train: Batch, meta: Batch, learn_labels: bool) -> Record:
        if learn_labels:
            meta = self.held_out(self.module, len(train))
        return super().gradients(train, meta, learn_labels)

    def held_out(self, module: MultiTaskNet, n: int) -> Batch:
        """Rows that this network does not train on."""
        X, y = self.rows
        chosen = self.random_numbers.rng.randint(len(y), size=n)
        return Batch(module.prepare(torch.from_numpy(X[chosen])), torch.from_numpy(y[chosen]))


class Taught(GoesOn):
    """The generator stays as another one ended."""

    @property
    def generator_learns(self) -> bool:
        return False

    def gradients(self, train: Batch, meta: Batch, learn_labels: bool) -> Record:
        return Step.gradients(self, train, meta, learn_labels)


def like(step: type[Step], **attributes: Any) -> dict[str, Any]:
    """Settings of labels that are learned in such steps."""
    kind = with_step(type(step.__name__, (step,), attributes))
    return {"auxiliary": Learned(**STRONG), "kind": kind}


def cross_fitted(data: Split, seed: int) -> dict[str, Any]:
    """The generator learns with five networks, its meta loss is on rows they do not train on."""
    codes = np.unique(data.y, return_inverse=True)[1]
    state = None
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    for trained, held_out in folds.split(data.X, codes):
        rows = (data.X[held_out], codes[held_out])
        settings = {**like(GoesOn, state=state, rows=rows), "max_epochs": 30, "temperature": 1.0}
        clf = classifier(settings, {}, seed).fit(data.X[trained], data.y[trained])
        state = {name: p.clone() for name, p in clf.net_.generator_.state_dict().items()}
    return like(Taught, state=state)


ARMS: dict[str, Callable[[Split, int], dict[str, Any]]] = {
    "evenly spread labels": lambda data, seed: {"auxiliary": "uniform"},
    "the same batch, as in the paper": lambda data, seed: {"auxiliary": Learned(every=1)},
    "the same batch": lambda data, seed: like(Step),
    "the same batch with noise": lambda data, seed: like(OfNoisyRows),
    "log-odds": lambda data, seed: like(Margin),
    "held-out rows": lambda data, seed: {"auxiliary": Learned(**STRONG, meta_batch="holdout")},
    "held-out rows, in turn (cross-fitting)": cross_fitted,
}


def run(name: str, arm: str, seed: int) -> tuple:
    """Scores; the entropy of a label to that of an even one; the ratio of gradients.

    The ratio is that of the meta-gradient to the regulariser's, in the first and the last fifth of
    the epochs.
    """
    data = split(name, N, seed, "validation")
    clf: MAXLClassifier = classifier(ARMS[arm](data, seed), {}, seed).fit(data.X, data.y)
    found = scores(data.y_test, clf.predict_proba(data.X_test))
    even = np.log(clf.psi_).mean()
    entropy = clf.history_[-1]["label_entropy"] / even
    ratios = [row.get("gradient_norm_ratio", np.nan) for row in clf.history_]
    ratios = [ratio for ratio in ratios if np.isfinite(ratio)]
    fifth = max(1, len(ratios) // 5)
    ends = (ratios[:fifth], ratios[-fifth:]) if ratios else ([], [])
    said = [f"{np.median(end):.3g}" if len(end) else "" for end in ends]
    return *found, round(float(entropy), 4), *said, version()


def main() -> None:
    keys = ["data_set", "arm", "seed"]
    values = ["accuracy", "log_loss", "calibration_error", "entropy", "ratio_first", "ratio_last"]
    runs = [(name, arm, seed) for seed, name, arm in product(SEEDS, SETS, ARMS)]
    study("meta_losses", keys, [*values, "version"], runs, run)


if __name__ == "__main__":
    main()
