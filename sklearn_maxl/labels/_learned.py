"""Labels that a network invents: what configures the label generator and its training."""

from numbers import Integral, Real
from typing import Any, ClassVar, Self

from .. import backbones
from .._data.batches import META_BATCHES
from .._environment.private_sklearn import HasMethods, Interval, StrOptions
from .._environment.short_names import Shorthand, refuse_inner_parameters
from .._maths.losses import REGULARISERS
from .._maths.meta_gradient import META_GRADIENTS
from .._maths.step import PASSES
from ..backbones import Backbone
from ..optimizers import NAMED as OPTIMIZERS
from ..optimizers import MakeOptimizer
from ._labels import Stateless

SHORTHANDS = {
    "generator": Shorthand(backbones.NAMED, "backbones"),
    "optimizer": Shorthand(OPTIMIZERS, "optimizers"),
}


class Learned(Stateless):
    """Labels that a second network, the label generator, invents: the method of the paper.

    The generator learns by the gradient of the primary loss after one step of the
    multi-task network, so that learning its labels helps the real task.

    Parameters
    ----------
    generator : str, backbone, callable or module, default=None
        Trunk of the label generator, as the estimator's `backbone`. None: the same kind as
        `backbone`, as in the paper, section 3.2.
    optimizer : {"adam", "sgd", "adamw"}, object of `sklearn_maxl.optimizers` or callable, \
            default="adam"
        Optimizer of the label generator. With plain SGD the generator hardly
        moves, because the meta-gradient carries the factor `lr` of the estimator.
    lr : float, default=0.001
        Learning rate of the label generator; 1e-3 is the reference code's.
    every : int, default=8
        The label generator learns in one of so many steps. 1 is the paper's. On images, 8
        costs 1.7 times the operations of the single task, and 1 costs 4 times. The
        accuracy differs by at most 1.5 standard errors (``python -m benchmarks.studies.cheaper``).
    entropy_weight : float, default=0.2
        Weight lambda of the entropy term that keeps all auxiliary classes in use.
        0.2 is the paper's.
    information_weight : float, default=0.0
        Weight of the mutual information of sample and label, which makes single
        labels sharp. The entropy term alone does not: it is also lowest if all samples
        of a class have the same even label. 0 is the paper's.
    weight_range : float, default=0.0
        Range R of learned weights of the samples in the auxiliary loss. They lie
        between 2**-R and 2**R, and are a second output of the label generator; the idea
        is that of WAMAL. 0, the paper's, learns none.
    meta_gradient : {"exact", "double_backward"}, default="exact"
        How the generator's gradient is computed. Both agree to rounding; "exact" is the
        cheaper one, "double_backward" the paper's.
    meta_scale : float or "inverse_lr", default=1.0
        Factor of the meta-gradient beside the entropy term. The meta-gradient contains the
        learning rate of the multi-task network as a factor; "inverse_lr" divides by it. 1 is
        the paper's.
    meta_batch : {"same", "holdout"}, default="same"
        Data of the meta loss: the training batch itself (NeurIPS 2019), or the estimator's
        `validation_fraction` of the data that is never trained on (the ICLR 2019
        version). "same" needs no second batch.
    alternation : {"batch", "epoch"}, default="batch"
        "batch": both networks learn from each batch. "epoch": a pass over the data
        for the multi-task network, then one for the label generator, as in the
        NeurIPS 2019 code; `every` then counts the steps of the generator's pass. "batch"
        shares a gradient between the two and is cheaper.

    References
    ----------
    .. [1] S. Liu, A. J. Davison, E. Johns. "Self-Supervised Generalisation with
       Meta Auxiliary Learning". NeurIPS 2019. arXiv:1901.08933.

    Examples
    --------
    >>> from sklearn_maxl import MAXLClassifier
    >>> from sklearn_maxl.labels import Learned
    >>> clf = MAXLClassifier(auxiliary=Learned(every=1))
    >>> clf.set_params(auxiliary__entropy_weight=0.5).auxiliary
    Learned(entropy_weight=0.5, every=1)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "generator": [str, callable, HasMethods("build"), None],
        "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "every": [Interval(Integral, 1, None, closed="left")],
        "entropy_weight": [Interval(Real, 0, None, closed="left")],
        "information_weight": [Interval(Real, 0, None, closed="left")],
        "weight_range": [Interval(Real, 0, None, closed="left")],
        "meta_gradient": [StrOptions(set(META_GRADIENTS))],
        "meta_scale": [Interval(Real, 0, None, closed="left"), StrOptions({"inverse_lr"})],
        "meta_batch": [StrOptions(set(META_BATCHES))],
        "alternation": [StrOptions(set(PASSES))],
    }

    def __init__(
        self,
        generator: Backbone | None = None,
        *,
        optimizer: str | MakeOptimizer = "adam",
        lr: float = 0.001,
        every: int = 8,
        entropy_weight: float = 0.2,
        information_weight: float = 0.0,
        weight_range: float = 0.0,
        meta_gradient: str = "exact",
        meta_scale: float | str = 1.0,
        meta_batch: str = "same",
        alternation: str = "batch",
    ):
        self.generator = generator
        self.optimizer = optimizer
        self.lr = lr
        self.every = every
        self.entropy_weight = entropy_weight
        self.information_weight = information_weight
        self.weight_range = weight_range
        self.meta_gradient = meta_gradient
        self.meta_scale = meta_scale
        self.meta_batch = meta_batch
        self.alternation = alternation

    def set_params(self, **params: object) -> Self:
        refuse_inner_parameters(self, params, SHORTHANDS)
        return super().set_params(**params)

    @property
    def regularisers(self) -> dict[str, float]:
        """The weight of each term that the generator descends beside the meta loss.

        A subclass may have the parameter of a term that this class does not know.
        """
        return {name: getattr(self, name, 0.0) for name in REGULARISERS}
