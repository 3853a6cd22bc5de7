"""Networks with weights from a file: nothing large is made before its shapes are compared."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import TypeVar

import torch
from torch import Tensor, nn

from .._environment.random_state import isolated_rng
from .layout import has_choice, set_layout
from .trunk import Frame, Network

Made = TypeVar("Made", bound=Network)

# Of a weight: the product of two is finite in float32.
LARGEST = 1e18


def rebuilt(
    make: Callable[[], Made],
    frame: Frame,
    tensors: Mapping[str, Tensor],
    name: str,
    channels_last: bool,
) -> Made:
    """A network with the weights that were saved, on the CPU.

    Parameters
    ----------
    make : callable
        Makes the network with fresh weights.
    frame : Frame
        What it is made from. Where that is a user's own code, the network is made as in
        a fit: what a stranger's code does is not known. The package's own are made without
        memory first, whatever size a file asks for.
    tensors : dict of str to Tensor
        Its weights and buffers.
    name : str
        What errors call it.
    channels_last : bool
        Layout of its weights.
    """
    where = nullcontext() if frame.of_user else torch.device("meta")
    with isolated_rng(0, torch.device("cpu")), where:
        network = make()
    compare(network.state_dict(), tensors, name)
    for key, _ in network.named_parameters():
        if (tensors[key].abs() > LARGEST).any():
            raise ValueError(f"the tensor {key!r} of its {name} holds weights beyond {LARGEST:g}")
    if not frame.of_user:
        hidden = dict(network.named_buffers()).keys() - tensors.keys()
        if hidden:  # they would be left without values
            raise ValueError(f"the buffers {_some(hidden)} of its {name} are in no file")
        network.to_empty(device="cpu")
    network.load_state_dict(tensors)
    _layout(network, frame.input_shape, channels_last, name)
    return network.eval()


def compare(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], name: str) -> None:
    """Refuse tensors that are not those of a network."""
    lacking, extra = expected.keys() - found.keys(), found.keys() - expected.keys()
    if lacking or extra:
        raise ValueError(
            f"the tensors of its {name} are not those of the network: lacking "
            f"{_some(lacking)}, unknown {_some(extra)}"
        )
    for key, want in expected.items():
        tensor = found[key]
        if (tensor.shape, tensor.dtype) != (want.shape, want.dtype):
            raise ValueError(
                f"the tensor {key!r} of its {name} is {_kind(tensor)}, but that of the network is "
                f"{_kind(want)}"
            )


def check_finite(tensors: Mapping[str, Tensor]) -> None:
    """Refuse weights that no fit ends with."""
    for name, tensor in tensors.items():
        try:
            finite = tensor.isfinite().all()
        except NotImplementedError:  # of numbers of 8 bits and fewer
            raise ValueError(f"the tensor {name!r} is of {tensor.dtype}, as no weight is") from None
        if not finite:
            raise ValueError(f"the tensor {name!r} holds values that are not finite")


def check_share(share: Tensor | None) -> None:
    """Refuse a say of the primary head that is no share; there is one where both heads predict."""
    if share is not None and (share.shape or not 0 <= share <= 1):
        raise ValueError("the share of its primary head is not one from 0 to 1")


def _layout(network: Network, input_shape: tuple[int, ...], channels_last: bool, name: str) -> None:
    trunk: nn.Module = network.trunk
    if channels_last and not has_choice(trunk, input_shape):
        raise ValueError(f"its {name} has no images to lay out")
    set_layout(trunk, channels_last)


def _some(names: Iterable[str]) -> str:
    first = sorted(names)
    return ", ".join(first[:3]) + (" ..." if len(first) > 3 else "") or "none"


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"


def has_layout(network: Network) -> bool:
    """Whether a network takes images in the layout that is faster for convolutions."""
    return bool(getattr(network.trunk, "channels_last", False))
