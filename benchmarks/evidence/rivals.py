"""Plain networks with what else regularises them: the rivals that auxiliary labels have to beat.

One short loop of its own, with the estimator's trunk, standardisation, batches and
optimizer, so that an arm differs from the single task in one thing.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.package import (
    Settings,
    batch_sizes,
    make_multi_task_net,
    moments,
    resolve,
    rotations,
)
from sklearn_maxl import MAXLClassifier


@dataclass(frozen=True)
class Rival:
    """What a plain network is trained with.

    Attributes
    ----------
    label_smoothing : float
        As in Szegedy et al., CVPR 2016.
    mixup : float
        Parameter alpha of mixup (Zhang et al., ICLR 2018); 0 is none.
    turned : bool
        Rotations as plain augmentation: each image turned at random, its class the same,
        and the mean over the turns at prediction.
    members : int
        Networks whose probabilities are averaged.
    """

    label_smoothing: float = 0.0
    mixup: float = 0.0
    turned: bool = False
    members: int = 1


def predict_proba(
    rival: Rival,
    X: np.ndarray,
    y: np.ndarray,
    X_test: np.ndarray,
    seed: int,
    **parameters: Any,
) -> np.ndarray:
    """Train the rival's networks and return class probabilities of `X_test`.

    `parameters` are the estimator's.
    """
    single = MAXLClassifier(auxiliary=None, **parameters).get_params(deep=False)
    settings = resolve(single, X.shape[1:], regression=False)
    sums = 0.0
    for member in range(rival.members):
        rng = np.random.RandomState(seed + 10_000 * member)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 10_000 * member)  # of the first weights, and of dropout
            frame = settings.frame("backbone", moments(X, None))
            net = make_multi_task_net(frame, len(np.unique(y)), None)
            train(net, rival, torch.from_numpy(X), torch.from_numpy(y), rng, settings)
        sums = sums + probabilities(net, rival, torch.from_numpy(X_test))
    return sums / rival.members


def train(
    net: nn.Module,
    rival: Rival,
    X: Tensor,
    y: Tensor,
    rng: np.random.RandomState,
    settings: Settings,
) -> None:
    """Train one network, at one rate throughout."""
    views = rotations(settings.input_shape) if rival.turned else None
    sizes = batch_sizes(len(y), settings.batch_size_of(len(y)))
    optimizer = settings.optimizer(net.parameters(), lr=settings.lr)
    net.train()
    for _ in range(settings.max_epochs):
        for index in torch.from_numpy(rng.permutation(len(y))).split(sizes):
            x, target = net.prepare(X[index]), F.one_hot(y[index], net.primary_head.out_features)
            if views is not None:
                x = views.each(x, torch.from_numpy(rng.randint(views.n, size=len(x))))
            target = target.float()
            if rival.mixup:
                share, other = rng.beta(rival.mixup, rival.mixup), rng.permutation(len(x))
                x = share * x + (1 - share) * x[other]
                target = share * target + (1 - share) * target[other]
            loss = F.cross_entropy(net.outputs(x)[0], target, label_smoothing=rival.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def probabilities(net: nn.Module, rival: Rival, X: Tensor) -> np.ndarray:
    """Class probabilities, batch by batch; of the mean log-probability over the turns."""
    views = rotations(tuple(X.shape[1:])) if rival.turned else None
    net.eval()
    parts = []
    with torch.inference_mode():
        for part in X.split(1000):
            z = net.prepare(part)
            seen = [z] if views is None else views.all(z)
            logs = torch.stack([F.log_softmax(net.outputs(v)[0].double(), dim=1) for v in seen])
            parts.append(torch.softmax(logs.mean(0), dim=1))
    return torch.cat(parts).numpy()
