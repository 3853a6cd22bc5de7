"""The scikit-learn estimator: validation, encoding, seeds; no tensor mathematics."""

import copy
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import Tags, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from . import backbones
from ._auxiliary import PSI_SOURCES, HumanSource, blocks, check_auxiliary_labels, resolve_psi
from ._compat import HasMethods, Interval, StrOptions, fit_context
from ._data import (
    META_BATCHES,
    Arrays,
    Samples,
    TrainingData,
    holdout_split,
    moments,
)
from ._devices import resolve_device
from ._history import History
from ._kmeans import KMeansSource
from ._meta_gradient import META_GRADIENTS
from ._net import MAXLNet, logger
from ._networks import make_label_generator, make_multi_task_net
from ._optimizers import OPTIMIZERS, resolve_optimizer
from ._step import Recipe
from ._validation import combined_weight, encode, looks_channels_last, validate_samples

ARMS = ("maxl", "uniform", "random", "kmeans", "human", None)


def _needs_arm(*arms: str) -> Callable[[Any], bool]:
    """Condition for a method that only some settings of `auxiliary` have."""

    def check(self: "MAXLClassifier") -> bool:
        arm = getattr(self, "_arm", self.auxiliary)  # what was fitted counts
        if arm in arms:
            return True
        raise AttributeError(
            f"auxiliary={arm!r} has no such method; it needs auxiliary to be "
            f"{' or '.join(map(repr, arms))}."
        )

    return check


