"""skorch callbacks of this package, for the estimators' parameter `callbacks`."""

from ._gradient_similarity import GradientSimilarity

__all__ = ["GradientSimilarity"]
