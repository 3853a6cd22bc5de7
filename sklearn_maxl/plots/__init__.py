"""Displays of a fitted estimator, in scikit-learn's manner.

``SomeDisplay.from_estimator(...)`` computes what is shown, keeps it in attributes and
plots it; ``plot(ax=...)`` draws it again elsewhere. matplotlib is imported in `plot` only.
"""

from ._auxiliary_use import AuxiliaryUseDisplay
from ._embedding import EmbeddingDisplay
from ._gradient_similarity import GradientSimilarityDisplay
from ._label_entropy import LabelEntropyDisplay
from ._label_mosaic import LabelMosaicDisplay
from ._overview import OverviewDisplay
from ._training_curve import TrainingCurveDisplay

__all__ = [
    "AuxiliaryUseDisplay",
    "EmbeddingDisplay",
    "GradientSimilarityDisplay",
    "LabelEntropyDisplay",
    "LabelMosaicDisplay",
    "OverviewDisplay",
    "TrainingCurveDisplay",
]
