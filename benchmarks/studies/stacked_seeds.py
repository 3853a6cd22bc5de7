"""Several seeds trained at once, with stacked parameters: how much time does it save?

Experiment, not part of the package: S networks of the same architecture, each with its own
weights and its own batches, as one network with stacked parameters (`torch.func.vmap`).
Single task and learned labels (the package's exact step: both gradients by autograd through
the stack, the directional derivative by `torch.func.jvp`, Adam elementwise on the stack).
MLP (100,) on the digits table, batches of 128, and a small ConvNet on 512 digits as images.

Each stacked network is compared to its own run through the package: the largest difference
of a predicted probability, for the first four seeds, at the end and after one epoch. Time is that
of training alone, of one torch thread, after a warm-up; S separate runs count as S times the
mean of at most four, interleaved with the stacked ones; the row has the median of three
ratios.
"""

import copy
import time
from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.func import functional_call, jvp, stack_module_state, vmap
from torch.nn import functional as F

from benchmarks.package import (
    MAXLNet,
    Samples,
    TrainingData,
    VirtualStep,
    focal_losses,
    regulariser,
    resolve_batch_size,
    shuffled,
    untrained,
)
from benchmarks.studies.earlier import EARLIER
from benchmarks.studies.study import study
from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import MLP, ConvNet

# Backbone, samples, epochs; fewer samples for the slower one.
NETWORKS = {"MLP (100,)": (MLP(), None, 3), "ConvNet (8, 16)": (ConvNet((8, 16)), 512, 2)}
STACKS = (1, 4, 10, 32)
REPETITIONS, CHECKED = 3, 4
KEYS = ["network", "arm", "n_seeds"]
VALUES = ["time_ratio", "seconds_separate", "seconds_stacked"]
VALUES += ["largest_difference", "largest_difference_one_epoch"]

Parameters = dict[str, Tensor]


class Stack:
    """Fresh nets of the package as one net with a leading dimension of seeds."""

    def __init__(self, nets: list[MAXLNet]):
        first = nets[0]
        self.f, self.recipe = copy.deepcopy(first.module_), first.recipe
        self.f.trunk.channels_last = False  # vmap can't ask for a layout
        self.batch_size = first.train_batch_size
        self.random_states = [net.random_state for net in nets]
        self.t, self.buffers = stack_module_state([net.module_ for net in nets])
        self.optimizer = first.optimizer(list(self.t.values()), lr=first.lr)
        self.g = None
        if first.has_generator_:
            self.g = copy.deepcopy(first.generator_)
            self.g.trunk.channels_last = False
            self.phi, self.g_buffers = stack_module_state([net.generator_ for net in nets])
            self.g_optimizer = first.generator_optimizer(
                list(self.phi.values()), lr=first.generator_lr
            )

    def train(self, samples: Samples, epochs: int) -> None:
        self.f.train()
        if self.g is not None:
            self.g.train()
        for _ in range(epochs):
            for x, y in self._batches(samples):
                (self._primary_step if self.g is None else self._step)(x, y)

    def _batches(self, samples: Samples) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch of batches (S, n, ...), each seed's in the order of its own run."""
        size = resolve_batch_size(self.batch_size, len(samples))
        orders = (shuffled(samples, size, rng) for rng in self.random_states)
        for index in zip(*orders, strict=True):
            at = torch.stack(index)
            yield samples.X[at], samples.y[at]

    def _outputs(self, t: Parameters, x: Tensor) -> tuple[tuple[Tensor, Any], Parameters]:
        """Both outputs, and the buffers after the pass; the own ones stay as they are."""

        def one(t: Parameters, buffers: Parameters, x: Tensor) -> tuple:
            buffers = {name: b.clone() for name, b in buffers.items()}
            primary, auxiliary = functional_call(self.f, {**t, **buffers}, (x,))
            return primary, () if auxiliary is None else auxiliary, buffers

        *outputs, buffers = vmap(one)(t, self.buffers, x)
        return outputs, buffers

    def _primary_step(self, x: Tensor, y: Tensor) -> None:
        self.optimizer.zero_grad()
        (outputs, _), self.buffers = self._outputs(self.t, x)
        mean_losses(outputs, y).backward()
        self.optimizer.step()

    def _auxiliary_losses(self, auxiliary: Tensor) -> Tensor:
        """``l`` with w and 1/N multiplied in, for all seeds."""
        flat = focal_losses(auxiliary.flatten(0, 1), self.recipe.focal_gamma)
        return flat.view_as(auxiliary) * (self.recipe.auxiliary_weight / auxiliary.shape[1])

    def _step(self, x: Tensor, y: Tensor) -> None:
        self.optimizer.zero_grad()
        self.g_optimizer.zero_grad()
        Y = self._labels(x, y)
        (outputs, auxiliary), buffers = self._outputs(self.t, x)
        losses = self._auxiliary_losses(auxiliary)
        (mean_losses(outputs, y) + (Y.detach() * losses).sum()).backward()
        Y.backward(self._meta_gradient(x, y) + self._regulariser_gradient(Y.detach()))
        self.buffers = buffers
        self.optimizer.step()
        self.g_optimizer.step()

    def _labels(self, x: Tensor, y: Tensor) -> Tensor:
        def one(phi: Parameters, buffers: Parameters, x: Tensor, y: Tensor) -> tuple:
            buffers = {name: b.clone() for name, b in buffers.items()}
            return functional_call(self.g, {**phi, **buffers}, (x, y)), buffers

        Y, self.g_buffers = vmap(one)(self.phi, self.g_buffers, x, y)
        return Y

    def _meta_gradient(self, x: Tensor, y: Tensor) -> Tensor:
        """The exact one: a seed's losses depend on its own part of the stack alone."""
        with torch.no_grad():
            G = {name: p.grad for name, p in self.t.items()}
            t_plus, slope = VirtualStep(self.optimizer, self.t)(G)
        t_plus = {name: p.detach().requires_grad_() for name, p in t_plus.items()}
        (outputs, _), _ = self._outputs(t_plus, x)
        v = torch.autograd.grad(
            mean_losses(outputs, y), list(t_plus.values()), materialize_grads=True
        )  # fmt: skip
        t = {name: p.detach() for name, p in self.t.items()}
        u = {name: slope[name] * v_p for name, v_p in zip(t_plus, v, strict=True)}
        _, dM_dY = jvp(lambda t: self._auxiliary_losses(self._outputs(t, x)[0][1]), (t,), (u,))
        return dM_dY

    def _regulariser_gradient(self, Y: Tensor) -> Tensor:
        Y.requires_grad_()
        R = vmap(partial(regulariser, weight=None, recipe=self.recipe))(Y)
        return torch.autograd.grad(R.sum(), Y)[0]

    def probabilities(self, seed: int, X: Tensor) -> Tensor:
        """Of one seed's network, in eval mode."""
        self.f.eval()
        state = {name: a[seed].detach() for name, a in {**self.t, **self.buffers}.items()}
        with torch.no_grad():
            return torch.softmax(functional_call(self.f, state, (X,))[0], dim=1)


