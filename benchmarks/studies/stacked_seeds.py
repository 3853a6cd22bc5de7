"""Several seeds trained at once, with stacked parameters: how much time does it save?

Experiment, not part of the package: S networks of the same architecture, each with its own
weights and its own batches, as one network with stacked parameters (`torch.func.vmap`).
Single task and learned labels (the package's exact step, its own functions under `vmap`; Adam
elementwise on the stack).
MLP (100,) on the digits table, batches of 128, and a small ConvNet on 512 digits as images.

Each stacked network is compared to its own run through the package: the largest difference
of a predicted probability, for the first four seeds, at the end and after one epoch. Time is that
of training alone, of one torch thread, after a warm-up; S separate runs count as S times the
mean of at most four, interleaved with the stacked ones; the row has the median of three
ratios.
"""

import copy
import time
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from skorch.callbacks import Callback
from torch import Tensor, nn
from torch.func import functional_call, jvp, stack_module_state, vmap

from benchmarks.package import (
    Batch,
    MAXLNet,
    Parameters,
    Samples,
    TrainingData,
    VirtualStep,
    auxiliary_losses,
    coefficient_of,
    label_gradient,
    meta_loss,
    regulariser,
    shuffled,
    training_loss,
)
from benchmarks.studies.earlier import EARLIER, labels_of
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


class Stacked:
    """Networks of the same architecture, one a seed, as one function of stacked parameters."""

    def __init__(self, modules: list[nn.Module]):
        self.module = copy.deepcopy(modules[0]).train()
        self.module.trunk.channels_last = False  # vmap can't ask for a layout
        self.t, self.buffers = stack_module_state(modules)

    def __call__(
        self, function: Callable[..., Tensor], t: Parameters, *arrays: Tensor
    ) -> tuple[Tensor, Parameters]:
        """``function(f, t, ...)`` of each seed, and the buffers after its pass."""

        def one(t: Parameters, buffers: Parameters, *arrays: Tensor) -> tuple[Tensor, Parameters]:
            own = {name: b.clone() for name, b in buffers.items()}

            def f(t: Parameters, *inputs: Tensor) -> Any:
                return functional_call(self.module, {**t, **own}, inputs)

            return function(f, t, *arrays), own

        return vmap(one)(t, self.buffers, *arrays)


class Stack:
    """Fresh nets of the package, trained together.

    The step is made of the package's own functions under `torch.func.vmap`. A seed's losses depend
    on its own part of the stack alone: the gradient of their sum is that of each.
    """

    def __init__(self, nets: list[MAXLNet]):
        first = nets[0]
        self.recipe, self.settings = first.recipe_, first.settings
        self.random_states = [net.random_state for net in nets]
        self.f = Stacked([net.module_ for net in nets])
        self.g = Stacked([net.generator_ for net in nets]) if first.has_generator_ else None
        self.optimizers = [
            type(optimizer)(list(stacked.t.values()), **optimizer.defaults)
            for optimizer, stacked in zip(first.optimizers(), (self.f, self.g), strict=False)
        ]

    def train(self, samples: Samples, epochs: int) -> None:
        for _ in range(epochs):
            for x, y in self._batches(samples):
                self._step(x, y)

    def _batches(self, samples: Samples) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch of batches (S, n, ...), each seed's in the order of its own run."""
        size = self.settings.batch_size_of(len(samples))
        orders = (shuffled(samples, size, rng) for rng in self.random_states)
        for index in zip(*orders, strict=True):
            at = torch.stack(index)
            yield samples.X[at], samples.y[at]

    def _step(self, x: Tensor, y: Tensor) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        labels = []
        if self.g is not None:
            Y, self.g.buffers = self.g(lambda g, phi, x, y: g(phi, x, y), self.g.t, x, y)
            labels = [Y]
        given = (Y.detach() for Y in labels)
        losses, self.f.buffers = self.f(self._training_loss, self.f.t, x, y, *given)
        losses.sum().backward()
        for Y in labels:
            R = vmap(lambda Y: regulariser(Y, None, self.recipe))(Y)
            torch.autograd.backward([Y, R.sum()], [self._meta_gradient(x, y), None])
        for optimizer in self.optimizers:
            optimizer.step()

    def _training_loss(
        self, f: Callable[..., Any], t: Parameters, x: Tensor, y: Tensor, *A: Tensor
    ) -> Tensor:
        return training_loss(f, t, Batch(x, y), A[0] if A else None, self.recipe)[0]

    def _meta_gradient(self, x: Tensor, y: Tensor) -> Tensor:
        """The exact one. Running statistics stay as they are."""
        recipe, coefficient = self.recipe, coefficient_of(Batch(x[0], y[0]), self.recipe)

        def each(function: Callable[..., Tensor], t: Parameters) -> Tensor:
            losses, _ = self.f(lambda f, t, x, y: function(f, t, Batch(x, y), recipe), t, x, y)
            return losses

        def forward_mode(function: Any, t: Parameters, u: Parameters) -> tuple[Tensor]:
            # By torch's own rules: vmap does not know the package's.
            return jvp(function, ({name: t[name] for name in u},), (dict(u),))[1]

        t = {name: p.detach() for name, p in self.f.t.items()}
        G = {name: p.grad for name, p in self.f.t.items()}
        step = VirtualStep(self.optimizers[0], self.f.t)
        _, dM_dY = label_gradient(
            lambda t: coefficient * each(auxiliary_losses, t),
            lambda t: each(meta_loss, t).sum(),
            *(t, G, step, forward_mode),
        )
        return dM_dY

    def probabilities(self, seed: int, X: Tensor) -> Tensor:
        """Of one seed's network, in eval mode."""
        state = {name: a[seed].detach() for name, a in {**self.f.t, **self.f.buffers}.items()}
        with torch.no_grad():
            outputs, _ = functional_call(self.f.module.eval(), state, (X,))
        return torch.softmax(outputs, dim=1)


class Catch(Callback):
    """Keeps copies of nets as they are before the first step."""

    def __init__(self) -> None:
        self.nets: list[MAXLNet] = []

    def on_train_begin(self, net: MAXLNet, **kwargs: Any) -> None:
        self.nets.append(copy.deepcopy(net))
        self.nets[-1].callbacks_ = []


def fresh_net(network: str, arm: str | None, seed: int, X: np.ndarray, y: np.ndarray) -> MAXLNet:
    """What the package would train for this seed, before the first step."""
    catch = Catch()
    clf = MAXLClassifier(
        NETWORKS[network][0], auxiliary=labels_of(arm), batch_size=128, max_epochs=1
    )
    clf.set_params(random_state=seed, device="cpu", callbacks=[catch], **EARLIER).fit(X, y)
    return catch.nets[0]


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
