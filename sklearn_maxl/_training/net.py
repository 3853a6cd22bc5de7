"""The skorch net behind the estimator: two modules, two optimizers, one training step.

A normal skorch net: callbacks, ``history`` and every hook name are skorch's. It
differs in three places: batches are cut by index from tensors on the device, a
step trains two networks, and nothing is read back from the device before an
epoch ends.
"""

import copy
import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from torch import Tensor

from .._data.data import INFERENCE_VALUES, META_BATCHES, Samples, TrainingData, resolve_batch_size
from .._environment.random_state import isolated_rng, seed_rng
from .._environment.threads import torch_threads
from .._maths.at_parameters import Functional, parameters_of
from .._maths.compiled_step import CompiledStep, is_compiler_error
from .._maths.fallback import Dependable
from .._maths.meta_gradient import exact
from .._maths.step import (
    AuxiliaryTask,
    Batch,
    Recipe,
    generator_step,
    gradient_similarity,
    label_statistics,
    meta_problem,
    multi_task_step,
    primary_step,
    scale_of,
)
from .._maths.virtual_step import VirtualStep
from .._networks.networks import draws_random_numbers
from .._tasks.views import TRIED, number_of, primary_share
from .early_stopping import BestState
from .history import EpochSums, History, format_cell, label_columns
from .progress import UNTOLD, Task
from .schedules import Rates
from .scores import loss, score
from .skorch_callbacks import check_callbacks

logger = logging.getLogger("sklearn_maxl")

# The steps of each pass through the data in an epoch: of both networks, or, as in the
# NeurIPS 2019 code, of one after the other.
PASSES = {
    "batch": ("train_step",),
    "epoch": ("multi_task_train_step", "generator_train_step"),
}

# What torch.autocast computes in; None leaves everything as it is.
PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16}

LOSSES = ("primary_loss", "auxiliary_loss", "meta_loss")


