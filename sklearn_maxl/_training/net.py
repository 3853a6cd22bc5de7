"""The skorch net behind the estimator: two modules, two optimizers, the loop over the epochs.

A normal skorch net: callbacks, ``history`` and every hook name are skorch's. It
differs in three places: batches are cut by index from tensors on the device, a
step trains two networks, and nothing is read back from the device before an
epoch ends.
"""

import copy
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from skorch import NeuralNet
from skorch.exceptions import DeviceWarning
from torch import Tensor, nn

from .._data.batches import META_BATCHES, TrainingData
from .._data.on_disk import OnDisk
from .._data.samples import Samples
from .._environment.devices import available
from .._environment.interrupts import is_of_signal, let_through, raise_later
from .._environment.random_state import isolated_rng
from .._environment.threads import torch_threads
from .._maths.at_parameters import parameters_of
from .._maths.meta_gradient import WithFallback
from .._maths.step import PASSES, Batch, Pass, Record
from .._networks.label_generator import LabelGenerator
from .._networks.multi_task import MultiTaskNet
from .._networks.trunk import check_same_inputs, copies_of_special_tensors
from .._tasks.auxiliary import Hierarchy
from ..optimizers import MakeOptimizer, check_optimizer, make_optimizer
from . import evaluation
from .checks import check_not_diverged, small_batch_explained
from .early_stopping import BestState
from .history import EpochSums, History, copy_of_rows, summary
from .log import epoch_line, logger
from .logbook import BLANK, Logbook
from .over_ranks import check_networks, join_epoch
from .progress import UNTOLD, Task
from .schedules import Rates
from .settings import Settings
from .skorch_callbacks import check_callbacks, own_copies
from .steps import PRECISIONS, RandomNumbers

State = dict[str, dict[str, Tensor]]


