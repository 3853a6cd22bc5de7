"""What both heads see, in two dimensions."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA

from .._estimators.base import BaseMAXL
from ._display import Display
from ._fitted import auxiliary_labels, check_fitted, check_samples, class_names, has_auxiliary
from ._style import GREY, MARKERS, AxesLike, bare, colours, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection


@dataclass(eq=False, repr=False)
class EmbeddingDisplay(Display):
    """Features of the trunk in two dimensions, with classes and auxiliary classes.

    The colour of a sample is its primary class, its marker the most probable of that
    class's auxiliary classes. The two dimensions are the first principal components of
    ``transform(X)``.

    Parameters
    ----------
    coordinates : ndarray of shape (n, 2)
        First two principal components.
    primary : ndarray of shape (n,)
        Number of each sample's primary class.
    auxiliary : ndarray of shape (n,) or None
        Number of its most probable auxiliary class within that class; None without an
        auxiliary task.
    explained_variance_ratio : ndarray of shape (2,)
        Share of the features' variance that each component has.
    class_names : list of str
        Names of the primary classes.

    Attributes
    ----------
    ax_ : matplotlib axes
        Axes with the points.
    figure_ : matplotlib figure
        Figure that holds them.
    points_ : dict of tuple (int, int) to matplotlib collection
        Points of each primary class and auxiliary class in it.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_maxl import MAXLClassifier
    >>> from sklearn_maxl.plots import EmbeddingDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MAXLClassifier(max_epochs=5, psi=2, random_state=0).fit(X, y)
    >>> display = EmbeddingDisplay.from_estimator(clf, X, y)
    >>> display.coordinates.shape
    (150, 2)
    """

    coordinates: NDArray[np.float64]
    primary: NDArray[np.int64]
    auxiliary: NDArray[np.int64] | None
    explained_variance_ratio: NDArray[np.float64]
    class_names: list[str]

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseMAXL,
        X: ArrayLike,
        y: ArrayLike,
        *,
        response_method: str = "auto",
        ax: AxesLike = None,
    ) -> Self:
        """Plot some samples as the trunk sees them.

        Parameters
        ----------
        estimator : MAXLClassifier or MAXLRegressor
            Fitted; without an auxiliary task as well.
        X : array-like of shape (n, \\*input_shape_)
            Samples.
        y : array-like of shape (n,), or (n, m) in regression
            Their classes or targets.
        response_method : {"auto", "generate_auxiliary_labels", "predict_auxiliary"}, \
                default="auto"
            Where the labels come from, as in `AuxiliaryUseDisplay`.
        ax : matplotlib axes, default=None
            Where to plot; None makes a figure.

        Returns
        -------
        EmbeddingDisplay
            With what is shown as attributes.
        """
        check_fitted(estimator)
        _, codes = check_samples(estimator, X, y)
        features = estimator.transform(X)
        if min(features.shape) < 2:
            raise ValueError(
                "EmbeddingDisplay needs at least 2 samples and a trunk of at least 2 features, "
                f"got {features.shape[0]} and {features.shape[1]}."
            )
        auxiliary = None
        if has_auxiliary(estimator):
            labels = auxiliary_labels(estimator, X, y, response_method)
            of_each_class = np.stack([label.argmax(axis=1) for label in labels])
            auxiliary = of_each_class[codes, np.arange(len(codes))]  # of the sample's own
        # The exact solver draws no random numbers.
        pca = PCA(2, svd_solver="full").fit(features)
        shares, names = pca.explained_variance_ratio_, class_names(estimator)
        return cls(pca.transform(features), codes, auxiliary, shares, names).plot(ax=ax)

    def _draw(self, ax: AxesLike) -> "Axes":
        (axis,) = panels(ax, size=(6.4, 5.2))
        from matplotlib.lines import Line2D
        from matplotlib.patheffects import withStroke

        auxiliary = np.zeros_like(self.primary) if self.auxiliary is None else self.auxiliary
        outline = [withStroke(linewidth=3, foreground=axis.get_facecolor())]
        self.points_: dict[tuple[int, int], PathCollection] = {}
        for i, colour in enumerate(colours(len(self.class_names))):
            own = self.primary == i
            for k in np.unique(auxiliary[own]).tolist():
                x, y = self.coordinates[own & (auxiliary == k)].T
                self.points_[i, k] = axis.scatter(
                    x, y, s=22, color=colour, marker=MARKERS[k % len(MARKERS)], linewidths=0,
                    alpha=0.75,
                )  # fmt: skip
            if own.any():
                x, y = np.median(self.coordinates[own], axis=0)
                axis.text(
                    x, y, self.class_names[i], weight="bold", ha="center", va="center",
                    path_effects=outline,
                )  # fmt: skip
        if self.auxiliary is not None:
            handles = [
                Line2D([], [], ls="", marker=MARKERS[k % len(MARKERS)], color=GREY, label=str(k))
                for k in range(int(auxiliary.max()) + 1)
            ]
            axis.legend(
                handles=handles, title="auxiliary class", ncols=min(len(handles), len(MARKERS)),
                loc="lower left", bbox_to_anchor=(0, 1), frameon=False, fontsize=9,
                title_fontsize=9, alignment="left", handletextpad=0.1, columnspacing=1.0,
            )  # fmt: skip
        first, second = self.explained_variance_ratio
        axis.set_xlabel(f"component 1 ({first:.0%} of the variance)")
        axis.set_ylabel(f"component 2 ({second:.0%} of the variance)")
        bare(axis)
        return axis
