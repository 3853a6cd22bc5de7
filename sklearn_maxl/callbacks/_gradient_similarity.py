"""Whether the auxiliary task pulls the trunk where the primary one does."""

from typing import Any

import numpy as np
from skorch.callbacks import Callback
from torch import Tensor

from .._environment.random_state import isolated_rng, seed_rng
from .._maths.step import Batch, Pass, gradient_similarity
from .._training.net import MAXLNet


class GradientSimilarity(Callback):
    """Record the cosine between the gradients of the two losses on the trunk.

    It is the column ``gradient_similarity`` of ``history_``, the mean over the steps of an
    epoch in which it was measured, or NaN; `plots.GradientSimilarityDisplay` draws it. Each
    time costs two backward passes; training is not changed by a bit. Only steps of the
    multi-task network count, so none of the generator's pass with ``alternation="epoch"``.

    Parameters
    ----------
    every : int, default=10
        Measure in one of so many steps.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_maxl import MAXLClassifier
    >>> from sklearn_maxl.callbacks import GradientSimilarity
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MAXLClassifier(callbacks=[GradientSimilarity(every=2)], lr=0.01, max_epochs=3)
    >>> clf.fit(X, y).history_["gradient_similarity"].shape
    (3,)
    """

    def __init__(self, every: int = 10):
        self.every = every

    def on_train_begin(self, net: MAXLNet, **kwargs: Any) -> None:
        if self.every < 1:
            raise ValueError(f"every must be at least 1, got {self.every}.")

    def on_epoch_begin(self, net: MAXLNet, **kwargs: Any) -> None:
        self.measured_: list[Tensor] = []

    def on_batch_begin(
        self, net: MAXLNet, batch: Batch | None = None, kind: Pass | None = None, **kwargs: Any
    ) -> None:
        if batch is None or kind is None or not kind.network or net.hierarchy is None:
            return
        if net.n_steps_ % self.every:
            return
        step, seed = net.step_, net.n_steps_
        device = batch.y.device
        with isolated_rng(seed, device):
            task = step.auxiliary_task(batch, learn=False)
            assert task is not None
            self.measured_.append(
                gradient_similarity(
                    step.f, batch, task.targets, step.recipe, lambda: seed_rng(seed, device)
                )
            )

    def on_epoch_end(self, net: MAXLNet, **kwargs: Any) -> None:
        if net.hierarchy is None:
            return
        mean = np.mean([float(m) for m in self.measured_]) if self.measured_ else np.nan
        self.measured_ = []  # a pickle holds no tensors of a device
        net.epochs_[-1]["gradient_similarity"] = float(mean)
        net.history.record("gradient_similarity", float(mean))
