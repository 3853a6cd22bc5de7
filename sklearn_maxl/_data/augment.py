"""Random changes of the training images, as batched tensor operations on the device.

An augmentation is drawn once for a batch, when the batch is cut: the training
pass, the label generator and the meta passes of a step all see the same images.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .._environment.random_state import isolated_rng

Change = Callable[[Tensor], Tensor]
Augment = Callable[[Tensor, np.random.RandomState], Tensor]

PADDING = 4  # pixels; the paper's code has this for images of 32 x 32


def crop_flip(x: Tensor, rng: np.random.RandomState) -> Tensor:
    """Shift each image by up to 4 pixels, and mirror every second one on average.

    The paper's random crop with padding 4 and horizontal flip. What moves in from
    outside is 0, black.
    """
    n, _, height, width = x.shape
    # Drawn on the CPU: one seed gives the same crops on every device.
    top, left = torch.from_numpy(rng.randint(2 * PADDING + 1, size=(2, n))).to(x.device)
    flip = torch.from_numpy(rng.randint(2, size=n)).to(x.device).bool()
    padded = F.pad(x, (PADDING,) * 4)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # a view: (n, C, 9, 9, H, W)
    cropped = windows[torch.arange(n, device=x.device), :, top, left]
    return torch.where(flip[:, None, None, None], cropped.flip(3), cropped)


AUGMENTATIONS: dict[str, Augment] = {"crop_flip": crop_flip}


def resolve_augment(augment: str | Change | None, input_shape: tuple[int, ...]) -> Augment | None:
    """Turn the `augment` parameter into a function of a batch and a random state."""
    if augment is None:
        return None
    if not isinstance(augment, str):
        return FromFunction(augment)
    if len(input_shape) != 3:
        raise ValueError(
            f"augment={augment!r} is for images (n, channels, height, width), but X has samples "
            f"of shape {input_shape}; use augment=None or a function of a batch."
        )
    return AUGMENTATIONS[augment]


class FromFunction:
    """A user's ``batch -> batch``, run on random numbers of the fit's own."""

    def __init__(self, function: Callable[[Tensor], Tensor]):
        self.function = function

    def __call__(self, x: Tensor, rng: np.random.RandomState) -> Tensor:
        with torch.no_grad(), isolated_rng(rng.randint(2**31 - 1), x.device):
            changed = self.function(x)
        if not isinstance(changed, Tensor) or changed.shape != x.shape:
            got = tuple(changed.shape) if isinstance(changed, Tensor) else type(changed).__name__
            raise ValueError(
                f"augment must return a tensor of the shape of the batch, {tuple(x.shape)}, but "
                f"returned {got}."
            )
        return changed
