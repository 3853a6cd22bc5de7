"""The paper's seven data sets, each with its network: single task, and psi 2, 3, 5, 10.

    python -m benchmarks.studies.paper_table1 --data folder --sets mnist cifar10
    python -m benchmarks.studies.paper_table1 --smoke

Table 1 of Liu, Davison and Johns (NeurIPS 2019), with CIFAR-100, by the recipe
``from_preset("neurips2019")``. A data set is taken from ``folder/<set>.npz`` (X_train,
y_train, X_test, y_test; uint8 images (n, channels, height, width)), else from images
``folder/<set>/{train,test}/<class>/*`` (needs Pillow; resized to 32 x 32), else from
torchvision, if it has the set and is installed. Hours on a GPU: one CSV row a run in
results/paper_table1.csv, and rows that are there are not run again.

``--smoke`` goes through all networks and both kinds of folders in a minute, on images that
it makes up; its rows say nothing and are thrown away.
"""

import argparse
import tempfile
import time
from functools import partial
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.common.means import mean_and_error
from benchmarks.common.resume import resume
from benchmarks.common.rows import RESULTS, Rows, column
from benchmarks.common.tables import Table
from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import VGG16, ConvNet, ResNet50

Split = tuple[np.ndarray, np.ndarray]
ARMS = ("single", "2", "3", "5", "10")
KEYS = ["data_set", "network", "epochs", "arm", "seed"]
VALUES = ["accuracy", "seconds"]
NETWORKS = {"ConvNet-4": ConvNet(), "VGG-16": VGG16(), "ResNet-50": ResNet50()}
SIDE = 32  # pixels of images from a folder, as in the paper


class DataSet(NamedTuple):
    """The network that the paper gives a data set, and its class in torchvision if it has one."""

    network: str
    torchvision: str | None


SETS = {
    "mnist": DataSet("ConvNet-4", "MNIST"),
    "svhn": DataSet("ConvNet-4", "SVHN"),
    "cifar10": DataSet("VGG-16", "CIFAR10"),
    "cifar100": DataSet("VGG-16", "CIFAR100"),  # 20 classes, see `from_torchvision`
    "imagenet32": DataSet("VGG-16", None),
    "cinic10": DataSet("ResNet-50", None),
    "ucf101": DataSet("ResNet-50", None),  # frames, one folder a class
}


def load(name: str, folder: Path) -> tuple[Split, Split]:
    """Training and test images with their labels."""
    if (folder / f"{name}.npz").exists():
        return from_npz(folder / f"{name}.npz")
    if (folder / name).is_dir():
        return from_folder(folder / name)
    if SETS[name].torchvision is not None:
        return from_torchvision(name, folder)
    raise SystemExit(
        f"{name} is not in torchvision: put {name}.npz or {name}/train/<class>/ and "
        f"{name}/test/<class>/ with images into {folder}."
    )


def from_npz(path: Path) -> tuple[Split, Split]:
    with np.load(path) as file:
        train, test = ((file[f"X_{part}"], file[f"y_{part}"]) for part in ("train", "test"))
    return train, test


def from_folder(folder: Path) -> tuple[Split, Split]:
    """Images of a folder for each part and class; classes are named by their folders."""
    from PIL import Image

    def read(part: str) -> Split:
        files = sorted(file for file in (folder / part).glob("*/*") if file.is_file())
        images = [
            np.asarray(Image.open(file).convert("RGB").resize((SIDE, SIDE))) for file in files
        ]
        X = np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2))
        return X, np.array([file.parent.name for file in files])

    return read("train"), read("test")


def from_torchvision(name: str, folder: Path) -> tuple[Split, Split]:
    try:
        from torchvision import datasets
    except ImportError as error:
        raise SystemExit(
            f"{name} comes from torchvision, which is not installed: pip install torchvision, or "
            f"put {name}.npz into {folder}."
        ) from error
    make = getattr(datasets, SETS[name].torchvision)

    def read(train: bool) -> Split:
        if name == "svhn":
            part = make(folder, split="train" if train else "test", download=True)
            return part.data, np.asarray(part.labels)
        part = make(folder, train=train, download=True)
        X, y = np.asarray(part.data), np.asarray(part.targets)
        return (X[:, None] if X.ndim == 3 else X.transpose(0, 3, 1, 2)), y

    (X, y), (X_test, y_test) = read(True), read(False)
    if name == "cifar100":
        from sklearn_maxl.datasets import cifar100_levels

        y, y_test = cifar100_levels(y)[20], cifar100_levels(y_test)[20]
    return (np.ascontiguousarray(X), y), (np.ascontiguousarray(X_test), y_test)


def run(
    folder: Path, change: dict, name: str, network: str, epochs: int, arm: str, seed: int
) -> tuple:
    (X, y), (X_test, y_test) = load(name, folder)
    task = {"auxiliary": None} if arm == "single" else {"psi": int(arm)}
    clf = MAXLClassifier.from_preset(
        "neurips2019", backbone=NETWORKS[network], max_epochs=epochs, random_state=seed, **task
    ).set_params(**change)
    start = time.perf_counter()
    clf.fit(X, y)
    seconds = time.perf_counter() - start
    return round(clf.score(X_test, y_test), 6), round(seconds, 1)


def report(rows: Rows, sets: list[str], epochs: int) -> str:
    """Mean accuracies and their errors in %."""
    body = [
        (
            name,
            SETS[name].network,
            *(
                mean_and_error(column(rows, "accuracy", data_set=name, arm=arm, epochs=epochs))
                for arm in ARMS
            ),
        )
        for name in sets
    ]
    return Table(("data set", "network", *ARMS), body).text()


def smoke(jobs: int) -> None:
    """Every set and network on images that are made up, one epoch at small width."""
    from PIL import Image

    rng = np.random.RandomState(0)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name in SETS:
            y = np.arange(48) % 4
            X = rng.randint(256, size=(48, 1 if name == "mnist" else 3, SIDE, SIDE)).astype("uint8")
            if name != "ucf101":
                np.savez(folder / f"{name}.npz", X_train=X, y_train=y, X_test=X[:8], y_test=y[:8])
                continue
            for part, number in product(("train", "test"), range(48)):
                own = folder / name / part / f"class{y[number]}"
                own.mkdir(parents=True, exist_ok=True)
                Image.fromarray(X[number].transpose(1, 2, 0)).save(own / f"{number}.png")
        change = {"backbone__width": 0.05, "batch_size": 16}
        arms = ("single", "2")
        runs = [(name, SETS[name].network, 1, arm, 0) for name in SETS for arm in arms]
        once = partial(run, folder, change)
        rows = resume(folder / "rows.csv", KEYS, VALUES, runs, once, jobs)
        assert len(rows) == len(runs)
        print(report(rows, list(SETS), 1))
    print("Smoke test: the figures above are those of random images and mean nothing.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder (default: data)")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1, help="processes; 1 on a GPU")
    parser.add_argument("--output", type=Path, default=RESULTS / "paper_table1.csv")
    parser.add_argument("--smoke", action="store_true", help="made-up images, about a minute")
    a = parser.parse_args()
    if a.smoke:
        smoke(max(a.jobs, 2))
        return
    runs = [
        (name, SETS[name].network, a.epochs, arm, seed)
        for seed, name, arm in product(range(a.seeds), a.sets, ARMS)
    ]
    rows = resume(a.output, KEYS, VALUES, runs, partial(run, a.data, {}), a.jobs)
    print(report(rows, a.sets, a.epochs))


if __name__ == "__main__":
    main()
