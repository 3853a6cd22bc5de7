"""The object that the training loop calls for each batch; another one can be put in its place.

A step leaves the gradients of the networks in ``.grad``; what follows (callbacks, the
optimizers' steps) is done by `MAXLNet`. An idea for another step is a subclass that changes
one method, and an estimator whose class attribute ``step_class`` names it: nothing has to be
patched.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .._data.samples import Samples
from .._environment.random_state import isolated_rng, seed_rng
from .._environment.ranks import ALONE, Ranks
from .._maths.at_parameters import AtParameters
from .._maths.meta_gradient import MetaGradient, MetaProblem
from .._maths.parts import Part, Totals, whole
from .._maths.step import (
    Batch,
    Recipe,
    Record,
    SoftLabels,
    generator_step,
    label_statistics,
    meta_problem,
    multi_task_step,
    scale_of,
)
from .._maths.virtual_step import VirtualStep
from .._networks.label_generator import LabelGenerator
from .._networks.multi_task import MultiTaskNet
from .._networks.trunk import draws_random_numbers

Replay = Callable[[], None]

# What torch.autocast computes in; None leaves everything as it is.
PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16}


class RandomNumbers:
    """Random numbers of a step, the same ones in each of its passes.

    Parameters
    ----------
    needed : bool
        Whether the networks draw any.
    rng : numpy.random.RandomState
        Where a step's seed comes from.
    device : torch.device
    ranks : Ranks
        Each draws numbers of its own.
    """

    def __init__(
        self,
        needed: bool,
        rng: np.random.RandomState,
        device: torch.device,
        ranks: Ranks = ALONE,
    ):
        self.needed, self.rng, self.device, self.ranks = needed, rng, device, ranks

    @classmethod
    def of(
        cls,
        module: MultiTaskNet,
        generator: LabelGenerator | None,
        samples: Samples,
        rng: np.random.RandomState,
    ) -> Self:
        """Those of a training; whether a network draws any is tried out."""
        two = samples.two()
        needed = draws_random_numbers(module, two.x)
        if generator is not None:
            needed |= draws_random_numbers(generator, two.x, two.y)
        return cls(needed, rng, samples.device)

    def on(self, ranks: Ranks) -> "RandomNumbers":
        """The same, on one of several ranks."""
        return RandomNumbers(self.needed, self.rng, self.device, ranks)

    @contextmanager
    def of_a_step(self) -> Iterator[Replay]:
        """Run a step on random numbers of its own; the yielded function starts them again."""
        if not self.needed:
            yield lambda: None
            return
        seed = self.ranks.own_seed(self.rng.randint(2**31 - 1))
        with isolated_rng(seed, self.device):
            yield lambda: seed_rng(seed + 1, self.device)


class Step:
    """One step of both networks. Made anew for each epoch: callbacks may change networks.

    Parameters
    ----------
    module : MultiTaskNet
    generator : LabelGenerator or None
        None where labels are not learned.
    optimizer : torch.optim.Optimizer
        That of the multi-task network: the virtual step follows it.
    recipe : Recipe
    meta_gradient : callable
        ``MetaProblem -> (M, dM/dA)``.
    random_numbers : RandomNumbers
    precision : torch.dtype or None
        Type that `torch.autocast` computes in.
    ranks : Ranks
        The processes that have the other parts of the batches: gradients are sums over all.
    """

    def __init__(
        self,
        module: MultiTaskNet,
        generator: LabelGenerator | None,
        optimizer: Optimizer,
        recipe: Recipe,
        meta_gradient: MetaGradient,
        random_numbers: RandomNumbers,
        precision: torch.dtype | None = None,
        ranks: Ranks = ALONE,
    ):
        self.module, self.generator, self.ranks = module, generator, ranks
        self.optimizer, self.recipe, self.meta_gradient = optimizer, recipe, meta_gradient
        self.random_numbers = random_numbers
        self.f = AtParameters(module, module.outputs, precision)
        self.g = None if generator is None else AtParameters(generator, generator.task, precision)
        self.virtual_step = VirtualStep(optimizer, self.f.t)

    @property
    def generator_learns(self) -> bool:
        """Whether there is a generator with something to learn; a callback may freeze it."""
        return self.g is not None and bool(self.g.t)

    def networks(self, network: bool = True, generator: bool = False) -> list[nn.Module]:
        """The networks, as asked for."""
        asked = [(self.module, network), (self.generator, generator)]
        return [net for net, wanted in asked if wanted and net is not None]

    def gradients(self, train: Batch, meta: Batch, learn_labels: bool) -> Record:
        """Gradient of the multi-task network and, if they are to be learned, of the labels."""
        self.f.clear_gradients()
        with self.random_numbers.of_a_step() as replay:
            task = self.auxiliary_task(train, learn_labels)
            replay()  # the same random numbers with an auxiliary task as without
            if task is None:
                record = self.multi_task_gradients(train, None)
                self._join(self.f)
                return record
            record = self.multi_task_gradients(train, task.targets.detach())
            self._join(self.f)
            record.update(label_statistics(task.detach(), train.part))
            if learn_labels:
                record.update(self.label_gradients(train, meta, task, replay, shared=True))
            return record

    def generator_gradients(self, train: Batch, meta: Batch) -> Record:
        """Gradient of the generator alone; the multi-task network stays as it is."""
        with self.random_numbers.of_a_step() as replay:
            task = self.auxiliary_task(train, learn=True)
            assert task is not None
            return self.label_gradients(train, meta, task, replay, shared=False)

    # What an idea for another step changes

    def auxiliary_task(self, batch: Batch, learn: bool) -> SoftLabels | None:
        """Soft labels of a batch: generated (with a graph if they are to be learned) or given."""
        if self.g is not None:
            with torch.set_grad_enabled(learn):
                return SoftLabels(*self.g(self.g.t, *batch.labelled))
        if self.module.hierarchy is None:
            return None
        return SoftLabels(self.module.labels_at(batch.blocks, batch.positions))

    def multi_task_gradients(self, train: Batch, A: Tensor | None) -> Record:
        """Line 1 of the method, for given labels."""
        return multi_task_step(self.f, train, A, self.recipe)

    def label_gradients(
        self, train: Batch, meta: Batch, task: SoftLabels, replay: Replay, shared: bool
    ) -> Record:
        """Lines 2 and 3. With `shared`, the gradient of line 1 is at hand."""
        assert self.g is not None
        self.g.clear_gradients()
        A = task.targets.detach()
        problem = meta_problem(
            self.f, train, meta, A, self.recipe, self.virtual_step, replay, shared, self._total
        )
        record = self.generator_gradient(problem, task, train.weight, train.part)
        self._join(self.g)
        return record

    def generator_gradient(
        self,
        problem: MetaProblem,
        task: SoftLabels,
        weight: Tensor | None,
        part: Part | None = None,
    ) -> Record:
        """Line 3, for the step that is written as a problem."""
        scale = scale_of(self.recipe, self.optimizer)
        return generator_step(problem, task, weight, self.recipe, scale, self.meta_gradient, part)

    # With others

    @property
    def _total(self) -> Totals:
        return self.ranks.total if self.ranks.several else whole

    def _join(self, network: AtParameters) -> None:
        """Make the gradients of a network those of the whole batch."""
        if self.ranks.several:
            gradients = [p.grad for p in network.t.values() if p.grad is not None]
            for gradient, total in zip(gradients, self.ranks.total(gradients), strict=True):
                gradient.copy_(total)
