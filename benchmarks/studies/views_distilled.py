"""Can the primary head learn what the mean over the turns knows?

    SKLEARN_MAXL_DATA=folder python -m benchmarks.studies.views_distilled

With views a prediction reads each image in four turns. Self-distillation (Lee, Hwang and Shin, ICML
2020) has the primary head learn the mean over the turns, so that one pass would do. Here it does
so in every third step, on the images of the batch or on mixtures of two of them, which no head
knows by heart. Labels are evenly spread. Images of the report; the table is in docs/learned.rst.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.common.steps import with_step
from benchmarks.evidence.arms import Fit
from benchmarks.evidence.fits import fitted_scores
from benchmarks.evidence.rivals import Reading, as_it_predicts, primary_head
from benchmarks.evidence.sets import shared_settings, split
from benchmarks.package import Batch, Record, Step, block_sums, training_loss
from benchmarks.studies.study import study_of_images


class Distilled(Step):
    """Every third step the primary head learns the mean over the turns as well."""

    every: ClassVar[int] = 3

    def multi_task_gradients(self, train: Batch, A: Tensor | None) -> Record:
        L, record = training_loss(self.f, self.f.t, train, A, self.recipe)
        self.module.steps = getattr(self.module, "steps", 0) + 1
        if self.module.steps % self.every == 0:
            L = L + self.distillation(self.images(train.x))
        L.backward()
        return record

    def images(self, x: Tensor) -> Tensor:
        """What both are asked about."""
        return x

    def distillation(self, x: Tensor) -> Tensor:
        """Divergence of the primary head from the mean over the turns."""
        t = dict(self.f.t)  # a copy, so that no running statistics move
        views = self.module.views
        assert views is not None
        with torch.no_grad():
            logs = [
                torch.log_softmax(block_sums(self.f(t, seen)[1], self.module.columns[:, v]), 1)
                for v, seen in enumerate(views.all(x))
            ]
            teacher = torch.stack(logs).mean(0).log_softmax(1)
        student = torch.log_softmax(self.f(t, x)[0], 1)
        return F.kl_div(student, teacher, reduction="batchmean", log_target=True)


class OfMixtures(Distilled):
    """The same on mixtures of two images of the batch, in equal parts on average."""

    def images(self, x: Tensor) -> Tensor:
        rng = self.random_numbers.rng
        share = torch.from_numpy(rng.random_sample((len(x), 1, 1, 1))).to(x)
        return torch.lerp(x[torch.from_numpy(rng.permutation(len(x)))], x, share)


class OfMixturesAlways(OfMixtures):
    """The same in each step."""

    every = 1


READINGS: dict[str, Reading] = {"four turns": as_it_predicts, "one pass": primary_head}
EVEN: dict[str, Any] = {"auxiliary": "uniform"}
ARMS: dict[str, Fit] = {
    "no auxiliary labels": Fit({"auxiliary": None}, {"one pass": as_it_predicts}),
    "views": Fit(EVEN, READINGS),
    "views, distilled": Fit({**EVEN, "kind": with_step(Distilled)}, READINGS),
    "views, distilled on mixtures": Fit({**EVEN, "kind": with_step(OfMixtures)}, READINGS),
    "views, distilled on mixtures in each step": Fit(
        {**EVEN, "kind": with_step(OfMixturesAlways)}, READINGS
    ),
}


def run(name: str, n: int, arm: str, seed: int) -> Any:
    return fitted_scores(split(name, n, seed, "test"), ARMS[arm], shared_settings(name, n), seed)


if __name__ == "__main__":
    study_of_images("views_distilled", ARMS, run)
