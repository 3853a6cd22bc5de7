"""`save_pipeline` and `load_pipeline`: a table's preparation and a network in one file.

The file is that of a saved estimator with two objects in its header: ``pipeline``, with what the
preparation has learned, and ``network``, the estimator's own header.
"""

import datetime
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ..preprocessing import TableEncoder, tabular_pipeline
from . import container
from .encoder import encoder_from_plain, encoder_to_plain
from .json_values import Plain, field
from .save_load import checked_parts, from_parts


@dataclass(frozen=True)
class Loaded:
    """What a file holds.

    Attributes
    ----------
    pipeline : Pipeline
        A `TableEncoder` and an estimator.
    created : datetime
        When the file was written, in UTC.
    record : dict or None
        What whoever wrote the file said of it; unchecked.
    versions : dict
        Of the packages that wrote it.
    notes : list of str
        What its user should be warned of.
    """

    pipeline: Pipeline
    created: datetime.datetime
    record: Plain | None
    versions: dict[str, str]
    notes: list[str]


def save_pipeline(
    pipeline: Any, path: container.FilePath, classes: Iterable[type], record: Plain | None = None
) -> None:
    """Write a fitted pipeline of a `TableEncoder` and an estimator of one of some classes."""
    encoder, network = _steps(pipeline, tuple(classes))
    header, tensors = checked_parts(network)
    own: Plain = {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "encoder": encoder_to_plain(encoder),
        "record": record,
    }
    container.write(path, {"pipeline": own, "network": header}, tensors)


def load_pipeline(
    path: container.FilePath,
    classes: Iterable[type],
    device: str | torch.device = "auto",
    given: Plain | None = None,
) -> Loaded:
    """What `save_pipeline` wrote, checked."""
    given = {"backbone": None, "auxiliary": None, "generator": None, **(given or {})}
    given["auxiliary__generator"] = given.pop("generator")
    with container.read_aloud(path):
        header, tensors = container.read(path)
        own, network = _halves(header)
        cls = _class_named(field(network, "estimator", str), classes)
        encoder = encoder_from_plain(field(own, "encoder", dict))
        width = len(encoder.get_feature_names_out())
        shape = field(network, "input_shape", list)
        if any(type(n) is not int for n in shape) or width != math.prod(shape):
            raise ValueError("its network takes another number of columns than its table has")
        created = _time(field(own, "created", str))
        estimator, notes = from_parts(cls, network, tensors, device, given)
        versions = field(network, "versions", dict)
        if any(type(version) is not str for version in versions.values()):
            raise ValueError("its versions are no texts")
        record = field(own, "record", dict, None)
    pipeline = tabular_pipeline(estimator)
    pipeline.steps[0] = (pipeline.steps[0][0], encoder)
    return Loaded(pipeline, created, record, versions, notes)


def _steps(pipeline: Any, classes: tuple[type, ...]) -> tuple[TableEncoder, BaseEstimator]:
    if isinstance(pipeline, classes):
        raise TypeError(
            f"pipeline is a {type(pipeline).__name__} without a table's preparation; use its "
            "method save."
        )
    steps = [step for _, step in pipeline.steps] if isinstance(pipeline, Pipeline) else []
    right = len(steps) == 2 and type(steps[0]) is TableEncoder and type(steps[1]) in classes
    if not right:
        found = ", ".join(type(step).__name__ for step in steps) or type(pipeline).__name__
        raise TypeError(
            "pipeline must be what tabular_pipeline makes, a TableEncoder and a "
            f"{' or a '.join(cls.__name__ for cls in classes)}; got {found}."
        )
    for step in steps:
        check_is_fitted(step)
    return steps[0], steps[1]


def _halves(header: Plain) -> tuple[Plain, Plain]:
    if "pipeline" not in header:
        name = field(header, "estimator", str)[:60]
        raise ValueError(f"it holds a {name} without a table's preparation; use {name}.load")
    if header.keys() != {"pipeline", "network"}:
        raise ValueError("its header holds other things than a pipeline")
    return field(header, "pipeline", dict), field(header, "network", dict)


def _class_named(name: str, classes: Iterable[type]) -> type:
    for cls in classes:
        if cls.__name__ == name:
            return cls
    raise ValueError(f"there is no estimator {name[:60]!r} in sklearn_maxl")


def _time(text: str) -> datetime.datetime:
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"it was made at no time that there is, {text[:60]!r}") from error
    if found.utcoffset() != datetime.timedelta(0):
        raise ValueError(f"the time it was made is not in UTC, {text[:60]!r}")
    return found
