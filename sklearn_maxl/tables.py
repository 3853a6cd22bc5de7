"""A fitted pipeline for tables as one file: the table's preparation and the network."""

import os
import warnings
from typing import Any

import torch
from sklearn.pipeline import Pipeline

from ._environment.torch_state import own_torch
from ._estimators.classifier import MAXLClassifier
from ._estimators.regressor import MAXLRegressor
from ._persistence import pipelines
from .backbones import Backbone
from .labels import Labels

__all__ = ["load_pipeline", "save_pipeline"]

CLASSES = (MAXLClassifier, MAXLRegressor)


def save_pipeline(pipeline: Pipeline, path: str | os.PathLike[str]) -> None:
    """Write a fitted pipeline of `tabular_pipeline` to one file that runs no code when it is read.

    The file is that of the estimators' ``save``, with what the table's preparation has learned
    beside the networks: names and kinds of the columns, medians, frequent categories, first
    dates. Rare categories, which share a column, are not in it.

    Parameters
    ----------
    pipeline : Pipeline
        What `tabular_pipeline` makes of a `MAXLClassifier` or a `MAXLRegressor`, fitted.
    path : str or path-like
        File to write; ``.maxl`` is the usual ending. A file that is there is replaced at once.

    Raises
    ------
    TypeError
        If `pipeline` has other steps.
    NotFittedError
        If it is not fitted.
    ValueError
        If parameters were changed since `fit`, so that they make other networks.
    FileNotFoundError
        If the folder does not exist.

    See Also
    --------
    load_pipeline : Read the file. `predict` of the command reads it as well.
    sklearn_maxl.preprocessing.tabular_pipeline : Makes the pipeline.

    Examples
    --------
    >>> import os, tempfile
    >>> import pandas as pd
    >>> from sklearn_maxl import MAXLClassifier
    >>> from sklearn_maxl.preprocessing import tabular_pipeline
    >>> from sklearn_maxl.tables import load_pipeline, save_pipeline
    >>> X = pd.DataFrame({"size": 20 * [1.0, None, 3.0], "colour": 20 * ["red", "green", None]})
    >>> model = tabular_pipeline(MAXLClassifier(max_epochs=3, random_state=0))
    >>> model = model.fit(X, 20 * ["a", "b", "c"])
    >>> path = os.path.join(tempfile.mkdtemp(), "model.maxl")
    >>> save_pipeline(model, path)
    >>> bool((load_pipeline(path).predict_proba(X) == model.predict_proba(X)).all())
    True
    """
    with own_torch(1):
        pipelines.save_pipeline(pipeline, path, CLASSES)


def load_pipeline(
    path: str | os.PathLike[str],
    device: str | torch.device = "auto",
    backbone: Backbone | None = None,
    generator: Backbone | None = None,
    auxiliary: Labels | None = None,
) -> Pipeline:
    """Read a pipeline that `save_pipeline` or the command's ``fit`` wrote; no code in it is run.

    On the same kind of device, predictions are bit for bit those of the pipeline that was saved.

    Parameters
    ----------
    path : str or path-like
        File to read.
    device : str or torch.device, default="auto"
        Device to put the networks on.
    backbone : backbone or callable, default=None
        The backbone that was fitted, where it is a network of your own. The file has its weights.
    generator : backbone or callable, default=None
        The same for the label generator, `generator` of ``Learned``.
    auxiliary : object, default=None
        The source of auxiliary labels that was fitted, where it is of your own making.

    Returns
    -------
    Pipeline
        What `tabular_pipeline` makes, fitted. It takes data frames as the one that was saved
        does; columns of text are not searched for dates and decimal commas, as the command does.

    Raises
    ------
    ValueError
        If the file is damaged, was changed, is of a newer format, holds an estimator without a
        table's preparation, or if a network of your own is needed.

    Warns
    -----
    UserWarning
        As the estimators' ``load`` does.

    See Also
    --------
    save_pipeline : Write the file, and what is in it.
    sklearn_maxl.MAXLClassifier.load : Read an estimator that was saved by itself.

    Examples
    --------
    >>> from sklearn_maxl.tables import load_pipeline
    >>> model = load_pipeline("model.maxl")  # doctest: +SKIP
    >>> model.predict(X)  # doctest: +SKIP
    """
    given: dict[str, Any] = {"backbone": backbone, "generator": generator, "auxiliary": auxiliary}
    with own_torch(1):
        loaded = pipelines.load_pipeline(path, CLASSES, device, given)
    for note in loaded.notes:
        warnings.warn(note, stacklevel=2)
    return loaded.pipeline
