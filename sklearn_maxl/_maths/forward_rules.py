"""Forward-mode derivatives that torch makes of many passes, written with few.

torch has no rule of its own for batch normalisation and puts one together from
about fifteen elementwise passes, some of which mix memory layouts. On the CPU
they take longer than the convolutions beside them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


def batch_norm(
    input: Tensor,  # noqa: A002 (torch calls it so)
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """`torch.nn.functional.batch_norm` of a dual tensor; running statistics are left alone.

    With ``z = (x - m) / s`` and ``y = a z + b`` per channel, where the mean ``m`` and the
    deviation ``s`` depend on ``x`` too::

        dy = a/s (dx - mean dx - z mean(z dx)) + z da + db

    The operator on ``dx`` is symmetric: it is the one that the backward pass applies
    to the gradient of ``y``, so torch's own kernel of that pass does it.
    """
    (x, dx), (a, da), (b, db) = (_primal_and_tangent(t) for t in (input, weight, bias))
    if not training or (dx is None and da is None and db is None):
        return F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    y, m, s_inverse = torch.native_batch_norm(x, a, b, None, None, True, momentum, eps)
    if dx is None:
        dy = torch.zeros_like(y)
    else:
        dy, _, _ = torch.ops.aten.native_batch_norm_backward(
            dx, x, a, None, None, m, s_inverse, True, eps, [True, False, False]
        )

    def per_channel(c: Tensor) -> Tensor:
        return c.view(-1, *(1,) * (x.ndim - 2)).to(y.dtype)

    constant = torch.zeros_like(m) if db is None else db
    if da is not None:
        slope = da * s_inverse
        dy.addcmul_(x, per_channel(slope))
        constant = constant - m * slope
    dy.add_(per_channel(constant))
    return forward_ad.make_dual(y, dy)


def _primal_and_tangent(t: Tensor | None) -> tuple[Any, Tensor | None]:
    return (None, None) if t is None else tuple(forward_ad.unpack_dual(t))


RULES: dict[Callable[..., Any], Callable[..., Any]] = {F.batch_norm: batch_norm}


class FastForwardRules(TorchFunctionMode):
    """Within it, modules use the rules of this file."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        return RULES.get(func, func)(*args, **(kwargs or {}))
