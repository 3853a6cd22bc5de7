"""Whether the auxiliary task pulls where the primary one does."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from .._estimators.base import BaseMAXL
from ._display import Display
from ._fitted import check_auxiliary
from ._style import GREY, PALETTE, AxesLike, epoch_axis, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(eq=False, repr=False)
class GradientSimilarityDisplay(Display):
    """Cosine between the gradients of the two losses on the trunk, over the epochs.

    Above zero the auxiliary task pulls the trunk where the primary task wants it, below
    zero away from there.

    Parameters
    ----------
    gradient_similarity : ndarray of shape (n_epochs,)
        Mean cosine in each epoch; NaN where none was measured.
    first_epoch : int, default=1
        Number of the first epoch that is shown; calls of ``partial_fit`` keep the last 1,000.

    Attributes
    ----------
    epochs : ndarray of shape (n_epochs,)
        Numbers of the epochs.
    ax_ : matplotlib axes
        Axes with the curve.
    figure_ : matplotlib figure
        Figure that holds them.
    line_ : matplotlib line
        The curve, at the epochs with a value.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_maxl import MAXLClassifier
    >>> from sklearn_maxl.plots import GradientSimilarityDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> from sklearn_maxl.callbacks import GradientSimilarity
    >>> similarity = GradientSimilarity(every=2)
    >>> clf = MAXLClassifier(max_epochs=5, callbacks=[similarity], random_state=0)
    >>> display = GradientSimilarityDisplay.from_estimator(clf.fit(X, y))
    >>> display.gradient_similarity.shape
    (5,)
    """

    gradient_similarity: NDArray[np.float64]
    first_epoch: int = 1

    def __post_init__(self) -> None:
        self.epochs = self.first_epoch + np.arange(len(self.gradient_similarity))

    @classmethod
    def from_estimator(cls, estimator: BaseMAXL, *, ax: AxesLike = None) -> Self:
        """Plot the similarity that a fit recorded.

        Parameters
        ----------
        estimator : MAXLClassifier or MAXLRegressor
            Fitted with the callback `GradientSimilarity`.
        ax : matplotlib axes, default=None
            Where to plot; None makes a figure.

        Returns
        -------
        GradientSimilarityDisplay
            With what is shown as attributes.
        """
        check_auxiliary(estimator, cls.__name__)
        rows = [row.get("gradient_similarity", np.nan) for row in estimator.history_]
        values = np.array(rows, dtype=np.float64)
        if not np.isfinite(values).any():
            raise ValueError(
                "gradient_similarity was not recorded in this fit; pass callbacks="
                "[sklearn_maxl.callbacks.GradientSimilarity(every=10)] and fit again."
            )
        return cls(values, estimator.history_[0]["epoch"]).plot(ax=ax)

    def _draw(self, ax: AxesLike) -> "Axes":
        (axis,) = panels(ax, size=(6.4, 3.2))
        known = np.isfinite(self.gradient_similarity)
        values = self.gradient_similarity[known]
        marker = "o" if len(values) <= 30 else None  # epochs without a value would not show
        (self.line_,) = axis.plot(self.epochs[known], values, color=PALETTE[0], marker=marker, ms=4)
        axis.axhline(0, color=GREY, lw=1, ls=":")
        # Both signs stay in view, so that the line at zero is never at the very edge.
        reach = max(np.abs(values).max(), 0.05)
        axis.set_ylim(min(values.min(), -0.35 * reach) - 0.1 * reach,
                      max(values.max(), 0.35 * reach) + 0.1 * reach)  # fmt: skip
        for text, height, alignment in (("pulls along", 4, "bottom"), ("pulls away", -4, "top")):
            axis.annotate(
                text, (1, 0), xycoords=axis.get_yaxis_transform(), xytext=(0, height),
                textcoords="offset points", ha="right", va=alignment, fontsize=9, color=GREY,
            )  # fmt: skip
        axis.set_ylabel("cosine of the gradients")
        epoch_axis(axis)
        return axis
