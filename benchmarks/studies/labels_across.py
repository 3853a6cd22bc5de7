"""Do labels that say which class resembles which beat the same mass spread evenly?

    SKLEARN_MAXL_DATA=folder python -m benchmarks.studies.labels_across

Auxiliary labels stay within the block of their own class. Here a share of each *primary* label goes
to the other classes: evenly, as a running mean of right predictions says (online label
smoothing), as predictions of held-out rows say, or as the exact meta-gradient learns it. The
network is the default of tables without an auxiliary task, and every arm makes its own trials.
Tables for tuning with four classes and more; the table is in docs/learned.rst.
"""

from itertools import product
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import cross_val_predict
from torch import Tensor
from torch.nn import functional as F

from benchmarks.common.steps import with_step
from benchmarks.evidence.fits import settings_scores
from benchmarks.evidence.sets import Split, split
from benchmarks.package import Batch, Parameters, Record, Step
from benchmarks.studies.study import study
from sklearn_maxl import MAXLClassifier
from sklearn_maxl.functional import label_gradient

SHARE = 0.1
SETS_OF = {
    200: [
        f"{name}{kind}"
        for kind in ("", ", binned", ", noisy")
        for name in ("vehicle", "segmentation", "mfeat-factors")
    ],
    1000: ["fashion-mnist, columns", "segmentation", "mfeat-factors", "segmentation, noisy"],
}
SEEDS_OF = {200: range(140, 150), 1000: range(140, 143)}
SINGLE = {"auxiliary": None, "label_smoothing": 0.0}


class Across(Step):
    """A share of each primary label goes to the other classes, by a row of `S` for each class.

    What is kept from step to step hangs on the network: a step is made anew for each epoch.
    """

    def __init__(self, *args: Any):
        super().__init__(*args)
        if not hasattr(self.module, "across"):
            self.module.across = {}
        self.kept: dict[str, Any] = self.module.across

    def gradients(self, train: Batch, meta: Batch, learn_labels: bool) -> Record:
        self.f.clear_gradients()
        with self.random_numbers.of_a_step() as replay:
            replay()
            losses = self.losses(self.f.t, train)
            C = losses.shape[-1]
            S = self.kept.setdefault("S", self.at_first(C))
            own = F.one_hot(train.y, C)
            q = (1 - SHARE) * own + SHARE * S[train.y]
            loss = weighted(q * losses, train).sum()
            loss.backward()
            self.learn(S, train, losses.detach(), replay)
            self.kept["before"] = train
        return {"primary_loss": loss.detach()}

    def losses(self, t: Parameters, batch: Batch) -> Tensor:
        """What each class costs as a label of each sample, (n, C)."""
        outputs, _ = self.f(t, *batch.inputs)
        losses = -torch.log_softmax(outputs, dim=-1)
        return losses if losses.ndim == 2 else losses.mean(0)

    def at_first(self, C: int) -> Tensor:
        """All other classes alike."""
        return (1 - torch.eye(C)) / (C - 1)

    def learn(self, S: Tensor, train: Batch, losses: Tensor, replay: Any) -> None:
        """Change the rows of `S`."""


def weighted(values: Tensor, batch: Batch) -> Tensor:
    """Each sample's share of a mean, (n, C)."""
    w = 1 / len(batch) if batch.weight is None else batch.weight.unsqueeze(1) / len(batch)
    return w * values


class Online(Across):
    """Rows are running means of what right predictions say of the other classes.

    C.-B. Zhang et al., "Delving Deep into Label Smoothing", IEEE TIP 2021.
    """

    def learn(self, S: Tensor, train: Batch, losses: Tensor, replay: Any) -> None:
        p = (-losses).exp()
        right = (p.argmax(1) == train.y).to(p)
        others = p * (1 - F.one_hot(train.y, len(S))) * right.unsqueeze(1)
        found = torch.zeros_like(S).index_add_(0, train.y, others) + 0.1 * self.at_first(len(S))
        S.lerp_(found / found.sum(1, keepdim=True), 0.1)


class Meta(Across):
    """Rows are learned by the exact meta-gradient; the meta loss is that of another batch."""

    lr: ClassVar[float] = 0.1

    def learn(self, S: Tensor, train: Batch, losses: Tensor, replay: Any) -> None:
        if "before" not in self.kept:
            return
        meta = self.kept["before"]

        def terms(t: Parameters) -> Tensor:
            replay()
            return SHARE * weighted(self.losses(t, train), train)

        def meta_loss(t: Parameters) -> Tensor:
            replay()
            own = self.losses(t, meta).gather(1, meta.y.unsqueeze(1))
            return weighted(own, meta).sum()

        # A copy of the mapping, so that no statistics move.
        found = label_gradient(terms, meta_loss, dict(self.f.t), self.optimizer)
        dS = torch.zeros_like(S).index_add_(0, train.y, found.gradient)
        if "theta" not in self.kept:
            theta = S.clamp_min(1e-30).log().requires_grad_()
            self.kept["theta"] = theta, torch.optim.Adam([theta], lr=self.lr)
        theta, optimizer = self.kept["theta"]
        rows = torch.softmax(theta.masked_fill(torch.eye(len(S)) > 0, -torch.inf), dim=1)
        optimizer.zero_grad()
        rows.backward(dS)
        optimizer.step()
        S.copy_(rows.detach())


class MetaOfOnline(Online, Meta):
    """Online label smoothing for the first 40 steps, then the meta-gradient."""

    def learn(self, S: Tensor, train: Batch, losses: Tensor, replay: Any) -> None:
        steps = self.kept["steps"] = self.kept.get("steps", 0) + 1
        first = Online if steps <= 40 else Meta
        first.learn(self, S, train, losses, replay)


def held_out_rows(data: Split, seed: int) -> Tensor:
    """What networks that have not seen a row say of the other classes, by its class."""
    clf = MAXLClassifier(**SINGLE, random_state=seed, device="cpu")
    found: NDArray[np.float64] = cross_val_predict(clf, data.X, data.y, method="predict_proba")
    codes = np.unique(data.y, return_inverse=True)[1]
    rows = np.stack([found[codes == c].mean(0) for c in range(found.shape[1])])
    np.fill_diagonal(rows, 0)
    rows += 1e-3
    np.fill_diagonal(rows, 0)
    return torch.from_numpy(rows / rows.sum(1, keepdims=True)).float()


def of_held_out(data: Split, seed: int) -> type[Across]:
    rows = held_out_rows(data, seed)
    return type("HeldOut", (Across,), {"at_first": lambda self, C: rows.clone()})


ARMS = {
    "hard labels": lambda data, seed: Step,
    "evenly": lambda data, seed: Across,
    "online label smoothing": lambda data, seed: Online,
    "the meta-gradient": lambda data, seed: Meta,
    "online label smoothing, then the meta-gradient": lambda data, seed: MetaOfOnline,
    "predictions of held-out rows": of_held_out,
}


def run(name: str, n: int, arm: str, seed: int) -> tuple:
    data = split(name, n, seed, "validation")
    settings = {**SINGLE, "kind": with_step(ARMS[arm](data, seed))}
    return settings_scores(data, settings, {}, seed)


def main() -> None:
    runs = [
        (name, n, arm, seed)
        for n, seeds in SEEDS_OF.items()
        for seed, name, arm in product(seeds, SETS_OF[n], ARMS)
    ]
    keys = ["data_set", "n", "arm", "seed"]
    values = ["accuracy", "log_loss", "calibration_error", "seconds", "version"]
    study("labels_across", keys, values, runs, run)


if __name__ == "__main__":
    main()
