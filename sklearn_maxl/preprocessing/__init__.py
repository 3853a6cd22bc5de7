"""Tables with text, dates and missing values as numbers that a network can take."""

from ._encoder import TableEncoder, tabular_pipeline

__all__ = ["TableEncoder", "tabular_pipeline"]
