"""Images of the real data: strips of WebP in ``.npz`` files, which need Pillow.

They lie in the folder that the environment variable SKLEARN_MAXL_DATA names.
"""

import io
import os
from itertools import pairwise
from pathlib import Path

import numpy as np


def folder() -> Path:
    """Where the real data lie."""
    path = os.environ.get("SKLEARN_MAXL_DATA")
    if path is None:
        raise SystemExit("Set SKLEARN_MAXL_DATA to the folder with the data.")
    return Path(path)


def strips(name: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Images (n, channels, height, width) of a file, and its label arrays."""
    from PIL import Image

    with np.load(folder() / f"{name}.npz") as file:
        offsets, (_, channels, height, width) = file["offsets"], file["shape"]
        stream = file["webp"].tobytes()
        labels = {k: file[k] for k in file.files if k not in ("webp", "offsets", "shape")}
    parts = []
    for start, stop in pairwise(offsets):
        strip = np.asarray(Image.open(io.BytesIO(stream[start:stop])).convert("RGB"))
        parts.append(strip.reshape(-1, height, width, 3)[..., :channels])
    return np.ascontiguousarray(np.concatenate(parts).transpose(0, 3, 1, 2)), labels


def halved(X: np.ndarray) -> np.ndarray:
    """Images of half the side: the mean of 2 x 2 pixels."""
    n, channels, height, width = X.shape
    return X.reshape(n, channels, height // 2, 2, width // 2, 2).mean((3, 5))


def cifar100(subset: str) -> tuple[np.ndarray, np.ndarray]:
    """CIFAR-100's images and fine labels of "train" or "test"."""
    names = {"train": ("train_0", "train_1"), "test": ("test",)}[subset]
    parts = [strips(f"cifar100_{name}") for name in names]
    fine = np.concatenate([labels["fine"] for _, labels in parts])
    return np.concatenate([X for X, _ in parts]), fine.astype(np.int64)
