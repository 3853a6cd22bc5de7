"""Meta auxiliary learning with the scikit-learn interface."""

from importlib.metadata import version

from ._classifier import MAXLClassifier

__all__ = ["MAXLClassifier"]
__version__ = version("sklearn_maxl")
