"""CIFAR-100 with its four levels of classes: 3, 10, 20 and 100.

The 100 fine and 20 coarse classes are the data set's own (Krizhevsky, "Learning
Multiple Layers of Features from Tiny Images", 2009). The maps to 10 and to 3 are
those of the MAXL authors' code (Liu, Davison and Johns 2019).
"""

import hashlib
import logging
import pickle
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.datasets import get_data_home
from sklearn.utils import Bunch, check_scalar

__all__ = ["CIFAR100_PAIRS", "cifar100_levels", "fetch_cifar100_hierarchy"]

logger = logging.getLogger("sklearn_maxl")

CIFAR100_PAIRS = ((3, 10), (3, 20), (3, 100), (10, 20), (10, 100), (20, 100))
"""The (primary, auxiliary) levels that the paper compares."""

FINE_TO_COARSE = np.array(
    [4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11, 6, 11, 5, 10, 7, 6, 13, 15,
     3, 15, 0, 11, 1, 10, 12, 14, 16, 9, 11, 5, 5, 19, 8, 8, 15, 13, 14, 17, 18, 10, 16, 4, 17, 4,
     2, 0, 17, 4, 18, 17, 10, 3, 2, 12, 12, 16, 12, 1, 9, 19, 2, 10, 0, 1, 16, 12, 9, 13, 15, 13,
     16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8, 14, 13]
)  # fmt: skip
COARSE_TO_TEN = np.array([1, 2, 5, 6, 5, 6, 6, 3, 0, 7, 8, 0, 1, 3, 4, 0, 2, 5, 9, 9])
TEN_TO_THREE = np.array([0, 0, 0, 0, 0, 1, 2, 2, 2, 2])

FINE_NAMES = (
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle",
    "bottle", "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle",
    "caterpillar", "cattle", "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch",
    "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish", "forest", "fox",
    "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion",
    "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom",
    "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree",
    "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road",
    "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake",
    "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank",
    "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle",
    "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm",
)  # fmt: skip
COARSE_NAMES = (
    "aquatic_mammals", "fish", "flowers", "food_containers", "fruit_and_vegetables",
    "household_electrical_devices", "household_furniture", "insects", "large_carnivores",
    "large_man-made_outdoor_things", "large_natural_outdoor_scenes",
    "large_omnivores_and_herbivores", "medium_mammals", "non-insect_invertebrates", "people",
    "reptiles", "small_mammals", "trees", "vehicles_1", "vehicles_2",
)  # fmt: skip


class Archive(NamedTuple):
    """A file on the web and its checksum."""

    url: str
    name: str
    sha256: str


ARCHIVE = Archive(
    "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    "cifar-100-python.tar.gz",
    "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
)
SUBSETS = {"train": ("train",), "test": ("test",), "all": ("train", "test")}


def cifar100_levels(fine: ArrayLike) -> dict[int, NDArray[np.int64]]:
    """Labels of CIFAR-100 images at all four levels.

    Parameters
    ----------
    fine : array-like of shape (n,)
        Fine labels, 0 to 99, in the order of the original data set.

    Returns
    -------
    dict
        Labels of shape (n,), int64, by the number of classes: 3, 10, 20 and 100.
        Each level is a refinement of the one before.

    Raises
    ------
    ValueError
        If a label is not an integer from 0 to 99.

    Examples
    --------
    >>> from sklearn_maxl.datasets import cifar100_levels
    >>> {n: labels.tolist() for n, labels in cifar100_levels([0, 4, 99]).items()}
    {3: [1, 0, 0], 10: [5, 1, 3], 20: [4, 0, 13], 100: [0, 4, 99]}
    """
    labels = np.asarray(fine)
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not np.isin(labels, range(100)).all():
        raise ValueError("fine must hold the fine labels of CIFAR-100: integers from 0 to 99.")
    labels = labels.astype(np.int64)
    coarse = FINE_TO_COARSE[labels]
    ten = COARSE_TO_TEN[coarse]
    return {3: TEN_TO_THREE[ten], 10: ten, 20: coarse, 100: labels}


