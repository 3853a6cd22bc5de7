"""The gradient of the meta loss with respect to the auxiliary labels, two ways.

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn.attention import SDPBackend, sdpa_kernel

from .at_parameters import Parameters, detached
from .forward_rules import FastForwardRules
from .parts import Totals, summed_backwards, whole, with_values
from .virtual_step import Slope

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
    virtual_step: Callable[[Parameters], tuple[dict[str, Tensor], dict[str, Slope]]]
    """G -> (t+, slope)."""
    G: Parameters
    total: Totals = whole
    """Sums over the processes that have the other parts of the batches. What is above is then what
    this part adds; but ``G``, the virtual step's place and ``v`` are of all."""


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


def label_gradient(
    terms: Callable[[Parameters], Tensor],
    meta_loss: Callable[[Parameters], Tensor],
    t: Parameters,
    G: Parameters,
    virtual_step: Callable[[Parameters], tuple[dict[str, Tensor], dict[str, Slope]]],
    derivative: Callable[..., list[Tensor]] | None = None,
    total: Totals = whole,
) -> tuple[Tensor, Tensor]:
    """``M`` and ``dM/dY``, exact and at first-order cost.

    The training loss is linear in the labels, ``L(t) = ... + sum_k Y_k terms_k(t)``. So
    ``dG/dY_k = grad terms_k(t)``, and by the chain rule ``dM/dY_k = <grad terms_k(t), slope *
    grad M(t+)>``: directional derivatives of the terms, all by one forward-mode pass. No
    second-order graph is built.

    Of a part of a batch, ``grad M(t+)`` is summed over all of them. What follows needs nothing
    from elsewhere: a label weighs the losses of its own sample alone.
    """
    with torch.no_grad():
        t_plus, slope = virtual_step(G)
    t_plus = detached(t_plus)
    moved = [t_plus[name] for name in slope]
    M = meta_loss(t_plus)
    v = total(torch.autograd.grad(M, moved, materialize_grads=True))
    u = {name: s * v_p for (name, s), v_p in zip(slope.items(), v, strict=True)}
    (dM_dY,) = (derivative or directional_derivative)(lambda t: (terms(t),), t, u)
    return M.detach(), dM_dY


def exact(problem: MetaProblem) -> tuple[Tensor, Tensor]:
    """`label_gradient` of one MAXL step, whose terms are the auxiliary losses."""

    def terms(t: Parameters) -> Tensor:
        return problem.coefficient * problem.auxiliary_losses(t)

    return label_gradient(
        terms, problem.meta_loss, problem.t, problem.G, problem.virtual_step, total=problem.total
    )


def check_forward_mode(problem: MetaProblem) -> None:
    """See once whether forward mode can be trusted with this network.

    The derivative of L along its own gradient G is ``|G|^2``. An operator that
    silently drops its tangent breaks that, as does a random draw that is not
    replayed.

    Raises
    ------
    ForwardModeError
    """
    dL_pri, dl = directional_derivative(problem.losses, problem.t, problem.G)
    (along_G,) = problem.total([dL_pri + (problem.coefficient * problem.Y * dl).sum()])
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
        G = {n: g for n, g in zip(problem.t, gradients, strict=True) if g is not None}
        t_plus, _ = problem.virtual_step(with_values(problem.total, G, problem.G))
        M = problem.meta_loss(summed_backwards(problem.total, t_plus))
        (dM_dY,) = torch.autograd.grad(M, Y, materialize_grads=True)
    return M.detach(), dM_dY


MetaGradient = Callable[[MetaProblem], tuple[Tensor, Tensor]]
META_GRADIENTS: dict[str, MetaGradient] = {
    "exact": exact,
    "double_backward": double_backward,
}


class WithFallback:
    """A meta-gradient that tries forward mode out first, and does without where it has to.

    Parameters
    ----------
    name : str
        A key of `META_GRADIENTS`.
    """

    def __init__(self, name: str):
        self.function = META_GRADIENTS[name]
        self.checked = False

    def __call__(self, problem: MetaProblem) -> tuple[Tensor, Tensor]:
        try:
            if self.function is exact and not self.checked:
                check_forward_mode(problem)
                self.checked = True
            return self.function(problem)
        except ForwardModeError as error:
            warnings.warn(
                f"The backbone uses {error.operator}, which forward mode can't differentiate; "
                "falling back to meta_gradient='double_backward' (same result, slower).",
                stacklevel=2,
            )
            self.function = double_backward
            return self(problem)
        except RuntimeError as error:
            if self.function is not double_backward or "not implemented" not in str(error):
                raise
            raise ValueError(
                f"The backbone can't be differentiated twice ({error}); use "
                "meta_gradient='exact', another backbone, or auxiliary='uniform', which needs no "
                "meta-gradient."
            ) from error


@contextmanager
def _differentiable_attention() -> Iterator[None]:
    """Use the math kernel: fused attention has neither a forward-mode nor a second derivative."""
    with _PROCESS_STATE, sdpa_kernel(SDPBackend.MATH):
        yield


def directional_derivative(
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


def derivative_by_two_backward_passes(
    function: Callable[[Parameters], tuple[Tensor, ...]], t: Parameters, u: Parameters
) -> list[Tensor]:
    """The same for a single output, for operators without a forward-mode derivative.

    The gradient of ``sum_k c_k f_k(t)`` is linear in c, so the gradient of its product with
    ``u`` by c is the derivative of f along ``u``, whatever c is.
    """
    t = detached(t)
    with _differentiable_attention():
        (f,) = function(t)
        c = torch.ones_like(f, requires_grad=True)
        moved = [t[name] for name in u]
        g = torch.autograd.grad(f, moved, c, create_graph=True, allow_unused=True)
        pairs = [(a, b) for a, b in zip(g, u.values(), strict=True) if a is not None]
        if not pairs:
            return [torch.zeros_like(f)]
        along = torch.stack([(a * b).sum() for a, b in pairs]).sum()
        (df,) = torch.autograd.grad(along, c, materialize_grads=True)
    return [df]


@cache
def _load_forward_mode() -> None:
    """Have torch load its forward-mode rules, whose import warns of a deprecated function."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        forward_ad.make_dual(torch.zeros(1), torch.zeros(1))
