"""Where auxiliary labels come from: parameter holders that a fit makes its labels with.

``auxiliary="maxl"`` is short for ``auxiliary=Learned()``; with the object, a grid search
reaches ``auxiliary__entropy_weight``. `Labels` is the base of labels of your own.
"""

from ._fixed import Human, Random, Uniform
from ._kmeans import KMeans
from ._labels import LabelInput as LabelInput
from ._labels import Labels as Labels
from ._labels import fitted_copy as fitted_copy
from ._labels import restored_copy as restored_copy
from ._learned import Learned

__all__ = ["Human", "KMeans", "LabelInput", "Labels", "Learned", "Random", "Uniform"]

# The names that the estimators' parameter `auxiliary` knows.
NAMED: dict[str, type[Labels]] = {
    "maxl": Learned,
    "uniform": Uniform,
    "random": Random,
    "kmeans": KMeans,
    "human": Human,
}
