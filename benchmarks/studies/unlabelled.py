"""Images without a class: do they help the auxiliary task, and a generator that labels them?

    SKLEARN_MAXL_DATA=folder python -m benchmarks.studies.unlabelled

Beside each batch as many images without a class are drawn. What they can say, from arm to arm:

- *turns*: the auxiliary head learns in which turn it sees them, whatever their class;
- *a running mean of the network* (Tarvainen and Valpola, NeurIPS 2017) says of which class they
  are, by the mean over its turns;
- *a second network*, trained on the images with a class, says so;
- *the meta-gradient*: the second network learns as well by what its labels do to the loss of the
  first on the images with a class. That is Meta Pseudo Labels (Pham, Dai, Xie, Luong and Le, CVPR
  2021), with the exact gradient of all labels in the place of an estimate of one.

Labels without a class count more and more over the first half of a fit, and are learned by both
heads. Auxiliary labels are evenly spread. The table is in docs/learned.rst.
"""

import copy
from typing import Any, ClassVar

import torch
from skorch.callbacks import Callback
from torch import Tensor
from torch.nn import functional as F

from benchmarks.common.steps import with_step
from benchmarks.evidence.arms import Fit
from benchmarks.evidence.fits import fitted_scores
from benchmarks.evidence.rivals import as_it_predicts, primary_head
from benchmarks.evidence.sets import Split, shared_settings, split
from benchmarks.package import (
    Batch,
    MAXLNet,
    MultiTaskNet,
    Parameters,
    Record,
    Step,
    block_sums,
    training_loss,
)
from benchmarks.studies.study import study_of_images
from sklearn_maxl.functional import label_gradient

MOST = 10_000  # images without a class
# Of the running mean; 0.99, and leaving out labels below 0.9, were no better on other images of
# Fashion-MNIST.
DECAY = 0.9


class TellProgress(Callback):
    """Tells the network which part of a fit is done."""

    def on_epoch_begin(self, net: MAXLNet, **kwargs: Any) -> None:
        net.module_.progress = len(net.epochs_) / net.max_epochs


class Turns(Step):
    """The auxiliary head learns the turn of images without a class."""

    pool: ClassVar[Tensor]

    def __init__(self, *args: Any):
        super().__init__(*args)
        # What is kept from step to step hangs on the network: a step is made anew for each epoch.
        if not hasattr(self.module, "kept"):
            self.module.kept = {"steps": 0}
        self.kept: dict[str, Any] = self.module.kept

    def multi_task_gradients(self, train: Batch, A: Tensor | None) -> Record:
        self.kept["steps"] += 1
        n, rng, views = len(train), self.random_numbers.rng, self.module.views
        assert views is not None
        assert train.view is not None
        rows = torch.from_numpy(rng.randint(len(self.pool), size=n))
        x = self.module.prepare(self.pool[rows])
        v = torch.from_numpy(rng.randint(views.n, size=n))
        seen = views.each(x, v)
        # In one pass: batch normalisation sees both kinds of images.
        both = torch.cat([train.x, x]), torch.cat([train.view, seen])
        outputs, logits = self.f(self.f.t, *both)
        own = outputs[:n], logits[:n]
        L, record = training_loss(lambda *_: own, {}, train, A, self.recipe)
        logs, columns = torch.log_softmax(logits[n:], 1), self.module.columns
        # Of each image and class: log p(class, the turn that it is seen in).
        of_turns = torch.stack([block_sums(logs, columns[:, u]) for u in range(views.n)], 1)
        joint = of_turns[torch.arange(n), v]
        turn = joint.logsumexp(1, keepdim=True)
        L = L - turn.mean() + self.of_classes(x, outputs[n:], joint - turn)
        L.backward()
        self.learn(train, x)
        return record

    @property
    def share(self) -> float:
        """How much labels of classes count by now."""
        return min(1.0, 2 * self.module.progress)

    def of_classes(self, x: Tensor, outputs: Tensor, joint: Tensor) -> Tensor:
        """What the images add to the loss by their classes."""
        return outputs.new_zeros(())

    def learn(self, train: Batch, x: Tensor) -> None:
        """What learns besides."""


