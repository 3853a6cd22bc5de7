"""Meta auxiliary learning with the scikit-learn interface."""

from importlib.metadata import version

from ._classifier import MAXLClassifier
from ._regressor import MAXLRegressor

__all__ = ["MAXLClassifier", "MAXLRegressor"]
__version__ = version("sklearn_maxl")
