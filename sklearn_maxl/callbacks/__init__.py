"""skorch callbacks of this package, for the estimators' parameter `callbacks`."""

from ._checkpoint import Checkpoint
from ._gradient_similarity import GradientSimilarity

__all__ = ["Checkpoint", "GradientSimilarity"]