def fetch_cifar100_hierarchy(
    subset: str = "train",
    *,
    level: int = 20,
    finer: int | None = None,
    data_home: str | Path | None = None,
    arrays: tuple[ArrayLike, ArrayLike] | None = None,
    download_if_missing: bool = True,
    n_retries: int = 3,
    delay: float = 1.0,
    return_X_y: bool = False,
) -> Any:
    """Load CIFAR-100 with a choice of its four levels of classes; downloads 169 MB once.

    The original archive is kept as it is, and its checksum is tested at every
    reading. A download that was cut off goes on where it stopped. The pickles in it
    are read by a loader that knows arrays of numbers and nothing else.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        The 50,000 training images, the 10,000 test images, or both in this order.
    level : {3, 10, 20, 100}, default=20
        Number of primary classes. 20 are the data set's coarse classes.
    finer : {10, 20, 100} or None, default=None
        Number of auxiliary classes, more than `level`: labels for
        ``MAXLClassifier(auxiliary="human")``.
    data_home : str or path-like, default=None
        Folder to keep the archive in. None: scikit-learn's, ``~/scikit_learn_data``.
    arrays : tuple of (images, fine labels), default=None
        Data at hand, to be used instead of the archive: uint8 (n, 3, 32, 32) and
        integers (n,).
    download_if_missing : bool, default=True
        If False, an archive that is not there is an error.
    n_retries : int, default=3
        How often a download that breaks is taken up again.
    delay : float, default=1.0
        Seconds between these.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of all.

    Returns
    -------
    Bunch or tuple
        ``data`` uint8 (n, 3, 32, 32); ``target`` int64 (n,) at `level`;
        ``target_names``, a list; ``auxiliary_labels`` int64 (n,) at `finer`, or None;
        ``labels`` and ``label_names``, all four levels by their number; ``DESCR``.

    Raises
    ------
    OSError
        If the archive is not there and can't be downloaded, or is damaged.
    ValueError
        If a parameter is none of the above.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_maxl.datasets import fetch_cifar100_hierarchy
    >>> images = np.zeros((3, 3, 32, 32), dtype=np.uint8)  # your own, or leave `arrays` out
    >>> cifar = fetch_cifar100_hierarchy(arrays=(images, [0, 4, 99]), level=3, finer=10)
    >>> cifar.target.tolist(), cifar.auxiliary_labels.tolist()
    ([1, 0, 0], [5, 1, 3])
    """
    _check_choice("subset", subset, tuple(SUBSETS))
    _check_choice("level", level, (3, 10, 20, 100))
    if finer is not None and (level, finer) not in CIFAR100_PAIRS:
        choices = [f for at, f in CIFAR100_PAIRS if at == level]
        raise ValueError(f"finer={finer!r} must be None or one of {choices} with level={level}.")
    if finer is not None and return_X_y:
        raise ValueError(
            f"return_X_y=True has no place for the labels of finer={finer!r}: take them from the "
            "result of return_X_y=False."
        )
    check_scalar(n_retries, "n_retries", Integral, min_val=0)
    check_scalar(delay, "delay", Real, min_val=0)
    fine: np.ndarray
    if arrays is None:
        path = Path(get_data_home(data_home)) / ARCHIVE.name
        _provide(path, download_if_missing, n_retries, delay)
        data, fine = _read(path, SUBSETS[subset])
    else:
        data, fine = _check_arrays(arrays)
    labels = cifar100_levels(fine)
    if return_X_y:
        return data, labels[level]
    return Bunch(
        data=data,
        target=labels[level],
        target_names=level_names(level),
        auxiliary_labels=None if finer is None else labels[finer],
        labels=labels,
        label_names={n: level_names(n) for n in labels},
        DESCR=__doc__,
    )


def level_names(level: int) -> list[str]:
    """Names of the classes of a level; those of 3 and 10 are made of their members'."""
    if level == 100:
        return list(FINE_NAMES)
    if level == 20:
        return list(COARSE_NAMES)
    owner = COARSE_TO_TEN if level == 10 else TEN_TO_THREE[COARSE_TO_TEN]
    return [
        " + ".join(name for name, i in zip(COARSE_NAMES, owner, strict=True) if i == own)
        for own in range(level)
    ]


def _check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name}={value!r} must be one of {', '.join(map(repr, choices))}.")


def _check_arrays(arrays: tuple[ArrayLike, ArrayLike]) -> tuple[NDArray[np.uint8], np.ndarray]:
    if not isinstance(arrays, tuple | list) or len(arrays) != 2:
        raise ValueError(
            f"arrays must be a pair (images, fine labels), got {type(arrays).__name__}."
        )
    data, fine = map(np.asarray, arrays)
    same_length = data.shape[:1] == fine.shape[:1]
    if data.dtype != np.uint8 or data.shape[1:] != (3, 32, 32) or not same_length:
        raise ValueError(
            "arrays must be (images, fine labels) of the same length, with images in uint8 of "
            f"shape (n, 3, 32, 32), but images are {data.dtype} of shape {data.shape}; channels "
            "come first: images.transpose(0, 3, 1, 2)."
        )
    return data, fine


