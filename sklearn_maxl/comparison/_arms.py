"""What is compared: arms, each a name and the parameters that it sets."""

import copy
from collections.abc import Iterable, Mapping

from sklearn.base import BaseEstimator, clone

from .._estimators.base import BaseMAXL
from ..labels import NAMED

Arms = dict[object, dict[str, object]]

# Settings of `auxiliary` that can be arms, besides None: those that need no labels of the user's.
COMPARABLE = [name for name, labels in NAMED.items() if not labels.needs_auxiliary_labels]
DEFAULT_ARMS = ("maxl", "uniform", "kmeans", "random", None)


def label_of(arm: object) -> str:
    """The name of an arm as it is shown."""
    return "single task" if arm is None else str(arm)


def prefix_of_maxl(estimator: BaseEstimator) -> str:
    """What stands before the names of the MAXL estimator's parameters, such as "step__"."""
    if isinstance(estimator, type) or not hasattr(estimator, "get_params"):
        raise TypeError(
            "estimator must be a MAXLClassifier, a MAXLRegressor or a pipeline with one, "
            f"got {estimator!r}."
        )
    if isinstance(estimator, BaseMAXL):
        return ""
    inside = [k for k, v in estimator.get_params().items() if isinstance(v, BaseMAXL)]
    if len(inside) != 1:
        raise ValueError(
            f"estimator must hold one MAXLClassifier or MAXLRegressor, as the last step of a "
            f"pipeline for instance; {type(estimator).__name__} holds "
            + (f"{len(inside)}: {', '.join(inside)}." if inside else "none.")
        )
    return f"{inside[0]}__"


def with_params(estimator: BaseEstimator, params: dict[str, object]) -> BaseEstimator:
    """A fresh copy of the estimator with an arm's parameters, which stay the arm's own."""
    return clone(estimator).set_params(**copy.deepcopy(params))


def resolve_arms(estimator: BaseEstimator, arms: object) -> Arms:
    """The parameters of each arm, with their full names in the estimator."""
    prefix = prefix_of_maxl(estimator)
    if isinstance(arms, Mapping):
        resolved = {n: _full_names(estimator, prefix, n, params) for n, params in arms.items()}
    else:
        if isinstance(arms, str) or not isinstance(arms, Iterable):
            raise TypeError(
                f'arms must be a sequence such as ("maxl", None), or a dict, got {arms!r}.'
            )
        names = list(arms)
        for name in names:
            _check_name(name)
        if len(set(names)) < len(names):
            raise ValueError(f"arms must differ, got {names}.")
        resolved = {name: {f"{prefix}auxiliary": name} for name in names}
    if len(resolved) < 2:
        raise ValueError(f"arms must hold at least two to compare, got {list(resolved)}.")
    return resolved


def _check_name(name: object) -> None:
    if name == "human":
        raise ValueError(
            'arms can\'t hold "human": its labels are your own and are given to fit; '
            "compare it in a loop of your own."
        )
    if name is not None and name not in COMPARABLE:
        known = ", ".join(f'"{arm}"' for arm in COMPARABLE)
        raise ValueError(
            f"arms holds {name!r}, which is none of {known} and None; for other settings give a "
            "dict of names with parameters, {name: {parameter: value}}."
        )


def _full_names(
    estimator: BaseEstimator, prefix: str, name: object, params: object
) -> dict[str, object]:
    """An arm's parameters: the MAXL estimator's own, or of the whole pipeline."""
    if not isinstance(params, Mapping):
        raise TypeError(
            f"arms as a dict maps a name to parameters, {{name: {{parameter: value}}}}; "
            f"arm {name!r} has {params!r}."
        )
    own = (estimator.get_params()[prefix[:-2]] if prefix else estimator).get_params(deep=False)
    full = {(prefix if k.split("__")[0] in own else "") + k: v for k, v in params.items()}
    if any(key.rsplit("__", 1)[-1] == "random_state" for key in full):
        raise ValueError(
            f"arms: {name!r} sets random_state, but compare sets it itself, to the same in all "
            "arms; its own random_state and n_seeds say which."
        )
    try:
        with_params(estimator, full)
    except ValueError as error:
        raise ValueError(f"arms: {name!r} can't be set: {error}") from error
    return full


def resolve_reference(arms: Arms, reference: object) -> object:
    """The name of the arm that the others are compared to."""
    if reference in arms:
        return reference
    if reference is None:
        single = [n for n, p in arms.items() for k in p if _is_auxiliary(k) and p[k] is None]
        if len(single) == 1:
            return single[0]
        raise ValueError(
            "reference=None is the single task, auxiliary=None, which is not among arms "
            f"{list(arms)}: add None to arms, or name one of them as reference."
        )
    raise ValueError(f"reference={reference!r} is not among arms {list(arms)}.")


def _is_auxiliary(name: str) -> bool:
    return name == "auxiliary" or name.endswith("__auxiliary")


def auxiliary_of(params: dict[str, object]) -> object:
    """The setting of `auxiliary` if that is all that an arm sets, else `...`."""
    if len(params) == 1 and _is_auxiliary(next(iter(params))):
        return next(iter(params.values()))
    return ...


def check_baselines(
    baselines: Mapping[str, BaseEstimator] | None, arms: Arms
) -> dict[str, BaseEstimator]:
    """Estimators beside the arms, by names that no arm has."""
    if baselines is None:
        return {}
    if not isinstance(baselines, Mapping):
        raise TypeError(f"baselines must be a dict of names to estimators, got {baselines!r}.")
    taken = set(map(label_of, arms))
    for name, estimator in baselines.items():
        if not isinstance(name, str) or name in taken:
            raise ValueError(f"baselines: {name!r} is the name of an arm, or no text.")
        if isinstance(estimator, type) or not hasattr(estimator, "fit"):
            raise TypeError(f"baselines: {name!r} must be an estimator, got {estimator!r}.")
    return dict(baselines)
