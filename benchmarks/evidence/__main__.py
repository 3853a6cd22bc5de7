"""Does it help, by how much, and when not: all arms and rivals on images and tables.

    SKLEARN_MAXL_DATA=folder python -m benchmarks.evidence tune
    SKLEARN_MAXL_DATA=folder python -m benchmarks.evidence choose
    SKLEARN_MAXL_DATA=folder python -m benchmarks.evidence trials
    SKLEARN_MAXL_DATA=folder python -m benchmarks.evidence report [--sets wine:200 ...]
    SKLEARN_MAXL_DATA=folder python -m benchmarks.evidence cost
    python -m benchmarks.evidence readme

Five parts, each resumable and with one CSV row a run:

``tune`` tries settings one at a time on the sets named for tuning, and scores them on samples
that are in no training part and in no official test set (seeds from 100 on). Defaults come
from it. ``choose`` gives every set and size its best plain network: the loss, the learning rate,
the weight decay and, for tables, the network with the best mean accuracy on a fifth of the
training part, over three seeds (one where more than 1,000 samples train), and then, for images,
its best ordinary augmentation. ``trials`` writes
down the epochs and the temperature that the trials of a fit choose on the training part of a
table. All arms with the default network and rate, rivals too, are then given the numbers, which
is the same fit, and the choice is made once. What trains otherwise, the best plain network, label
smoothing and mixup, makes trials of its own.
``report`` then trains all arms on ten paired seeds: a seed draws the training part, the first
weights and the batches. It alone touches the test samples, and nothing is chosen by it.
``cost`` counts the floating-point operations of an epoch of each arm. From the rows of
all these, ``readme`` writes what the README says of them; the documentation's pages are made of
them when it is built.

Fashion-MNIST and CIFAR-100 are halved to 14 x 14 and 16 x 16 pixels and learned by the default
ConvNet at half its width, so that the whole fits two cores in hours; the digits have the
default network. All arms of a set share network, epochs and batches.
"""

import argparse

from benchmarks.common.readme import write
from benchmarks.evidence import readme, runs
from benchmarks.evidence.arms import REPORT_IMAGES, SEEDS, SMALL_TABLES

PARTS = {
    "tune": lambda sets, a: runs.tune(a.seeds, a.arms, a.jobs),
    "choose": lambda sets, a: runs.choose(sets, a.jobs),
    "trials": lambda sets, a: runs.trials(sets, a.seeds, a.jobs),
    "report": lambda sets, a: runs.report(sets, a.seeds, a.arms, a.jobs),
    "cost": lambda sets, a: runs.cost(),
    "readme": lambda sets, a: write("evidence", readme.block()),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--sets", nargs="+", help="name:n; default: all")
    parser.add_argument("--arms", nargs="+", help="or settings of tune; default: all")
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    parser.add_argument("--jobs", type=int, default=2)
    a = parser.parse_args()
    everything = [*REPORT_IMAGES, *SMALL_TABLES]
    named = [tuple(s.rsplit(":", 1)) for s in a.sets or []]
    sets = [(name, int(n)) for name, n in named] or everything
    PARTS[a.part](sets, a)


if __name__ == "__main__":
    main()
