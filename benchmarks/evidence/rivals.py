"""What auxiliary labels have to beat: a plain network with what else regularises it.

Every rival is the estimator itself, so it has the network, the optimizer, the schedule, the
epochs and the batches of the other arms. What differs is one step of training, one change
of the training images, how many networks there are, or how a fitted network is asked.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from scipy.special import logsumexp, softmax
from torch import Tensor
from torch.nn import functional as F

from benchmarks.package import Batch, Record, Step, flat, rotations
from sklearn_maxl import MAXLClassifier

Reading = Callable[[Any, np.ndarray], np.ndarray]


# Steps


class Mixup(Step):
    """Pairs of samples and their labels, mixed (Zhang et al., ICLR 2018); alpha is 0.2."""

    def multi_task_gradients(self, train: Batch, A: Tensor | None) -> Record:
        rng = self.random_numbers.rng
        share = rng.beta(0.2, 0.2)
        other = torch.from_numpy(rng.permutation(len(train)))
        mixed = replace(train, x=share * train.x + (1 - share) * train.x[other])
        outputs, _ = self.f(self.f.t, *mixed.inputs)
        smoothing = self.recipe.label_smoothing
        own, others = (
            F.cross_entropy(*flat(outputs, y), label_smoothing=smoothing)
            for y in (train.y, train.y[other])
        )
        loss = share * own + (1 - share) * others
        loss.backward()
        return {"primary_loss": loss.detach()}


# Changes of the training images


def turned(x: Tensor) -> Tensor:
    """Each image turned by a right angle or none, its class the same."""
    views = rotations(tuple(x.shape[1:]))
    return views.each(x, torch.randint(views.n, (len(x),)))


def shifted(x: Tensor, pixels: int, mirrored: bool) -> Tensor:
    """Each image shifted by up to so many pixels, and every second one mirrored if asked for."""
    n, _, height, width = x.shape
    top, left = torch.randint(2 * pixels + 1, (2, n))
    windows = F.pad(x, (pixels,) * 4).unfold(2, height, 1).unfold(3, width, 1)
    moved = windows[torch.arange(n), :, top, left]
    if not mirrored:
        return moved
    return torch.where(torch.rand(n)[:, None, None, None] < 0.5, moved.flip(3), moved)


# The ordinary ones, of which validation chooses for each set.
AUGMENTATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    f"shift {pixels}{', mirror' if mirrored else ''}": partial(
        shifted, pixels=pixels, mirrored=mirrored
    )
    for mirrored in (True, False)
    for pixels in (0, 1, 2)
    if pixels or mirrored
}


def both(x: Tensor, first: Callable[[Tensor], Tensor]) -> Tensor:
    """Changed and turned."""
    return turned(first(x))


# Several networks


class Networks:
    """Plain networks that differ in their seed; their mean probabilities predict."""

    def __init__(self, n_networks: int, random_state: int, **parameters: Any):
        self.n_networks, self.random_state, self.parameters = n_networks, random_state, parameters

    def fit(self, X: np.ndarray, y: np.ndarray, auxiliary_labels: np.ndarray | None = None) -> Self:
        self.members_ = [
            MAXLClassifier(**self.parameters, random_state=self.random_state + 10_000 * i).fit(X, y)
            for i in range(self.n_networks)
        ]
        return self


# How a fit is asked


def as_it_predicts(clf: MAXLClassifier, X: np.ndarray) -> np.ndarray:
    return clf.predict_proba(X)


def primary_head(clf: MAXLClassifier, X: np.ndarray) -> np.ndarray:
    """What the primary head says of the images as they are."""
    net = clf.net_.module_.eval()
    with torch.inference_mode():
        logits = [net.primary(part).double().numpy() for part in torch.from_numpy(X).split(500)]
    return softmax(np.concatenate(logits), axis=1)


def auxiliary_head_upright(clf: MAXLClassifier, X: np.ndarray) -> np.ndarray:
    """What the auxiliary head says of the images as they are: the mass of each class's block."""
    ends = np.cumsum(clf.psi_)[:-1]
    blocks = np.split(clf.predict_auxiliary(X), ends, axis=1)
    return np.stack([block.sum(1) for block in blocks], axis=1)


def mean_over_turns(
    clf: MAXLClassifier, X: np.ndarray, reading: Reading = as_it_predicts
) -> np.ndarray:
    """The mean log-probability of an image and its turns, as the views of the default are read."""
    turns = [np.ascontiguousarray(np.rot90(X, k, (2, 3))) for k in range(4)]
    tiny = np.finfo(np.float64).tiny
    logs = np.mean([np.log(np.maximum(reading(clf, x), tiny)) for x in turns], axis=0)
    return np.exp(logs - logsumexp(logs, axis=1, keepdims=True))


def first_networks(networks: Networks, X: np.ndarray, n: int) -> np.ndarray:
    """The mean of the first of several networks."""
    return np.mean([member.predict_proba(X) for member in networks.members_[:n]], axis=0)


def first_network_over_turns(networks: Networks, X: np.ndarray) -> np.ndarray:
    return mean_over_turns(networks.members_[0], X)