class MAXLNet(NeuralNet):
    """Multi-task network ``module_`` and label generator ``generator_``, trained together.

    Parameters
    ----------
    module : callable
        Makes the multi-task network.
    generator : callable or None
        Makes the label generator; None where labels are not learned.
    generator_optimizer, generator_lr
        As skorch's ``optimizer`` and ``lr``, for the generator.
    psi : array of shape (C,) or None
        Auxiliary classes per class; None trains the primary task alone.
    recipe : Recipe
    meta_gradient, meta_batch, meta_every, alternation, schedule, gradient_similarity_every
        As in `MAXLClassifier`.
    train_batch_size : int or "auto"
        As `batch_size` in `MAXLClassifier`; skorch's ``batch_size`` is for its own inference.
    early_stopping, n_iter_no_change, tol
        As in `MAXLClassifier`; the score is the one on ``TrainingData.validation``.
    n_threads, precision
        As in `MAXLClassifier`.
    compile_step
        As `compile` in `MAXLClassifier`; skorch's own ``compile`` is for inference too.
    random_state : numpy.random.RandomState
    """

    def __init__(
        self,
        module: Any,
        *,
        criterion: Any = torch.nn.CrossEntropyLoss,
        generator: Any = None,
        generator_optimizer: Any = torch.optim.Adam,
        generator_lr: float = 0.001,
        psi: NDArray[np.int64] | None = None,
        recipe: Recipe,
        meta_gradient: str = "exact",
        meta_batch: str = "same",
        meta_every: int = 1,
        alternation: str = "batch",
        schedule: Any = "constant",
        gradient_similarity_every: int | None = None,
        train_batch_size: int | str = "auto",
        early_stopping: bool = False,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        n_threads: int | None = 1,
        precision: str = "float32",
        compile_step: bool | str = False,
        random_state: np.random.RandomState,
        **kwargs: Any,
    ):
        self.generator = generator
        self.generator_optimizer = generator_optimizer
        self.generator_lr = generator_lr
        self.psi = psi
        self.recipe = recipe
        self.meta_gradient = meta_gradient
        self.meta_batch = meta_batch
        self.meta_every = meta_every
        self.alternation = alternation
        self.schedule = schedule
        self.gradient_similarity_every = gradient_similarity_every
        self.train_batch_size = train_batch_size
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.n_threads = n_threads
        self.precision = precision
        self.compile_step = compile_step
        self.random_state = random_state
        # There are no predictions of batches that skorch's scoring could save.
        super().__init__(module, criterion=criterion, train_split=None, use_caching=False, **kwargs)

    @property
    def _default_callbacks(self) -> list[Any]:
        return []  # skorch's own read every batch's loss from the device

    @property
    def has_generator_(self) -> bool:
        """Whether the auxiliary labels are learned."""
        return self.generator is not None

    # What skorch asks for when it initialises

    def initialize(self) -> "MAXLNet":
        """Make both networks and optimizers, from this net's random state alone."""
        seed = self.random_state.randint(2**31 - 1)
        with torch_threads(self.n_threads), isolated_rng(seed, torch.device(self.device)):
            super().initialize()
        self.epochs_ = History()
        self.n_steps_ = 0
        self.meta_gradient_ = Dependable(self.meta_gradient)
        self.compiled_: CompiledStep | None = None
        return self

    def initialize_callbacks(self) -> "MAXLNet":
        super().initialize_callbacks()
        check_callbacks(self.callbacks_, self.schedule)
        return self

    def initialize_module(self) -> "MAXLNet":
        super().initialize_module()
        if self.has_generator_:
            self.generator_ = self.initialized_instance(self.generator, {})
        return self

    def initialize_optimizer(self, triggered_directly: bool | None = None) -> "MAXLNet":
        self.optimizer_ = self.optimizer(parameters_of(self.module_).values(), lr=self.lr)
        if self.has_generator_:
            self.generator_optimizer_ = self.generator_optimizer(
                parameters_of(self.generator_).values(), lr=self.generator_lr
            )
        self.rates_ = Rates(self.schedule, self.max_epochs, self._optimizer_list())
        return self

    def _optimizer_list(self) -> list[torch.optim.Optimizer]:
        return [self.optimizer_, *([self.generator_optimizer_] if self.has_generator_ else [])]

    def check_data(self, X: TrainingData, y: None = None) -> None:
        if not isinstance(X, TrainingData):
            raise TypeError("MAXLNet trains on TrainingData; fit the MAXLClassifier instead.")

    # Training

    def train_for(self, data: TrainingData, epochs: int, task: Task = UNTOLD) -> None:
        """Train for some epochs more, with the callbacks told of begin and end."""
        with torch_threads(self.n_threads):
            self.notify("on_train_begin", X=data, y=None)
            self.fit_loop(data, epochs=epochs, task=task)
            self.notify("on_train_end", X=data, y=None)

    def hold_rates(self) -> None:
        """Follow no schedule from here on."""
        self.rates_.hold(self._optimizer_list())

    def take_over(self, other: "MAXLNet") -> None:
        """Go on from where a net of the same architecture stands, with this one's settings."""
        try:
            self.load_state(other.state())
        except (RuntimeError, AttributeError) as error:
            raise ValueError(
                "warm_start=True goes on with the networks of the last fit, but backbone, "
                "generator, psi, views or auxiliary were changed since; use warm_start=False."
            ) from error
        for mine, theirs in zip(self._optimizer_list(), other._optimizer_list(), strict=True):
            if type(mine) is type(theirs):
                rates = [group["lr"] for group in mine.param_groups]
                mine.load_state_dict(theirs.state_dict())
                for group, lr in zip(mine.param_groups, rates, strict=True):
                    group["lr"] = lr
        self.epochs_, self.n_steps_ = other.epochs_, other.n_steps_
        self.history = other.history  # type: ignore[has-type]

    def fit_loop(
        self,
        X: TrainingData,
        y: None = None,
        epochs: int | None = None,
        task: Task = UNTOLD,
        **fit_params: Any,
    ) -> "MAXLNet":
        """Train for at most `epochs` epochs, fewer with early stopping or when a callback asks."""
        self.check_data(X)
        if not hasattr(self, "stochastic_"):
            self._find_out_whether_stochastic(X.train)
        best = BestState(self) if self.early_stopping else None
        datasets = {"dataset_train": X, "dataset_valid": X.validation}
        epochs = self.max_epochs if epochs is None else epochs
        # What skorch's progress bar guesses the number of batches from.
        self.iterator_train__batch_size = resolve_batch_size(self.train_batch_size, len(X))
        try:
            for _ in range(epochs):
                epoch = task.epoch()
                self.rates_.next_epoch(self._optimizer_list())
                self.notify("on_epoch_begin", **datasets)
                self._run_epoch(X)
                stop = self._stopped_by_callback(datasets)
                if best is not None:
                    stop |= best.stop(self.epochs_[-1]["validation_score"])
                if epoch.end() or stop:
                    break
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user; keeping what was learned.", stacklevel=2)
        if best is None:
            self.choose_head(X.train)
        else:
            best.restore()
        if self.verbose and self.module_.views is not None and self.module_.primary_share > 0:
            logger.info("The auxiliary task is not learned yet: the primary head predicts too.")
        return self

    def choose_head(self, samples: Samples) -> None:
        """Give the primary head its say in predictions, by how well the views are learned."""
        net = self.module_
        if net.views is not None:
            some = samples.evenly(TRIED)
            joint, primary = (
                score(torch.from_numpy(self.apply(head, some.X)), some)
                for head in (net.joint, net.primary)
            )
            net.primary_share.fill_(primary_share(joint, primary))

    def _stopped_by_callback(self, datasets: dict[str, Any]) -> bool:
        """Tell skorch's callbacks that an epoch ends; whether one of them ends the training."""
        try:
            self.notify("on_epoch_end", **datasets)
        except KeyboardInterrupt:  # how they do it
            return True
        finally:
            # A row per batch would outweigh the networks; a checkpoint asks for the last.
            self.history[-1]["batches"] = self.history[-1]["batches"][-1:]
        return False

    def _run_epoch(self, data: TrainingData) -> None:
        start, sums = time.perf_counter(), EpochSums()
        with self._looked_up():
            for step in PASSES[self.alternation if self.has_generator_ else "batch"]:
                self._run_pass(data, getattr(self, step), sums)
        if data.validation is not None:
            self.choose_head(data.train)  # the validation score is of what predicts now
        row = self._summary(sums, data.validation)
        row["time"] = round(time.perf_counter() - start, 6)
        self.epochs_.append(row)
        for name, value in row.items():  # lists, because skorch's history is written as JSON
            self.history.record(name, value.tolist() if isinstance(value, np.ndarray) else value)
        if self.verbose:
            logger.info("%s", "  ".join(f"{k} {format_cell(v)}" for k, v in row.items()))

    @contextmanager
    def _looked_up(self) -> Iterator[None]:
        """Find the networks' tensors once an epoch; callbacks may change them between."""
        precision = PRECISIONS[self.precision]
        self.f_ = Functional(self.module_, self.module_.outputs, precision)
        self.virtual_step_ = VirtualStep(self.optimizer_, self.f_.t)
        if self.has_generator_:
            self.g_ = Functional(self.generator_, self.generator_.task, precision)
        if self.compile_step and self.compiled_ is None:
            self.compiled_ = CompiledStep(
                self.module_,
                self.generator_ if self.has_generator_ else None,
                self.recipe,
                self.optimizer_,
                "inductor" if self.compile_step is True else self.compile_step,
                precision,
            )
        try:
            yield
        finally:
            for name in ("f_", "g_", "virtual_step_"):
                self.__dict__.pop(name, None)

    def _run_pass(
        self, data: TrainingData, train_step: Callable[..., dict[str, Any]], sums: EpochSums
    ) -> None:
        """Once through the training data."""
        batch_size = resolve_batch_size(self.train_batch_size, len(data))
        self._set_training(True)
        for pair in META_BATCHES[self.meta_batch](data, batch_size, self.random_state):
            if self.callbacks_:
                self.notify("on_batch_begin", batch=pair[0], training=True)
            try:
                step = train_step(pair)
            except ValueError as error:
                if len(pair[0]) == 1 and "more than 1 value per channel" in str(error):
                    raise ValueError(
                        "Batch normalisation can't train on a batch of one sample; raise "
                        f"batch_size (now {self.train_batch_size}) or pass more samples."
                    ) from error
                raise
            sums.add(step["record"], len(pair[0]))
            if self.callbacks_:
                self.history.record_batch("train_batch_size", len(pair[0]))
                self.notify("on_batch_end", batch=pair[0], training=True, y_pred=None, **step)

    def _summary(self, sums: EpochSums, validation: Samples | None) -> dict[str, Any]:
        means = sums.means()
        tensors = [t for state in self._states().values() for t in state.values()]
        weights_finite = torch.stack([t.isfinite().all() for t in tensors]).all()
        if not np.isfinite(list(means.values())).all() or not weights_finite:
            raise ValueError(
                f"Training diverged in epoch {len(self.epochs_) + 1}: a loss or weight is not "
                f"finite. Lower lr (now {self.lr}) or generator_lr (now {self.generator_lr})."
            )
        row: dict[str, Any] = {"epoch": len(self.epochs_) + 1}
        expected = LOSSES[: 1 if self.psi is None else 3 if self.has_generator_ else 2]
        row.update({name: means.get(name, np.nan) for name in expected})
        if validation is not None:
            row["validation_score"] = self.score_on(validation)
        if self.psi is not None:
            row.update(label_columns(sums, self.psi, number_of(self.module_.views)))
            if self.gradient_similarity_every:  # an epoch may be shorter
                row["gradient_similarity"] = means.get("gradient_similarity", np.nan)
        if self.has_generator_:  # an epoch may be shorter than meta_every
            meta = means.get("meta_gradient_norm", np.nan)
            regulariser = means.get("regulariser_gradient_norm", np.nan)
            row["gradient_norm_ratio"] = meta / regulariser if regulariser else np.inf
        return row

    def train_step(self, batch: tuple[Batch, Batch], **fit_params: Any) -> dict[str, Any]:
        """One step of both networks on a batch and its meta batch."""
        return self._step(*batch, self.has_generator_ and self._generator_is_due())

    def multi_task_train_step(self, batch: tuple[Batch, Batch]) -> dict[str, Any]:
        """One step of the multi-task network, with the labels that the generator gives now."""
        return self._step(*batch, False)

    def generator_train_step(self, batch: tuple[Batch, Batch]) -> dict[str, Any]:
        """One step of the label generator; the multi-task network stays as it is."""
        train, meta = batch
        due = self._generator_is_due()
        self.n_steps_ += 1
        if not due:
            return {"record": {}}
        with self._replayable() as replay:
            task = self._auxiliary_task(train, learn=True)
            record = self._learn_labels(train, meta, task, replay, shared=False)
        self._notify_gradients([self.generator_])
        self.generator_optimizer_.step()
        return {"loss": record["meta_loss"], "record": record}

    def _step(self, train: Batch, meta: Batch, learn_labels: bool) -> dict[str, Any]:
        compare = self.psi is not None and self._is_due(self.gradient_similarity_every)
        self.n_steps_ += 1
        if self._runs_compiled(learn_labels) and not compare:
            A = None if self.psi is None or self.has_generator_ else self._fixed_labels(train)
            record = self._compiled_gradients(train, meta, A, learn_labels)
        else:
            record = self._gradients(train, meta, learn_labels, compare)
        self._notify_gradients([self.module_, *([self.generator_] if learn_labels else [])])
        self.optimizer_.step()
        if learn_labels:
            self.generator_optimizer_.step()
        return {"loss": record["primary_loss"], "record": record}

    def _gradients(
        self, train: Batch, meta: Batch, learn_labels: bool, compare: bool
    ) -> dict[str, Tensor]:
        """Leave the gradients of a step in ``.grad``."""
        self.f_.clear_gradients()
        with self._replayable() as replay:
            if self.psi is None:
                replay()  # the random numbers of a step with an auxiliary task
                return primary_step(self.f_, train, self.recipe)
            task = self._auxiliary_task(train, learn_labels)
            A = task.targets.detach()
            replay()
            record = multi_task_step(self.f_, train, A, self.recipe)
            record.update(label_statistics(task.detach()))
            if learn_labels:
                record.update(self._learn_labels(train, meta, task, replay, shared=True))
            if compare:
                record["gradient_similarity"] = gradient_similarity(
                    self.f_, train, A, self.recipe, replay
                )
            return record

    def _compiled_gradients(
        self, train: Batch, meta: Batch, A: Tensor | None, learn_labels: bool
    ) -> dict[str, Tensor]:
        """The same from one compiled program, for as long as torch can make one."""
        assert self.compiled_ is not None
        try:
            return self.compiled_(train, meta, A, learn_labels)
        except RuntimeError as error:
            if not is_compiler_error(error):
                raise
            warnings.warn(
                "torch.compile could not compile a training step, so this fit runs uncompiled: "
                f"{str(error).strip().splitlines()[0]}",
                stacklevel=2,
            )
            self.compile_step, self.compiled_ = False, None
            return self._gradients(train, meta, learn_labels, compare=False)

    def _runs_compiled(self, learn_labels: bool) -> bool:
        """Not before forward mode was tried out, nor where it can't be used."""
        trusted = self.meta_gradient_.function is exact and self.meta_gradient_.checked
        return self.compiled_ is not None and not self.stochastic_ and (trusted or not learn_labels)

    def _is_due(self, every: int | None) -> bool:
        return every is not None and self.n_steps_ % int(every) == 0

    def _generator_is_due(self) -> bool:
        return self._is_due(self.meta_every) and bool(self.g_.t)  # a callback may freeze it

    def _auxiliary_task(self, batch: Batch, learn: bool) -> AuxiliaryTask:
        """Soft labels of a batch: generated (with a graph if they are to be learned) or fixed."""
        if self.has_generator_:
            with torch.set_grad_enabled(learn):
                return AuxiliaryTask(*self.g_(*batch.labelled))
        return AuxiliaryTask(self._fixed_labels(batch))

    def _fixed_labels(self, batch: Batch) -> Tensor:
        if batch.labels is None:
            return self.module_.uniform_labels(batch.blocks)
        block = self.module_.blocks[batch.blocks]
        label = block.int().argmax(1) + batch.labels
        return torch.zeros_like(block, dtype=torch.float32).scatter_(1, label.unsqueeze(1), 1.0)

    def _learn_labels(
        self,
        train: Batch,
        meta: Batch,
        task: AuxiliaryTask,
        replay: Callable[[], None],
        shared: bool,
    ) -> dict[str, Tensor]:
        """Gradient of the generator."""
        self.g_.clear_gradients()
        A = task.targets.detach()
        problem = meta_problem(
            self.f_, train, meta, A, self.recipe, self.virtual_step_, replay, shared
        )
        scale = scale_of(self.recipe, self.optimizer_)
        return generator_step(problem, task, train.weight, self.recipe, scale, self.meta_gradient_)

    def _notify_gradients(self, networks: list[torch.nn.Module]) -> None:
        """Tell callbacks of each network's by itself: clipping must not tie one to the other."""
        for network in networks if self.callbacks_ else ():
            parameters = list(self._named_parameters(network))
            self.notify("on_grad_computed", named_parameters=parameters, training=True)

    def get_all_learnable_params(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        """Parameters of both networks, as skorch's callbacks find them by name."""
        for network in self._networks():
            yield from self._named_parameters(network)

    def _networks(self) -> list[torch.nn.Module]:
        return [self.module_, *([self.generator_] if self.has_generator_ else [])]

    def _named_parameters(
        self, network: torch.nn.Module
    ) -> Iterator[tuple[str, torch.nn.Parameter]]:
        prefix = "" if network is self.module_ else "generator."
        return ((prefix + name, p) for name, p in network.named_parameters())

    # Random layers

    def _find_out_whether_stochastic(self, samples: Samples) -> None:
        x, y = samples.X[[0, -1]], samples.y[[0, -1]]  # two rows even of a single sample
        self.stochastic_ = draws_random_numbers(self.module_, x)
        if self.has_generator_:
            self.stochastic_ |= draws_random_numbers(self.generator_, x, y)
        if self.stochastic_ and self.compile_step:
            warnings.warn(
                "compile is ignored: a network draws random numbers (dropout), and the passes "
                "of a compiled step can't draw the same ones. A backbone without dropout is "
                "compiled; for tables, that is backbone='mlp'.",
                stacklevel=2,
            )

    @contextmanager
    def _replayable(self) -> Iterator[Callable[[], None]]:
        """Run a step on random numbers of its own; the yielded function starts them again."""
        if not self.stochastic_:
            yield lambda: None
            return
        seed, device = self.random_state.randint(2**31 - 1), torch.device(self.device)
        with isolated_rng(seed, device):
            yield lambda: seed_rng(seed + 1, device)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "compiled_": None}  # belongs to its process

    def __deepcopy__(self, memo: dict[int, Any]) -> "MAXLNet":
        """Without skorch's pickle on the way, and sharing what callbacks were given."""
        other = memo[id(self)] = type(self).__new__(type(self))
        callbacks = [callback for _, callback in getattr(self, "callbacks_", ())]
        memo.update({id(callback): copy.copy(callback) for callback in callbacks})
        other.__dict__.update(copy.deepcopy({**vars(self), "compiled_": None}, memo))
        return other

    # Inference

    def apply(
        self,
        function: Callable[..., Tensor],
        X: NDArray[Any] | Tensor,
        *rows: NDArray[Any] | Tensor,
    ) -> NDArray[Any]:
        """Evaluate ``function(x, *rows)`` over all samples, in eval mode and in batches."""
        size = max(1, INFERENCE_VALUES // max(1, int(np.prod(X.shape[1:]))))
        self._set_training(False)
        outputs = []
        with torch.inference_mode():
            for start in range(0, len(X), size):
                part = [
                    torch.as_tensor(a[start : start + size]).to(self.device) for a in (X, *rows)
                ]
                outputs.append(function(*part).cpu().numpy())
        return np.concatenate(outputs)

    def score_on(self, samples: Samples) -> float:
        """Accuracy, or R2 in regression."""
        return score(self.outputs_on(samples), samples)

    def loss_on(self, samples: Samples) -> float:
        """Mean primary loss."""
        return loss(self.outputs_on(samples), samples, self.recipe)

    def outputs_on(self, samples: Samples) -> Tensor:
        """What predictions are made from, on the CPU."""
        with torch_threads(self.n_threads):
            return torch.from_numpy(self.apply(self.module_.prediction, samples.X))

    def state(self) -> dict[str, dict[str, Tensor]]:
        """A copy of the weights and buffers of both networks."""
        return copy.deepcopy(self._states())

    def _states(self) -> dict[str, dict[str, Tensor]]:
        names = ("module_", "generator_")[: 1 + self.has_generator_]
        return {name: getattr(self, name).state_dict() for name in names}

    def load_state(self, state: dict[str, dict[str, Tensor]]) -> None:
        """Put back what `state` copied."""
        for name, weights in state.items():
            getattr(self, name).load_state_dict(weights)
