"""The gradient of the meta loss with respect to the auxiliary labels, three ways.

With ``l(t)`` the (N, K) array of auxiliary losses and ``c`` their coefficient (w/N and
the sample's weight), one MAXL step is (where weights of the samples are learned too,
read ``Y_nk`` as ``s_n Y_nk``)::

    L(t) = L_pri(t) + c sum_nk Y_nk l_nk(t)      training loss, Y = g(x, y)
    G    = grad_t L(t)
    t+   = t - a G                               virtual step (slope = d t+ / d G)
    M    = L_pri(t+) on the meta batch           what the label generator descends

Each function below takes one `MetaProblem` and returns ``(M, dM/dY)``. The rest
of the generator's gradient is an ordinary backward pass through g.
"""

import re
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn.attention import SDPBackend, sdpa_kernel

from .at_parameters import detached
from .forward_rules import FastForwardRules

Parameters = Mapping[str, Tensor]

# The level of forward-mode AD and the choice of attention kernels belong to the
# whole process; fits in several threads have to take turns.
_PROCESS_STATE = threading.Lock()


@dataclass(frozen=True)
class MetaProblem:
    """One step's two-level problem, as functions of the parameters ``t``.

    Every function replays the same random draws (dropout masks) at each call
    and leaves buffers (running statistics) as they are.
    """

    t: Parameters
    Y: Tensor
    losses: Callable[[Parameters], tuple[Tensor, Tensor]]
    """t -> (L_pri, l) on the training batch."""
    auxiliary_losses: Callable[[Parameters], Tensor]
    """t -> l alone."""
    coefficient: float | Tensor
    """``c``: a number, or shape (N, 1)."""
    meta_loss: Callable[[Parameters], Tensor]
    """t -> L_pri on the meta batch."""
    virtual_step: Callable[[Parameters], tuple[dict[str, Tensor], dict[str, Any]]]
    """G -> (t+, slope)."""
    G: Parameters


class ForwardModeError(NotImplementedError):
    """A network holds an operator that has no forward-mode derivative."""

    def __init__(self, operator: str):
        super().__init__(operator)
        self.operator = operator


def training_gradient(
    losses: Callable[[Parameters], tuple[Tensor, Tensor]], t: Parameters, cY: Tensor
) -> dict[str, Tensor]:
    """``G`` for a problem whose training step is not taken; unreached parameters are left out."""
    t = detached(t)
    L_pri, auxiliary = losses(t)
    G = torch.autograd.grad(L_pri + (cY * auxiliary).sum(), list(t.values()), allow_unused=True)
    return {name: g for name, g in zip(t, G, strict=True) if g is not None}


def exact(problem: MetaProblem) -> tuple[Tensor, Tensor]:
    """Exact, at first-order cost.

    L is linear in Y, so ``dG/dY_nk = c grad l_nk(t)`` and by the chain rule
    ``dM/dY_nk = c <grad l_nk(t), slope * grad M(t+)>``: a directional derivative
    of the losses, hence one forward-mode pass. No second-order graph is built.
    """
    M, u = _pulled_back_meta_gradient(problem)
    (dl,) = _directional_derivative(lambda t: (problem.auxiliary_losses(t),), problem.t, u)
    return M, problem.coefficient * dl


def check_forward_mode(problem: MetaProblem) -> None:
    """See once whether forward mode can be trusted with this network.

    The derivative of L along its own gradient G is ``|G|^2``. An operator that
    silently drops its tangent breaks that, as does a random draw that is not
    replayed.

    Raises
    ------
    ForwardModeError
    """
    dL_pri, dl = _directional_derivative(problem.losses, problem.t, problem.G)
    along_G = dL_pri + (problem.coefficient * problem.Y * dl).sum()
    expected = sum(((g**2).sum() for g in problem.G.values()), start=torch.zeros_like(along_G))
    if not torch.isclose(along_G, expected, rtol=0.01, atol=1e-12):
        raise ForwardModeError("an operator that loses its forward-mode derivative")


