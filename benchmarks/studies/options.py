"""Do the options beyond the defaults help? Ten paired seeds on four small problems.

Does anything that came after the paper (learned weights, information, a larger meta-gradient, a
choice of psi) do better than the defaults, than uniform labels or than the single task? Labels are
learned in every step; the numbers of the options are the first that came to mind. The rows of
``guard=True``, which chose between both on held-out samples, are of an option that is gone.
"""

import warnings
from itertools import product

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from benchmarks.common.scores import accuracy_and_loss
from benchmarks.studies.earlier import EARLIER, earlier_on_tables
from benchmarks.studies.study import study
from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import ConvNet
from sklearn_maxl.labels import Learned

IMAGES = {"backbone": ConvNet(channels=(16, 32, 64)), "batch_size": 50, "max_epochs": 60}
SETS = {
    "digits, images": (load_digits, 200, IMAGES),
    "digits, table": (load_digits, 100, {}),
    "breast cancer": (load_breast_cancer, 100, {}),
    "wine": (load_wine, 100, {}),
}
SETTINGS = {
    "auxiliary=None": {"auxiliary": None},
    "auxiliary='uniform'": {"auxiliary": "uniform"},
    "defaults": {"auxiliary": Learned(every=1)},
    "auxiliary_weight_range=3": {"auxiliary": Learned(every=1, weight_range=3.0)},
    "information_weight=0.1": {"auxiliary": Learned(every=1, information_weight=0.1)},
    "meta_scale='inverse_lr'": {"auxiliary": Learned(every=1, meta_scale="inverse_lr")},
    "psi='auto'": {"auxiliary": Learned(every=1), "psi": "auto"},
}
SEEDS = range(10)


def run(name: str, setting: str, seed: int) -> tuple:
    warnings.filterwarnings("ignore", "The auxiliary task")
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    load, n_train, parameters = SETS[name]
    X, y = load(return_X_y=True)
    if parameters:
        X = X.reshape(-1, 1, 8, 8)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, train_size=n_train, stratify=y, random_state=seed
    )
    earlier = EARLIER if parameters else {**earlier_on_tables(n_train), "max_epochs": 100}
    clf = MAXLClassifier(random_state=seed, device="cpu", **earlier, **parameters)
    clf.set_params(**SETTINGS[setting]).fit(X_train, y_train)
    return *accuracy_and_loss(clf, X_test, y_test), int(np.max(clf.psi_))


def main() -> None:
    keys, values = ["data_set", "setting", "seed"], ["accuracy", "log_loss", "chosen"]
    study("options", keys, values, product(SETS, SETTINGS, SEEDS), run)


if __name__ == "__main__":
    main()
