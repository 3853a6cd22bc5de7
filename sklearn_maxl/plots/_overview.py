"""All displays that there are for a fit, in one figure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike

from .._estimators.base import BaseMAXL
from ._auxiliary_use import AuxiliaryUseDisplay
from ._display import Display
from ._embedding import EmbeddingDisplay
from ._fitted import check_fitted, has_auxiliary
from ._gradient_similarity import GradientSimilarityDisplay
from ._label_entropy import LabelEntropyDisplay
from ._label_mosaic import LabelMosaicDisplay
from ._style import AxesLike, pyplot
from ._training_curve import TrainingCurveDisplay

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

COLUMNS, WIDTH, HEIGHT = 2, 6.8, 4.2  # inches of a part


@dataclass(eq=False, repr=False)
class OverviewDisplay(Display):
    """What a fit recorded and what its labels say, in one figure.

    Each part is a display of this module, with its name above it. Without samples there are the
    losses and, with an auxiliary task, the entropies of the labels; with samples their auxiliary
    classes and the trunk's features as well. The cosine of the gradients is there if the fit had
    the callback `GradientSimilarity`. What a fit does not have is left out.

    Parameters
    ----------
    displays : dict of str to display
        The parts by their names, in their order.

    Attributes
    ----------
    ax_ : matplotlib axes
        The first axes of the first part.
    figure_ : matplotlib figure
        Figure that holds all parts.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_maxl import MAXLClassifier
    >>> from sklearn_maxl.plots import OverviewDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MAXLClassifier(max_epochs=5, psi=3, random_state=0).fit(X, y)
    >>> display = OverviewDisplay.from_estimator(clf, X, y)
    >>> for name in display.displays:
    ...     print(name)
    Losses
    Entropy of the labels
    Use of the auxiliary classes
    Typical samples of the auxiliary classes
    Features of the trunk
    >>> display.figure_.savefig("overview.png")  # doctest: +SKIP
    """

    displays: dict[str, Display]

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseMAXL,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        *,
        ax: AxesLike = None,
    ) -> Self:
        """Plot all that there is for a fit.

        Parameters
        ----------
        estimator : MAXLClassifier or MAXLRegressor
            Fitted.
        X : array-like of shape (n, \\*input_shape_), default=None
            Samples; None leaves out what is about samples.
        y : array-like of shape (n,), or (n, m) in regression, default=None
            Their classes or targets.
        ax : matplotlib axes or sequence of them, default=None
            Where to plot; None makes a figure. Single axes are split; of a sequence, each part
            takes one.

        Returns
        -------
        OverviewDisplay
            With the parts as `displays`.
        """
        check_fitted(estimator)
        if (X is None) != (y is None):
            raise ValueError("OverviewDisplay needs X and y together, or neither.")
        parts = parts_of(estimator, X, y)
        places = places_for(list(parts), ax)
        shown = cls({name: parts[name](ax=place) for name, place in places.items()})
        shown._remember()
        return shown

    def plot(self, ax: AxesLike = None) -> Self:
        """Draw all parts again.

        Parameters
        ----------
        ax : matplotlib axes or sequence of them, default=None
            Where to plot, as in `from_estimator`.

        Returns
        -------
        OverviewDisplay
            The display itself.
        """
        self._draw(ax)
        self._remember()
        return self

    def _draw(self, ax: AxesLike) -> "Axes":
        for name, place in places_for(list(self.displays), ax).items():
            self.displays[name].plot(ax=place)
        return next(iter(self.displays.values())).ax_

    def _remember(self) -> None:
        """Set what tells where everything is."""
        self.ax_ = next(iter(self.displays.values())).ax_
        figure = self.ax_.get_figure(root=True)
        assert figure is not None
        self.figure_ = figure


def parts_of(
    estimator: BaseMAXL, X: ArrayLike | None, y: ArrayLike | None
) -> dict[str, Callable[..., Display]]:
    """What can be shown, by its name: functions that draw it into axes."""
    auxiliary, samples = has_auxiliary(estimator), X is not None
    similarity = "gradient_similarity" in estimator.history_.columns()
    of_fit, of_samples = (estimator,), (estimator, X, y)
    parts: list[tuple[bool, str, type, tuple[object, ...]]] = [
        (True, "Losses", TrainingCurveDisplay, of_fit),
        (auxiliary, "Entropy of the labels", LabelEntropyDisplay, of_fit),
        (auxiliary and samples, "Use of the auxiliary classes", AuxiliaryUseDisplay, of_samples),
        (auxiliary and samples, "Typical samples of the auxiliary classes", LabelMosaicDisplay,
         of_samples),
        (samples, "Features of the trunk", EmbeddingDisplay, of_samples),
        (auxiliary and similarity, "Cosine of the gradients", GradientSimilarityDisplay, of_fit),
    ]  # fmt: skip
    return {
        name: partial(display.from_estimator, *given)  # type: ignore[attr-defined]
        for is_there, name, display, given in parts
        if is_there
    }


def places_for(names: Sequence[str], ax: AxesLike) -> "dict[str, Axes]":
    """Axes for each part, in a subfigure with its name: no legend gets into a title's way."""
    plt, n = pyplot(), len(names)
    n_rows, n_columns = -(-n // COLUMNS), min(n, COLUMNS)
    if isinstance(ax, (Sequence, np.ndarray)):
        given = list(np.asarray(ax, dtype=object).ravel())
        if len(given) != n:
            raise ValueError(f"ax must be axes or a sequence of {n} axes, got {len(given)}.")
        subfigures = [_in_place_of(one) for one in given]
    else:
        whole = (
            plt.figure(figsize=(WIDTH * n_columns, HEIGHT * n_rows), layout="constrained")
            if ax is None
            else _in_place_of(ax)
        )
        cells = whole.subfigures(n_rows, n_columns, squeeze=False).ravel()
        subfigures = list(cells[:n])
    for name, subfigure in zip(names, subfigures, strict=True):
        subfigure.suptitle(name, weight="bold", fontsize=11, x=0.02, ha="left")
    return {name: one.subplots() for name, one in zip(names, subfigures, strict=True)}


def _in_place_of(ax: "Axes") -> "SubFigure":
    """A part of the figure where axes were."""
    place, figure = ax.get_subplotspec(), ax.figure
    if place is None or figure is None:  # placed by hand
        raise ValueError("ax has no place in a grid; make it with plt.subplots().")
    ax.remove()
    return figure.add_subfigure(place)
