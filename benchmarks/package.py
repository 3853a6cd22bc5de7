"""Every private name of the package that the benchmarks use, and what they put in place of one.

Nothing else here imports one: what is renamed in the package is renamed in this file.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any
from unittest.mock import patch

from sklearn_maxl._data.data import (
    INFERENCE_VALUES,
    Samples,
    TrainingData,
    batch_sizes,
    moments,
    resolve_batch_size,
    shuffled,
)
from sklearn_maxl._estimators import base
from sklearn_maxl._maths.at_parameters import Functional, parameters_of
from sklearn_maxl._maths.losses import focal_losses, weighted_mean
from sklearn_maxl._maths.meta_gradient import (
    MetaProblem,
    Parameters,
    _directional_derivative,
    exact,
)
from sklearn_maxl._maths.step import (
    AuxiliaryTask,
    Batch,
    Recipe,
    generator_step,
    label_statistics,
    meta_problem,
    primary_loss,
    regulariser,
    scale_of,
)
from sklearn_maxl._maths.virtual_step import VirtualStep, rule_for
from sklearn_maxl._networks import networks
from sklearn_maxl._networks.networks import (
    MultiTaskNet,
    block_columns,
    block_sums,
    make_multi_task_net,
    masked_softmax,
)
from sklearn_maxl._tasks.views import resolve_views
from sklearn_maxl._training import net, runs
from sklearn_maxl._training.choose_lr import CANDIDATES
from sklearn_maxl._training.net import MAXLNet
from sklearn_maxl._training.optimizers import resolve_lr, resolve_optimizer
from sklearn_maxl.comparison._statistics import holm

directional_derivative = _directional_derivative


def with_multi_task_step(step: Callable[..., Any]) -> AbstractContextManager[Any]:
    """Fits whose multi-task network takes another step."""
    return patch.object(net, "multi_task_step", step)


def with_generator_step(step: Callable[..., Any]) -> AbstractContextManager[Any]:
    """Fits whose label generator takes another step."""
    return patch.object(net, "generator_step", step)


def with_softmax_of_labels(function: Callable[..., Any]) -> AbstractContextManager[Any]:
    """Fits whose labels are made otherwise from the generator's outputs."""
    return patch.object(networks, "masked_softmax", function)


def with_prediction(function: Callable[..., Any]) -> AbstractContextManager[Any]:
    """Networks that predict otherwise."""
    return patch.object(MultiTaskNet, "prediction", function)


def with_net(kind: type[MAXLNet]) -> AbstractContextManager[Any]:
    """Estimators that train another net."""
    return patch.object(runs, "MAXLNet", kind)


def untrained() -> ExitStack:
    """Fits that end before the first step."""
    stack = ExitStack()
    stack.enter_context(patch.object(runs, "train"))
    stack.enter_context(patch.object(base, "_warn_of_collapse"))
    return stack
