"""Entropies of the auxiliary labels over the epochs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from .._estimators.base import BaseMAXL
from ._display import Display
from ._fitted import check_auxiliary
from ._style import GREY, PALETTE, AxesLike, epoch_axis, label_lines, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D


@dataclass(eq=False, repr=False)
class LabelEntropyDisplay(Display):
    """Entropy of the mean label, and mean entropy of single labels, over the epochs.

    The dotted line is log(psi), which the entropy of the mean label has when all auxiliary
    classes are used evenly; labels that collapse fall from it towards 0. The shaded gap
    between the two curves is what labels tell about their samples beyond the class: single
    labels that stay at the line as well tell nothing.

    Parameters
    ----------
    mean_label_entropy : ndarray of shape (n_epochs,)
        Entropy of the mean label within a class, in nats.
    label_entropy : ndarray of shape (n_epochs,)
        Mean entropy of a single label, in nats.
    psi : ndarray of shape (C,)
        Auxiliary classes of each class. Where classes differ, the line is a band from the
        least to the greatest log(psi).
    first_epoch : int, default=1
        Number of the first epoch that is shown; calls of ``partial_fit`` keep the last 1,000.

    Attributes
    ----------
    epochs : ndarray of shape (n_epochs,)
        Numbers of the epochs.
    ax_ : matplotlib axes
        Axes with the curves.
    figure_ : matplotlib figure
        Figure that holds them.
    lines_ : dict of str to matplotlib line
        Curves, by the name of the column of ``history_``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_maxl import MAXLClassifier
    >>> from sklearn_maxl.plots import LabelEntropyDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MAXLClassifier(max_epochs=5, random_state=0).fit(X, y)
    >>> display = LabelEntropyDisplay.from_estimator(clf)
    >>> bool((display.label_entropy <= display.mean_label_entropy + 1e-6).all())
    True
    """

    mean_label_entropy: NDArray[np.float64]
    label_entropy: NDArray[np.float64]
    psi: NDArray[np.int64]
    first_epoch: int = 1

    def __post_init__(self) -> None:
        self.epochs = self.first_epoch + np.arange(len(self.label_entropy))

    @classmethod
    def from_estimator(cls, estimator: BaseMAXL, *, ax: AxesLike = None) -> Self:
        """Plot the entropies that a fit recorded.

        Parameters
        ----------
        estimator : MAXLClassifier or MAXLRegressor
            Fitted.
        ax : matplotlib axes, default=None
            Where to plot; None makes a figure.

        Returns
        -------
        LabelEntropyDisplay
            With what is shown as attributes.
        """
        check_auxiliary(estimator, cls.__name__)
        history = estimator.history_
        columns = (history["mean_label_entropy"], history["label_entropy"])
        return cls(*columns, estimator.psi_, history[0]["epoch"]).plot(ax=ax)

    def _draw(self, ax: AxesLike) -> "Axes":
        (axis,) = panels(ax, size=(6.4, 3.6))
        marker = "o" if len(self.epochs) == 1 else None  # a line of one point shows nothing
        self.lines_: dict[str, Line2D] = {}
        for name, label, colour, style in (
            ("mean_label_entropy", "mean label", PALETTE[0], "-"),
            ("label_entropy", "single labels", PALETTE[6], "--"),  # may lie upon the other
        ):
            values = getattr(self, name)
            (self.lines_[name],) = axis.plot(
                self.epochs, values, style, label=label, color=colour, marker=marker
            )
        axis.fill_between(
            self.epochs, self.label_entropy, self.mean_label_entropy, color=PALETTE[0],
            alpha=0.15, lw=0,
        )  # fmt: skip
        self._draw_reference(axis)
        axis.set_ylim(bottom=0)
        axis.set_ylabel("entropy in nats")
        epoch_axis(axis)
        label_lines(axis, direct=ax is None)
        return axis

    def _draw_reference(self, axis: "Axes") -> None:
        least, most = np.log([self.psi.min(), self.psi.max()])
        if least == most:
            label = f"log({self.psi[0]}): used evenly"
        else:
            label = f"log({self.psi.min()}) to log({self.psi.max()})"
            axis.axhspan(least, most, color=GREY, alpha=0.1, lw=0)
        ends = self.epochs[[0, -1]]
        axis.plot(ends, [most, most], ":", color=GREY, lw=1.2, label=label)
        axis.set_ylim(top=1.08 * max(most, 0.1))
