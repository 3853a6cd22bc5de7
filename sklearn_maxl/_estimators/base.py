"""What the classifier and the regressor share: scikit-learn's side, no tensor mathematics."""

import copy
import os
import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from torch import nn

from .. import backbones, labels, optimizers
from .._data.arrays import Arrays, largest
from .._data.augment import AUGMENTATIONS
from .._data.on_disk import OnDisk, parts
from .._environment.interrupts import Held
from .._environment.private_sklearn import (
    DiagramWithFit,
    HasMethods,
    Interval,
    ParameterChecks,
    StrOptions,
    check_parameters,
    fit_context,
)
from .._environment.ranks import Ranks, ranks_of_program
from .._environment.short_names import Shorthand, refuse_inner_parameters
from .._environment.threads import MAX_THREADS
from .._environment.torch_state import own_torch
from .._persistence.checkpoint import logbook_of
from .._persistence.same_fit import common_seed
from .._persistence.save_load import load, save
from .._tasks.auxiliary import Ints, resolve_psi
from .._tasks.primary import Targets
from .._training import runs, trials
from .._training.about import about
from .._training.call import Call
from .._training.fitted import Fitted, gives_soft_labels
from .._training.history import History, share_in_use
from .._training.log import show_log
from .._training.memory import out_of_memory_explained
from .._training.net import MAXLNet
from .._training.plan import make_plan
from .._training.progress import NEEDED_AFTERWARDS, CallbackSupportMixin, fit_task
from .._training.schedules import SCHEDULES, constant
from .._training.settings import Settings, make_labels, resolve
from .._training.steps import PRECISIONS, Step
from ..backbones import Backbone
from ..labels import Labels
from ..labels._fixed import check_auxiliary_labels
from .diagram import about_as_html
from .documentation import documentation_url
from .methods import without_class
from .presets import preset
from .validation import (
    refuse_lost_numbers,
    refuse_no_targets,
    refuse_not_finite,
    shape_warning,
    validate_samples,
)

Known = Targets | np.ndarray | None  # targets of an earlier call, or their names

SHORTHANDS = {
    "backbone": Shorthand(backbones.NAMED, "backbones"),
    "auxiliary": Shorthand(labels.NAMED, "labels"),
    "optimizer": Shorthand(optimizers.NAMED, "optimizers"),
}


def _has_auxiliary_labels(self: "BaseMAXL") -> bool:
    """Condition for `predict_auxiliary`."""
    if self._labels() is None:
        raise AttributeError(
            "auxiliary=None has no such method; it needs a source of auxiliary labels, such as "
            "auxiliary='maxl'."
        )
    return True


def _gives_auxiliary_labels(self: "BaseMAXL") -> bool:
    """Condition for `generate_auxiliary_labels`."""
    source = self._labels()
    if not gives_soft_labels(source):
        kinds: dict[type, str] = {kind: repr(name) for name, kind in labels.NAMED.items()}
        name = kinds.get(type(source), repr(source))
        raise AttributeError(
            f"auxiliary={name} has no such method; it needs labels that "
            "exist for any sample, such as those of 'maxl', 'uniform' or 'kmeans'."
        )
    return True