def mean_losses(outputs: Tensor, y: Tensor) -> Tensor:
    """Sum over the seeds of each one's mean cross-entropy."""
    losses = F.cross_entropy(outputs.flatten(0, 1), y.flatten(), reduction="none")
    return losses.view_as(y).mean(1).sum()


def fresh_net(network: str, arm: str | None, seed: int, X: np.ndarray, y: np.ndarray) -> MAXLNet:
    """What the package would train for this seed, before the first step."""
    clf = MAXLClassifier(
        NETWORKS[network][0], auxiliary=arm, meta_every=1, batch_size=128, random_state=seed
    ).set_params(device="cpu", **EARLIER)
    with untrained():
        return clf.fit(X, y).net_


def data(network: str) -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    n = NETWORKS[network][1]
    return (X, y) if n is None else (X[:n].reshape(-1, 1, 8, 8).astype(np.float32), y[:n])


def separate(net: MAXLNet, samples: Samples, epochs: int) -> float:
    start = time.perf_counter()
    net.train_for(TrainingData(samples, prepare=net.module_.prepare), epochs)
    return time.perf_counter() - start


def compare(network: str, arm: str | None, n_seeds: int, epochs: int) -> tuple[float, float, float]:
    """Seconds of separate runs and of the stack, and the largest difference of a probability."""
    X, y = data(network)
    samples = Samples(torch.from_numpy(X), torch.from_numpy(y))
    nets = [fresh_net(network, arm, seed, X, y) for seed in range(n_seeds)]
    own = copy.deepcopy(nets[:CHECKED])
    stack = Stack(nets)
    apart = n_seeds * float(np.mean([separate(net, samples, epochs) for net in own]))
    start = time.perf_counter()
    stack.train(samples, epochs)
    together = time.perf_counter() - start
    differences = []
    for seed, net in enumerate(own):
        theirs = torch.softmax(torch.from_numpy(net.apply(net.module_.primary, X)), dim=1)
        differences.append(float((theirs - stack.probabilities(seed, samples.X)).abs().max()))
    return apart, together, max(differences)


def run(network: str, arm: str | None, n_seeds: int) -> tuple:
    *_, one_epoch = compare(network, arm, n_seeds, 1)  # warms up, too
    runs = [compare(network, arm, n_seeds, NETWORKS[network][2]) for _ in range(REPETITIONS)]
    apart, together, different = np.array(runs).T
    figures = [np.median(together / apart), np.median(apart), np.median(together)]
    return *np.round(figures, 3), *(f"{d:.1e}" for d in (different.max(), one_epoch))


def main() -> None:
    study("stacked_seeds", KEYS, VALUES, product(NETWORKS, (None, "maxl"), STACKS), run, n_jobs=1)


if __name__ == "__main__":
    main()
