"""`save` and `load` of a fitted estimator: its parameters, and what its fit left behind."""

import math
import platform
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, is_regressor
from torch import Tensor

from .._environment.devices import is_type
from .._environment.private_sklearn import check_parameters
from .._training.net import MAXLNet
from ..labels import Learned
from . import container
from .entries import Checked, checked
from .fitted import fitted_from_parts, fitted_to_parts
from .json_values import Plain, encode, field
from .parameters import not_stored, parameters_from_plain, parameters_to_plain

PACKAGES = ("sklearn_maxl", "torch", "numpy", "scikit-learn", "skorch", "safetensors")


def save(estimator: Any, path: container.FilePath) -> None:
    """Write a fitted estimator, once it is known that it comes back."""
    container.write(path, *checked_parts(estimator))


def checked_parts(estimator: Any) -> tuple[Plain, dict[str, Tensor]]:
    """Header and tensors of a fitted estimator that comes back from them."""
    header, tensors = parts_of(estimator)
    labels, stored = estimator._fitted.settings.labels, field(header, "labels", dict, None)
    given = dict.fromkeys(("backbone", "auxiliary", "auxiliary__generator"))
    if "backbone" in not_stored(header):
        given["backbone"] = estimator.backbone
    if stored is not None and stored["kind"] is None:
        given["auxiliary"] = labels
    if stored is not None and "generator" in not_stored(stored):
        given["auxiliary__generator"] = labels.generator
    try:
        other, _ = from_parts(type(estimator), header, dict(tensors), "cpu", given)
        _compare_fields(estimator.net_, other.net_)
    except ValueError as error:
        raise ValueError(
            "save can't make the fitted networks again from the parameters; if they were changed "
            f"since fit, put them back: {error}"
        ) from error
    return header, tensors


def load(
    cls: type[BaseEstimator], path: container.FilePath, device: str | torch.device, given: Plain
) -> tuple[Any, list[str]]:
    """An estimator from a file, and what its user should be warned of."""
    given = {**given, "auxiliary__generator": given["generator"]}
    del given["generator"]
    with container.read_aloud(path):
        header, tensors = container.read(path)
        if "pipeline" in header:
            raise ValueError(
                "it holds a pipeline that prepares a table first; use "
                "sklearn_maxl.tables.load_pipeline"
            )
        return from_parts(cls, header, tensors, device, given)


def parts_of(estimator: Any) -> tuple[Plain, dict[str, Tensor]]:
    """Header and tensors of a fitted estimator."""
    header, tensors = fitted_to_parts(estimator._fitted)
    parameters, left_out = parameters_to_plain(estimator)
    names = getattr(estimator, "feature_names_in_", None)
    of_estimator = {
        "estimator": type(estimator).__name__,
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
        "parameters": parameters,
        "not_stored": left_out,
        "feature_names": None if names is None else encode(names.tolist()),
    }
    return {**of_estimator, **header}, tensors


def from_parts(
    cls: Any,
    header: Plain,
    tensors: dict[str, Tensor],
    device: str | torch.device,
    given: Plain,
) -> tuple[Any, list[str]]:
    """An estimator from header and tensors, and what its user should be warned of."""
    if "fingerprint" in header:
        raise ValueError("it is a checkpoint of a fit; call fit again, which goes on from it")
    known = checked(header)
    name = known["estimator"]
    if name != cls.__name__:
        raise ValueError(f"it holds a {name[:60]}; use {name[:60]}.load")
    parameters, defaulted = parameters_from_plain(cls, header, given)
    estimator = cls(**{**parameters, "device": device})
    labels, generator = estimator.auxiliary, given["auxiliary__generator"]
    if isinstance(labels, Learned) and given["auxiliary"] is None and generator is not None:
        labels.generator = generator
    for holder in (estimator, *estimator.get_params(deep=False).values()):
        if isinstance(holder, BaseEstimator):
            check_parameters(holder)
    own = estimator.get_params(deep=False)
    if "backbone" not in parameters:
        del own["backbone"]
    fitted = fitted_from_parts(name, own, is_regressor(estimator), known, tensors, given)
    notes = _notes(known, defaulted, device, fitted.net.device)
    estimator.n_features_in_ = math.prod(fitted.settings.input_shape)
    _restore_names(estimator, known["feature_names"])
    if tensors:
        raise ValueError(f"it holds the unknown tensors {sorted(tensors)[:3]}")
    return estimator._keep(fitted), notes


def _compare_fields(net: MAXLNet, other: MAXLNet) -> None:
    """Compare what networks hold beside tensors: it comes from the parameters, too."""
    for name in ("module_", "generator_")[: 1 + net.has_generator_]:
        theirs = vars(getattr(other, name))
        for key, value in vars(getattr(net, name)).items():
            plain = isinstance(value, (bool, int, float, str, tuple)) and key != "training"
            if plain and not key.startswith("_") and theirs.get(key) != value:
                raise ValueError(f"{key} was {value} in fit and would be {theirs.get(key)}")


def _restore_names(estimator: Any, names: list[Any] | None) -> None:
    if names is None:
        return
    if len(names) != estimator.n_features_in_:
        raise ValueError("its names of features are not one text for each")
    estimator.feature_names_in_ = np.array(names, dtype=object)


def _notes(
    header: Checked, defaulted: list[str], device: str | torch.device, found: str
) -> list[str]:
    """What is other than it was."""
    notes = []
    if defaulted:
        notes.append(
            f"The file does not hold the parameters {', '.join(defaulted)}, which are no plain "
            "values: here they have their defaults. Set them before you train on; predictions do "
            "not depend on them."
        )
    before, now = header["device"], torch.device(found).type
    if not is_type(before):
        raise ValueError(f"there is no device {before[:60]!r}")
    if device == "auto" and before != now:
        notes.append(
            f"The estimator was fitted on {before!r} and is now on {now!r}, which device='auto' "
            f"finds here; pass device={now!r} to load if that is what you want."
        )
    theirs = field(header["versions"], "sklearn_maxl", str)
    if theirs.split(".")[0] != version("sklearn_maxl").split(".")[0]:
        notes.append(
            f"The file was written by sklearn_maxl {theirs[:60]}, and this is "
            f"{version('sklearn_maxl')}: check that predictions are the same."
        )
    return notes
