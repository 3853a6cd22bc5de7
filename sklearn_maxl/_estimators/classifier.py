"""The classifier."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin

from .._environment.private_sklearn import StrOptions, fit_context
from .._environment.threads import torch_threads
from .._tasks.primary import Classes
from .._tasks.views import VIEWS
from .._training.runs import Plan, Trained
from .base import BaseMAXL, attributes_kept_on_failure
from .validation import combined_weight


class MAXLClassifier(ClassifierMixin, BaseMAXL):
    """Neural network that invents auxiliary labels for its own training data.

    Meta AuXiliary Learning (Liu, Davison and Johns, NeurIPS 2019): a multi-task
    network learns the classes of `y` and, beside them, a finer labelling that a
    second network, the label generator, invents for the same samples. The label
    generator is trained by the gradient of the primary loss after one step of the
    multi-task network, so that learning its labels helps the real task. On images
    the auxiliary network sees every sample turned by some right angle and has
    auxiliary classes for each pair of class and turn, see `views`; a prediction reads
    all of them once they are learned. Without views, only the trunk and the primary
    head predict, as in the paper.

    Parameters
    ----------
    backbone : str, backbone, callable or module, default="auto"
        Trunk of the multi-task network: "mlp", "convnet", "vgg16" or "resnet50"; "auto"
        is "convnet" for signals (3-D `X`) and images (4-D `X`), and for tables (2-D `X`)
        an MLP: in regression "mlp", which has 100 units, and in classification one of
        400 units with a dropout of 0.5, which of the ones tried on the data sets for
        tuning gains most with auxiliary labels (``python -m benchmarks.evidence tune``). A
        backbone is an object of `sklearn_maxl.backbones`, whose parameters a grid search
        reaches (``backbone__hidden_layer_sizes``). A callable maps the shape of one
        sample to a `torch.nn.Module` that maps (n, \\*input_shape) to (n, n_features).
        A module is copied in every fit and never changed itself.
    generator : same as `backbone`, default=None
        Trunk of the label generator. None: the same kind as `backbone`, as in the
        paper, section 3.2.
    input_shape : tuple of int, default=None
        Shape of one sample, such as (channels, height, width), for images that come as
        rows of a 2-D `X`: so they pass through tools that take nothing else
        (`BaggingClassifier`, `permutation_importance`, scalers). None: samples have the
        shape in which `X` comes.
    auxiliary : {"maxl", "uniform", "random", "kmeans", "human", None}, default="maxl"
        Where auxiliary labels come from. "maxl": the label generator. "uniform":
        the uniform soft label over the class's block, nothing learned. "random":
        drawn once per sample. "kmeans": clusters within each class, of the features
        of an autoencoder. "human": given to `fit`. None: no auxiliary task, a plain
        network. All are trained on the same budget.
    psi : int, sequence of int, dict or "auto", default=5
        Auxiliary classes per primary class: one number for all, one for each class
        in sorted order, or by class. "auto" tries 2, 3, 5 and 10 in short runs that
        together take half of `max_epochs`, holding out `validation_fraction`, and
        takes the one with the least primary loss there. Ignored by "human", whose
        labels decide. 5 is the paper's best on three of six data sets (its Table 1).
    auxiliary_weight : float, default=1.0
        Weight w of the auxiliary loss. 1 is the paper's.
    auxiliary_weight_range : float, default=0.0
        Range R of learned weights of the samples in the auxiliary loss, which lie
        between 2**-R and 2**R and are a second output of the label generator
        ("maxl" only); the idea of WAMAL. 0, the paper's, learns none.
    entropy_weight : float, default=0.2
        Weight lambda of the entropy term that keeps all auxiliary classes in use.
        0.2 is the paper's.
    information_weight : float, default=0.0
        Weight of the mutual information of sample and label, which makes single
        labels sharp. The entropy term alone is content with labels that are the
        same for all samples of a class. 0 is the paper's.
    focal_gamma : float, default=0.0
        Exponent of the focal loss of both tasks; 0 is cross-entropy, 2 the
        paper's. Cross-entropy is the default because single-task training is at
        least as good with it when labels are few (``python -m benchmarks.studies.few_labels``).
    meta_gradient : {"exact", "double_backward", "finite_difference"}, default="exact"
        How the generator's gradient is computed. "exact" and "double_backward"
        agree to rounding, the first is cheaper; "finite_difference" is the 2021
        reference's approximation.
    meta_scale : float or "inverse_lr", default=1.0
        Factor of the meta-gradient beside the entropy term. It carries the learning
        rate of the multi-task network; "inverse_lr" divides that out. 1 is the
        paper's.
    meta_batch : {"same", "next", "holdout"}, default="same"
        Data of the meta loss: the training batch itself (NeurIPS 2019), the next
        training batch, or `validation_fraction` of the data that is never trained
        on (the ICLR 2019 version). "same" needs no second batch and is the paper's.
    meta_every : int, default=8
        The label generator learns in every `meta_every`-th step. 1 is the paper's. With 8 a
        fit costs 1.7 times the operations of a single-task one instead of 4 on images; the
        accuracy differs by at most 1.5 standard errors (``python -m benchmarks.studies.cheaper``).
    alternation : {"batch", "epoch"}, default="batch"
        "batch": both networks learn from each batch. "epoch": a pass over the data
        for the multi-task network, then one for the label generator, as in the
        NeurIPS 2019 code. "batch" shares a gradient between the two and is cheaper.
    optimizer : {"auto", "adam", "sgd", "adamw"} or callable, default="auto"
        Optimizer of the multi-task network, or a function of (parameters, lr)
        that makes one, such as ``partial(torch.optim.SGD, momentum=0.9)``. The
        virtual step of the meta-gradient follows Adam, AdamW and SGD exactly.
        "auto" is AdamW with a weight decay of 0.1 to classify the rows of tables: as
        accurate as Adam on the data sets for tuning, with better probabilities
        (``python -m benchmarks.evidence tune``); for everything else it is "adam". The
        paper's is "sgd".
    lr : float or "auto", default="auto"
        Learning rate of the multi-task network. "auto" is 0.003 for images and signals: of
        0.001, 0.003 and 0.01 the one with the best mean accuracy on the data sets for
        tuning (``python -m benchmarks.evidence tune``). For tables, which differ in the rate that
        they need, a fit first tries those three: it trains the single task without each
        of five folds, or without fewer of them once 300 rows are predicted, and takes the
        highest rate that is not worse than the best by more than half a standard error.
        ``lr_`` tells it. The fit is then to the bit that of the number, and a number saves
        the trials: up to 15 trainings of a plain network, fewer with more rows (3 from
        1,500 on). `partial_fit`, and a table where no class has five rows, take 0.01. In
        regression it is 0.001, Adam's usual one.
    generator_optimizer : {"adam", "sgd", "adamw"} or callable, default="adam"
        Optimizer of the label generator. With plain SGD the generator hardly
        moves, because the meta-gradient carries the factor `lr`.
    generator_lr : float, default=0.001
        Learning rate of the label generator; 1e-3 is the reference code's.
    schedule : {"auto", "constant", "halving", "cosine"} or callable, default="auto"
        Learning rates of both optimizers over the epochs: a function of the part of
        `max_epochs` that is over (0 to 1) that returns a factor. "halving" halves
        after each quarter, the paper's 50 of 200 epochs; "cosine" falls to zero, which
        gives lower log-losses than "constant" on every data set for tuning. "auto" is
        "cosine" in `fit` and "constant" in `partial_fit`, where nobody knows the end.
    augment : {"crop_flip"}, callable or None, default=None
        Random change of a training batch, on the device, from a tensor (n,
        \\*input_shape_) in the units of `X` to one of the same shape. "crop_flip", the
        paper's: images are shifted by up to 4 pixels and mirrored. The label
        generator and the meta loss see what the training pass sees.
    views : {"auto", "rotations", None}, default="auto"
        Views of a sample in the auxiliary task. "rotations": each sample of a batch is
        turned by 0, 1, 2 or 3 right angles, drawn anew (0 or 2 where images are not
        square), and each pair of class and turn has `psi` auxiliary classes of its own;
        after Lee, Hwang and Shin (ICML 2020). `predict_proba` is the mean over the turns
        of the log-probability that the auxiliary head gives a class, normalised. While
        that head knows the classes of training samples less well than the primary head
        (by more than 5 points of accuracy), as after a few epochs, the latter has a say in
        the log-probability, one half from 10 points on. A step costs twice as much and a prediction
        as many times as there are views. "auto": "rotations" for images, None for
        everything else, because they help where labels are few
        (``python -m benchmarks.evidence``). None: the paper's, the auxiliary task sees what the
        primary one does and the primary head predicts.
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
    guard : bool, default=False
        First try the auxiliary task and the single task side by side, without
        `validation_fraction` of the data. If the auxiliary task's score there is not
        higher, the fit on all samples is that of the single task: predictions are those
        of ``auxiliary=None`` to the bit, and the auxiliary head learns beside it and
        changes nothing else. A warning says so, and ``history_.guard`` has the scores
        and what was kept. The trials cost about as much as the fit again; `callbacks`
        and `verbose` are for the fit alone. With `early_stopping` the trial that wins is
        the fit.
    validation_fraction : float, default=0.1
        Share of each class held out by `early_stopping`, by `guard` and ``psi="auto"``
        (parts of their own, unless there is one for `early_stopping`), and by
        ``meta_batch="holdout"``.
    n_iter_no_change : int, default=10
        Patience of `early_stopping`, in epochs.
    tol : float, default=1e-4
        Smallest rise in accuracy that counts for `early_stopping`.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, in both losses.
    warm_start : bool, default=False
        Whether `fit` goes on from the last fit's networks.
    gradient_similarity_every : int or None, default=None
        Record the cosine between the gradients of the primary and the auxiliary loss
        on the trunk in every so many steps, as ``history_["gradient_similarity"]``.
        Costs two backward passes each time; None measures nothing.
    device : str, default="auto"
        "auto" (CUDA where there is one, else the CPU), "cpu", "cuda", "cuda:1".
    precision : {"float32", "bfloat16"}, default="float32"
        Type that the networks compute in while they train (`torch.autocast`); weights,
        losses, optimizers and predictions stay in float32. "bfloat16" is faster on
        devices with units for it. It rounds to 2 to 3 digits, and the meta-gradient
        with it: as far from float64 as double backward in bfloat16 is.
    compile : bool or str, default=False
        Whether `torch.compile` makes one program of a training step, meta-gradient
        included; a string is the name of its backend. It takes a minute or two at the
        start of every fit, so only long fits gain; on a CPU, those of small MLPs. Needs
        ``meta_gradient="exact"``, and is left out with a warning where networks draw
        random numbers (dropout), as the one of "auto" for tables does.
    n_threads : int or None, default=1
        Cores that torch uses in a fit on the CPU. With the default a result is
        bitwise the same in a loop, in joblib's workers and on a machine with more
        cores, and small networks are fastest. Raise it for wide convolutional
        networks; None leaves torch's own setting.
    callbacks : list of skorch callbacks or None, default=None
        Schedules, checkpoints, clipping: a shallow copy of each goes to the skorch
        net, ``net_``. For progress bars and scores through a grid search there is
        scikit-learn's ``set_callbacks``, from 1.9 on.
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
        Shape of one sample, as the networks see it.
    lr_ : float
        Learning rate of the multi-task network, before `schedule`.
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
    MAXLRegressor : The same for numbers to predict.
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
        **BaseMAXL._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "views": [StrOptions(set(VIEWS)), None],
    }

    classes_: NDArray[Any]

    def __init__(
        self,
        backbone: Any = "auto",
        *,
        generator: Any = None,
        input_shape: Sequence[int] | None = None,
        auxiliary: str | None = "maxl",
        psi: int | str | Sequence[int] | Mapping[Any, int] = 5,
        auxiliary_weight: float = 1.0,
        auxiliary_weight_range: float = 0.0,
        entropy_weight: float = 0.2,
        information_weight: float = 0.0,
        focal_gamma: float = 0.0,
        meta_gradient: str = "exact",
        meta_scale: float | str = 1.0,
        meta_batch: str = "same",
        meta_every: int = 8,
        alternation: str = "batch",
        optimizer: Any = "auto",
        lr: float | str = "auto",
        generator_optimizer: Any = "adam",
        generator_lr: float = 0.001,
        schedule: str | Callable[[float], float] = "auto",
        augment: str | Callable[[torch.Tensor], torch.Tensor] | None = None,
        views: str | None = "auto",
        batch_size: int | str = "auto",
        max_epochs: int = 100,
        early_stopping: bool = False,
        guard: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        class_weight: Mapping[Any, float] | str | None = None,
        warm_start: bool = False,
        gradient_similarity_every: int | None = None,
        device: str | torch.device = "auto",
        precision: str = "float32",
        compile: bool | str = False,  # noqa: A002 (torch's word)
        n_threads: int | None = 1,
        callbacks: list[Any] | None = None,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
    ):
        self._store(locals())

    def _check_targets(
        self, X: NDArray[Any], y: NDArray[Any], sample_weight: Any, known: Any
    ) -> tuple[Classes, NDArray[np.float64] | None]:
        coder = known if isinstance(known, Classes) else Classes(y, known, type(self).__name__)
        coder.encode(y)  # unknown labels first: they have no weight
        weight = combined_weight(X, y, coder.names, sample_weight, self.class_weight)
        return coder, weight

    def _keep(self, plan: Plan, trained: Trained) -> "MAXLClassifier":
        self.classes_ = plan.targets.names
        return super()._keep(plan, trained)

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
        self._check_partial()
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
        data = (X, y, sample_weight, auxiliary_labels)
        with attributes_kept_on_failure(self):
            if again:
                return self._go_on(*data)
            return self._start_partial(*data, np.unique(classes))  # type: ignore[arg-type]

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
        logits = torch.from_numpy(self._evaluate("prediction", X)).double()
        with torch_threads(self.n_threads):
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
