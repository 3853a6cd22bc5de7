"""Every private name of the package that the benchmarks use.

Nothing else here imports one: what is renamed in the package is renamed in this file.
"""

from sklearn_maxl._data.batches import BatchRule, TrainingData, shuffled
from sklearn_maxl._data.samples import Samples, rows_at_once
from sklearn_maxl._maths.at_parameters import AtParameters, Parameters
from sklearn_maxl._maths.losses import flat, over_members
from sklearn_maxl._maths.meta_gradient import MetaProblem, exact, label_gradient
from sklearn_maxl._maths.step import (
    Batch,
    Recipe,
    Record,
    SoftLabels,
    auxiliary_losses,
    coefficient_of,
    label_statistics,
    meta_loss,
    meta_problem,
    primary_loss,
    regulariser,
    training_loss,
)
from sklearn_maxl._maths.virtual_step import VirtualStep, rule_for
from sklearn_maxl._networks.multi_task import MultiTaskNet, block_sums
from sklearn_maxl._persistence import container
from sklearn_maxl._persistence.container import KEY, NO_CHECKSUM
from sklearn_maxl._persistence.parameters import HOLDERS
from sklearn_maxl._tasks.views import rotations
from sklearn_maxl._training.checks import DivergedError
from sklearn_maxl._training.net import MAXLNet
from sklearn_maxl._training.steps import Step
from sklearn_maxl.comparison._statistics import holm
