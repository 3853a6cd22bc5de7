"""The regressor."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import Tags

from .._environment.private_sklearn import Interval, StrOptions, fit_context
from .._maths.losses import REGRESSION_LOSSES
from .._networks.exported import Numbers
from .._tasks.primary import Bins
from .._training.schedules import Schedule
from .._training.skorch_callbacks import Entry
from ..backbones import Backbone
from ..labels import Labels
from ..optimizers import MakeOptimizer
from .base import BaseMAXL, Known
from .classifier import MAXLClassifier
from .docstrings import with_parameters_of
from .validation import (
    checked_targets,
    combined_weight,
    refuse_lost_numbers,
    refuse_what_is_no_column,
)


@with_parameters_of(MAXLClassifier)
class MAXLRegressor(RegressorMixin, BaseMAXL):
    """Neural network for regression that invents auxiliary labels for its own training data.

    Meta AuXiliary Learning (Liu, Davison and Johns, NeurIPS 2019) for numbers, which
    its authors left as future work. The targets are cut into bins by their quantiles,
    and each bin plays the part of a primary class: it owns `psi` auxiliary classes,
    and the label generator chooses among those. The primary loss is that of the
    numbers themselves. Only the auxiliary task uses the bins.

    Parameters
    ----------
    {backbone}
    loss : {"squared_error", "huber"}, default="squared_error"
        Primary loss, on targets that are standardised. Huber's is linear beyond an
        error of one standard deviation of the target, for data with outliers.
    n_bins : int, default=5
        Quantile bins of the target; fewer if equal targets would fall on both
        sides of an edge. Targets of several columns are binned along their first
        principal component. 5 is the default of :class:`sklearn.preprocessing.KBinsDiscretizer`.
    focal_gamma : float, default=0.0
        Exponent of the focal loss of the auxiliary task; 0 is cross-entropy.
    {input_shape}
    {auxiliary}
    {psi}
    {auxiliary_weight}
    {optimizer}
    {lr}
    {schedule}
    {augment}
    {batch_size}
    {max_epochs}
    early_stopping : bool, default=False
        Hold out `validation_fraction` of the data, stop when R2 on it does not rise by
        `tol` for more than `n_iter_no_change` epochs, and restore the best state of
        both networks.
    {validation_fraction}
    {n_iter_no_change}
    tol : float, default=1e-4
        Smallest rise in R2 that counts for `early_stopping`.
    {warm_start}
    {device}
    {precision}
    {n_threads}
    {callbacks}
    {verbose}
    {random_state}

    Attributes
    ----------
    {n_features_in_}
    {feature_names_in_}
    {input_shape_}
    {lr_}
    psi_ : ndarray of shape (n_bins,)
        Auxiliary classes of each bin; zeros for ``auxiliary=None``.
    {n_iter_}
    {net_}
    {history_}

    See Also
    --------
    MAXLClassifier : The same for classes.
    sklearn.neural_network.MLPRegressor : Multi-layer perceptron without an auxiliary
        task.

    Notes
    -----
    Inputs are standardised inside the network, per feature or per channel, and
    targets per column, with the training set's (weighted) mean and deviation. The standardised
    values of a table are squeezed smoothly into (-3, 3), so that a value that is far from all
    others does not decide alone, after Holzmueller et al. [2]_.

    `to_torch` makes one torch module of all that predicts, for ONNX, `torch.export` and
    tools that explain predictions.

    References
    ----------
    .. [1] S. Liu, A. J. Davison, E. Johns. "Self-Supervised Generalisation with
       Meta Auxiliary Learning". NeurIPS 2019. arXiv:1901.08933.
    .. [2] D. Holzmueller, L. Grinsztajn, I. Steinwart. "Better by Default: Strong Pre-Tuned MLPs
       and Boosted Trees on Tabular Data". NeurIPS 2024. arXiv:2407.04491.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_maxl import MAXLRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> reg = MAXLRegressor(max_epochs=10, random_state=0).fit(X[:300], y[:300])
    >>> reg.predict(X[300:302]).round(-1)
    array([230., 100.])
    >>> round(reg.score(X[300:], y[300:]), 1)
    0.5
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseMAXL._parameter_constraints,
        "loss": [StrOptions(set(REGRESSION_LOSSES))],
        "n_bins": [Interval(Integral, 1, None, closed="left")],
    }
    _y_checks: ClassVar[dict[str, bool]] = {"y_numeric": True, "multi_output": True}

    n_bins: int

    def __init__(
        self,
        backbone: Backbone = "auto",
        *,
        loss: str = "squared_error",
        n_bins: int = 5,
        focal_gamma: float = 0.0,
        input_shape: Sequence[int] | None = None,
        auxiliary: str | Labels | None = "maxl",
        psi: int | str | Sequence[int] | Mapping[Any, int] = 5,
        auxiliary_weight: float = 1.0,
        optimizer: str | MakeOptimizer = "auto",
        lr: float | str = "auto",
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
    ) -> tuple[Bins, NDArray[np.float64] | None]:
        weight = combined_weight(y, None, sample_weight, None)
        refuse_lost_numbers(y, "y")
        coder = known
        if not isinstance(coder, Bins):
            coder = Bins(y, weight, self.n_bins, type(self).__name__)
        return coder, weight

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        auxiliary_labels: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch on some samples, going on from where training stands.

        The mean and scale of inputs and targets and the bins are those of the first
        call, so it should hold samples of all kinds.

        Parameters
        ----------
        X : array-like of shape (n, \\*input_shape_)
            Training samples.
        y : array-like of shape (n,) or (n, m)
            Targets.
        sample_weight : array-like of shape (n,), default=None
            Weights of the samples; only their ratios within this call matter.
        auxiliary_labels : array-like of shape (n,), default=None
            Finer labels for ``auxiliary="human"``; the first call must hold them all.

        Returns
        -------
        MAXLRegressor
            The fitted regressor.
        """
        return self._train_part(X, y, sample_weight, auxiliary_labels)

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Predicted targets.

        Parameters
        ----------
        X : array-like of shape (n, \\*input_shape_)
            Samples.

        Returns
        -------
        ndarray of shape (n,) or (n, m), float64
            In the units of the `y` that was fitted.
        """
        outputs = self._evaluate("primary", X)
        targets = self._fitted.targets
        assert isinstance(targets, Bins)
        return targets.decode(outputs)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Coefficient of determination (R2) of the predictions.

        Parameters
        ----------
        X : array-like of shape (n, \\*input_shape_)
            Samples.
        y : array-like of shape (n,) or (n, m)
            True targets.
        sample_weight : array-like of shape (n,), default=None
            Weights of the samples.

        Returns
        -------
        float
            1 where all are right, 0 for the mean of `y`; the mean over the columns of `y`.
        """
        y = np.asarray(checked_targets(y, numbers=True))
        refuse_what_is_no_column(y)
        if y.dtype.kind == "f" and np.isinf(y).any():
            raise ValueError("y contains infinity; leave out those samples.")
        weight = checked_targets(sample_weight, "sample_weight")
        predicted = self.predict(X)
        given, fitted = (a.shape[1] if a.ndim == 2 else 1 for a in (y, predicted))
        if given != fitted:
            raise ValueError(
                f"y has {given} targets for each sample, but that of the fit has {fitted}."
            )
        if y.dtype.kind == "f" and y.size and predicted.shape == y.shape:
            y, predicted = _squarable(y, predicted)
        return float(r2_score(y, predicted, sample_weight=weight))

    def _exported(self) -> Numbers:
        targets = self._fitted.targets
        assert isinstance(targets, Bins)
        single = targets.shape == ()
        network = self.net_.module_
        return Numbers(network, self.input_shape_, targets.mean, targets.scale, single)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _squarable(
    y: NDArray[np.float64], predicted: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both divided by a power of two where squares would not fit into float64: R2 is the same."""
    exponent = np.frexp(np.maximum(np.abs(y).max(axis=0), np.abs(predicted).max(axis=0)))[1]
    exponent = np.where(np.abs(exponent) < 400, 0, exponent)
    return np.ldexp(y.astype(np.float64), -exponent), np.ldexp(predicted, -exponent)
