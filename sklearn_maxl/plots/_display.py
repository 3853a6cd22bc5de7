"""What all displays share: being drawn, and drawn again elsewhere."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

from ._style import AxesLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


class Display(ABC):
    """Keeps what is shown, and draws it."""

    ax_: "Axes"
    figure_: "Figure | SubFigure"

    def plot(self, ax: AxesLike = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib axes or sequence of them, default=None
            Where to plot; None makes a figure. A display of several panels splits single
            axes, or takes a sequence of as many.

        Returns
        -------
        Display
            The display itself.
        """
        self.ax_ = self._draw(ax)
        self.figure_ = self.ax_.figure
        return self

    @abstractmethod
    def _draw(self, ax: AxesLike) -> "Axes":
        """Draw into `ax`, or a new figure; return the first axes that were drawn into."""