def double_backward(problem: MetaProblem) -> tuple[Tensor, Tensor]:
    """The paper's way: differentiate through the virtual step with a second-order graph."""
    Y = problem.Y.detach().requires_grad_()
    with _differentiable_attention():
        L_pri, losses = problem.losses(problem.t)
        L = L_pri + (Y * (problem.coefficient * losses)).sum()
        gradients = torch.autograd.grad(
            L, list(problem.t.values()), create_graph=True, allow_unused=True
        )
        G = dict(zip(problem.t, gradients, strict=True))
        t_plus, _ = problem.virtual_step({name: g for name, g in G.items() if g is not None})
        M = problem.meta_loss(t_plus)
        (dM_dY,) = torch.autograd.grad(M, Y, materialize_grads=True, allow_unused=True)
    return M.detach(), dM_dY


def finite_difference(problem: MetaProblem) -> tuple[Tensor, Tensor]:
    """The 2021 reference's first-order estimate: a central difference along the meta-gradient.

    Its step is ``0.01 / |u|`` (as in DARTS). Linearity in Y makes two forward
    passes enough where the reference needs two backward passes as well. Mind
    float32: the error is 1 to 25 %, `exact` costs the same and has none.
    """
    M, u = _pulled_back_meta_gradient(problem)
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(d) for d in u.values()]))
    epsilon = 0.01 / norm.clamp_min(torch.finfo(norm.dtype).tiny)

    def shifted(sign: int) -> Tensor:
        t = {
            name: p + sign * epsilon * u[name] if name in u else p for name, p in problem.t.items()
        }
        return problem.coefficient * problem.auxiliary_losses(t)

    with torch.no_grad():
        difference = (shifted(+1) - shifted(-1)) / (2 * epsilon)
    return M, torch.where(norm > 0, difference, torch.zeros_like(difference))


META_GRADIENTS: dict[str, Callable[[MetaProblem], tuple[Tensor, Tensor]]] = {
    "exact": exact,
    "double_backward": double_backward,
    "finite_difference": finite_difference,
}


def _pulled_back_meta_gradient(problem: MetaProblem) -> tuple[Tensor, dict[str, Tensor]]:
    """``M`` and ``u = slope * grad M(t+)``: the direction in which Y moves the meta loss."""
    with torch.no_grad():
        t_plus, slope = problem.virtual_step(problem.G)
    t_plus = detached(t_plus)
    moved = [t_plus[name] for name in slope]
    M = problem.meta_loss(t_plus)
    v = torch.autograd.grad(M, moved, allow_unused=True, materialize_grads=True)
    return M.detach(), {name: s * v_p for (name, s), v_p in zip(slope.items(), v, strict=True)}


@contextmanager
def _differentiable_attention() -> Iterator[None]:
    """Use the math kernel: fused attention has neither a forward-mode nor a second derivative."""
    with _PROCESS_STATE, sdpa_kernel(SDPBackend.MATH):
        yield


def _directional_derivative(
    function: Callable[[Parameters], tuple[Tensor, ...]], t: Parameters, u: Parameters
) -> list[Tensor]:
    """Forward-mode derivatives of the outputs of ``function(t)`` along ``u``."""
    try:
        with (
            torch.no_grad(),
            _differentiable_attention(),
            forward_ad.dual_level(),
            FastForwardRules(),
        ):
            _load_forward_mode()
            duals = {
                name: forward_ad.make_dual(p.detach(), u[name]) if name in u else p.detach()
                for name, p in t.items()
            }
            outputs = [forward_ad.unpack_dual(output) for output in function(duals)]
    except NotImplementedError as error:
        named = re.search(r"forward AD with (\S+)", str(error))
        without_jvp = "a torch.autograd.Function without jvp"
        unnamed = without_jvp if "jvp" in str(error) else str(error)
        raise ForwardModeError(named.group(1) if named else unnamed) from error
    return [torch.zeros_like(p) if dp is None else dp for p, dp in outputs]


@cache
def _load_forward_mode() -> None:
    """Have torch load its forward-mode rules, whose import warns of a deprecated function."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        forward_ad.make_dual(torch.zeros(1), torch.zeros(1))
