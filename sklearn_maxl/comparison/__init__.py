"""Does an auxiliary task help on your data? Arms side by side, on the same folds and seeds."""

from ._compare import Comparison as Comparison
from ._compare import compare as compare

__all__ = ["Comparison", "compare"]
