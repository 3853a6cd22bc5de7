"""The one score by which arms are compared."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, is_classifier
from sklearn.metrics import check_scoring, get_scorer_names

from .._environment.similar_names import did_you_mean

Scorer = Callable[[BaseEstimator, ArrayLike, ArrayLike], float]
"""As `scoring`; whether it gives a number is seen when it is called."""


@dataclass(frozen=True)
class Score:
    """A score with its name."""

    scorer: Scorer
    name: str

    @classmethod
    def resolve(cls, estimator: BaseEstimator, scoring: object) -> "Score":
        """The score that `scoring` means."""
        if scoring is None:
            name = "accuracy" if is_classifier(estimator) else "R2"
        elif isinstance(scoring, str):
            name = scoring
            _check_name(scoring)
        elif callable(scoring):
            name = getattr(scoring, "__name__", str(scoring))
        else:
            raise ValueError(
                f"compare takes one score, such as scoring='accuracy', got {scoring!r}; "
                "for several scores, call it once with each."
            )
        return cls(check_scoring(estimator, scoring), name)

    def of(self, model: BaseEstimator, X: ArrayLike, y: ArrayLike, where: str) -> float:
        """The score of a fitted model; `where` tells which it is."""
        try:
            value: object = self.scorer(model, X, y)
        except Exception as error:
            raise ValueError(
                f"scoring={self.name} failed ({where}): {error}{_relatives(self.name)}"
            ) from error
        if isinstance(value, dict):
            raise ValueError(
                f"compare takes one score, but scoring={self.name} gave a dict of "
                f"{', '.join(map(repr, value))}; pass a function that returns one of them."
            )
        number = np.asarray(value)
        if number.ndim or number.dtype.kind not in "fiu":
            raise ValueError(f"scoring={self.name} gave no number, but {value!r} ({where}).")
        if not np.isfinite(number):
            raise ValueError(
                f"scoring gave a value that is not finite: {self.name} is {value} ({where}); "
                "arms can't be compared by it."
            )
        return float(number)


def _check_name(name: str) -> None:
    names = get_scorer_names()
    if name not in names:
        hint = did_you_mean(name, names) or " sklearn.metrics.get_scorer_names() lists them."
        raise ValueError(f"scoring={name!r} is no score of scikit-learn.{hint}")


def _relatives(name: str) -> str:
    """Scores that may do what this one can't, such as those for more than two classes."""
    names = [other for other in get_scorer_names() if other.startswith(f"{name}_")]
    return f" There are also {', '.join(names)}." if names else ""
