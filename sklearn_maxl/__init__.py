"""Meta auxiliary learning with the scikit-learn interface."""

from importlib.metadata import version

from ._estimators.classifier import MAXLClassifier
from ._estimators.regressor import MAXLRegressor

__all__ = ["MAXLClassifier", "MAXLRegressor"]
__version__ = version("sklearn_maxl")
