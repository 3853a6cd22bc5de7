"""What all views of a comparison show: a row of figures for each arm, and their units."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ._arms import auxiliary_of, label_of
from ._statistics import PairedTest, corrected_t_test, holm, standard_error

if TYPE_CHECKING:
    from ._compare import Comparison

LEVEL = 0.05

_FRACTIONS = (
    "accuracy", "balanced_accuracy", "top_k_accuracy", "average_precision", "f1", "precision",
    "recall", "jaccard", "roc_auc",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """An arm's figures, in the units of the score; the reference has no `test`."""

    label: str
    auxiliary: object
    """Its setting of `auxiliary`; `...` where it sets something else."""
    score: float
    score_error: float
    test: PairedTest | None
    p_holm: float
    seconds: float
    """Of a fit, without the search for its epochs and temperature."""
    search_seconds: float

    @property
    def same_scores(self) -> bool:
        """Whether the arm scores as the reference does in every split."""
        return self.test is not None and not self.test.wins and not self.test.losses

    @property
    def untested(self) -> bool:
        """Whether the difference is the same in every split, but not 0: there is no test."""
        return self.test is not None and not self.same_scores and math.isnan(self.test.p)

    @property
    def effect(self) -> int:
        """1 for an arm that is better than the reference, -1 for a worse one, 0 if undecided."""
        if self.test is None or not self.p_holm < LEVEL:
            return 0
        return 1 if self.test.mean > 0 else -1

    def record(self) -> dict[str, object]:
        """A row of a data frame."""
        test, nan = self.test, float("nan")
        return {
            "arm": self.label,
            "score": self.score,
            "score_error": self.score_error,
            "difference": test.mean if test else 0.0,
            "difference_error": test.standard_error if test else nan,
            "low": test.low if test else nan,
            "high": test.high if test else nan,
            "p": test.p if test else nan,
            "p_holm": self.p_holm,
            "seconds": self.seconds,
            "search_seconds": self.search_seconds,
            "wins": test.wins if test else None,
            "ties": test.ties if test else None,
            "losses": test.losses if test else None,
        }


@dataclass(frozen=True)
class Units:
    """How scores are written: shares in percent, others as they are."""

    score: str
    factor: float
    digits: int
    points: str
    """What follows a difference."""

    @classmethod
    def of(cls, scoring: str, errors: Iterable[float]) -> "Units":
        """Percent for accuracy and its like; else two digits of the smallest error."""
        name = scoring.removesuffix("_score")
        if any(name == f or name.startswith(f"{f}_") for f in _FRACTIONS):
            return cls(f"{name} in %", 100.0, 2, " points")
        positive = [e for e in errors if e > 0]
        digits = 1 - math.floor(math.log10(min(positive))) if positive else 3
        return cls(scoring, 1.0, min(max(digits, 0), 6), "")

    def value(self, value: float) -> str:
        """A score or an error."""
        return f"{self.factor * value:.{self.digits}f}"

    def signed(self, value: float) -> str:
        """A difference; zero has a sign as well."""
        rounded = round(self.factor * value, self.digits) + 0.0  # no −0.00
        return f"{rounded:+.{self.digits}f}".replace("-", "−")


@dataclass(frozen=True)
class Summary:
    """What a comparison comes to."""

    scoring: str
    design: str
    """Seeds, folds and numbers of samples."""
    rows: list[Row]
    """The reference first."""
    scores: NDArray[np.float64]
    """Of shape (n_rows, n_splits), a value for each different split."""
    versus_uniform: PairedTest | None
    """Learned labels against uniform ones, where both are there."""
    units: Units
    folds_change: bool
    baselines: list[Row]
    """With a paired difference to the reference, which is not tested."""
    baselines_versus_best: list[PairedTest]
    """Of each baseline, against the arm with the highest score."""

    @property
    def recommended(self) -> Row:
        """The best of the arms that help; the reference if none does."""
        better = [row for row in self.rows if row.effect > 0]
        return max(better, key=lambda row: row.score, default=self.rows[0])

    @classmethod
    def of(cls, found: "Comparison") -> "Summary":
        """Put the reference first, and test the others against it."""
        if found.folds_change_:
            n_different = len(found.n_train_)
            scores = found.scores_.reshape(len(found.arms_), -1)
        else:
            n_different, scores = 1, found.scores_.mean(axis=1)
        sizes = found.n_train_[:n_different].ravel(), found.n_test_[:n_different].ravel()
        reference = found.arms_.index(found.reference_)
        others = [i for i in range(len(found.arms_)) if i != reference]
        tests = {i: corrected_t_test(scores[i] - scores[reference], *sizes) for i in others}
        adjusted = dict(zip(others, holm([tests[i].p for i in others]).tolist(), strict=True))
        order = [reference, *others]
        search_seconds = np.broadcast_to(found.search_seconds_, found.seconds_.shape)
        auxiliaries = [auxiliary_of(params) for params in found.params_]
        rows = [
            Row(
                label=label_of(found.arms_[i]),
                auxiliary=auxiliaries[i],
                score=float(found.scores_[i].mean()),
                score_error=standard_error(scores[i], *sizes),
                test=tests.get(i),
                p_holm=adjusted.get(i, float("nan")),
                seconds=float(np.median(found.seconds_[i])),
                search_seconds=float(np.median(search_seconds[i])),
            )
            for i in order
        ]
        versus_uniform = None
        if "maxl" in auxiliaries and "uniform" in auxiliaries:
            learned, uniform = auxiliaries.index("maxl"), auxiliaries.index("uniform")
            versus_uniform = corrected_t_test(scores[learned] - scores[uniform], *sizes)
        best = max(order, key=lambda i: float(scores[i].mean()))
        baselines, versus_best = [], []
        for name, own, seconds in _baselines(found):
            of_splits = own.ravel() if found.folds_change_ else own.mean(axis=0)
            versus_best.append(corrected_t_test(of_splits - scores[best], *sizes))
            baselines.append(
                Row(
                    label=name,
                    auxiliary=...,
                    score=float(own.mean()),
                    score_error=standard_error(of_splits, *sizes),
                    test=replace(
                        corrected_t_test(of_splits - scores[reference], *sizes), p=float("nan")
                    ),
                    p_holm=float("nan"),
                    seconds=float(np.median(seconds)),
                    search_seconds=0.0,
                )
            )
        _, n_seeds, n_folds = found.scores_.shape
        train, test = round(found.n_train_.mean()), round(found.n_test_.mean())
        seeds = f"{n_seeds} seed{'s' if n_seeds > 1 else ''}"
        errors = [row.score_error for row in rows]
        errors += [test.standard_error for test in tests.values()]
        return cls(
            scoring=found.scoring_,
            design=f"{seeds} x {n_folds} folds, {train} training and {test} test samples each",
            rows=rows,
            scores=scores[order],
            versus_uniform=versus_uniform,
            units=Units.of(found.scoring_, errors),
            folds_change=found.folds_change_,
            baselines=baselines,
            baselines_versus_best=versus_best,
        )


def _baselines(
    found: "Comparison",
) -> list[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """Name, scores and seconds of each."""
    if found.baseline_scores_ is None or found.baseline_seconds_ is None:
        return []
    return list(zip(found.baselines_, found.baseline_scores_, found.baseline_seconds_, strict=True))
