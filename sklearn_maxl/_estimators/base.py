"""What the classifier and the regressor share: the scikit-learn side, no tensor mathematics."""

import copy
import os
import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    is_classifier,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._data.augment import AUGMENTATIONS
from .._data.data import META_BATCHES, Arrays
from .._environment.private_sklearn import HasMethods, Interval, StrOptions, fit_context
from .._environment.threads import torch_threads
from .._maths.compiled_step import check_compile
from .._maths.meta_gradient import META_GRADIENTS
from .._persistence.save_load import load, save
from .._tasks.views import number_of
from .._training.choose_lr import choose_lr, n_trainings
from .._training.choose_psi import choose_psi, trials
from .._training.guard import guarded
from .._training.history import History, share_in_use
from .._training.net import PASSES, PRECISIONS, MAXLNet
from .._training.optimizers import OPTIMIZERS
from .._training.progress import UNTOLD, CallbackSupportMixin, Task, fit_task
from .._training.runs import Plan, Trained, make_net, make_plan, replaced, run, train
from .._training.schedules import SCHEDULES
from ..labels._sources import ARMS, PSI_ARMS, check_auxiliary_labels, resolve_psi
from .doc_link import documentation_url
from .presets import preset
from .validation import looks_channels_last, validate_samples


def _needs_arm(*arms: str) -> Callable[[Any], bool]:
    """Condition for a method that only some settings of `auxiliary` have."""

    def check(self: "BaseMAXL") -> bool:
        arm = getattr(self, "_arm", self.auxiliary)  # what was fitted counts
        if arm in arms:
            return True
        raise AttributeError(
            f"auxiliary={arm!r} has no such method; it needs auxiliary to be "
            f"{' or '.join(map(repr, arms))}."
        )

    return check