@without_class
class BaseMAXL(
    DiagramWithFit,
    ParameterChecks,
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """Everything but the targets. See `MAXLClassifier` for the parameters."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "backbone": [str, callable, HasMethods("build")],
        "auxiliary": [StrOptions({"auto", *labels.NAMED}), HasMethods(["fit", "assign"]), None],
        "psi": [
            Interval(Integral, 1, None, closed="left"),
            "array-like",
            dict,
            StrOptions({"auto"}),
        ],
        "auxiliary_weight": [Interval(Real, 0, None, closed="left")],
        "focal_gamma": [Interval(Real, 0, None, closed="left")],
        "input_shape": [tuple, list, None],
        "optimizer": [StrOptions({"auto", *optimizers.NAMED}), callable],
        "lr": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "schedule": [StrOptions({"auto", *SCHEDULES}), callable],
        "augment": [StrOptions(set(AUGMENTATIONS)), callable, None],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "max_epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "device": [str, torch.device],
        "precision": [StrOptions(set(PRECISIONS))],
        "n_threads": [Interval(Integral, 1, MAX_THREADS, closed="both"), None],
        "callbacks": [list, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    step_class: ClassVar[type[Step]] = Step
    """What takes the steps; a subclass may name another, to try an idea."""

    # The parameters that are used here.
    backbone: Backbone
    input_shape: Sequence[int] | None
    auxiliary: str | Labels | None
    psi: int | str | Sequence[int] | Mapping[Any, int]
    lr: float | str
    early_stopping: bool
    warm_start: bool
    n_threads: int | None
    verbose: int
    random_state: int | np.random.RandomState | None

    # What fit sets; undocumented ones start with an underscore.
    input_shape_: tuple[int, ...]
    psi_: Ints
    lr_: float
    n_iter_: int
    net_: MAXLNet
    history_: History
    _fitted: Fitted

    @classmethod
    def from_preset(cls, name: str, **parameters: object) -> Self:
        """Make an estimator with a published recipe.

        Parameters
        ----------
        name : {"neurips2019", "iclr2019"}
            "neurips2019" is the published paper's: SGD with learning rates 0.01 and
            1e-3, halved after every quarter of 200 epochs, batches of 100, one pass for
            the multi-task network and one for the label generator in turn, both on the
            same data, random crops and flips, VGG-16. "iclr2019" is the earlier
            version's: both networks learn on every batch, the meta loss is taken on
            10 % held out, the generator's learning rate is 1e-5, no augmentation.
        **parameters : dict
            Parameters that differ from the recipe, such as ``backbone="convnet"`` or
            ``auxiliary__every=8``.

        Returns
        -------
        estimator
            Not fitted; ``get_params()`` shows the recipe.

        Raises
        ------
        ValueError
            If there is no such preset.

        Examples
        --------
        >>> from sklearn_maxl import MAXLClassifier
        >>> clf = MAXLClassifier.from_preset("neurips2019", backbone="convnet", max_epochs=8)
        >>> clf.auxiliary.alternation, clf.batch_size, clf.max_epochs
        ('epoch', 100, 8)
        """
        known = set(cls._get_param_names())  # a regressor has no views
        recipe = {key: value for key, value in preset(name).items() if key in known}
        own = {key: value for key, value in parameters.items() if "__" not in key}
        inner = {key: value for key, value in parameters.items() if "__" in key}
        return cls(**{**recipe, **own}).set_params(**inner)

    def set_params(self, **params: object) -> Self:
        """Set parameters of this estimator, and of the objects that it holds.

        Parameters
        ----------
        **params : dict
            Values by name; ``auxiliary__every`` is the parameter `every` of `auxiliary`.

        Returns
        -------
        estimator
            This estimator.

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        refuse_inner_parameters(self, params, SHORTHANDS)
        return super().set_params(**params)

    def _store(self, parameters: dict[str, object]) -> None:
        """Keep the constructor's arguments as they are: ``self._store(locals())``."""
        names = set(self._get_param_names())
        self.__dict__.update({name: parameters[name] for name in names})

    # What a subclass says about its targets

    @abstractmethod
    def _check_targets(
        self, y: np.ndarray, sample_weight: ArrayLike | None, known: Known
    ) -> tuple[Targets, NDArray[np.float64] | None]:
        """The targets' coder (`Classes` or `Bins`; `known`, if it is one) and the weights."""

    _y_checks: ClassVar[dict[str, bool]] = {}
    """How scikit-learn is to check ``y``."""

    # Training

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        auxiliary_labels: ArrayLike | None = None,
    ) -> Self:
        """Train both networks.

        Parameters
        ----------
        X : array-like of shape (n, n_features), (n, channels, length) or \
                (n, channels, height, width)
            Training samples of any numeric type; uint8 images are kept as they are.
            A memory map (`numpy.memmap`) is read as it goes, and may be larger than memory.
            With `input_shape`, rows of as many values as it holds as well. A table may be a
            sparse matrix, which is made dense: that takes 4 bytes for each value (8 where
            a column without zeros is float64) and 4 more while it trains.
        y : array-like of shape (n,), or (n, m) in regression
            Class labels of any type that scikit-learn takes, or numbers to predict.
        sample_weight : array-like of shape (n,), default=None
            Weights of the samples in both losses; only their ratios matter.
            A sample of weight 0 is left out altogether.
        auxiliary_labels : array-like of shape (n,), default=None
            Finer labels for ``auxiliary="human"``; other settings ignore them.

        Returns
        -------
        estimator
            The fitted estimator.

        Raises
        ------
        ValueError
            If `X`, `y` or a parameter can't be used, or if training diverges.
        torch.OutOfMemoryError
            If the device has too little memory.
        RuntimeError
            If several processes train together and another one has ended.
        KeyboardInterrupt
            If the user interrupts it. After an epoch of the training has ended the estimator is
            fitted all the same, with what was learned; else it is as before.

        Warns
        -----
        ConvergenceWarning
            If less than half of the auxiliary classes are in use at the end.
        UserWarning
            If the user interrupts it and what was learned is kept.
        """
        again = self.warm_start and hasattr(self, "_fitted")
        with Held(), own_torch(self.n_threads), attributes_kept_on_failure(self):
            ranks = ranks_of_program()
            known = self._fitted.targets if again else None
            with ranks.ending_together():
                arrays, targets = self._check(X, y, sample_weight, auxiliary_labels, known)
                settings = self._settings(arrays, targets)
                if again:
                    settings = self._going_on(settings)
                seed = 0 if again else own_seed(self.random_state)
                call = Call(self, settings, arrays, targets, seed)
            call = _begun(call, ranks, self.net_ if again else None)
            settings = call.settings
            epochs = trials.epochs_of_trainings(settings, arrays.y)
            told: dict[str, object] = {"X": X, "y": y, "sample_weight": sample_weight}
            explained = out_of_memory_explained(settings, len(arrays.y))
            with explained, fit_task(self, told, type(self)._keep, epochs, ranks) as task:
                if again:
                    fitted = runs.warm_start(self._fitted, settings, arrays, task, ranks)
                else:
                    with logbook_of(call, ranks) as logbook:
                        plan = make_plan(settings, arrays, targets, logbook.seed(call.seed))
                        fitted = trials.fit(settings, plan, task, logbook, ranks)
                    _warn_of_collapse(fitted)
                return self._keep(fitted)

    def _found_by_trials(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        auxiliary_labels: ArrayLike | None = None,
    ) -> dict[str, float]:
        """What `fit` would find by trials of the single task, by parameter; empty without any."""
        check_parameters(self)
        throwaway = copy.copy(self)  # checking samples sets attributes
        arrays, targets = throwaway._check(X, y, sample_weight, auxiliary_labels, None)
        settings = throwaway._settings(arrays, targets)
        mine = tuple(name for name in settings.undecided if name in trials.OF_SINGLE_TASK)
        if not mine:
            return {}
        plan = make_plan(settings, arrays, targets, own_seed(self.random_state))
        with Held(), own_torch(self.n_threads):
            decided, _ = trials.decide(replace(settings, undecided=mine), plan)
        return {name: getattr(decided, name) for name in mine}

    def _train_part(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        auxiliary_labels: ArrayLike | None,
        classes: np.ndarray | None = None,
    ) -> Self:
        """One epoch: on fresh networks in the first call of `partial_fit`, then on those."""
        check_parameters(self)  # which scikit-learn does in the first call alone
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True; use fit.")
        fitted = getattr(self, "_fitted", None)
        with Held(), own_torch(self.n_threads), attributes_kept_on_failure(self):
            ranks = ranks_of_program()
            known = classes if fitted is None else fitted.targets
            with ranks.ending_together():
                arrays, targets = self._check(X, y, sample_weight, auxiliary_labels, known)
                settings = self._settings(arrays, targets, planned=False)
                self._refuse_trials(settings)
                seed = 0 if fitted is not None else own_seed(self.random_state)
                call = Call(self, settings, arrays, targets, seed)
            call = _begun(call, ranks, None if fitted is None else fitted.net)
            settings = call.settings
            with out_of_memory_explained(settings, len(arrays.y)):
                if fitted is not None:
                    hold = settings.schedule is constant
                    more = runs.train_part(fitted, arrays, hold_rates=hold, ranks=ranks)
                    return self._keep(more)
                plan = make_plan(settings, arrays, targets, call.seed)
                return self._keep(runs.run(settings, plan, epochs=1, ranks=ranks))

    def _refuse_trials(self, settings: Settings) -> None:
        """Refuse what only `fit` can decide."""
        if isinstance(self.psi, str) and settings.labels and settings.labels.numbered_by_psi:
            raise ValueError("partial_fit does not support psi='auto'; give a number, or use fit.")
        if isinstance(self.auxiliary, str) and self.auxiliary == "auto":
            raise ValueError(
                "partial_fit does not support auxiliary='auto'; name a source, or use fit."
            )

    def _check(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        auxiliary_labels: ArrayLike | None,
        known: Known,
    ) -> tuple[Arrays, Targets]:
        """Checked and encoded arrays, and the targets' coder."""
        again = known is not None and hasattr(self, "_fitted")
        refuse_no_targets(self, y)
        samples, given = validate_samples(self, X, y, reset=not again, **self._y_checks)
        if hint := self._shape_warning(samples.shape[1:]):
            warnings.warn(hint, stacklevel=4)
        if samples.dtype == np.float64 and samples.ndim == 2:
            beyond_float32 = np.flatnonzero(largest(samples) > np.finfo(np.float32).max)
            if len(beyond_float32):
                columns = [samples[part][:, beyond_float32] for part in parts(samples)]
                refuse_lost_numbers(np.concatenate(columns), "X", beyond_float32)
        finer, source = None, self._labels() if again else make_labels(self.auxiliary)
        if source is not None and source.needs_auxiliary_labels:
            finer = check_auxiliary_labels(auxiliary_labels, len(given), repr(self.auxiliary))
        targets, weight = self._check_targets(given, sample_weight, known)
        codes, target = targets.encode(given)
        arrays = Arrays(samples, codes, weight, finer, target)
        return _without_zero_weights(arrays, targets), targets

    def _shape_warning(self, shape: tuple[int, ...]) -> str | None:
        """What to tell about samples that look like images with their sides in other places."""
        own = isinstance(self.backbone, backbones.ConvNet)
        convolves = own or self.backbone in ("auto", "convnet")
        return shape_warning(shape, convolves, self.input_shape is not None)

    def _settings(self, arrays: Arrays, targets: Targets, planned: bool = True) -> Settings:
        """The parameters, resolved for some samples."""
        return resolve(
            self.get_params(deep=False),
            tuple(arrays.X.shape[1:]),
            targets.regression,
            len(arrays.y),
            planned=planned,
            step_class=self.step_class,
        )

    def _going_on(self, settings: Settings) -> Settings:
        """Settings of a warm start; refuses those where labels would mean something else."""
        before = self._fitted
        if "auxiliary" in settings.undecided:
            kept = {name: getattr(before.settings, name) for name in trials.OF_LABELS}
            settings = replace(settings, **kept)
        changed = type(settings.labels) is not type(before.settings.labels)
        if settings.labels is not None and settings.labels.numbered_by_psi:
            if isinstance(self.psi, str):
                settings = replace(settings, psi=before.settings.psi)
            psi = resolve_psi(settings.psi, before.targets.names)
            changed = changed or not np.array_equal(psi, before.psi)
        if changed:
            raise ValueError(
                "warm_start=True goes on with the networks of the last fit, but auxiliary or psi "
                "were changed since; use warm_start=False."
            )
        tried = {trial["setting"] for trial in before.history.trials}
        found = {
            name: getattr(before.settings, name)
            for name in trials.OF_SINGLE_TASK
            if isinstance(getattr(self, name, None), str)
            and (name == "temperature" or name in tried)  # the network holds its temperature
        }
        return replace(settings, **found, undecided=())

    def _keep(self, fitted: Fitted) -> Self:
        """Set the fitted attributes."""
        self._fitted = fitted
        self.input_shape_ = fitted.settings.input_shape
        self.psi_, self.lr_ = fitted.psi, fitted.settings.lr
        self.net_, self.history_ = fitted.net, fitted.history
        self.n_iter_ = fitted.history.n_epochs
        self.history_.about = about(fitted)
        return self

    def _labels(self) -> Labels | None:
        """Where auxiliary labels come from; what was fitted counts."""
        fitted = getattr(self, "_fitted", None)
        return make_labels(self.auxiliary) if fitted is None else fitted.labels

    # Inference

    def _evaluate(self, function: str, X: ArrayLike) -> np.ndarray:
        """What a method of the multi-task network makes of samples."""
        check_is_fitted(self, "_fitted")
        samples = validate_samples(self, X, reset=False)
        # The threads that are set now count: a server is not a training machine.
        with Held(), own_torch(self.n_threads):
            outputs = self.net_.apply(getattr(self.net_.module_, function), samples)
        refuse_not_finite(outputs, samples, self._fitted.scaling)
        return outputs

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Features of the trunk, for use inside a pipeline.

        Parameters
        ----------
        X : array-like of shape (n, \\*input_shape_)
            Samples.

        Returns
        -------
        ndarray of shape (n, n_features), float32
            What both heads see.
        """
        return self._evaluate("transform", X)

    @available_if(_has_auxiliary_labels)
    def predict_auxiliary(self, X: ArrayLike) -> NDArray[np.float32]:
        """Auxiliary probabilities that the multi-task network predicts.

        Not there for ``auxiliary=None``.

        Parameters
        ----------
        X : array-like of shape (n, \\*input_shape_)
            Samples.

        Returns
        -------
        ndarray of shape (n, sum of `psi_`), float32
            The auxiliary classes of the first class (or bin) first; each row sums to 1.
        """
        return self._evaluate("auxiliary", X)

    @available_if(_gives_auxiliary_labels)
    def generate_auxiliary_labels(self, X: ArrayLike, y: ArrayLike) -> NDArray[np.float32]:
        """Auxiliary labels that labelled samples are given as targets.

        Not there for "random" and "human", whose labels exist for training
        samples only.

        Parameters
        ----------
        X : array-like of shape (n, \\*input_shape_)
            Samples.
        y : array-like of shape (n,), or (n, m) in regression
            Their classes or targets.

        Returns
        -------
        ndarray of shape (n, sum of `psi_`), float32
            Soft labels (one-hot for "kmeans") with all mass in the block of the
            sample's class.
        """
        samples, codes = self._labelled(X, y)
        with Held(), own_torch(self.n_threads):
            labels = self._fitted.soft_labels(samples, codes)
        refuse_not_finite(labels, samples, self._fitted.scaling)
        return labels

    def _labelled(self, X: ArrayLike, y: ArrayLike) -> tuple[np.ndarray | OnDisk, Ints]:
        """Checked samples, and their classes by number."""
        check_is_fitted(self, "_fitted")
        refuse_no_targets(self, y)
        samples, given = validate_samples(self, X, y, reset=False, **self._y_checks)
        return samples, self._fitted.targets.encode(given).y

    @abstractmethod
    def _exported(self) -> nn.Module:
        """The module of `to_torch`."""

    def to_torch(self) -> nn.Module:
        """Make a torch module that predicts as the fitted estimator does.

        The module takes one tensor of samples of shape (n, \\*input_shape_), for any n, in
        the units of `X`, of a float or integer type. A classifier's gives what
        `predict_proba` gives: probabilities (n, C) in float32, columns in the order of
        ``classes_``. A regressor's gives what `predict` gives: targets (n,) or (n, m) in
        float64. Standardisation and the views of images are within. It is for
        `torch.export`, ONNX and `torch.jit.trace`, and for tools that explain predictions
        by gradients, such as captum and shap.

        Returns
        -------
        torch.nn.Module
            A copy on the CPU, in eval mode: later fits do not change it. Its parameters
            ask for no gradients; those by the input flow.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.

        See Also
        --------
        save : Write a file that becomes an estimator again.

        Notes
        -----
        The module does not check for missing values, nor for names of columns: the columns
        are those of `X` in `fit`, in their order. ``module.float()`` makes float32 of the few
        float64 tensors (mean and scale of tables and of regression's targets), for devices
        that have no float64.

        Examples
        --------
        >>> import torch
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_maxl import MAXLClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> clf = MAXLClassifier(max_epochs=3, random_state=0).fit(X, y)
        >>> module = clf.to_torch()
        >>> p = module(torch.tensor(X[:2], dtype=torch.float32))
        >>> bool(abs(p.numpy() - clf.predict_proba(X[:2])).max() < 1e-6)
        True
        """
        check_is_fitted(self, "_fitted")
        return self._exported().eval()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to one file that runs no code when it is read.

        The file is in the safetensors format and holds the networks, all that
        predicting needs, parameters, `history_`, the versions of the packages and a
        checksum. It does not hold what only training needs: the optimizers' state,
        and parameters that are no plain values (an optimizer's class or function,
        functions as `schedule` and `augment`, `callbacks`, a ``RandomState``). `load`
        names those in a warning. Objects of this package, such as ``MLP((50,))``,
        ``Learned(every=1)`` and ``SGD(momentum=0.9)``, are plain values; a network or a
        source of auxiliary labels of your own has to be passed to `load`.

        Parameters
        ----------
        path : str or path-like
            File to write; ``.safetensors`` is the usual ending. A file that is there is
            replaced at once: it stays whole if writing fails or is cut off. Its mode is kept.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If parameters were changed since `fit`, so that they make other networks.
        FileNotFoundError
            If the folder does not exist.
        FileExistsError
            If `path` is a device, a pipe or a socket.

        See Also
        --------
        load : Read the file.

        Examples
        --------
        >>> import os, tempfile
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_maxl import MAXLClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> clf = MAXLClassifier(max_epochs=3, random_state=0).fit(X, y)
        >>> path = os.path.join(tempfile.mkdtemp(), "iris.safetensors")
        >>> clf.save(path)
        >>> bool((MAXLClassifier.load(path).predict(X) == clf.predict(X)).all())
        True
        """
        check_is_fitted(self, "_fitted")
        with own_torch(1):
            save(self, path)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        device: str | torch.device = "auto",
        backbone: Backbone | None = None,
        generator: Backbone | None = None,
        auxiliary: Labels | None = None,
    ) -> Self:
        """Read what `save` wrote; no code in the file is run.

        On the same kind of device, predictions are bit for bit those of the
        estimator that was saved. `partial_fit` and ``warm_start=True`` go on from
        its weights, with optimizers that start anew.

        Parameters
        ----------
        path : str or path-like
            File to read.
        device : str or torch.device, default="auto"
            Device to put the networks on: the loaded estimator's parameter `device`.
        backbone : backbone or callable, default=None
            The backbone that was fitted, where it is a network of your own:
            `Custom`, a function or a module. The file has its weights.
        generator : backbone or callable, default=None
            The same for the label generator, `generator` of ``Learned``.
        auxiliary : object, default=None
            The source of auxiliary labels that was fitted, where it is of your own making.
            The file has what it learned.

        Returns
        -------
        estimator
            The fitted estimator.

        Raises
        ------
        ValueError
            If the file is damaged, was changed, is of a newer format or of another
            estimator, or if a network of your own is needed.

        Warns
        -----
        UserWarning
            If parameters were not stored, if "auto" finds a device of another kind, or
            if another major version of the package wrote the file.

        See Also
        --------
        save : Write the file, and what is in it.

        Examples
        --------
        >>> import os, tempfile
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_maxl import MAXLClassifier
        >>> from sklearn_maxl.backbones import Custom
        >>> from torch import nn
        >>> own = Custom(nn.Linear, in_features=4, out_features=8)
        >>> path = os.path.join(tempfile.mkdtemp(), "iris.safetensors")
        >>> MAXLClassifier(own, max_epochs=3).fit(*load_iris(return_X_y=True)).save(path)
        >>> clf = MAXLClassifier.load(path, backbone=own)
        >>> clf.n_iter_
        3
        """
        given = {"backbone": backbone, "generator": generator, "auxiliary": auxiliary}
        with own_torch(1):
            estimator, notes = load(cls, path, device, given)
        for note in notes:
            warnings.warn(note, stacklevel=2)
        return estimator

    # What scikit-learn asks for

    _doc_link_module = "sklearn_maxl"

    @property
    def _doc_link_template(self) -> str:
        """Where the "?" of the HTML representation leads; nowhere if it is empty."""
        url = documentation_url()
        return url and url + "/generated/{estimator_module}.{estimator_name}.html"

    def _fit_as_html(self) -> str:
        return about_as_html(self.history_.about)

    @property
    def _n_features_out(self) -> int:
        return self.net_.module_.n_features

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_fitted")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _begun(call: Call, ranks: Ranks, net: MAXLNet | None) -> Call:
    """A training begins: the call as this rank makes it, which may log now.

    `net` is what it goes on from.
    """
    call = call.on(ranks, common_seed(ranks, call, net))
    show_log(call.settings.verbose)
    return call