class Pseudo(Turns):
    """Someone says of which class the images are, in probabilities; both heads learn it."""

    def of_classes(self, x: Tensor, outputs: Tensor, joint: Tensor) -> Tensor:
        q = self.labels(x).detach()
        return -self.share * (q * (torch.log_softmax(outputs, 1) + joint)).sum(1).mean()

    def labels(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class RunningMean(Pseudo):
    """A running mean of the network's weights says it, by the mean over the turns."""

    def labels(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            mean = self.kept.setdefault("mean", without_kept(self.module).eval())
            new = max(1 - DECAY, 1 / (1 + self.kept["steps"]))
            for p, q in zip(mean.parameters(), self.module.parameters(), strict=True):
                p.lerp_(q, new)
            for p, q in zip(mean.buffers(), self.module.buffers(), strict=True):
                p.copy_(q)
            return torch.softmax(mean.joint_of(x), 1)


class Second(Pseudo):
    """A second network says it, which learns the images with a class."""

    def labels(self, x: Tensor) -> Tensor:
        if "second" not in self.kept:
            second = with_new_weights(without_kept(self.module))
            optimizer = torch.optim.Adam(second.parameters())
            self.kept["second"] = second, optimizer
        second, _ = self.kept["second"]
        self.kept["labels"] = torch.softmax(second.primary_of(x), 1)
        return self.kept["labels"]

    def learn(self, train: Batch, x: Tensor) -> None:
        second, optimizer = self.kept["second"]
        (group,) = optimizer.param_groups
        group["lr"] = self.optimizer.param_groups[0]["lr"]
        optimizer.zero_grad()
        self.by_what_they_do(train, x)
        F.cross_entropy(second.primary_of(train.x), train.y).backward()
        optimizer.step()

    def by_what_they_do(self, train: Batch, x: Tensor) -> None:
        """Leave a gradient of the labels."""


class MetaLabels(Second):
    """The second network learns by the meta-gradient as well."""

    def by_what_they_do(self, train: Batch, x: Tensor) -> None:
        def terms(t: Parameters) -> Tensor:
            return -self.share / len(x) * torch.log_softmax(self.f(t, x)[0], 1)

        def meta_loss(t: Parameters) -> Tensor:
            return F.cross_entropy(self.f(t, train.x)[0], train.y)

        found = label_gradient(terms, meta_loss, dict(self.f.t), self.optimizer)
        # Divided by the learning rate it was two points worse on other images of Fashion-MNIST.
        self.kept["labels"].backward(found.gradient)


def without_kept(module: MultiTaskNet) -> MultiTaskNet:
    """A copy of the network."""
    kept = module.kept
    del module.kept
    try:
        return copy.deepcopy(module)
    finally:
        module.kept = kept


def with_new_weights(module: MultiTaskNet) -> MultiTaskNet:
    """The network as it would begin with another seed."""
    for part in module.modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()
    return module


ARMS: dict[str, type[Turns] | None] = {
    "none": None,
    "turns": Turns,
    "turns, classes by a running mean of the network": RunningMean,
    "turns, classes by a second network": Second,
    "turns, classes by a second network with the meta-gradient": MetaLabels,
}


def settings(arm: str, data: Split) -> dict[str, Any]:
    """Settings of an arm on these images."""
    step, even = ARMS[arm], {"auxiliary": "uniform"}
    if step is None:
        return even
    assert data.others is not None
    kind = with_step(type(step.__name__, (step,), {"pool": torch.from_numpy(data.others[:MOST])}))
    return {**even, "kind": kind, "callbacks": [TellProgress()]}


def run(name: str, n: int, arm: str, seed: int) -> Any:
    data = split(name, n, seed, "test")
    fit = Fit(settings(arm, data), {"four turns": as_it_predicts, "one pass": primary_head})
    return fitted_scores(data, fit, shared_settings(name, n), seed)


if __name__ == "__main__":
    study_of_images("unlabelled", ARMS, run)
