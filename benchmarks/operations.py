"""Floating-point operations of one training step, counted (`torch.utils.flop_counter`).

    python benchmarks/operations.py

Claim: on a VGG-like network a step with learned labels counts at most 4.1 times
the operations of a single-task step; with ``meta_every=k`` about 1.33 + 2.67/k.
Counts do not depend on hardware or load. Matrix products and convolutions are
counted; elementwise work is not. Writes results/operations.csv.
"""

import csv
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import MLP, ConvNet

RESULTS = Path(__file__).parent / "results" / "operations.csv"


def vgg16(input_shape: tuple[int, ...]) -> nn.Module:
    """Thirteen convolutions as in VGG-16, with batch normalisation, at a quarter of the width."""
    layers: list[nn.Module] = []
    width = input_shape[0]
    for block in ((16, 16), (32, 32), (64, 64, 64), (128, 128, 128), (128, 128, 128)):
        for size in block:
            layers += [nn.Conv2d(width, size, 3, padding=1), nn.BatchNorm2d(size), nn.ReLU()]
            width = size
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten())


NETWORKS = {
    "VGG-16 / 4, 32 x 32": (vgg16, (3, 32, 32)),
    "ConvNet, 28 x 28": (ConvNet(), (1, 28, 28)),
    "MLP (100,), 64 features": (MLP(), (64,)),
}

SETTINGS = {
    "single task": {"auxiliary": None},
    "uniform": {"auxiliary": "uniform"},
    "maxl, exact": {},
    "maxl, exact, every 2nd step": {"meta_every": 2},
    "maxl, exact, every 4th step": {"meta_every": 4},
    "maxl, exact, alternating by epochs": {"alternation": "epoch"},
    "maxl, exact, learned sample weights": {"auxiliary_weight_range": 3.0},
    "maxl, exact, gradient similarity": {"gradient_similarity_every": 1},
    "maxl, finite difference": {"meta_gradient": "finite_difference"},
    "maxl, double backward": {"meta_gradient": "double_backward"},
}


def operations(backbone, shape: tuple[int, ...], settings: dict) -> float:
    """Operations of one epoch of four batches of 32 samples, without the set-up."""
    rng = np.random.RandomState(0)
    X = rng.standard_normal((128, *shape)).astype(np.float32)
    y = np.arange(128) % 10
    clf = MAXLClassifier(backbone, batch_size=32, max_epochs=1, device="cpu", **settings)
    clf.set_params(warm_start=True, random_state=0).fit(X, y)  # set-up: dry runs, probes
    with FlopCounterMode(display=False) as counter:
        clf.partial_fit(X, y)
    return counter.get_total_flops()


def main() -> None:
    torch.set_num_threads(1)
    rows = []
    for network, (backbone, shape) in NETWORKS.items():
        single = None
        for name, settings in SETTINGS.items():
            count = operations(backbone, shape, settings)
            single = single or count
            rows.append((network, name, int(count), round(count / single, 3)))
            print(f"{network:26} {name:36} {count:16,.0f} {count / single:6.2f}")
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["network", "setting", "operations_per_epoch", "times_single_task"])
        writer.writerows(rows)


if __name__ == "__main__":
    main()
