"""Optimizers as parameter holders: plain values that clone, search and save.

``optimizer="sgd"`` is short for ``optimizer=SGD()``; with the object, a grid search reaches
``optimizer__momentum``. The learning rate is a parameter of the estimator. How the
meta-gradient follows their steps is in `_maths/virtual_step.py`.
"""

import inspect
from collections.abc import Callable, Iterable
from numbers import Real
from typing import Any, ClassVar

import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from ._environment.private_sklearn import Interval

__all__ = ["SGD", "Adam", "AdamW"]

MakeOptimizer = Callable[..., torch.optim.Optimizer]


class Holder(BaseEstimator):
    """Makes an optimizer of torch from parameters of the same names."""

    optimizer_class: ClassVar[MakeOptimizer]
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "momentum": [Interval(Real, 0, None, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "nesterov": ["boolean"],
    }

    def __call__(self, parameters: Iterable[Tensor], lr: float) -> torch.optim.Optimizer:
        """Make the optimizer.

        Parameters
        ----------
        parameters : iterable of torch.Tensor
            What it is to change.
        lr : float
            Learning rate.

        Returns
        -------
        torch.optim.Optimizer
            With one fused kernel instead of several operations for each parameter, which
            takes a third of the time on small networks.
        """
        return type(self).optimizer_class(
            parameters, lr=lr, fused=True, **self.get_params(deep=False)
        )


class SGD(Holder):
    """Stochastic gradient descent, the paper's optimizer.

    Parameters
    ----------
    momentum : float, default=0.0
        Share of the last step in the next one. None is the paper's.
    weight_decay : float, default=0.0
        Factor of the weights that is added to the gradient (L2 penalty). The paper's is
        5e-4 for the label generator and none for the multi-task network.
    nesterov : bool, default=False
        Nesterov's momentum.

    Examples
    --------
    >>> from sklearn_maxl import MAXLClassifier
    >>> from sklearn_maxl.optimizers import SGD
    >>> clf = MAXLClassifier(optimizer=SGD(momentum=0.9))
    >>> clf.set_params(optimizer__momentum=0.8).optimizer
    SGD(momentum=0.8)
    """

    optimizer_class = torch.optim.SGD

    def __init__(
        self, momentum: float = 0.0, weight_decay: float = 0.0, nesterov: bool = False
    ) -> None:
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.nesterov = nesterov


class Adam(Holder):
    """Adam (Kingma and Ba, ICLR 2015).

    Parameters
    ----------
    weight_decay : float, default=0.0
        Factor of the weights that is added to the gradient (L2 penalty).

    Examples
    --------
    >>> from sklearn_maxl.optimizers import Adam
    >>> Adam(weight_decay=0.01).get_params()
    {'weight_decay': 0.01}
    """

    optimizer_class = torch.optim.Adam

    def __init__(self, weight_decay: float = 0.0) -> None:
        self.weight_decay = weight_decay


class AdamW(Holder):
    """Adam with weight decay apart from the gradient (Loshchilov and Hutter, ICLR 2019).

    Parameters
    ----------
    weight_decay : float, default=0.01
        Part of the weights that a step of learning rate 1 would take away; torch's default.

    Examples
    --------
    >>> from sklearn_maxl.optimizers import AdamW
    >>> AdamW(weight_decay=0.1)
    AdamW(weight_decay=0.1)
    """

    optimizer_class = torch.optim.AdamW

    def __init__(self, weight_decay: float = 0.01) -> None:
        self.weight_decay = weight_decay


NAMED: dict[str, type[Holder]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW}


def make_optimizer(optimizer: str | MakeOptimizer) -> MakeOptimizer:
    """Turn a name, a holder, an optimizer class or a function into ``f(parameters, lr=...)``."""
    if optimizer in NAMED.values():
        name = getattr(optimizer, "__name__", optimizer)
        raise ValueError(f"optimizer is the class {name}; pass an object, {name}().")
    return NAMED[optimizer]() if isinstance(optimizer, str) else optimizer


def check_optimizer(optimizer: object, name: str) -> None:
    """Refuse what is none, and one that needs the loss several times in a step, as LBFGS does."""
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ValueError(
            f"{name} must make a torch.optim.Optimizer of parameters and lr, but made "
            f"{optimizer!r}."
        )
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is closure.empty:
        raise ValueError(
            f"{name} makes {type(optimizer).__name__}, which needs the loss several times in a "
            "step, where training computes it once; use 'adam', 'adamw' or 'sgd', or another "
            "optimizer of torch."
        )
