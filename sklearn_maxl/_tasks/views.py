"""Views of the auxiliary task: the same image, turned, is an auxiliary class of its own.

The auxiliary network sees each sample of a batch in one of V views, drawn anew, and has
a block of auxiliary classes for every pair of class and view. At prediction time all views
are read, each by its own blocks, and the mean counts: what views gain is the gain of that
mean (docs/evidence.rst). With one auxiliary class for each pair, this is Lee, Hwang and Shin,
"Self-supervised Label Augmentation via Input Transformations", ICML 2020.

The auxiliary task takes longer to learn than the primary one. Until its head knows the
training samples' classes, the primary head has a say in a prediction, up to one half.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


def quarter_turns(x: Tensor, turns: int) -> Tensor:
    """Images (n, channels, s, s), turned by so many right angles, 0 to 3."""
    # What torch.rot90 does, in operators that every exporter knows.
    if turns % 2 == 0:
        return half_turns(x, turns // 2)
    return x.flip(3 if turns == 1 else 2).transpose(2, 3)


def half_turns(x: Tensor, turns: int) -> Tensor:
    """Images of any height and width, turned upside down by one turn and as they are by none."""
    return x.flip(2, 3) if turns else x


@dataclass(frozen=True)
class Views:
    """V views of a batch: `change` makes the one of a number, 0 being the batch as it is."""

    change: Callable[[Tensor, int], Tensor]
    n: int

    def all(self, x: Tensor) -> list[Tensor]:
        """Every view of a whole batch."""
        return [x, *(self.change(x, v) for v in range(1, self.n))]

    def each(self, x: Tensor, v: Tensor) -> Tensor:
        """For each sample the view whose number ``v`` (n,) gives."""
        chosen = x
        for number, view in enumerate(self.all(x)[1:], start=1):
            # No index by a mask: its size would be read back from the device.
            chosen = torch.where((v == number).view(-1, *[1] * (x.ndim - 1)), view, chosen)
        return chosen


def rotations(input_shape: tuple[int, ...]) -> Views:
    """Four turns of square images; of others the two that keep their shape."""
    if len(input_shape) != 3:
        raise ValueError(
            "views='rotations' is for images (n, channels, height, width), but X has samples of "
            f"shape {input_shape}; use views=None."
        )
    _, height, width = input_shape
    return Views(quarter_turns, 4) if height == width else Views(half_turns, 2)


# The values of the estimator's parameter `views`: the shape of a sample -> its views.
VIEWS: dict[str, Callable[[tuple[int, ...]], Views]] = {"rotations": rotations}


# The auxiliary head predicts alone when its accuracy on (some of) the training samples is no
# more than MAX_ACCURACY_GAP below the primary head's. Below that, after few epochs or with few
# filters, it is the worse of the two; `examples/options.py` shows a case.
MAX_ACCURACY_GAP = 0.05
SAMPLES_FOR_GAP = 500


def primary_share(joint: float, primary: float) -> float:
    """The primary head's say, by the accuracies of both heads on training samples.

    None up to `MAX_ACCURACY_GAP`, one half from twice that on, and in proportion between.
    """
    excess = (primary - joint - MAX_ACCURACY_GAP) / MAX_ACCURACY_GAP
    return min(max(excess, 0.0), 1.0) / 2