# The archive on disk


def _provide(path: Path, download_if_missing: bool, n_retries: int, delay: float) -> None:
    """See that the archive is there and whole."""
    if not path.exists():
        if not download_if_missing:
            raise OSError(f"CIFAR-100 is not at {path} and download_if_missing is False.")
        _download(path, n_retries, delay)
    if _sha256(path) != ARCHIVE.sha256:
        raise OSError(
            f"{path} is damaged: its SHA-256 is not {ARCHIVE.sha256}. Remove it and call again."
        )


def _download(path: Path, n_retries: int, delay: float) -> None:
    """Fetch the archive into a ``.part`` file beside it, which later tries go on with."""
    part = path.with_name(path.name + ".part")
    for attempt in range(n_retries + 1):
        try:
            logger.info("Downloading %s to %s", ARCHIVE.url, path)
            _append(part)
            break
        except (OSError, HTTPException) as error:
            if attempt == n_retries:
                raise OSError(
                    f"{ARCHIVE.url} can't be downloaded ({error}). Try again later, the download "
                    f"goes on where it stopped; or put the file at {path} by hand; or pass "
                    "arrays=(images, fine labels)."
                ) from error
            logger.warning("Download broke off (%s); trying again in %g s.", error, delay)
            time.sleep(delay)
    if _sha256(part) != ARCHIVE.sha256:
        part.unlink()
        raise OSError(
            f"What {ARCHIVE.url} delivers has another SHA-256 than {ARCHIVE.sha256}; it was "
            "removed. Call again, or put the original file in place by hand: "
            f"{path}."
        )
    part.replace(path)


def _append(part: Path) -> None:
    """Download what a partial file lacks; a server that sends all of it starts it anew."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(ARCHIVE.url)
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        error.close()
        if have and error.code == 416:  # nothing is left to send
            return
        raise
    with answer, part.open("ab" if answer.status == 206 else "wb") as file:
        expected = answer.headers.get("Content-Length")
        received = 0
        while block := answer.read(2**20):
            file.write(block)
            received += len(block)
    if expected is not None and received < int(expected):
        raise OSError(f"the connection broke after {received} of {expected} bytes")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# The pickles in the archive


class Pixels:
    """In place of numpy.ndarray, and of the function that makes an empty one."""

    array: NDArray[np.uint8]

    def __init__(self, *ignored: object):
        pass

    def __setstate__(self, state: tuple[int, tuple[int, ...], "Uint8", bool, bytes]) -> None:
        _, shape, _, column_major, pixels = state
        order: Literal["F", "C"] = "F" if column_major else "C"
        self.array = np.frombuffer(pixels, np.uint8).reshape(shape, order=order)


class Uint8:
    """In place of numpy.dtype: the files hold no arrays of another type.

    numpy 2.4.0 to 2.4.4 warn when their own is called by pickles as old as these.
    """

    def __init__(self, name: bytes, *ignored: object):
        if name != b"u1":
            raise pickle.UnpicklingError(f"CIFAR-100 holds no arrays of type {name!r}.")

    def __setstate__(self, state: object) -> None:
        pass


KNOWN = {
    ("numpy", "ndarray"): Pixels,
    ("numpy", "dtype"): Uint8,
    ("numpy.core.multiarray", "_reconstruct"): Pixels,
    ("numpy._core.multiarray", "_reconstruct"): Pixels,
}


class NumbersOnly(pickle.Unpickler):
    """Reads the original pickles, which hold uint8 arrays, lists and bytes; no code runs."""

    def find_class(self, module: str, name: str) -> type:
        """Refuse everything but what an array is made of, and make that ourselves."""
        if (module, name) not in KNOWN:
            raise pickle.UnpicklingError(
                f"The archive asks for {module}.{name}, which an array of numbers does not need; "
                "it is not the original and was not read."
            )
        return KNOWN[module, name]


def _read(path: Path, members: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images and fine labels of some members of the archive; nothing is unpacked to disk."""
    wanted = {f"cifar-100-python/{member}" for member in members}
    # As a stream: going back for each file would decompress all before it again.
    with tarfile.open(path, "r|gz", bufsize=2**20) as archive:
        contents = {
            info.name: NumbersOnly(file, encoding="bytes").load()
            for info in archive
            if info.name in wanted and (file := archive.extractfile(info))
        }
    parts = [contents[f"cifar-100-python/{member}"] for member in members]
    data = np.concatenate([part[b"data"].array for part in parts])
    fine = np.concatenate([part[b"fine_labels"] for part in parts])
    return data.reshape(-1, 3, 32, 32), fine.astype(np.int64)
