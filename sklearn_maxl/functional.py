"""The exact meta-gradient for any training loop: plain PyTorch, Lightning, skorch.

The rest of the package is built on the same function; it needs nothing but torch.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import Tensor
from torch.optim import Optimizer

from ._environment.interrupts import Held
from ._environment.torch_state import gradients_on
from ._maths import meta_gradient
from ._maths.at_parameters import Parameters
from ._maths.virtual_step import VirtualStep

__all__ = ["LabelGradient", "label_gradient"]


class LabelGradient(NamedTuple):
    """What `label_gradient` returns.

    Parameters
    ----------
    meta_loss : Tensor
        ``M``, a number: the meta loss after the virtual step.
    gradient : Tensor
        ``dM/dY``, of the shape of the labels.
    """

    meta_loss: Tensor
    gradient: Tensor


def label_gradient(
    terms: Callable[[Parameters], Tensor],
    meta_loss: Callable[[Parameters], Tensor],
    parameters: Mapping[str, Tensor],
    optimizer: Optimizer,
    gradients: Mapping[str, Tensor] | None = None,
) -> LabelGradient:
    """Exact gradient of a meta loss through one optimizer step, with respect to labels.

    A network with parameters t is trained by a loss that is linear in some labels Y. These can be
    targets of an auxiliary head, soft targets of classes, or weights of samples, and a second
    network may have made them::

        L(t) = L_0(t) + sum_k Y_k terms_k(t)

    After one step of its optimizer, ``t+ = t - a grad L(t)``, its loss on meta data is M. Since
    L is linear in Y, ``dM/dY_k`` is the derivative of ``terms_k`` along the direction
    ``(d t+ / d grad L) grad M(t+)``: one forward-mode pass gives all of them, at the cost of
    about one more forward and one backward pass. No second-order graph is built, and nothing is
    approximated.

    Parameters
    ----------
    terms : callable
        ``t -> Tensor`` of the shape of Y: what each label is multiplied by in the training
        loss, every factor included, such as ``-log_softmax(logits) / n``. `t` is a mapping of
        names to tensors, as `torch.func.functional_call` takes it.
    meta_loss : callable
        ``t -> Tensor``, a number: the loss on the meta data.
    parameters : mapping of str to Tensor
        ``dict(network.named_parameters())``, before the optimizer's step.
    optimizer : torch.optim.Optimizer
        The one that will step. It is only read. ``SGD``, ``Adam`` and ``AdamW`` are followed
        exactly, momentum, moments and weight decay included; any other is taken for plain
        gradient descent with its learning rate.
    gradients : mapping of str to Tensor, default=None
        Gradient of L by name; None reads it from ``.grad``, where ``L.backward()`` left it.

    Returns
    -------
    LabelGradient
        ``meta_loss`` and ``gradient``. ``Y.backward(gradient)`` hands the latter on to
        whatever made the labels.

    Raises
    ------
    ValueError
        If there are no gradients.

    Notes
    -----
    Calls of `terms` and `meta_loss` must not move running statistics, and must see the random
    numbers (dropout) of the training pass. `torch.func.functional_call` with copies of the
    buffers does the first. If an operator has no forward-mode derivative, two backward
    passes through `terms` take its place: the same result, but slower.

    References
    ----------
    .. [1] S. Liu, A. J. Davison, E. Johns. "Self-Supervised Generalisation with
       Meta Auxiliary Learning". NeurIPS 2019. arXiv:1901.08933. Algorithm 1.

    Examples
    --------
    Weights of samples that make the next step lower the loss on other samples:

    >>> import torch
    >>> from torch.func import functional_call
    >>> from torch.nn import functional as F
    >>> from sklearn_maxl.functional import label_gradient
    >>> _ = torch.manual_seed(0)
    >>> x, y = torch.randn(8, 4), torch.arange(8) % 2
    >>> other_x, other_y = torch.randn(6, 4), torch.arange(6) % 2
    >>> net = torch.nn.Linear(4, 2)
    >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> weights = torch.ones(8)
    >>> def terms(t):
    ...     return F.cross_entropy(functional_call(net, t, x), y, reduction="none") / 8
    >>> def meta_loss(t):
    ...     return F.cross_entropy(functional_call(net, t, other_x), other_y)
    >>> t = dict(net.named_parameters())
    >>> (weights * terms(t)).sum().backward()
    >>> found = label_gradient(terms, meta_loss, t, optimizer)
    >>> found.gradient.sign()  # -1: more weight on this sample lowers the other loss
    tensor([-1.,  1., -1., -1., -1., -1., -1., -1.])
    """
    if gradients is None:
        gradients = {name: p.grad for name, p in parameters.items() if p.grad is not None}
    if not gradients:
        raise ValueError(
            "parameters have no gradients; call backward on the training loss first, or pass "
            "gradients."
        )
    step = VirtualStep(optimizer, parameters)
    t = {name: p.detach() for name, p in parameters.items()}
    with Held(), gradients_on():
        try:
            found = meta_gradient.label_gradient(terms, meta_loss, t, gradients, step)
        except meta_gradient.ForwardModeError:
            way = meta_gradient.derivative_by_two_backward_passes
            found = meta_gradient.label_gradient(terms, meta_loss, t, gradients, step, way)
    return LabelGradient(*found)
