"""The peers: how each is made, and which package it needs."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_maxl import MAXLClassifier

OURS = "maxl"


@dataclass(frozen=True)
class Peer:
    """A peer.

    Attributes
    ----------
    make : callable
        Seed -> estimator, with the peer's defaults where the table of peers says nothing else.
    package : str
        What it is installed by.
    """

    make: Callable[[int], Any]
    package: str = "scikit-learn"

    def is_installed(self) -> bool:
        """Whether its package is there; nothing of it is imported."""
        modules = {"scikit-learn": "sklearn"}
        return find_spec(modules.get(self.package, self.package)) is not None

    def version(self) -> str:
        """Its package and version."""
        return f"{self.package} {version(self.package)}"


class CalibratedSVC(CalibratedClassifierCV):
    """A support vector machine: what it predicts is its own, its probabilities are calibrated.

    scikit-learn recommends this calibration, on held-out folds, in the place of the machine's
    own probabilities. The most probable class is not always the one that the machine predicts.
    """

    def __init__(self, **parameters: Any):
        super().__init__(make_pipeline(StandardScaler(), SVC(**parameters)), ensemble=False)

    def predict(self, X: np.ndarray) -> np.ndarray:
        (fitted,) = self.calibrated_classifiers_
        return fitted.estimator.predict(X)


def ours(seed: int, **parameters: Any) -> Any:
    return MAXLClassifier(**parameters, random_state=seed, device="cpu")


def logistic(seed: int) -> Any:
    model = LogisticRegression(max_iter=5_000)  # the default of 100 is too few for some tables
    return make_pipeline(StandardScaler(), model)


def mlp(seed: int) -> Any:
    return make_pipeline(StandardScaler(), MLPClassifier(random_state=seed))


def catboost(seed: int) -> Any:
    from catboost import CatBoostClassifier

    return CatBoostClassifier(
        random_seed=seed, thread_count=1, verbose=False, allow_writing_files=False
    )


def pytabkit(seed: int, name: str) -> Any:
    import pytabkit

    for logger in ("pytorch_lightning", "lightning.pytorch"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    return getattr(pytabkit, name)(random_state=seed, device="cpu", n_threads=1)


PEERS = {
    OURS: Peer(ours, "sklearn_maxl"),
    "maxl-none": Peer(partial(ours, auxiliary=None), "sklearn_maxl"),
    "maxl-uniform": Peer(partial(ours, auxiliary="uniform"), "sklearn_maxl"),
    "LogisticRegression": Peer(logistic),
    "RandomForest": Peer(lambda seed: RandomForestClassifier(random_state=seed)),
    "HistGradientBoosting": Peer(lambda seed: HistGradientBoostingClassifier(random_state=seed)),
    "SVC": Peer(lambda seed: CalibratedSVC(C=10)),
    "MLPClassifier": Peer(mlp),
    "CatBoost": Peer(catboost, "catboost"),
    "RealMLP": Peer(partial(pytabkit, name="RealMLP_TD_Classifier"), "pytabkit"),
    "TabM": Peer(partial(pytabkit, name="TabM_D_Classifier"), "pytabkit"),
}
# One of ours: three that hardly differ would take each other's ranks.
SHOWN = [peer for peer in PEERS if not peer.startswith(f"{OURS}-")]
# What readers call ours: what they write.
TITLES = {
    OURS: "MAXLClassifier",
    "maxl-none": "auxiliary=None",
    "maxl-uniform": 'auxiliary="uniform"',
}


def title(peer: str) -> str:
    """What tables and figures call a peer."""
    return TITLES.get(peer, peer)
