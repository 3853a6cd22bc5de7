"""Losses and validation score over the epochs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from .._estimators.base import BaseMAXL
from ._display import Display
from ._fitted import check_fitted
from ._style import PALETTE, AxesLike, bare, epoch_axis, label_lines, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

# Name, colour and line; the meta loss often lies upon the primary loss, so it is dashed.
LOSSES = {
    "primary_loss": ("primary", PALETTE[0], "-"),
    "auxiliary_loss": ("auxiliary", PALETTE[6], "-"),
    "meta_loss": ("meta", PALETTE[2], "--"),
}


@dataclass(eq=False, repr=False)
class TrainingCurveDisplay(Display):
    """Losses over the epochs of a fit, or of several, and the validation score.

    Several fits (folds, seeds) are shown by their mean and a band of one standard
    deviation to each side. Where fits end at different epochs, the mean is over those
    that still run. A validation score has a panel of its own below the losses.

    Parameters
    ----------
    losses : dict of str to ndarray of shape (n_runs, n_epochs)
        Columns of ``history_``, "primary_loss" and, if there are, "auxiliary_loss" and
        "meta_loss"; NaN after the end of a run.
    validation_score : ndarray of shape (n_runs, n_epochs), default=None
        Score on what ``early_stopping`` holds out.
    score_name : str, default="validation score"
        What the score is called.
    first_epoch : int, default=1
        Number of the first epoch that is shown; calls of ``partial_fit`` keep the last 1,000.

    Attributes
    ----------
    epochs : ndarray of shape (n_epochs,)
        Numbers of the epochs.
    axes_ : ndarray of matplotlib axes
        The panels: losses and, if there is one, the score.
    ax_ : matplotlib axes
        The first of them.
    figure_ : matplotlib figure
        Figure that holds them.
    lines_ : dict of str to matplotlib line
        Mean curves, by the name of the column.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_maxl import MAXLClassifier
    >>> from sklearn_maxl.plots import TrainingCurveDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MAXLClassifier(max_epochs=5, early_stopping=True, random_state=0).fit(X, y)
    >>> display = TrainingCurveDisplay.from_estimator(clf)
    >>> sorted(display.lines_)
    ['auxiliary_loss', 'meta_loss', 'primary_loss', 'validation_score']
    """

    losses: dict[str, NDArray[np.float64]]
    validation_score: NDArray[np.float64] | None = None
    score_name: str = "validation score"
    first_epoch: int = 1

    def __post_init__(self) -> None:
        n = next(iter(self.losses.values())).shape[1]
        self.epochs = self.first_epoch + np.arange(n)

    @classmethod
    def from_estimator(
        cls, estimator: BaseMAXL | Sequence[BaseMAXL] | np.ndarray, *, ax: AxesLike = None
    ) -> Self:
        """Plot what one or several fits recorded.

        Parameters
        ----------
        estimator : MAXLClassifier, MAXLRegressor or sequence of them
            Fitted; such as ``cross_validate(..., return_estimator=True)["estimator"]``.
        ax : matplotlib axes or sequence of them, default=None
            Where to plot; None makes a figure. Axes are split where panels are needed.

        Returns
        -------
        TrainingCurveDisplay
            With what is shown as attributes.
        """
        runs = list(estimator) if isinstance(estimator, (Sequence, np.ndarray)) else [estimator]
        if not runs:
            raise ValueError("estimator must hold at least one fitted estimator, got none.")
        for run in runs:
            check_fitted(run)
        names = [n for n in LOSSES if any(n in run.history_.columns() for run in runs)]
        columns = {name: stacked(runs, name) for name in names}
        scored = [run for run in runs if "validation_score" in run.history_.columns()]
        score = stacked(runs, "validation_score") if scored else None
        kind = "accuracy" if all(hasattr(run, "classes_") for run in runs) else "R2"
        first = min(run.history_[0]["epoch"] for run in runs)
        return cls(columns, score, f"validation {kind}", first).plot(ax=ax)

    def _draw(self, ax: AxesLike) -> "Axes":
        n = 1 if self.validation_score is None else 2
        axes = panels(ax, n, size=(6.4, 2.2 + 1.7 * n), height_ratios=[2, 1][:n])
        self.lines_: dict[str, Line2D] = {}
        for name, runs in self.losses.items():
            self.lines_[name] = self._curve(axes[0], runs, *LOSSES[name])
        n_runs = len(next(iter(self.losses.values())))
        axes[0].set_ylabel("loss")
        if n_runs > 1:
            axes[0].set_title(f"{n_runs} fits: mean ± standard deviation", fontsize=10, loc="left")
        if self.validation_score is not None:
            axes[1].sharex(axes[0])
            bare(axes[0])
            axes[0].tick_params(labelbottom=False)
            line = self._curve(axes[1], self.validation_score, "_score", PALETTE[4], "-")
            self.lines_["validation_score"] = line
            axes[1].set_ylabel(self.score_name)
        epoch_axis(axes[-1])
        label_lines(axes[0], direct=ax is None)
        self.axes_ = np.array(axes, dtype=object)
        return axes[0]

    def _curve(
        self, ax: "Axes", runs: NDArray[np.float64], label: str, colour: str, style: str
    ) -> "Line2D":
        """Draw the mean of some runs, with a band if there are several."""
        mean, deviation = mean_and_deviation(runs)
        marker = "o" if has_lone_point(mean) else None  # a line of one point shows nothing
        (line,) = ax.plot(self.epochs, mean, style, label=label, color=colour, marker=marker, ms=4)
        if len(runs) > 1:
            ax.fill_between(
                self.epochs, mean - deviation, mean + deviation, color=colour, alpha=0.2, lw=0
            )
        return line


def stacked(runs: list[BaseMAXL], name: str) -> NDArray[np.float64]:
    """A column of several histories, one a row; NaN where a run has no value."""
    firsts = [run.history_[0]["epoch"] for run in runs]
    lasts = [run.history_[-1]["epoch"] for run in runs]
    values = np.full((len(runs), max(lasts) + 1 - min(firsts)), np.nan)
    for row, run, first, last in zip(values, runs, firsts, lasts, strict=True):
        if name in run.history_.columns():
            row[first - min(firsts) : last + 1 - min(firsts)] = run.history_[name]
    return values


def has_lone_point(values: NDArray[np.float64]) -> bool:
    """Whether a value has none before and none after it."""
    known = np.pad(np.isfinite(values), 1)
    return bool((known[1:-1] & ~known[:-2] & ~known[2:]).any())


def mean_and_deviation(
    runs: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation over the runs that have a value; NaN where none has."""
    known = np.ma.masked_invalid(runs)
    return known.mean(axis=0).filled(np.nan), known.std(axis=0).filled(np.nan)