class MAXLClassifier(
    ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Neural network that invents auxiliary labels for its own training data.

    Meta AuXiliary Learning (Liu, Davison and Johns, NeurIPS 2019): a multi-task
    network learns the classes of `y` and, beside them, a finer labelling that a
    second network, the label generator, invents for the same samples. The label
    generator is trained by the gradient of the primary loss after one step of the
    multi-task network, so that learning its labels helps the real task. At
    prediction time only the trunk and the primary head are used.

    Parameters
    ----------
    backbone : {"auto", "mlp", "convnet"}, backbone, callable or module, default="auto"
        Trunk of the multi-task network. "auto" is "mlp" for tables (2-D `X`) and
        "convnet" for images (4-D `X`). A backbone is an object of
        `sklearn_maxl.backbones`, whose parameters a grid search reaches
        (``backbone__hidden_layer_sizes``). A callable maps the shape of one sample
        to a `torch.nn.Module` that maps (n, \\*input_shape) to (n, n_features). A
        module is copied in every fit and never changed itself.
    generator : same as `backbone`, default=None
        Trunk of the label generator. None: the same kind as `backbone`, as in the
        paper, section 3.2.
    auxiliary : {"maxl", "uniform", "random", "kmeans", "human", None}, default="maxl"
        Where auxiliary labels come from. "maxl": the label generator. "uniform":
        the uniform soft label over the class's block, nothing learned. "random":
        drawn once per sample. "kmeans": clusters within each class. "human": given
        to `fit`. None: no auxiliary task, a plain classifier. All are trained on
        the same budget.
    psi : int, sequence of int or dict, default=5
        Auxiliary classes per primary class: one number for all, one for each class
        in sorted order, or by class. Ignored by "human", whose labels decide. 5 is
        the paper's best on three of six data sets (its Table 1).
    auxiliary_weight : float, default=1.0
        Weight w of the auxiliary loss. 1 is the paper's.
    entropy_weight : float, default=0.2
        Weight lambda of the entropy term that keeps all auxiliary classes in use.
        0.2 is the paper's.
    focal_gamma : float, default=0.0
        Exponent of the focal loss of both tasks; 0 is cross-entropy, 2 the
        paper's. Cross-entropy is the default because single-task training is at
        least as good with it when labels are few (``benchmarks/few_labels.py``).
    meta_gradient : {"exact", "double_backward", "finite_difference"}, default="exact"
        How the generator's gradient is computed. "exact" and "double_backward"
        agree to rounding, the first is cheaper; "finite_difference" is the 2021
        reference's approximation.
    meta_batch : {"same", "next", "holdout"}, default="same"
        Data of the meta loss: the training batch itself (NeurIPS 2019), the next
        training batch, or `validation_fraction` of the data that is never trained
        on (the ICLR 2019 version). "same" needs no second batch and is the paper's.
    meta_every : int, default=1
        The label generator learns in every `meta_every`-th step. 1 is the paper's.
    optimizer : {"adam", "sgd", "adamw"} or callable, default="adam"
        Optimizer of the multi-task network, or a function of (parameters, lr)
        that makes one, such as ``partial(torch.optim.SGD, momentum=0.9)``. The
        virtual step of the meta-gradient follows Adam, AdamW and SGD exactly.
        Adam trains tables and images alike without tuning; the paper's is "sgd".
    lr : float, default=0.001
        Learning rate of the multi-task network; Adam's usual one.
    generator_optimizer : {"adam", "sgd", "adamw"} or callable, default="adam"
        Optimizer of the label generator. With plain SGD the generator hardly
        moves, because the meta-gradient carries the factor `lr`.
    generator_lr : float, default=0.001
        Learning rate of the label generator; 1e-3 is the reference code's.
    batch_size : int or "auto", default="auto"
        Most samples in a batch; batches are of even size. "auto" is a sixteenth of
        the training set, so that small data sets get enough steps, but at least 32,
        because batch normalisation needs them, and at most 128.
    max_epochs : int, default=100
        Passes over the training set. All are run unless `early_stopping` is set.
    early_stopping : bool, default=False
        Hold out `validation_fraction` of the data, stop when the accuracy on it
        does not rise by `tol` for more than `n_iter_no_change` epochs, and restore
        the best state of both networks.
    validation_fraction : float, default=0.1
        Share of each class held out by `early_stopping`, and by
        ``meta_batch="holdout"`` (a separate part).
    n_iter_no_change : int, default=10
        Patience of `early_stopping`, in epochs.
    tol : float, default=1e-4
        Smallest rise in accuracy that counts for `early_stopping`.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, in both losses.
    warm_start : bool, default=False
        Whether `fit` goes on from the last fit's networks.
    device : str, default="auto"
        "auto" (CUDA where there is one, else the CPU), "cpu", "cuda", "cuda:1".
    n_threads : int or None, default=1
        Cores that torch uses in a fit on the CPU. With the default a result is
        bitwise the same in a loop, in joblib's workers and on a machine with more
        cores, and small networks are fastest. Raise it for wide convolutional
        networks; None leaves torch's own setting.
    callbacks : list of skorch callbacks or None, default=None
        Copies of them are passed to the skorch net, ``net_``.
    verbose : int, default=0
        With 1, a line per epoch goes to the logger "sklearn_maxl".
    random_state : int, RandomState instance or None, default=None
        Seed of everything random. The same integer gives bitwise the same result
        on machines of the same kind. No global random state is read or changed,
        for None neither.

    Attributes
    ----------
    classes_ : ndarray of shape (C,)
        Class labels, sorted.
    n_features_in_ : int
        Number of values in a sample.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if `X` had names that are all strings.
    input_shape_ : tuple of int
        Shape of one sample.
    psi_ : ndarray of shape (C,)
        Auxiliary classes of each class; zeros for ``auxiliary=None``.
    n_iter_ : int
        Epochs run in all.
    net_ : skorch.NeuralNet
        The net: multi-task network ``net_.module_``, generator ``net_.generator_``.
    history_ : History
        A dictionary per epoch: ``history_[-1]``, ``history_["meta_loss"]``,
        ``print(history_)``, ``pandas.DataFrame(history_)``.

    See Also
    --------
    sklearn.neural_network.MLPClassifier : Multi-layer perceptron without an
        auxiliary task.

    Notes
    -----
    Inputs are standardised inside the network, per feature or per channel, with
    the training set's (weighted) mean and deviation.

    References
    ----------
    .. [1] S. Liu, A. J. Davison, E. Johns. "Self-Supervised Generalisation with
       Meta Auxiliary Learning". NeurIPS 2019. arXiv:1901.08933.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_maxl import MAXLClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MAXLClassifier(max_epochs=20, random_state=0).fit(X, y)
    >>> clf.predict(X[:2])
    array([0, 0])
    >>> clf.generate_auxiliary_labels(X, y).shape  # 3 classes, psi = 5
    (150, 15)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "backbone": [str, callable, HasMethods("build")],
        "generator": [str, callable, HasMethods("build"), None],
        "auxiliary": [StrOptions({arm for arm in ARMS if arm}), None],
        "psi": [
            Interval(Integral, 1, None, closed="left"),
            "array-like",
            dict,
            StrOptions({"auto"}),
        ],
        "auxiliary_weight": [Interval(Real, 0, None, closed="left")],
        "entropy_weight": [Interval(Real, 0, None, closed="left")],
        "focal_gamma": [Interval(Real, 0, None, closed="left")],
        "meta_gradient": [StrOptions(set(META_GRADIENTS))],
        "meta_batch": [StrOptions(set(META_BATCHES))],
        "meta_every": [Interval(Integral, 1, None, closed="left")],
        "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "generator_optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "generator_lr": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "warm_start": ["boolean"],
        "device": [str, torch.device],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "callbacks": [list, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    # What fit sets; undocumented ones start with an underscore.
    classes_: NDArray[Any]
    input_shape_: tuple[int, ...]
    psi_: NDArray[np.int64]
    n_iter_: int
    net_: MAXLNet
    history_: History
    _scaling: tuple[NDArray[np.float32], NDArray[np.float32]]
    _source: Any
    _arm: str | None

    def __init__(
        self,
        backbone: Any = "auto",
        *,
        generator: Any = None,
        auxiliary: str | None = "maxl",
        psi: int | str | Sequence[int] | Mapping[Any, int] = 5,
        auxiliary_weight: float = 1.0,
        entropy_weight: float = 0.2,
        focal_gamma: float = 0.0,
        meta_gradient: str = "exact",
        meta_batch: str = "same",
        meta_every: int = 1,
        optimizer: Any = "adam",
        lr: float = 0.001,
        generator_optimizer: Any = "adam",
        generator_lr: float = 0.001,
        batch_size: int | str = "auto",
        max_epochs: int = 100,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        class_weight: Mapping[Any, float] | str | None = None,
        warm_start: bool = False,
        device: str | torch.device = "auto",
        n_threads: int | None = 1,
        callbacks: list[Any] | None = None,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.backbone = backbone
        self.generator = generator
        self.auxiliary = auxiliary
        self.psi = psi
        self.auxiliary_weight = auxiliary_weight
        self.entropy_weight = entropy_weight
        self.focal_gamma = focal_gamma
        self.meta_gradient = meta_gradient
        self.meta_batch = meta_batch
        self.meta_every = meta_every
        self.optimizer = optimizer
        self.lr = lr
        self.generator_optimizer = generator_optimizer
        self.generator_lr = generator_lr
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.device = device
        self.n_threads = n_threads
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state

    # Training

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        auxiliary_labels: ArrayLike | None = None,
    ) -> "MAXLClassifier":
        """Train both networks.

        Parameters
        ----------
        X : array-like of shape (n, n_features) or (n, channels, height, width)
            Training samples of any numeric type; uint8 images are kept as they are.
        y : array-like of shape (n,)
            Class labels of any type that scikit-learn takes.
        sample_weight : array-like of shape (n,), default=None
            Weights of the samples in both losses; only their ratios matter.
            A sample of weight 0 is left out altogether.
        auxiliary_labels : array-like of shape (n,), default=None
            Finer labels for ``auxiliary="human"``; other settings ignore them.

        Returns
        -------
        MAXLClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If `X`, `y` or a parameter can't be used, or if training diverges.
        """
        again = self.warm_start and hasattr(self, "net_")
        with _attributes_kept_on_failure(self):
            return self._train(
                X, y, sample_weight, auxiliary_labels, again=again, epochs=self.max_epochs
            )

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        auxiliary_labels: ArrayLike | None = None,
    ) -> "MAXLClassifier":
        """Train for one epoch on some samples, going on from where training stands.

        The mean and scale of the inputs are those of the first call.

        Parameters
        ----------
        X : array-like of shape (n, n_features) or (n, channels, height, width)
            Training samples.
        y : array-like of shape (n,)
            Class labels.
        classes : array-like of shape (C,), default=None
            All class labels that will ever come; needed at the first call.
        sample_weight : array-like of shape (n,), default=None
            Weights of the samples; only their ratios within this call matter.
        auxiliary_labels : array-like of shape (n,), default=None
            Finer labels for ``auxiliary="human"``; the first call must hold them all.

        Returns
        -------
        MAXLClassifier
            The fitted classifier.
        """
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True; use fit.")
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' is not supported by partial_fit, which sees a part of the "
                "data; pass a dict, such as compute_class_weight gives for all of it."
            )
        again = hasattr(self, "net_")
        if not again and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if again and classes is not None and not np.array_equal(self.classes_, np.unique(classes)):
            raise ValueError(
                f"classes={classes!r} is not the same as on the last call, {self.classes_!r}."
            )
        with _attributes_kept_on_failure(self):
            return self._train(X, y, sample_weight, auxiliary_labels, again=again, classes=classes)

    def _train(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        auxiliary_labels: Any,
        *,
        again: bool,
        epochs: int | None = None,
        classes: Any = None,
    ) -> "MAXLClassifier":
        """Check the data, make a net or take the one at hand, and train it."""
        known = self.classes_ if again else None if classes is None else np.unique(classes)
        arrays, classes = self._check(X, y, sample_weight, auxiliary_labels, known, again)

        # Going on works on a copy, so that a training that fails loses nothing.
        old = copy.deepcopy(self.net_) if again else None
        rng = _own_random_state(self.random_state) if old is None else old.random_state
        parts = self._split(arrays, rng)
        if again:
            scaling, source = self._scaling, copy.deepcopy(self._source)
        else:
            scaling = moments(parts["train"].X, parts["train"].weight)
            source = self._label_source(arrays, classes, scaling)

        if old is not None and epochs is None:
            net = old
        else:
            if old is not None:
                self._check_same_labels()
            net = self._make_net(arrays.X.shape[1:], scaling, classes, source, rng)
            if old is not None:
                net.take_over(old)
        # Labels draw from a stream of their own: for one seed, all arms start from the
        # same weights and see the same batches.
        own = np.random.RandomState(copy.deepcopy(rng).randint(2**31 - 1))
        labels = source and source.assign(parts["train"], own)
        device = torch.device(net.device)
        samples = {name: Samples.from_arrays(part, device) for name, part in parts.items()}
        samples["train"] = Samples.from_arrays(parts["train"], device, labels)
        net.train_for(TrainingData(**samples), 1 if epochs is None else epochs)

        self.classes_, self.input_shape_ = classes, tuple(arrays.X.shape[1:])
        self.psi_ = np.zeros(len(classes), dtype=np.int64) if source is None else source.psi
        self.net_, self.history_, self.n_iter_ = net, net.epochs_, len(net.epochs_)
        self._scaling, self._source, self._arm = scaling, source, self.auxiliary
        return self

    def _check_same_labels(self) -> None:
        """Refuse to go on where the auxiliary labels would mean something else."""
        changed = self.auxiliary != self._arm
        if self.auxiliary in (*PSI_SOURCES, "kmeans"):
            changed = changed or not np.array_equal(resolve_psi(self.psi, self.classes_), self.psi_)
        if changed:
            raise ValueError(
                "warm_start=True goes on with the networks of the last fit, but auxiliary or psi "
                "were changed since; use warm_start=False."
            )

    def _check(
        self, X: Any, y: Any, sample_weight: Any, auxiliary_labels: Any, known: Any, again: bool
    ) -> tuple[Arrays, NDArray[Any]]:
        """Checked and encoded arrays, and the classes."""
        X, y = validate_samples(self, X, y, reset=not again)
        if looks_channels_last(X.shape[1:]):
            warnings.warn(
                f"X has samples of shape {X.shape[1:]}, which looks like (height, width, "
                "channels); images are (channels, height, width): use X.transpose(0, 3, 1, 2).",
                stacklevel=5,
            )
        classes, encoded = encode(self, y, known)
        weight = combined_weight(X, y, classes, sample_weight, self.class_weight)
        finer = None
        if self.auxiliary == "human":
            finer = check_auxiliary_labels(auxiliary_labels, len(y))
        return Arrays(X, encoded, weight, finer).without_zero_weights(), classes

    def _split(self, arrays: Arrays, rng: np.random.RandomState) -> dict[str, Arrays]:
        """Set apart what is held out for early stopping and for the meta loss."""
        parts = {"train": arrays}
        holdout = self.auxiliary == "maxl" and self.meta_batch == "holdout"
        for name, wanted in (("validation", self.early_stopping), ("meta", holdout)):
            if wanted:
                rest = parts["train"]
                keep, held = holdout_split(rest.y, self.validation_fraction, rng)
                parts["train"], parts[name] = rest.take(keep), rest.take(held)
        return parts

    def _label_source(self, arrays: Arrays, classes: NDArray[Any], scaling: Any) -> Any:
        """Where the auxiliary labels of this fit come from; None without an auxiliary task."""
        if self.auxiliary is None:
            return None
        if self.auxiliary == "human":
            return HumanSource(arrays, len(classes))
        if self.auxiliary == "kmeans":
            return KMeansSource(self.psi, classes, *scaling)
        return PSI_SOURCES[self.auxiliary](self.psi, classes)

    def _make_net(
        self,
        input_shape: tuple[int, ...],
        scaling: Any,
        classes: NDArray[Any],
        source: Any,
        rng: np.random.RandomState,
    ) -> MAXLNet:
        """The skorch net with fresh weights: `net_` before training."""
        _show_log(self.verbose)
        learned = self.auxiliary == "maxl"
        mask = None if source is None else blocks(source.psi)
        trunk = backbones.builder(self.backbone, input_shape)
        generator = self.backbone if self.generator is None else self.generator
        net = MAXLNet(
            partial(make_multi_task_net, trunk, input_shape, scaling, len(classes), mask),
            generator=partial(
                make_label_generator,
                backbones.builder(generator, input_shape, "generator"),
                input_shape,
                scaling,
                mask,
            )
            if learned
            else None,
            psi=None if source is None else source.psi,
            recipe=Recipe(self.focal_gamma, self.auxiliary_weight, self.entropy_weight),
            meta_gradient=self.meta_gradient,
            meta_batch=self.meta_batch if learned else "same",
            meta_every=self.meta_every,
            optimizer=resolve_optimizer(self.optimizer),
            lr=self.lr,
            generator_optimizer=resolve_optimizer(self.generator_optimizer),
            generator_lr=self.generator_lr,
            train_batch_size=self.batch_size,
            max_epochs=self.max_epochs,
            early_stopping=self.early_stopping,
            n_iter_no_change=self.n_iter_no_change,
            tol=self.tol,
            device=str(resolve_device(self.device)),
            n_threads=self.n_threads,
            callbacks=copy.deepcopy(self.callbacks),  # skorch keeps its state in them
            verbose=self.verbose,
            random_state=rng,
        )
        return net.initialize()

    # Inference

    def _evaluate(self, function: str, X: Any) -> NDArray[Any]:
        check_is_fitted(self, "net_")
        X = validate_samples(self, X, reset=False)
        return self.net_.apply(getattr(self.net_.module_, function), X)

    def predict_log_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Log-probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n, \\*input_shape_)
            Samples.

        Returns
        -------
        ndarray of shape (n, C), float64
            Columns in the order of `classes_`.
        """
        logits = torch.from_numpy(self._evaluate("primary", X)).double()
        return torch.log_softmax(logits, dim=1).numpy()

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n, \\*input_shape_)
            Samples.

        Returns
        -------
        ndarray of shape (n, C), float64
            Columns in the order of `classes_`; each row sums to 1.
        """
        return np.exp(self.predict_log_proba(X))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Most probable class of each sample.

        Parameters
        ----------
        X : array-like of shape (n, \\*input_shape_)
            Samples.

        Returns
        -------
        ndarray of shape (n,)
            Labels of the type of `classes_`.
        """
        best = self.predict_log_proba(X).argmax(axis=1)
        return self.classes_[best]

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
        return self._evaluate("features", X)

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
            The auxiliary classes of `classes_` [0] first; each row sums to 1.
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
        y : array-like of shape (n,)
            Their classes.

        Returns
        -------
        ndarray of shape (n, sum of `psi_`), float32
            Soft labels (one-hot for "kmeans") with all mass in the block of the
            sample's class.
        """
        check_is_fitted(self, "net_")
        samples, y = validate_samples(self, X, y, reset=False)
        _, encoded = encode(self, y, self.classes_)
        if self.auxiliary == "kmeans":
            return np.eye(self.psi_.sum(), dtype=np.float32)[self._source.nearest(samples, encoded)]
        if self.auxiliary == "uniform":
            return self.net_.apply(self.net_.module_.uniform_labels, encoded)
        return self.net_.apply(self.net_.generator_, samples, encoded)

    def save(self, path: Any) -> None:
        """Not available yet: write the classifier to a file that runs no code when read.

        Parameters
        ----------
        path : str or path-like
            File to write.
        """
        raise NotImplementedError("save is not available yet; use joblib.dump(clf, path).")

    @classmethod
    def load(cls, path: Any, device: str = "auto") -> "MAXLClassifier":
        """Not available yet: read what `save` wrote.

        Parameters
        ----------
        path : str or path-like
            File to read.
        device : str, default="auto"
            Device to put the networks on.

        Returns
        -------
        MAXLClassifier
            The classifier as it was saved.
        """
        raise NotImplementedError(
            "load is not available yet; use joblib.load(path), only on files that you trust."
        )

    # What scikit-learn asks for

    @property
    def _n_features_out(self) -> int:
        return self.net_.module_.primary_head.in_features

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []
        return tags


@contextmanager
def _attributes_kept_on_failure(estimator: Any) -> Iterator[None]:
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


def _show_log(verbose: int) -> None:
    """Make the lines of `verbose` visible where the program has set up no logging."""
    if verbose:
        logger.setLevel(logging.INFO)
        if not logger.hasHandlers():
            logger.addHandler(logging.StreamHandler())
