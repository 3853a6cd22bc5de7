"""Memory layout of images: channels last, where a trunk takes it.

A convolution over images that keep the channels of a pixel side by side is up to
twice as fast, forward, on CPUs and on GPUs with tensor cores. What flattens with
``view`` can't take such images; the trunk is asked.
"""

import torch
from torch import Tensor, nn


def choose_layout(trunk: nn.Module, input_shape: tuple[int, ...]) -> None:
    """Put the weights in the faster layout if the trunk gives the same features there.

    The trunk must be in eval mode; the layout is noted as its attribute ``channels_last``.
    """
    trunk.channels_last = False  # type: ignore[assignment]
    if not has_choice(trunk, input_shape) or next(trunk.parameters()).is_meta:
        return
    if any(map(writes_past_its_memory, trunk.modules())):
        return
    probe = torch.linspace(-1, 1, 2 * int(torch.Size(input_shape).numel()))
    probe = probe.view(2, *input_shape)
    with torch.no_grad():
        expected = trunk(probe.clone())  # which it may write into
        trunk.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        try:
            features = trunk(probe.contiguous(memory_format=torch.channels_last))
        except RuntimeError:  # a view of what no longer lies in one piece
            features = torch.full_like(expected, torch.nan)
    if torch.allclose(features, expected, rtol=1e-3, atol=1e-4, equal_nan=False):
        trunk.channels_last = True  # type: ignore[assignment]
    else:
        trunk.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


def has_choice(trunk: nn.Module, input_shape: tuple[int, ...]) -> bool:
    """Whether there are convolutions over images, which a layout can make faster."""
    return len(input_shape) == 3 and any(isinstance(m, nn.Conv2d) for m in trunk.modules())


def writes_past_its_memory(layer: nn.Module) -> bool:
    """Whether a layer's backward pass may crash the process with channels last.

    On CPUs oneDNN, which torch computes convolutions with, writes past its workspace for
    convolutions of a single pixel with a stride and fewer inputs than fill a register of 16
    (github.com/uxlfoundation/oneDNN/issues/6035).
    """
    if not isinstance(layer, nn.Conv2d):
        return False
    n_inputs = layer.in_channels // layer.groups
    return max(layer.kernel_size) == 1 and max(layer.stride) > 1 and n_inputs < 16


def set_layout(trunk: nn.Module, channels_last: bool) -> None:
    """Put the weights in the layout that was chosen earlier for a trunk like this one."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    trunk.to(memory_format=layout)  # type: ignore[call-overload]
    trunk.channels_last = channels_last  # type: ignore[assignment]


def in_layout_of(trunk: nn.Module, z: Tensor) -> Tensor:
    """Images in the layout that was chosen for a trunk; everything else as it is."""
    if getattr(trunk, "channels_last", False):
        return z.contiguous(memory_format=torch.channels_last)
    return z
