"""The classifier."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin

from .._environment.interrupts import Held
from .._environment.private_sklearn import Interval, StrOptions, fit_context
from .._environment.torch_state import own_torch
from .._networks.exported import Probabilities
from .._tasks.primary import Classes, refuse_objects
from .._tasks.views import VIEWS
from .._training.fitted import Fitted
from .._training.schedules import Schedule
from .._training.skorch_callbacks import Entry
from ..backbones import Backbone
from ..labels import Labels
from ..optimizers import MakeOptimizer
from .base import BaseMAXL, Known
from .validation import checked_targets, combined_weight, refuse_what_is_no_column


class MAXLClassifier(ClassifierMixin, BaseMAXL):
    """Neural network that invents auxiliary labels for its own training data.

    Meta AuXiliary Learning (Liu, Davison and Johns, NeurIPS 2019): a multi-task
    network learns the classes of `y` and, beside them, a finer labelling that a
    second network, the label generator, invents for the same samples. The label
    generator is trained by the gradient of the primary loss after one step of the
    multi-task network, so that learning its labels helps the real task. On images
    the auxiliary task is about samples that are turned by right angles, and a
    prediction is the mean over the turns, see `views`. Without views, only the trunk
    and the primary head predict, as in the paper.

    Parameters
    ----------
    backbone : str, backbone, callable or module, default="auto"
        **Task.** Trunk of the multi-task network: "mlp", "members", "convnet", "vgg16" or
        "resnet50". "auto" is "convnet" for signals (3-D `X`) and images (4-D `X`), and "members"
        for the rows of tables (2-D `X`): several networks with shared weights, whose predictions
        are averaged. In regression, and to classify 500 rows and more, the members also get waves
        of each number. Their dropout is 0.3, 0.2 from 500 rows on and 0.1 from 2,000 rows on; in
        regression 0.1, and none from 500 rows on. This was chosen on the data sets for tuning
        (``python -m benchmarks.studies.defaults_of_tables``, and ``.regression_of_tables``). A
        backbone is an object of `sklearn_maxl.backbones`, whose parameters a grid search reaches
        (``backbone__hidden_layer_sizes``). A callable maps the shape of one sample to a
        `torch.nn.Module` that maps (n, \\*input_shape) to (n, n_features). A module is copied in
        every fit and never changed itself.
    focal_gamma : float, default=0.0
        Exponent of the focal loss of both tasks; 0 is cross-entropy, 2 the
        paper's. Cross-entropy is the default because single-task training is at
        least as good with it when labels are few (``python -m benchmarks.studies.few_labels``).
    label_smoothing : float or "auto", default="auto"
        Share of each primary label that is spread evenly over all classes [3]_, from 0 to less
        than 1. "auto": 0.1 for the rows of tables where fewer than 500 train, which gained
        accuracy and had better probabilities on the sets for tuning
        (``python -m benchmarks.studies.defaults_of_tables``), else 0, as in the paper.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, in both losses.
    input_shape : tuple of int, default=None
        Shape of one sample, such as (channels, height, width), for images that come as
        rows of a 2-D `X`. So they pass through tools that take nothing else
        (`BaggingClassifier`, `permutation_importance`, scalers). None: samples have the
        shape that they have in `X`.
    auxiliary : {"maxl", "uniform", "random", "kmeans", "human", "auto", None} or object of \
            `sklearn_maxl.labels`, default="maxl"
        **Auxiliary labels.** Where they come from. "maxl", short for ``Learned()``: the label
        generator. "uniform": spread evenly over the auxiliary classes of the sample's
        class, nothing learned. "random": drawn once per sample. "kmeans": clusters within
        each class, of the features of an autoencoder. "human": given to `fit`;
        the auxiliary head predicts then (`labels.Human`). None: no auxiliary task, a plain
        network. All are trained for the same number of epochs. With
        the object, a grid search reaches its parameters (``auxiliary__entropy_weight``).
        "auto": held-out samples decide between "maxl", "uniform" and None, by whole
        trainings with each of them and the rule of `max_epochs`.
    psi : int, sequence of int, dict or "auto", default=5
        Auxiliary classes per primary class: one number for all, one for each class
        in sorted order, or by class. "auto" tries 2, 3, 5 and 10 in short trainings without
        one of five folds, and decides by the rule of `max_epochs`. Together they take half as
        many epochs as the fit. "human" ignores `psi`: its labels decide. 5 is the paper's best
        on three of six data sets (its Table 1).
    auxiliary_weight : float, default=1.0
        Weight w of the auxiliary loss. 1 is the paper's.
    views : {"auto", "rotations", None}, default="auto"
        Views of a sample in the auxiliary task. "rotations": each sample of a batch is
        turned by 0, 1, 2 or 3 right angles, drawn anew (0 or 2 if images are not
        square), and each pair of class and turn has `psi` auxiliary classes of its own,
        after Lee, Hwang and Shin (ICML 2020). `predict_proba` is the mean over the turns
        of the log-probability that the auxiliary head gives a class, normalised. After a few
        epochs that head may not know the classes yet: if its accuracy on training samples is
        more than 5 points below that of the primary head, the primary head has a share in the
        log-probability, one half from 10 points on. A step costs twice as much. A
        prediction costs as many single ones as there are views. "auto": "rotations" for
        images, because they help if labels are few (``python -m benchmarks.evidence``), and None
        for everything else. None is the paper's: the auxiliary task sees what the primary one
        does, and the primary head predicts.
    optimizer : {"auto", "adam", "sgd", "adamw"}, object of `sklearn_maxl.optimizers` or \
            callable, default="auto"
        **Training.** Optimizer of the multi-task network, or a function of (parameters, lr)
        that makes one. The virtual step of the meta-gradient follows Adam, AdamW and SGD
        exactly. With the object, a grid search reaches ``optimizer__weight_decay``.
        "auto" is AdamW with a weight decay of 0.1 for the rows of tables: on the data sets for
        tuning it classified as accurately as Adam, with better probabilities
        (``python -m benchmarks.evidence tune``). For everything else it is "adam". The
        paper's is "sgd".
    lr : float or "auto", default="auto"
        Learning rate of the multi-task network. "auto" is 0.003 to classify images and signals: of
        0.001, 0.003 and 0.01 it has the best mean accuracy on the data sets for tuning (``python -m
        benchmarks.evidence tune``). For the rows of tables it is 0.015; 0.005 and 0.03 are no
        better (``python -m benchmarks.studies.defaults_of_tables``). For regression of
        images and signals it is 0.001, Adam's usual one. ``lr_`` has the number.
    temperature : float or "auto", default="auto"
        The logits of the classes are divided by it, so that probabilities can be believed
        (Guo, Pleiss, Sun and Weinberger, ICML 2017), from 1e-6 to 1e6: above 1 they are less
        sure. The predicted classes stay the same. For the rows of tables, "auto" is the number
        with the least log-loss on the rows that the trials of `max_epochs` hold out, or those of
        `auxiliary` if that is "auto". Few rows are a poor measure, so a number far from 1 has to
        be worth it: its logarithm is taken to have a standard deviation of 0.3 before any row is
        seen. "auto" is 1 for images and signals, in `partial_fit`, if no class has five rows,
        and where human labels have the auxiliary head predict.
        ``temperature_`` has the number.
    schedule : {"auto", "constant", "halving", "cosine"} or callable, default="auto"
        Learning rates of both optimizers over the epochs. A callable gets the part of
        `max_epochs` that is over (0 to 1), and returns a factor. "halving" halves
        after each quarter, the paper's 50 of 200 epochs. "cosine" falls to zero, which
        gives lower log-losses than "constant" on every data set for tuning. "auto" is
        "cosine" in `fit`, and "constant" in `partial_fit`, where nobody knows the end.
    augment : {"crop_flip"}, callable or None, default=None
        Random change of a training batch. "crop_flip", the paper's: images are shifted by
        up to 4 pixels and mirrored. A callable makes of a tensor (n, \\*input_shape_), on the
        device and in the units of `X`, one of the same shape. The label generator and the meta
        loss see what the training pass sees.
    batch_size : int or "auto", default="auto"
        Largest number of samples in a batch; batches are of even size. "auto" is a sixteenth of the
        training set, so that small data sets get enough steps, but at least 32, because batch
        normalisation needs them, and at most 128. For the rows of tables it is an eighth, from 64
        to 256.
    max_epochs : int or "auto", default="auto"
        Passes over the training set. All are run unless `early_stopping` is set. "auto" is 100 for
        images and signals. For the rows of tables it starts from 20, or from 32 to classify 500
        rows and more, or from 60 in regression. That becomes more if it would be fewer than 96
        steps (in regression 240), and fewer if it would be more than 4,000. Before its own
        training, a fit tries this number and a third of it (in regression also a ninth), which
        noisy tables need. The trials have no auxiliary task and, to save time, no more than four
        members in regression and from 500 rows on. They are trained all at once if the networks
        are the package's own.
        Each is trained without one of five stratified folds and predicts its rows; one fold is held
        out of 600 rows and more, two of fewer. Numbers stay in if their accuracy is at most half a
        standard error (of the difference) below the best. Of these, the one with the least log-loss
        is taken, in regression the one with the least loss. ``n_iter_`` has the number,
        ``history_.trials`` the rest. The same numbers, given as `max_epochs` and `temperature`,
        make the same fit to the bit without trials. `partial_fit`, and tables where no class has
        five rows, make no trials.
    early_stopping : bool, default=False
        Hold out `validation_fraction` of the data, stop when the accuracy on it
        does not rise by `tol` for more than `n_iter_no_change` epochs, and restore
        the best state of both networks.
    validation_fraction : float, default=0.1
        Share of each class held out by `early_stopping` and by
        ``auxiliary=Learned(meta_batch="holdout")``. Trials (`max_epochs`, `auxiliary`, `psi`)
        hold out folds of their own.
    n_iter_no_change : int, default=10
        Patience of `early_stopping`, in epochs.
    tol : float, default=1e-4
        Smallest rise in accuracy that counts for `early_stopping`.
    warm_start : bool, default=False
        Whether `fit` goes on from the last fit's networks. On the same data the same rows are
        held out again.
    device : str, default="auto"
        **Running.** "auto" (the accelerator that torch finds, else the CPU), "cpu", or an
        accelerator by its name: "cuda", "cuda:1", "mps" (Apple), "xpu" (Intel).
    precision : {"float32", "bfloat16"}, default="float32"
        Type that the networks compute in while they train, by `torch.autocast`; one that your
        program has entered has no influence. Weights, losses, optimizers and predictions stay in
        float32. "bfloat16" is faster on devices with units for it. It rounds to 2 to 3
        digits. So the meta-gradient is as far from float64 as double backward in bfloat16 is.
    n_threads : int or None, default=1
        Cores that torch uses in a fit on the CPU. With the default a result is
        bitwise the same in a loop, in joblib's workers and on a machine with more
        cores, and small networks are fastest. Raise it for wide convolutional
        networks; None leaves torch's own setting.
    callbacks : list of skorch callbacks or None, default=None
        Such as schedules, checkpoints and clipping. A shallow copy of each goes to the skorch
        net, ``net_``. For progress bars and scores, also in a grid search, use
        scikit-learn's ``set_callbacks``, from 1.9 on.
    verbose : int, default=0
        With 1, a line for each trial and each epoch goes to the logger "sklearn_maxl".
    random_state : int, RandomState instance or None, default=None
        Seed of everything random. The same integer gives bitwise the same result
        on machines of the same kind. No global random state is read or changed, not even
        with None.

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
    temperature_ : float
        What logits are divided by before they become probabilities.
    psi_ : ndarray of shape (C,)
        Auxiliary classes of each class; zeros for ``auxiliary=None``.
    n_iter_ : int
        Epochs run in all.
    net_ : skorch.NeuralNet
        The net: multi-task network ``net_.module_``, generator ``net_.generator_``.
        ``net_.module_(x)`` has the logits of each head, without the views of images.
        ``to_torch()`` makes one torch module of all that predicts.
    history_ : History
        A dictionary per epoch: ``history_[-1]``, ``history_["meta_loss"]``,
        ``print(history_)``, ``pandas.DataFrame(history_)``. Calls of `partial_fit` keep the
        last 1,000. ``history_.trials`` has what was tried on held-out samples, a dictionary
        each: "setting", "value", "accuracy", "loss", "temperature" and "chosen".

    See Also
    --------
    MAXLRegressor : The same for numbers to predict.
    sklearn.neural_network.MLPClassifier : Multi-layer perceptron without an
        auxiliary task.

    Notes
    -----
    Inputs are standardised inside the network, per feature or per channel, with
    the training set's (weighted) mean and deviation. The standardised values of a table are
    squeezed smoothly into (-3, 3), so that a value that is far from all others does not decide
    alone, after Holzmueller et al. [2]_.

    `to_torch` makes one torch module of all that predicts, for ONNX, `torch.export` and
    tools that explain predictions.

    References
    ----------
    .. [1] S. Liu, A. J. Davison, E. Johns. "Self-Supervised Generalisation with
       Meta Auxiliary Learning". NeurIPS 2019. arXiv:1901.08933.
    .. [2] D. Holzmueller, L. Grinsztajn, I. Steinwart. "Better by Default: Strong Pre-Tuned MLPs
       and Boosted Trees on Tabular Data". NeurIPS 2024. arXiv:2407.04491.
    .. [3] C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna. "Rethinking the Inception
       Architecture for Computer Vision". CVPR 2016. arXiv:1512.00567.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_maxl import MAXLClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MAXLClassifier(max_epochs=20, random_state=0).fit(X, y)
    >>> clf.predict(X[:2])
    array([0, 0])
    >>> clf.predict_proba(X[[0, 119]]).round(1)  # a clear case, and one between two classes
    array([[1. , 0. , 0. ],
           [0. , 0.3, 0.7]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseMAXL._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left"), StrOptions({"auto"})],
        "temperature": [Interval(Real, 1e-6, 1e6, closed="both"), StrOptions({"auto"})],
        "views": [StrOptions({"auto", *VIEWS}), None],
    }

    classes_: np.ndarray
    temperature_: float

    def __init__(
        self,
        backbone: Backbone = "auto",
        *,
        focal_gamma: float = 0.0,
        label_smoothing: float | str = "auto",
        class_weight: Mapping[Any, float] | str | None = None,
        input_shape: Sequence[int] | None = None,
        auxiliary: str | Labels | None = "maxl",
        psi: int | str | Sequence[int] | Mapping[Any, int] = 5,
        auxiliary_weight: float = 1.0,
        views: str | None = "auto",
        optimizer: str | MakeOptimizer = "auto",
        lr: float | str = "auto",
        temperature: float | str = "auto",
        schedule: str | Schedule = "auto",
        augment: str | Callable[[torch.Tensor], torch.Tensor] | None = None,
        batch_size: int | str = "auto",
        max_epochs: int | str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        device: str | torch.device = "auto",
        precision: str = "float32",
        n_threads: int | None = 1,
        callbacks: list[Entry] | None = None,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
    ):
        self._store(locals())

    def _check_targets(
        self, y: np.ndarray, sample_weight: ArrayLike | None, known: Known
    ) -> tuple[Classes, NDArray[np.float64] | None]:
        coder = known
        if not isinstance(coder, Classes):
            names = known if isinstance(known, np.ndarray) else None
            coder = Classes(y, names, type(self).__name__)
        coder.encode(y)  # unknown labels first: they have no weight
        weight = combined_weight(y, coder.names, sample_weight, self.class_weight)
        return coder, weight

    def _keep(self, fitted: Fitted) -> Self:
        self.classes_ = fitted.targets.names
        self.temperature_ = float(fitted.net.module_.temperature)
        return super()._keep(fitted)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        auxiliary_labels: ArrayLike | None = None,
    ) -> Self:
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
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' is not supported by partial_fit, which sees a part of the "
                "data; pass a dict, such as compute_class_weight gives for all of it."
            )
        classes = checked_targets(classes, "classes")
        again = hasattr(self, "_fitted")
        if not again and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if again and classes is not None and not np.array_equal(self.classes_, np.unique(classes)):
            raise ValueError(
                f"classes={classes!r} is not the same as on the last call, {self.classes_!r}."
            )
        names = None if classes is None else np.unique(classes)
        return self._train_part(X, y, sample_weight, auxiliary_labels, names)

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
        with Held():
            logits = torch.from_numpy(self._evaluate("prediction", X)).double()
            with own_torch(self.n_threads):
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

    def predict(self, X: ArrayLike) -> np.ndarray:
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

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Share of samples that are given their class.

        Parameters
        ----------
        X : array-like of shape (n, \\*input_shape_)
            Samples.
        y : array-like of shape (n,)
            True classes.
        sample_weight : array-like of shape (n,), default=None
            Weights of the samples.

        Returns
        -------
        float
            From 0 to 1.
        """
        y = checked_targets(y)
        refuse_what_is_no_column(y)
        refuse_objects(y)
        return super().score(X, y, checked_targets(sample_weight, "sample_weight"))

    def _exported(self) -> Probabilities:
        return Probabilities(self.net_.module_, self.input_shape_)
