"""Networks with weights from a file: nothing large is made before its shapes are compared."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from .._environment.random_state import isolated_rng
from .._networks.layout import has_choice, set_layout
from .._networks.networks import Network


def rebuilt(
    make: Callable[[], Any],
    tensors: dict[str, Tensor],
    name: str,
    *,
    own: bool,
    input_shape: tuple[int, ...],
    channels_last: bool,
) -> Any:
    """A network with the weights that were saved, on the CPU.

    Parameters
    ----------
    make : callable
        Makes the network with fresh weights.
    tensors : dict of str to Tensor
        Its weights and buffers.
    name : str
        What errors call it.
    own : bool
        Whether its trunk is the caller's own. Then it is made as in a fit: what
        a stranger's code does is not known. The package's own are made without
        memory first, whatever size a file asks for.
    input_shape : tuple of int
    channels_last : bool
        Layout of its weights.
    """
    with isolated_rng(0, torch.device("cpu")), nullcontext() if own else torch.device("meta"):
        network = make()
    _compare(network.state_dict(), tensors, name)
    if not own:
        hidden = dict(network.named_buffers()).keys() - tensors.keys()
        if hidden:  # they would be left without values
            raise ValueError(f"the buffers {_some(hidden)} of its {name} are in no file")
        network.to_empty(device="cpu")
    network.load_state_dict(tensors)
    _layout(network, input_shape, channels_last, name)
    return network.eval()


def _compare(expected: dict[str, Any], found: dict[str, Tensor], name: str) -> None:
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


def check_finite(tensors: dict[str, Tensor]) -> None:
    """Refuse weights that no fit ends with."""
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ValueError(f"the tensor {name!r} holds values that are not finite")


def _layout(network: Network, input_shape: tuple[int, ...], channels_last: bool, name: str) -> None:
    trunk: nn.Module = network.trunk
    if channels_last and not has_choice(trunk, input_shape):
        raise ValueError(f"its {name} has no images to lay out")
    set_layout(trunk, channels_last)


def _some(names: set[str]) -> str:
    first = sorted(names)[:3]
    return ", ".join(first) + (" ..." if len(names) > 3 else "") or "none"


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"
