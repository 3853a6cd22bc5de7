"""All labels at full data, by the paper's recipe: CIFAR-100 at 20 classes, VGG-16, on a GPU.

    SKLEARN_MAXL_DATA=folder python -m benchmarks.studies.full_data --jobs 12

Liu, Davison and Johns (NeurIPS 2019) hold learned labels against none and against the true finer
classes. Here stands what they leave out as well: labels that are spread evenly, "uniform", which
teach nothing. All 50,000 training images, the whole test set, ``from_preset("neurips2019")`` with
its schedule drawn together to fewer epochs. All arms share everything but their labels. Minutes on
a GPU, days on a CPU; later calls add seeds.
"""

import argparse
import time
from itertools import product
from pathlib import Path

from benchmarks.common.images import cifar100
from benchmarks.common.resume import resume
from benchmarks.common.rows import RESULTS
from benchmarks.common.scores import accuracy_and_loss
from benchmarks.studies.earlier import labels_of
from benchmarks.studies.pages import full_data
from sklearn_maxl import MAXLClassifier
from sklearn_maxl.datasets import cifar100_levels

ARMS = (None, "uniform", "human", "maxl")
KEYS = ["network", "epochs", "batch_size", "precision", "arm", "seed"]
VALUES = ["accuracy", "log_loss", "seconds"]


def run(
    network: str, epochs: int, batch_size: int, precision: str, arm: str | None, seed: int
) -> tuple:
    X, fine = cifar100("train")
    X_test, fine_test = cifar100("test")
    # The preset has its own way to learn.
    labels = {} if arm == "maxl" else {"auxiliary": labels_of(arm)}
    clf = MAXLClassifier.from_preset(
        "neurips2019",
        backbone=network,
        max_epochs=epochs,
        batch_size=batch_size,
        precision=precision,
        random_state=seed,
        **labels,
    )
    start = time.perf_counter()
    clf.fit(X, cifar100_levels(fine)[20], auxiliary_labels=fine if arm == "human" else None)
    seconds = time.perf_counter() - start
    return *accuracy_and_loss(clf, X_test, cifar100_levels(fine_test)[20]), round(seconds, 1)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="vgg16", choices=("convnet", "vgg16", "resnet50"))
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch-size", type=int, default=100, help="default: the paper's 100")
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--arms", nargs="+", default=list(map(str, ARMS)), help="default: all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the GPU")
    parser.add_argument("--output", type=Path, default=RESULTS / "full_data.csv")
    return parser.parse_args()


def main() -> None:
    a = arguments()
    arms = [None if arm == "None" else arm for arm in a.arms]
    setting = (a.network, a.epochs, a.batch_size, a.precision)
    runs = [(*setting, arm, seed) for arm, seed in product(arms, range(a.seeds))]
    print(full_data(resume(a.output, KEYS, VALUES, runs, run, a.jobs)).text())


if __name__ == "__main__":
    main()