def _without_zero_weights(arrays: Arrays, targets: Targets) -> Arrays:
    """The rows that count; tells where a huge weight has left no other of some classes."""
    kept = arrays.without_zero_weights()
    if arrays.weight is not None:
        lost = np.setdiff1d(arrays.y[arrays.weight > 0], kept.y)
        if len(lost):
            names = targets.names[lost].tolist()
            kind = "bins of y, which are" if targets.regression else "classes"
            warnings.warn(
                "A weight in sample_weight or class_weight is so large that samples count as "
                f"nothing beside it: none is left of the {kind} {names[:5]}. Correct the weights.",
                stacklevel=5,
            )
    return kept


def _warn_of_collapse(fitted: Fitted) -> None:
    """Tell when the label generator left most of the auxiliary classes alone."""
    if fitted.settings.learned is None:
        return
    kept = -1
    if fitted.settings.early_stopping:
        kept = int(fitted.history["validation_score"].argmax())
    share = share_in_use(fitted.history[kept]["auxiliary_in_use"], fitted.psi)
    if share < 0.5:
        warnings.warn(
            f"Only {share:.0%} of the auxiliary classes are in use at the end of training: the "
            "generated labels have collapsed. Raise entropy_weight of Learned, or lower its lr, "
            "or psi.",
            ConvergenceWarning,
            stacklevel=4,
        )


@contextmanager
def attributes_kept_on_failure(estimator: BaseEstimator) -> Iterator[None]:
    """Put an estimator's attributes back if the block fails: what was fitted stays usable."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        needed = {k: v for k, v in vars(estimator).items() if k in NEEDED_AFTERWARDS}
        estimator.__dict__.clear()
        estimator.__dict__.update({**before, **needed})
        raise


def own_seed(random_state: int | np.random.RandomState | None) -> int:
    """The seed of a fit; None is fresh entropy, not NumPy's global state."""
    rng = np.random.RandomState() if random_state is None else check_random_state(random_state)
    return int(rng.randint(2**31 - 1))
