"""How much of each primary class falls on each of its auxiliary classes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._estimators.base import BaseMAXL
from .._training.history import IN_USE
from ._display import Display
from ._fitted import auxiliary_labels, check_auxiliary, check_samples, class_names
from ._style import GREY, PALETTE, AxesLike, bare, colours, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(eq=False, repr=False)
class AuxiliaryUseDisplay(Display):
    """Share of each auxiliary class within its primary class, and the labels' entropies.

    A row is a primary class, or a bin in regression. Left: how its samples' labels are
    spread over its auxiliary classes; labels that have collapsed are one long bar. Right:
    the entropy of the mean label, which is the length of the grey line, log(psi), when all
    auxiliary classes are used evenly, and the mean entropy of single labels. The gap
    between the two is what labels tell about their samples beyond the class.

    Parameters
    ----------
    shares : list of ndarray of shape (psi[i],)
        For each class, the mean label over its auxiliary classes; sums to 1, or is all
        NaN for a class without samples.
    label_entropy : ndarray of shape (C,)
        Mean entropy of single labels, in nats.
    class_names : list of str
        Names of the classes.

    Attributes
    ----------
    mean_label_entropy : ndarray of shape (C,)
        Entropy of the mean label, in nats.
    in_use : ndarray of shape (C,)
        How many auxiliary classes have at least a tenth of their even share.
    axes_ : ndarray of matplotlib axes
        The two panels.
    ax_ : matplotlib axes
        The first of them.
    figure_ : matplotlib figure
        Figure that holds them.
    bars_ : list of matplotlib bars
        Bars of the first auxiliary class of each class, of the second, and so on.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_maxl import MAXLClassifier
    >>> from sklearn_maxl.plots import AuxiliaryUseDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MAXLClassifier(max_epochs=5, psi=3, random_state=0).fit(X, y)
    >>> display = AuxiliaryUseDisplay.from_estimator(clf, X, y)
    >>> display.in_use
    array([3, 3, 3])
    """

    shares: list[NDArray[np.float64]]
    label_entropy: NDArray[np.float64]
    class_names: list[str]

    def __post_init__(self) -> None:
        self.mean_label_entropy = np.array([entropy(share) for share in self.shares])
        self.in_use = np.array([(share >= IN_USE / len(share)).sum() for share in self.shares])

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
        """Plot the auxiliary labels of some samples.

        Parameters
        ----------
        estimator : MAXLClassifier or MAXLRegressor
            Fitted.
        X : array-like of shape (n, \\*input_shape_)
            Samples.
        y : array-like of shape (n,), or (n, m) in regression
            Their classes or targets.
        response_method : {"auto", "generate_auxiliary_labels", "predict_auxiliary"}, \
                default="auto"
            Where the labels come from: what samples get as targets, or what the
            multi-task network predicts, within the sample's class. "auto" is the first
            where the estimator has it ("random" and "human" don't), else the second.
        ax : matplotlib axes or sequence of two, default=None
            Where to plot; None makes a figure. Single axes are split.

        Returns
        -------
        AuxiliaryUseDisplay
            With what is shown as attributes.
        """
        check_auxiliary(estimator, cls.__name__)
        labels = auxiliary_labels(estimator, X, y, response_method)
        _, codes = check_samples(estimator, X, y)
        shares, entropies = [], []
        for i, label in enumerate(labels):
            own = label[codes == i]
            if len(own):
                shares.append(own.mean(axis=0))
                entropies.append(float(np.mean([entropy(p) for p in own])))
            else:
                shares.append(np.full(label.shape[1], np.nan))
                entropies.append(np.nan)
        return cls(shares, np.array(entropies), class_names(estimator)).plot(ax=ax)

    def _draw(self, ax: AxesLike) -> "Axes":
        height = 1.4 + 0.3 * len(self.shares)
        axes = panels(ax, 1, 2, size=(8, height), width_ratios=[3, 2])
        axes[1].sharey(axes[0])
        self._draw_shares(axes[0])
        self._draw_entropies(axes[1], columns=3 if ax is None else 1)
        self.axes_ = np.array(axes, dtype=object)
        return axes[0]

    def _draw_shares(self, ax: "Axes") -> None:
        rows = np.arange(len(self.shares))
        psi = np.array([len(share) for share in self.shares])
        left, self.bars_ = np.zeros(len(rows)), []
        for k, colour in enumerate(colours(int(psi.max()))):
            width = np.nan_to_num([s[k] if k < len(s) else 0.0 for s in self.shares])
            bars = ax.barh(rows, width, left=left, height=0.8, color=colour, ec="white", lw=0.8)
            self.bars_.append(bars)
            left = left + width
        for row, in_use, n in zip(rows, self.in_use, psi, strict=True):
            collapsed = in_use < n / 2  # `fit` warns of the same
            ax.annotate(
                f"{in_use} of {n}", (1, row), xytext=(5, 0), textcoords="offset points",
                va="center", fontsize=9, annotation_clip=False,
                color=PALETTE[2] if collapsed else GREY, weight="bold" if collapsed else "normal",
            )  # fmt: skip
        ax.set_yticks(rows, self.class_names)
        ax.set(xlim=(0, 1), ylim=(len(rows) - 0.4, -0.6))
        ax.set_xlabel("share of the auxiliary classes")
        ax.set_title("in use", loc="right", fontsize=9, color=GREY, x=1.02, ha="left")
        ax.tick_params(axis="y", length=0)
        bare(ax)
        ax.spines["left"].set_visible(False)

    def _draw_entropies(self, ax: "Axes", columns: int) -> None:
        rows = np.arange(len(self.shares))
        most = np.log([len(share) for share in self.shares])
        ax.hlines(rows, 0, most, color="#c9cccf", lw=6, label="up to log(psi)")
        ax.plot(self.mean_label_entropy, rows, "D", color=PALETTE[0], ms=7, label="mean label")
        ax.plot(self.label_entropy, rows, "o", color=PALETTE[1], ms=5, label="single labels")
        ax.set_xlim(left=-0.03 * max(most.max(), 1.0))
        ax.set_xlabel("entropy in nats")
        ax.tick_params(axis="y", length=0, labelleft=False)
        bare(ax)
        ax.spines["left"].set_visible(False)
        ax.legend(
            frameon=False, fontsize=9, ncols=columns, loc="lower right", bbox_to_anchor=(1.02, 1.0),
            borderaxespad=0.1, columnspacing=1.0, handletextpad=0.3, handlelength=1.2,
        )  # fmt: skip


def entropy(p: NDArray[np.float64]) -> float:
    """Entropy of a distribution in nats; NaN if it is NaN."""
    positive = p[p != 0]
    return float(-(positive * np.log(positive)).sum()) + 0.0  # not -0.0