class BaseMAXL(
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """Everything but the targets. See `MAXLClassifier` for the parameters."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "backbone": [str, callable, HasMethods("build")],
        "generator": [str, callable, HasMethods("build"), None],
        "input_shape": [tuple, list, None],
        "auxiliary": [StrOptions({arm for arm in ARMS if arm}), None],
        "psi": [
            Interval(Integral, 1, None, closed="left"),
            "array-like",
            dict,
            StrOptions({"auto"}),
        ],
        "auxiliary_weight": [Interval(Real, 0, None, closed="left")],
        "auxiliary_weight_range": [Interval(Real, 0, None, closed="left")],
        "entropy_weight": [Interval(Real, 0, None, closed="left")],
        "information_weight": [Interval(Real, 0, None, closed="left")],
        "focal_gamma": [Interval(Real, 0, None, closed="left")],
        "meta_gradient": [StrOptions(set(META_GRADIENTS))],
        "meta_scale": [Interval(Real, 0, None, closed="left"), StrOptions({"inverse_lr"})],
        "meta_batch": [StrOptions(set(META_BATCHES))],
        "meta_every": [Interval(Integral, 1, None, closed="left")],
        "alternation": [StrOptions(set(PASSES))],
        "optimizer": [StrOptions({"auto", *OPTIMIZERS}), callable],
        "lr": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "generator_optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "generator_lr": [Interval(Real, 0, None, closed="neither")],
        "schedule": [StrOptions({"auto", *SCHEDULES}), callable],
        "augment": [StrOptions(set(AUGMENTATIONS)), callable, None],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "guard": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "gradient_similarity_every": [Interval(Integral, 1, None, closed="left"), None],
        "device": [str, torch.device],
        "precision": [StrOptions(set(PRECISIONS))],
        "compile": ["boolean", str],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "callbacks": [list, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    # The parameters that are used here.
    auxiliary: str | None
    psi: Any
    lr: float | str
    schedule: Any
    max_epochs: int
    early_stopping: bool
    guard: bool
    warm_start: bool
    meta_gradient: str
    compile: bool | str
    random_state: Any

    # What fit sets; undocumented ones start with an underscore.
    input_shape_: tuple[int, ...]
    psi_: NDArray[np.int64]
    lr_: float
    n_iter_: int
    net_: MAXLNet
    history_: History
    _targets: Any
    _scaling: tuple[NDArray[Any], NDArray[Any]]
    _source: Any
    _arm: str | None

    @classmethod
    def from_preset(cls, name: str, **parameters: Any) -> Self:
        """Make an estimator with a published recipe.

        Parameters
        ----------
        name : {"neurips2019", "iclr2019"}
            "neurips2019" is the published paper's: SGD with learning rates 0.01 and
            1e-3, halved after every quarter of 200 epochs, batches of 100, one pass for
            the multi-task network and one for the label generator in turn, both on the
            same data, random crops and flips, VGG-16. "iclr2019" is the earlier
            version's: both networks learn on every batch, the meta loss is taken on
            10 % held out, `generator_lr` 1e-5, no augmentation.
        **parameters : dict
            Parameters that differ from the recipe, such as ``backbone="convnet"``.

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
        >>> clf.alternation, clf.batch_size, clf.max_epochs
        ('epoch', 100, 8)
        """
        known = set(cls._get_param_names())  # a regressor has no views
        recipe = {key: value for key, value in preset(name).items() if key in known}
        return cls(**{**recipe, **parameters})

    def _store(self, parameters: dict[str, Any]) -> None:
        """Keep the constructor's arguments as they are: ``self._store(locals())``."""
        names = set(self._get_param_names())
        self.__dict__.update({name: parameters[name] for name in names})

    # What a subclass says about its targets

    @abstractmethod
    def _check_targets(
        self, X: NDArray[Any], y: NDArray[Any], sample_weight: Any, known: Any
    ) -> tuple[Any, NDArray[np.float64] | None]:
        """The targets' coder (`Classes` or `Bins`; `known`, if it is one) and the weights."""

    _y_checks: ClassVar[dict[str, Any]] = {}
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
            With `input_shape`, rows of as many values as it holds as well.
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

        Warns
        -----
        ConvergenceWarning
            If less than half of the auxiliary classes are in use at the end.
        UserWarning
            If ``guard=True`` kept the single task.
        """
        check_compile(self.compile, self.meta_gradient)
        again = self.warm_start and hasattr(self, "net_")
        if self.warm_start and self.guard:
            raise ValueError(
                "guard=True compares two fits from the start and can't go on from an earlier one; "
                "use warm_start=False."
            )
        data = (X, y, sample_weight, auxiliary_labels)
        epochs = partial(self._epochs_of_trainings, X, again)
        # The task first: what tears callbacks down has to be kept on failure as well.
        with fit_task(self, X, y, sample_weight, epochs) as task, attributes_kept_on_failure(self):
            return self._go_on(*data, self.max_epochs, task) if again else self._start(*data, task)

    def _epochs_of_trainings(self, X: Any, again: bool) -> list[int]:
        """Most epochs that each training tells of: trials, in a fit from scratch, and its own."""
        if again:
            return [self.max_epochs]
        epochs = [0] * n_trainings(self, np.shape(X), not is_classifier(self))
        if isinstance(self.psi, str) and self.auxiliary in PSI_ARMS:
            epochs += trials(self.max_epochs).values()
        if self.guard and self.auxiliary is not None:
            epochs += [self.max_epochs] * (1 if self.early_stopping else 2)
        return [*epochs, self.max_epochs]

    def _start(self, X: Any, y: Any, sample_weight: Any, auxiliary_labels: Any, task: Task) -> Self:
        """Fit from scratch: choose the rate and psi if asked to, train, and compare if asked to."""
        arrays, targets = self._check(X, y, sample_weight, auxiliary_labels, None)
        plan = make_plan(self, arrays, targets, _own_random_state(self.random_state))
        decided, psi = self, self.psi
        found: dict[str, Any] = {}  # by trials, for the history
        if n_trainings(self, arrays.X.shape, plan.regression):
            lr, found["lr_scores"] = choose_lr(self, plan, task)
            decided = replaced(self, lr=lr)
        if isinstance(psi, str) and self.auxiliary in PSI_ARMS:
            psi, found["psi_losses"] = choose_psi(decided, plan, task)
        if self.guard and self.auxiliary is not None:
            trained, found["guard"] = guarded(decided, plan, psi, task)
        else:
            with task.training("training", self.max_epochs) as training:
                trained = run(decided, plan, self.auxiliary, psi, task=training)
        _warn_of_collapse(trained)
        vars(trained.net.epochs_).update(found)
        return self._keep(plan, trained)

    def _go_on(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        auxiliary_labels: Any,
        epochs: int | None = None,
        task: Task = UNTOLD,
    ) -> Self:
        """Train what was fitted some epochs more: with this fit's settings, or one as it is."""
        arrays, targets = self._check(X, y, sample_weight, auxiliary_labels, self._targets)
        # On copies, so that a training that fails loses nothing.
        net, source = copy.deepcopy((self.net_, self._source))
        plan = replace(
            make_plan(self, arrays, targets, net.random_state, net.module_.apart),
            scaling=self._scaling,
        )
        if epochs is not None:
            self._check_same_labels()
            lr = net.lr if isinstance(self.lr, str) else self.lr
            fresh = make_net(replaced(self, lr=lr), plan, self.auxiliary, source, plan.rng)
            fresh.take_over(net)
            net = fresh
        elif self.schedule == "auto":
            net.hold_rates()
        trained = Trained(net, source, self._arm)
        train(self, plan, trained, epochs or 1, task)
        return self._keep(plan, trained)

    def _start_partial(
        self, X: Any, y: Any, sample_weight: Any, auxiliary_labels: Any, known: Any = None
    ) -> Self:
        """The first call of `partial_fit`: fresh networks, one epoch."""
        arrays, targets = self._check(X, y, sample_weight, auxiliary_labels, known)
        plan = make_plan(self, arrays, targets, _own_random_state(self.random_state))
        unplanned = replaced(self, schedule="constant") if self.schedule == "auto" else self
        return self._keep(plan, run(unplanned, plan, self.auxiliary, self.psi, epochs=1))

    def _check_partial(self) -> None:
        """Refuse settings that need all of the data at once."""
        for name in ("early_stopping", "guard"):
            if getattr(self, name):
                raise ValueError(f"partial_fit does not support {name}=True; use fit.")
        if isinstance(self.psi, str) and self.auxiliary in PSI_ARMS:
            raise ValueError("partial_fit does not support psi='auto'; give a number, or use fit.")

    def _keep(self, plan: Plan, trained: Trained) -> Self:
        """Set the fitted attributes."""
        net = trained.net
        self.input_shape_ = plan.input_shape
        n_classes = len(plan.targets.names)
        self.psi_ = np.zeros(n_classes, dtype=np.int64) if trained.psi is None else trained.psi
        self.net_, self.history_, self.n_iter_ = net, net.epochs_, len(net.epochs_)
        self.lr_ = net.lr
        self._targets, self._scaling = plan.targets, plan.scaling
        self._source, self._arm = trained.source, trained.arm
        return self

    def _check_same_labels(self) -> None:
        """Refuse to go on where the auxiliary labels would mean something else."""
        changed = self.auxiliary != self._arm
        if self.auxiliary in PSI_ARMS and not isinstance(self.psi, str):
            psi = resolve_psi(self.psi, self._targets.names)
            changed = changed or not np.array_equal(psi, self.psi_)
        if changed:
            raise ValueError(
                "warm_start=True goes on with the networks of the last fit, but auxiliary or psi "
                "were changed since; use warm_start=False."
            )

    def _check(
        self, X: Any, y: Any, sample_weight: Any, auxiliary_labels: Any, known: Any
    ) -> tuple[Arrays, Any]:
        """Checked and encoded arrays, and the targets' coder."""
        again = known is not None and hasattr(self, "net_")
        X, y = validate_samples(self, X, y, reset=not again, **self._y_checks)
        if looks_channels_last(X.shape[1:]):
            warnings.warn(
                f"X has samples of shape {X.shape[1:]}, which looks like (height, width, "
                "channels); images are (channels, height, width): use X.transpose(0, 3, 1, 2).",
                stacklevel=5,
            )
        finer = None
        if self.auxiliary == "human":
            finer = check_auxiliary_labels(auxiliary_labels, len(y))
        targets, weight = self._check_targets(X, y, sample_weight, known)
        codes, target = targets.encode(y)
        return Arrays(X, codes, weight, finer, target).without_zero_weights(), targets

    # Inference

    def _evaluate(self, function: str, X: Any) -> NDArray[Any]:
        check_is_fitted(self, "net_")
        X = validate_samples(self, X, reset=False)
        return self._apply(getattr(self.net_.module_, function), X)

    def _apply(self, function: Callable[..., torch.Tensor], *arrays: NDArray[Any]) -> NDArray[Any]:
        # What is set now counts, not what was set in fit: a server is not a training machine.
        with torch_threads(self.n_threads):
            return self.net_.apply(function, *arrays)

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

    @available_if(_needs_arm("maxl", "uniform", "random", "kmeans", "human"))
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

    @available_if(_needs_arm("maxl", "uniform", "kmeans"))
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
        if self._arm == "kmeans":
            return np.eye(self.psi_.sum(), dtype=np.float32)[self._source.nearest(samples, codes)]
        f = self.net_.module_
        blocks = codes * number_of(f.views)  # of the samples as they are
        if self._arm == "uniform":
            labels = self._apply(f.uniform_labels, blocks)
        else:
            labels = self._apply(self.net_.generator_, samples, blocks)
        return labels[:, f.own_columns().cpu().numpy()]

    @available_if(_needs_arm("maxl"))
    def generate_auxiliary_weights(self, X: ArrayLike) -> NDArray[np.float32]:
        """Weights that samples have in the auxiliary loss.

        There for "maxl" only.

        Parameters
        ----------
        X : array-like of shape (n, \\*input_shape_)
            Samples.

        Returns
        -------
        ndarray of shape (n,), float32
            Between ``2 ** -auxiliary_weight_range`` and its inverse; all 1 where no
            weights are learned.
        """
        check_is_fitted(self, "net_")
        samples = validate_samples(self, X, reset=False)
        return self._apply(self.net_.generator_.weights, samples)

    def _labelled(self, X: Any, y: Any) -> tuple[NDArray[Any], NDArray[np.int64]]:
        check_is_fitted(self, "net_")
        samples, y = validate_samples(self, X, y, reset=False, **self._y_checks)
        return samples, self._targets.encode(y).y

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to one file that runs no code when it is read.

        The file is in the safetensors format and holds the networks, all that
        predicting needs, parameters, `history_`, the versions of the packages and a
        checksum. It does not hold what only training needs: the optimizers' state,
        and parameters that are no plain values (an optimizer's class or function,
        functions as `schedule` and `augment`, `callbacks`, a ``RandomState``). `load`
        names those in a warning. Of `backbone` and `generator` it holds names and
        the package's own, such as ``MLP((50,))``; a network of your own has to be
        passed to `load`.

        Parameters
        ----------
        path : str or path-like
            File to write; ``.safetensors`` is the usual ending. A file that is there is
            replaced at once: it stays whole if writing fails or is cut off.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If parameters were changed since `fit`, so that they make other networks.
        FileNotFoundError
            If the folder does not exist.

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
        check_is_fitted(self, "net_")
        save(self, path)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        device: str | torch.device = "auto",
        backbone: Any = None,
        generator: Any = None,
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
            The same for the label generator.

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
        given = {"backbone": backbone, "generator": generator}
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

    @property
    def _n_features_out(self) -> int:
        return self.net_.module_.n_features

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _warn_of_collapse(trained: Trained) -> None:
    """Tell when the label generator left most of the auxiliary classes alone."""
    if trained.arm != "maxl" or trained.net.module_.apart:
        return
    psi, in_use = trained.source.psi, trained.net.epochs_[-1]["auxiliary_in_use"]
    share = share_in_use(in_use, psi)
    if share < 0.5:
        warnings.warn(
            f"Only {share:.0%} of the auxiliary classes are in use at the end of training: the "
            "generated labels have collapsed. Raise entropy_weight, or lower generator_lr or psi.",
            ConvergenceWarning,
            stacklevel=5,
        )


@contextmanager
def attributes_kept_on_failure(estimator: Any) -> Iterator[None]:
    """Put an estimator's attributes back if the block fails: what was fitted stays usable."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        estimator.__dict__.clear()
        estimator.__dict__.update(before)
        raise


def _own_random_state(random_state: Any) -> np.random.RandomState:
    """A generator of this fit's own; None is fresh entropy, not NumPy's global state."""
    if random_state is None:
        return np.random.RandomState()
    return np.random.RandomState(check_random_state(random_state).randint(2**31 - 1))
