"""What the auxiliary classes look like."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._estimators.base import BaseMAXL
from ._display import Display
from ._fitted import auxiliary_labels, check_auxiliary, check_samples, class_names, classes_of
from ._style import GREY, AxesLike, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(eq=False, repr=False)
class LabelMosaicDisplay(Display):
    """What each auxiliary class stands for: its typical images, or its mean profile.

    A row is an auxiliary class. For images, it shows the samples whose label gives it the
    most, most first, and at the right the range of their probabilities: where that is
    narrow and near 1 / psi, labels don't tell samples apart. For tables (and all
    other shapes), it shows the mean of each feature, weighted with the labels, in standard
    deviations from the mean of all samples.

    Parameters
    ----------
    rows : list of tuple (str, int)
        Name of the primary class, and number of the auxiliary class within it.
    indices : ndarray of shape (n_rows, n_samples)
        Most typical samples of each row; -1 where a class has too few.
    probabilities : ndarray of shape (n_rows, n_samples)
        What the row's auxiliary class has in their labels; NaN where there is none.
    images : ndarray of shape (n_rows, n_samples, height, width[, 3]), default=None
        Their pixels between 0 and 1; NaN where there is none. None for tables.
    profiles : ndarray of shape (n_rows, n_features), default=None
        Standardised feature means; None for images.
    feature_names : list of str, default=None
        Names of the features of the profiles.

    Attributes
    ----------
    ax_ : matplotlib axes
        Axes with the mosaic.
    figure_ : matplotlib figure
        Figure that holds them.
    image_ : matplotlib image
        The mosaic, or the profiles.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_maxl import MAXLClassifier
    >>> from sklearn_maxl.plots import LabelMosaicDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MAXLClassifier(max_epochs=5, psi=2, random_state=0).fit(X, y)
    >>> display = LabelMosaicDisplay.from_estimator(clf, X, y, classes=[0, 2])
    >>> display.rows
    [('0', 0), ('0', 1), ('2', 0), ('2', 1)]
    >>> display.profiles.shape
    (4, 4)
    """

    rows: list[tuple[str, int]]
    indices: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    images: NDArray[np.float64] | None = None
    profiles: NDArray[np.float64] | None = None
    feature_names: list[str] | None = None

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseMAXL,
        X: ArrayLike,
        y: ArrayLike,
        *,
        classes: Sequence[object] | None = None,
        n_samples: int = 10,
        response_method: str = "auto",
        ax: AxesLike = None,
    ) -> Self:
        """Plot the auxiliary classes of some samples.

        Parameters
        ----------
        estimator : MAXLClassifier or MAXLRegressor
            Fitted.
        X : array-like of shape (n, \\*input_shape_)
            Samples.
        y : array-like of shape (n,), or (n, m) in regression
            Their classes or targets.
        classes : sequence, default=None
            Primary classes (in regression, numbers of bins) to show; None shows the
            first three.
        n_samples : int, default=10
            Images in a row.
        response_method : {"auto", "generate_auxiliary_labels", "predict_auxiliary"}, \
                default="auto"
            Where the labels come from, as in `AuxiliaryUseDisplay`.
        ax : matplotlib axes, default=None
            Where to plot; None makes a figure.

        Returns
        -------
        LabelMosaicDisplay
            With what is shown as attributes.
        """
        check_auxiliary(estimator, cls.__name__)
        if n_samples < 1:
            raise ValueError(f"n_samples must be at least 1, got {n_samples}.")
        known = classes_of(estimator)
        classes = known[:3] if classes is None else list(classes)
        if not classes or any(name not in known for name in classes):
            raise ValueError(f"classes must name some of {known}, got {classes}.")
        labels = auxiliary_labels(estimator, X, y, response_method)
        samples, codes = check_samples(estimator, X, y)
        names = class_names(estimator)
        rows, weights, indices = [], [], []
        for i in map(known.index, classes):
            for k, p in enumerate(labels[i].T):
                rows.append((names[i], k))
                weights.append(p)
                indices.append(most_typical(p, codes == i, n_samples))
        weight, where = np.array(weights), np.array(indices)
        probabilities = np.where(where >= 0, np.take_along_axis(weight, where, axis=1), np.nan)
        if samples.ndim == 4:
            return cls(rows, where, probabilities, pictures(samples, where)).plot(ax=ax)
        flat = samples.reshape(len(samples), -1).astype(np.float64)
        features = getattr(estimator, "feature_names_in_", range(flat.shape[1]))
        profiles, shown = mean_profiles(flat, weight), [str(name) for name in features]
        return cls(rows, where, probabilities, None, profiles, shown).plot(ax=ax)

    def _draw(self, ax: AxesLike) -> "Axes":
        axis = self._draw_profiles(ax) if self.images is None else self._draw_images(ax)
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
        return axis

    def _draw_images(self, ax: AxesLike) -> "Axes":
        assert self.images is not None
        n_rows, n_columns, height, width = self.images.shape[:4]
        side = 0.45 * min(1.0, 24 / n_rows)
        size = (2.2 + side * n_columns * width / height, 0.6 + side * n_rows)
        (axis,) = panels(ax, size=size)
        gap = max(1, height // 16)
        tiles = np.ones((n_rows, height + gap, n_columns, width + gap, *self.images.shape[4:]))
        tiles[:, :height, :, :width] = np.nan_to_num(np.moveaxis(self.images, 1, 2), nan=1.0)
        canvas = tiles.reshape(n_rows * (height + gap), n_columns * (width + gap), *tiles.shape[4:])
        self.image_ = axis.imshow(canvas, cmap="gray", vmin=0, vmax=1)
        middles = (height - 1) / 2 + (height + gap) * np.arange(n_rows)
        self._name_rows(axis, middles, height + gap)
        for middle, row in zip(middles, self.probabilities, strict=True):
            if np.isfinite(row).any():
                note(axis, f"{np.nanmax(row):.2f} to {np.nanmin(row):.2f}", middle)
        axis.set_xticks([])
        axis.set_title("auxiliary class: its most typical samples", fontsize=10, loc="left")
        note(axis, "probability", -gap, va="bottom")
        return axis

    def _draw_profiles(self, ax: AxesLike) -> "Axes":
        assert self.profiles is not None
        assert self.feature_names is not None
        n_rows, n_features = self.profiles.shape
        size = (min(12.0, 3.0 + 0.45 * n_features), 1.6 + 0.28 * n_rows)
        (axis,) = panels(ax, size=size)
        reach = np.nanmax(np.abs(self.profiles), initial=0.0) or 1.0
        self.image_ = axis.imshow(
            self.profiles, cmap="RdBu_r", vmin=-reach, vmax=reach, aspect="auto"
        )
        self._name_rows(axis, np.arange(n_rows), 1)
        step = -(-n_features // 20)  # more names than that don't fit
        at = np.arange(0, n_features, step)
        names = [self.feature_names[i] for i in at]
        axis.set_xticks(at, names)
        if max(map(len, names)) > 3:
            for label in axis.get_xticklabels():
                label.set(rotation=45, ha="right", rotation_mode="anchor")
        axis.set_xlabel("feature")
        bar = axis.figure.colorbar(self.image_, ax=axis, pad=0.02)
        bar.set_label("mean, in standard deviations")
        bar.outline.set_visible(False)
        return axis

    def _name_rows(self, axis: "Axes", middles: np.ndarray, height: float) -> None:
        """Number the rows, with the name of a class at its first, and lines between classes."""
        labels = []
        for i, (name, k) in enumerate(self.rows):
            first = i == 0 or self.rows[i - 1][0] != name
            shown = f"class {name}" if name.lstrip("-").replace(".", "").isdigit() else name
            labels.append(f"{shown}   {k}" if first else str(k))
            if first and i:
                axis.axhline(middles[i] - height / 2, color=GREY, lw=1)
        axis.set_yticks(middles, labels)


def note(axis: "Axes", text: str, height: float, va: str = "center") -> None:
    """Write at the right of the axes."""
    axis.annotate(
        text, (1, height), xycoords=axis.get_yaxis_transform(), xytext=(5, 0),
        textcoords="offset points", va=va, fontsize=9, color=GREY, annotation_clip=False,
    )  # fmt: skip


def most_typical(p: NDArray[np.float64], own: NDArray[np.bool_], n: int) -> NDArray[np.int64]:
    """The `n` samples of a class with the highest probability, padded with -1."""
    best = np.flatnonzero(own)
    best = best[np.argsort(-p[best], kind="stable")][:n]
    return np.pad(best, (0, n - len(best)), constant_values=-1)


def pictures(samples: np.ndarray, where: NDArray[np.int64]) -> NDArray[np.float64]:
    """Samples as images between 0 and 1: in colour if they have three channels, else grey."""
    shown = samples[where].astype(np.float64)
    shown[where < 0] = np.nan
    low, high = np.nanmin(shown), np.nanmax(shown)
    shown = (shown - low) / (high - low or 1.0)
    return np.moveaxis(shown, 2, -1) if shown.shape[2] == 3 else shown.mean(axis=2)


def mean_profiles(X: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted means of standardised features, a row for each row of `weight`."""
    scale = X.std(axis=0)
    z = (X - X.mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    mass = weight.sum(axis=1, keepdims=True)
    return np.where(mass > 0, weight @ z / np.where(mass > 0, mass, 1.0), np.nan)
