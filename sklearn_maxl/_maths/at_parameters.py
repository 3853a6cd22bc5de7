"""A module as a function of its parameters: the paper's ``f(x; t)``.

`torch.func.functional_call` does the same with checks that cost more than a pass
through a small network. Here the places of all tensors are looked up once.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

Parameters = Mapping[str, Tensor]


def parameters_of(module: nn.Module) -> dict[str, Tensor]:
    """The trainable parameters by name: the letter ``t``."""
    return {name: p for name, p in module.named_parameters() if p.requires_grad}


class AtParameters:
    """The network ``f`` as a function: ``f(t, *inputs)``.

    At its own parameters, ``f(f.t, ...)``, this is an ordinary pass, which moves running
    statistics. At any others, running statistics stay as they are: they move once a step,
    with the training pass.

    Parameters
    ----------
    module : torch.nn.Module
        Its buffers named in an attribute ``constant_buffers`` are never written in a pass.
    method : callable or None
        What to call of `module`; None is the module itself.
    precision : torch.dtype or None
        Type that `torch.autocast` computes in; outputs come back as float32.
    """

    def __init__(
        self,
        module: nn.Module,
        method: Callable[..., Any] | None = None,
        precision: torch.dtype | None = None,
    ):
        self.module = module
        self.t = parameters_of(module)
        self._method = module if method is None else method
        self._precision = precision
        # A tensor has several places where weights are tied.
        self._places = {
            name: [
                (holder, key)
                for m in module.modules()
                for holder in (m._parameters, m._buffers)
                for key, own in holder.items()
                if own is tensor
            ]
            for name, tensor in {**self.t, **self._buffers()}.items()
        }

    def __call__(self, t: Parameters, *inputs: Tensor) -> Any:
        if t is self.t:
            return self._pass(*inputs)
        # Clones take the update of the running statistics and are thrown away.
        own = self._buffers()
        self._insert({**t, **{name: b.clone() for name, b in own.items()}})
        try:
            return self._pass(*inputs)
        finally:
            self._insert({**self.t, **own})

    def clear_gradients(self) -> None:
        """Forget what a pass has left in ``.grad``."""
        for p in self.t.values():
            p.grad = None

    def _pass(self, *inputs: Tensor) -> Any:
        if self._precision is None:
            return self._method(*inputs)
        with torch.autocast(inputs[0].device.type, self._precision):
            outputs = self._method(*inputs)
        # Within a program's own autocast torch keeps the rounded weights, which a step changes.
        torch.clear_autocast_cache()
        return full_precision(outputs)

    def _buffers(self) -> dict[str, Tensor]:
        constant = getattr(self.module, "constant_buffers", ())
        return {name: b for name, b in self.module.named_buffers() if name not in constant}

    def _insert(self, tensors: Parameters) -> None:
        for name, tensor in tensors.items():
            for holder, key in self._places[name]:
                holder[key] = tensor  # type: ignore[assignment]


def detached(t: Parameters) -> dict[str, Tensor]:
    """New leaves with the values of ``t``, to differentiate by."""
    return {name: p.detach().requires_grad_() for name, p in t.items()}


def full_precision(outputs: Any) -> Any:
    """Outputs of a network as float32; losses are not for fewer digits."""
    if isinstance(outputs, Tensor):
        return outputs.float()
    return tuple(None if o is None else o.float() for o in outputs)
