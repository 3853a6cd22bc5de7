"""Which head should predict after a short training, or with a small network?

    SKLEARN_MAXL_DATA=folder python -m benchmarks.studies.short_trainings

With views, the auxiliary head predicts (``net.joint``), but it takes longer to learn than the
primary one. `primary_share` gives the primary head a say, by how far the joint prediction is
behind on training samples. Here one network is asked in every way, beside one that was trained
without views, after 5 to 100 epochs and at a quarter of the width, on the image sets for tuning
alone. The table is in docs/choosing.rst.
"""

import argparse
import warnings

import torch

from benchmarks.common.resume import resume
from benchmarks.common.rows import RESULTS
from benchmarks.evidence.choosing import heads
from benchmarks.evidence.sets import shared_settings, split
from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import ConvNet

SETS = [("digits-images", 200), ("fashion-mnist", 500), ("cifar100-10", 2500)]
EPOCHS = (5, 10, 20, 40, 100)
WIDTHS = (1.0, 0.25)  # of the set's own
SEEDS = range(100, 103)
SHARES = {"joint": 0.0, "half": 0.5, "primary": 1.0}
VALUES = [*SHARES, "rule", "no_views", "share"]


def run(name: str, n: int, width: float, epochs: int, seed: int) -> tuple:
    warnings.simplefilter("ignore")
    data = split(name, n, seed, "validation")
    own = shared_settings(name, n).get("backbone", ConvNet()).width
    settings = {"backbone": ConvNet(width=own * width), "max_epochs": epochs, "device": "cpu"}
    clf = MAXLClassifier(random_state=seed, **settings).fit(data.X, data.y)

    def accuracy() -> float:
        return round(clf.score(data.X_test, data.y_test), 6)

    rule, head = accuracy(), clf.net_.module_.primary_share
    chosen = float(head)
    by_share = []
    for share in SHARES.values():
        with torch.no_grad():
            head.fill_(share)
        by_share.append(accuracy())
    clf = MAXLClassifier(views=None, random_state=seed, **settings).fit(data.X, data.y)
    return *by_share, rule, accuracy(), round(chosen, 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    parser.add_argument("--jobs", type=int, default=2)
    a = parser.parse_args()
    keys = ["data_set", "n", "width", "epochs", "seed"]
    runs = [
        (*key, width, epochs, seed)
        for seed in SEEDS[: a.seeds]
        for key in SETS
        for width in WIDTHS
        for epochs in EPOCHS
    ]
    print(heads(resume(RESULTS / "short_trainings.csv", keys, VALUES, runs, run, a.jobs)).text())


if __name__ == "__main__":
    main()
