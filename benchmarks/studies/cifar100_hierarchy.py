"""All arms on CIFAR-100 at a chosen pair of its levels, from few labels to all.

    SKLEARN_MAXL_DATA=folder python -m benchmarks.studies.cifar100_hierarchy --fraction 0.05
    python -m benchmarks.studies.cifar100_hierarchy --network vgg16 --preset neurips2019

With the same number of auxiliary classes for each class, how do learned labels compare to the
true finer ones ("human"), to labels that teach nothing ("uniform") and to none? Six arms; 5, 20
or 100 % of the training images (stratified by fine class), the whole test set. Data come from
the folder in SKLEARN_MAXL_DATA (``cifar100_train_0.npz``, ``cifar100_train_1.npz``,
``cifar100_test.npz``), else from `sklearn_maxl.datasets`. Later calls add seeds.
"""

import argparse
import os
import time
from itertools import product
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from benchmarks.common.images import cifar100
from benchmarks.common.resume import resume
from benchmarks.common.rows import RESULTS
from benchmarks.common.scores import accuracy_and_loss
from benchmarks.studies.earlier import EARLIER, labels_of
from benchmarks.studies.pages import cifar100_hierarchy
from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import ConvNet
from sklearn_maxl.datasets import fetch_cifar100_hierarchy

ARMS = (None, "uniform", "random", "kmeans", "human", "maxl")
NETWORKS = {
    "small": ConvNet(channels=(32, 64, 128)),
    "convnet": "convnet",
    "vgg16": "vgg16",
    "resnet50": "resnet50",
}
KEYS = ["level", "finer", "fraction", "network", "preset", "epochs", "arm", "seed"]
VALUES = ["accuracy", "log_loss", "seconds"]


def load(subset: str) -> tuple[np.ndarray, np.ndarray]:
    """Images and fine labels of "train" or "test"."""
    if "SKLEARN_MAXL_DATA" in os.environ:
        return cifar100(subset)
    return fetch_cifar100_hierarchy(subset, level=100, return_X_y=True)


def take(fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A part of the training images, with as many of each fine class as of the others."""
    X, fine = load("train")
    if fraction == 1:
        return X, fine
    kept, _ = train_test_split(
        np.arange(len(fine)), train_size=fraction, stratify=fine, random_state=seed
    )
    return X[kept], fine[kept]


def classifier(network: str, preset: str, epochs: int, arm: str | None) -> MAXLClassifier:
    settings = {"backbone": NETWORKS[network], "max_epochs": epochs}
    if preset == "default":
        return MAXLClassifier(auxiliary=labels_of(arm), **EARLIER, **settings)
    # A preset has its own way to learn.
    labels = {} if arm == "maxl" else {"auxiliary": labels_of(arm)}
    return MAXLClassifier.from_preset(preset, **labels, **settings)


def run(
    level: int,
    finer: int,
    fraction: float,
    network: str,
    preset: str,
    epochs: int,
    arm: str | None,
    seed: int,
) -> tuple:
    train = fetch_cifar100_hierarchy(arrays=take(fraction, seed), level=level, finer=finer)
    test = fetch_cifar100_hierarchy(arrays=load("test"), level=level)
    pairs = np.unique(np.c_[train.target, train.auxiliary_labels], axis=0)
    clf = classifier(network, preset, epochs, arm)
    # As many auxiliary classes for each class as the finer level has.
    clf.set_params(psi=np.bincount(pairs[:, 0]).tolist(), random_state=seed)
    start = time.perf_counter()
    clf.fit(train.data, train.target, auxiliary_labels=train.auxiliary_labels)
    seconds = time.perf_counter() - start
    return *accuracy_and_loss(clf, test.data, test.target), round(seconds, 1)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--level", type=int, default=20, choices=(3, 10, 20))
    parser.add_argument("--finer", type=int, default=100, choices=(10, 20, 100))
    parser.add_argument("--fraction", type=float, default=0.05)
    parser.add_argument("--network", default="small", choices=NETWORKS)
    presets = ("default", "neurips2019", "iclr2019")
    parser.add_argument("--preset", default="default", choices=presets)
    parser.add_argument("--epochs", type=int, help="default: 40, or the preset's 200")
    parser.add_argument("--arms", nargs="+", default=list(map(str, ARMS)), help="default: all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2, help="processes; use 1 on a GPU")
    parser.add_argument("--output", type=Path, default=RESULTS / "cifar100_hierarchy.csv")
    parsed = parser.parse_args()
    parsed.epochs = parsed.epochs or (40 if parsed.preset == "default" else 200)
    return parsed


def main() -> None:
    a = arguments()
    arms = [None if arm == "None" else arm for arm in a.arms]
    setting = (a.level, a.finer, a.fraction, a.network, a.preset, a.epochs)
    runs = [(*setting, arm, seed) for seed, arm in product(range(a.seeds), arms)]
    print(cifar100_hierarchy(resume(a.output, KEYS, VALUES, runs, run, a.jobs)).text())


if __name__ == "__main__":
    main()