class MAXLNet(NeuralNet):
    """Multi-task network ``module_`` and label generator ``generator_``, trained together.

    Parameters
    ----------
    module : callable
        Makes the multi-task network.
    generator : callable or None
        Makes the label generator; None where labels are not learned.
    hierarchy : Hierarchy or None
        The auxiliary classes; None trains the primary task alone.
    settings : Settings
    random_state : numpy.random.RandomState
    **kwargs : dict
        Of skorch's net, where they are not in `settings`.
    """

    module_: MultiTaskNet
    generator_: LabelGenerator
    _default_callbacks: ClassVar[list[object]] = []  # skorch's read every loss from the device

    def __init__(
        self,
        module: Callable[[], MultiTaskNet],
        *,
        generator: Callable[[], LabelGenerator] | None = None,
        hierarchy: Hierarchy | None = None,
        settings: Settings,
        random_state: np.random.RandomState,
        **kwargs: object,
    ):
        self.generator = generator
        self.hierarchy = hierarchy
        self.settings = settings
        self.random_state = random_state
        of_skorch = {
            "criterion": nn.CrossEntropyLoss,  # never asked
            "optimizer": settings.optimizer,
            "lr": settings.lr,
            "max_epochs": settings.max_epochs,
            "device": str(settings.device),
            "callbacks": own_copies(settings.callbacks),
            "verbose": settings.verbose,
            "train_split": None,
            "use_caching": False,  # there are no predictions of batches that could be kept
        }
        super().__init__(module, **{**of_skorch, **kwargs})

    @property
    def has_generator_(self) -> bool:
        """Whether the auxiliary labels are learned."""
        return self.generator is not None

    # What skorch asks for when it initialises

    def initialize(self) -> "MAXLNet":
        """Make both networks and optimizers, from this net's random state alone."""
        learned = self.settings.learned
        seed = self.random_state.randint(2**31 - 1)
        with torch_threads(self.settings.n_threads), isolated_rng(seed, torch.device(self.device)):
            super().initialize()
        self.recipe_ = self.settings.recipe
        self.epochs_ = History()
        self.n_steps_ = self.n_generator_steps_ = 0
        self.meta_gradient_ = WithFallback(learned.meta_gradient if learned else "exact")
        return self

    def initialize_callbacks(self) -> "MAXLNet":
        super().initialize_callbacks()
        check_callbacks(self.callbacks_, self.settings.schedule)
        return self

    def initialize_module(self) -> "MAXLNet":
        super().initialize_module()
        if self.has_generator_:
            self.generator_ = self.initialized_instance(self.generator, {})
            check_same_inputs(self.module_, self.generator_)
        return self

    def initialize_optimizer(self, triggered_directly: bool | None = None) -> "MAXLNet":
        self.optimizer_ = made_optimizer(self.optimizer, self.module_, self.lr, "optimizer")
        learned = self.settings.learned
        if self.has_generator_ and learned is not None:
            make = make_optimizer(learned.optimizer)
            self.generator_optimizer_ = made_optimizer(
                make, self.generator_, learned.lr, "optimizer of Learned"
            )
        self.rates_ = Rates(self.settings.schedule, self.max_epochs, self.optimizers())
        return self

    def optimizers(self) -> list[torch.optim.Optimizer]:
        """That of each network."""
        return [self.optimizer_, *([self.generator_optimizer_] if self.has_generator_ else [])]

    def check_data(self, X: TrainingData, y: None = None) -> None:
        if not isinstance(X, TrainingData):
            raise TypeError("MAXLNet trains on TrainingData; fit the MAXLClassifier instead.")

    # Going on from another net

    def take_over(self, other: "MAXLNet") -> None:
        """Go on from where a net of the same architecture stands, with this one's settings."""
        try:
            self.load_state(other.state())
        except (RuntimeError, AttributeError) as error:
            raise ValueError(
                "warm_start=True goes on with the networks of the last fit, but backbone, "
                "psi, views or auxiliary were changed since; use warm_start=False."
            ) from error
        for mine, theirs in zip(self.optimizers(), other.optimizers(), strict=True):
            go_on(mine, theirs)
        for counted in ("epochs_", "history_", "n_steps_", "n_generator_steps_"):
            setattr(self, counted, getattr(other, counted))

    # Training

    def train_for(
        self, data: TrainingData, epochs: int, task: Task = UNTOLD, logbook: Logbook = BLANK
    ) -> None:
        """Train for some epochs more, with the callbacks told of begin and end."""
        with torch_threads(self.settings.n_threads):
            left = logbook.restore(self, epochs)  # callbacks read the history as they begin
            self.notify("on_train_begin", X=data, y=None)
            self.fit_loop(data, epochs=left, task=task, logbook=logbook)
            self.notify("on_train_end", X=data, y=None)

    def fit_loop(
        self,
        X: TrainingData,
        y: None = None,
        epochs: int | None = None,
        task: Task = UNTOLD,
        logbook: Logbook = BLANK,
        **fit_params: object,
    ) -> "MAXLNet":
        """Train for at most `epochs` epochs, fewer with early stopping or when a callback asks.

        An interruption (Ctrl-C) ends it as well and is raised: at once in trials and in the first
        epoch, else by the estimator, when it has kept what was learned.
        """
        self.check_data(X)
        settings = self.settings
        check_networks(self.networks(), X, settings.batch_size_of(len(X)))
        if not hasattr(self, "random_numbers_"):
            self.random_numbers_ = RandomNumbers.of(
                self.module_, getattr(self, "generator_", None), X.train, self.random_state
            )
        best = None
        if settings.early_stopping:
            best = BestState(self.state, settings.tol, settings.n_iter_no_change)
        datasets: dict[str, object] = {"dataset_train": X, "dataset_valid": X.validation}
        # What skorch's progress bar guesses the number of batches from.
        self.iterator_train__batch_size = settings.batch_size_of(len(X))
        before = self.epochs_.n_epochs
        last = before + (self.max_epochs if epochs is None else epochs)
        logbook.begin(self, best)
        try:
            for _ in range(before, last):
                let_through()
                epoch = task.epoch()
                self.rates_.next_epoch(self.optimizers())
                self.notify("on_epoch_begin", **datasets)
                self._run_epoch(X, last)
                stop = self._stopped_by_callback(datasets)
                if best is not None:
                    stop |= best.stop(self.epochs_[-1]["validation_score"])
                stop |= epoch.end() and not settings.is_trial
                stop = any(X.ranks.gathered(stop))
                logbook.epoch(self, best, stop)
                if stop:
                    break
        except KeyboardInterrupt as interruption:
            # Other ranks may be at another step, and what is not the same is not kept.
            if settings.is_trial or X.ranks.several or self.epochs_.n_epochs == before:
                raise
            raise_later(interruption)
            self._drop_unfinished_row()
            if best is None:  # nobody has looked at these weights yet
                check_not_diverged(self.epochs_.n_epochs + 1, {}, self._states(), settings)
            warnings.warn(
                "Training interrupted by user; keeping what was learned, with "
                f"{self.epochs_.n_epochs} whole epochs.",
                stacklevel=2,
            )
        if best is None:
            self.set_primary_share(X)
        else:
            self.load_state(best.state)
        if X.ranks.several:  # their times differ
            self.epochs_[:] = X.ranks.of_first(lambda: list(self.epochs_))
        if self.verbose and self.module_.both_heads and 0 < self.module_.primary_share < 1:
            logger.info("The auxiliary task is not learned yet: the primary head predicts too.")
        return self

    def _stopped_by_callback(self, datasets: dict[str, object]) -> bool:
        """Tell skorch's callbacks that an epoch ends; whether one of them ends the training."""
        try:
            self.notify("on_epoch_end", **datasets)
        except KeyboardInterrupt as error:  # how they do it
            if not self.callbacks_ or is_of_signal(error):  # nobody but the user
                raise
            return True
        finally:
            # skorch keeps a history row for every batch, which makes pickles larger than the
            # networks. Keep the last one: skorch's Checkpoint reads it.
            self.history[-1]["batches"] = self.history[-1]["batches"][-1:]
        return False

    def _drop_unfinished_row(self) -> None:
        """Take the row of an epoch that was interrupted out of skorch's history."""
        if "time" not in self.history[-1]:
            del self.history[-1]

    def _run_epoch(self, data: TrainingData, last: int) -> None:
        """Train for an epoch, then read what it was like."""
        start, sums = time.perf_counter(), self.take_steps(data)
        join_epoch(sums, self._moving_buffers(), data.ranks)
        if data.validation is not None:
            self.set_primary_share(data)  # the validation score is of what predicts now
        number, means = self.epochs_.n_epochs + 1, sums.means()
        check_not_diverged(number, means, self._states(), self.settings)
        score = None if data.validation is None else self.score_on(data.validation)
        row = summary(number, means, sums, self.hierarchy, self.has_generator_, score)
        row["time"] = round(time.perf_counter() - start, 6)
        self.epochs_.append(row)
        for name, value in row.items():  # lists, because skorch's history is written as JSON
            self.history.record(name, value.tolist() if isinstance(value, np.ndarray) else value)
        if self.verbose:
            logger.info("%s", epoch_line(row, last), extra={"epoch": (number, last)})

    def take_steps(self, data: TrainingData) -> EpochSums:
        """The steps of an epoch; nothing is read back from the device."""
        sums, learned = EpochSums(), self.settings.learned
        # Made anew for each epoch, because callbacks may change networks between.
        self.step_ = self.settings.step_class(
            self.module_,
            self.generator_ if self.has_generator_ else None,
            self.optimizer_,
            self.recipe_,
            self.meta_gradient_,
            self.random_numbers_.on(data.ranks),
            PRECISIONS[self.settings.precision],
            data.ranks,
        )
        try:
            for kind in PASSES[learned.alternation if learned else "batch"]:
                self._run_pass(data, kind, sums)
        finally:
            del self.step_
        return sums

    def _run_pass(self, data: TrainingData, kind: Pass, sums: EpochSums) -> None:
        """Once through the training data."""
        learned = self.settings.learned
        batches = META_BATCHES[learned.meta_batch if learned else "same"]
        self._set_training(True)
        for train, meta in batches(data, self.settings.batch_size_of(len(data)), self.random_state):
            let_through()
            if self.callbacks_:
                self.notify("on_batch_begin", batch=train, training=True, kind=kind)
            with small_batch_explained(len(train), self.settings.batch_size):
                record = self._take_step(kind, train, meta)
            sums.add(record, train.n_whole)
            if self.callbacks_:
                self.history.record_batch("train_batch_size", train.n_whole)
                loss = record.get("primary_loss", record.get("meta_loss"))
                told = {} if loss is None else {"loss": loss}
                self.notify("on_batch_end", batch=train, training=True, y_pred=None, **told)

    def _take_step(self, kind: Pass, train: Batch, meta: Batch) -> Record:
        """Change the networks that learn in this pass, where a generator's turn has come."""
        learned, step = self.settings.learned, self.step_
        # The steps of its own passes: those of the network's would leave some generators none.
        due = learned is not None and self.n_generator_steps_ % int(learned.every) == 0
        learn_labels = kind.generator and due and step.generator_learns
        self.n_steps_ += kind.network
        self.n_generator_steps_ += kind.generator
        if kind.network:
            record = step.gradients(train, meta, learn_labels)
        elif learn_labels:
            record = step.generator_gradients(train, meta)
        else:
            return {}
        for network in step.networks(kind.network, learn_labels) if self.callbacks_ else ():
            # Each network's by itself: clipping must not tie one to the other.
            parameters = list(self._named_parameters(network))
            self.notify("on_grad_computed", named_parameters=parameters, training=True)
        if kind.network:
            self.optimizer_.step()
        if learn_labels:
            self.generator_optimizer_.step()
        return record

    def get_all_learnable_params(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Parameters of both networks, as skorch's callbacks find them by name."""
        for network in self.networks():
            yield from self._named_parameters(network)

    def networks(self) -> list[nn.Module]:
        """The multi-task network and, where labels are learned, their generator."""
        return [self.module_, *([self.generator_] if self.has_generator_ else [])]

    def _moving_buffers(self) -> list[Tensor]:
        """Running statistics of both networks."""
        return [
            buffer
            for network in self.networks()
            for name, buffer in network.named_buffers()
            if name not in getattr(network, "constant_buffers", ())
        ]

    def _named_parameters(self, network: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
        prefix = "" if network is self.module_ else "generator."
        return ((prefix + name, p) for name, p in network.named_parameters())

    def keep_rows(self, n: int) -> None:
        """Forget the rows of all epochs but the last ones."""
        for rows in (self.epochs_, self.history):
            del rows[: max(0, len(rows) - n)]

    # Inference

    def infer(self, x: np.ndarray | Tensor, **fit_params: object) -> Tensor:
        """What predictions are made from: skorch's own methods answer as the estimator does."""
        return self.module_.prediction(torch.as_tensor(x))

    def apply(
        self,
        function: Callable[..., Tensor],
        X: np.ndarray | Tensor | OnDisk,
        *rows: np.ndarray | Tensor,
    ) -> np.ndarray:
        """Evaluate ``function(x, *rows)`` over all samples, in eval mode and in batches."""
        self._set_training(False)
        return evaluation.apply(function, torch.device(self.device), X, *rows)

    def set_primary_share(self, data: TrainingData) -> None:
        """Set how much the primary head counts in predictions, by what both know of samples."""
        self._set_training(False)
        trained = self.settings.recipe.auxiliary_weight > 0
        evaluation.set_primary_share(self.module_, torch.device(self.device), data, trained)

    def score_on(self, samples: Samples) -> float:
        """Accuracy, or R2 in regression."""
        return evaluation.score(self.outputs_on(samples), samples)

    def outputs_on(self, samples: Samples) -> Tensor:
        """What predictions are made from, on the CPU."""
        with torch_threads(self.settings.n_threads):
            return torch.from_numpy(self.apply(self.module_.prediction, samples.X))

    # Copies

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Open a pickle on any machine: on the CPU, then on the device of the fit if it is there.

        skorch brings each tensor to the device by itself, those that it can't hold, too.
        """
        before, device = state["device"], available(str(state["device"]))
        super().__setstate__({**state, "device": "cpu"})
        # Made anew for the device of now; they draw from this net's random state.
        self.__dict__.pop("random_numbers_", None)
        if device.type != "cpu":
            self._move(device)
        elif str(before) != "cpu":
            warnings.warn(
                f"A net was trained on {str(before)!r}, which is not there; it is on the CPU now.",
                DeviceWarning,
                stacklevel=2,
            )

    def _move(self, device: torch.device) -> None:
        self.device = str(device)
        if hasattr(self, "module_"):
            for network in self.networks():
                network.to(device)
            for optimizer in self.optimizers():  # what they keep follows the weights
                optimizer.load_state_dict(optimizer.state_dict())

    def __deepcopy__(self, memo: dict[int, object]) -> "MAXLNet":
        """Without skorch's pickle on the way; what callbacks were given, and rows, are shared."""
        other = memo[id(self)] = type(self).__new__(type(self))
        callbacks = [callback for _, callback in getattr(self, "callbacks_", ())]
        memo.update({id(callback): copy.copy(callback) for callback in callbacks})
        for name in ("module_", "generator_")[: 1 + self.has_generator_]:
            memo.update(copies_of_special_tensors(getattr(self, name)))
        histories = [getattr(self, name, None) for name in ("epochs_", "history_")]
        memo.update({id(h): copy_of_rows(h) for h in histories if h is not None})
        other.__dict__.update(copy.deepcopy(vars(self), memo))
        return other

    def state(self) -> State:
        """A copy of the weights and buffers of both networks."""
        return copy.deepcopy(self._states())

    def _states(self) -> State:
        names = ("module_", "generator_")[: 1 + self.has_generator_]
        return {name: getattr(self, name).state_dict() for name in names}

    def load_state(self, state: State) -> None:
        """Put back what `state` copied."""
        for name, weights in state.items():
            getattr(self, name).load_state_dict(weights)


def made_optimizer(
    make: MakeOptimizer, network: nn.Module, lr: float, name: str
) -> torch.optim.Optimizer:
    """The optimizer of a network; errors call it by its parameter's `name`."""
    optimizer = make(parameters_of(network).values(), lr=lr)
    check_optimizer(optimizer, name)
    return optimizer


def go_on(mine: torch.optim.Optimizer, theirs: torch.optim.Optimizer) -> None:
    """Take over an optimizer's moments, if it is of the same kind; the rates stay."""
    if type(mine) is type(theirs):
        rates = [group["lr"] for group in mine.param_groups]
        mine.load_state_dict(theirs.state_dict())
        for group, lr in zip(mine.param_groups, rates, strict=True):
            group["lr"] = lr
