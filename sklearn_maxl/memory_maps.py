"""A data set of torch as arrays in files, for data larger than memory."""

import os
from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset

__all__ = ["from_dataset"]

FILES = ("X.npy", "y.npy", "sample_weight.npy")
AT_ONCE = 64  # items that a worker hands over together


def from_dataset(
    dataset: Dataset[Any], folder: str | os.PathLike[str], *, n_workers: int = 0
) -> tuple[np.ndarray, ...]:
    """Write the items of a torch data set into files, once, and open them as arrays.

    Every item is read once and in order, however many epochs and trials a fit has: what an
    item costs, such as decoding a photograph, is not paid again. Random changes of training
    images belong into the estimator's parameter `augment`, which draws anew in each epoch.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
        Map-style: with a length and items by number, which are pairs (x, y) or triples
        (x, y, weight). ``x`` is a tensor or array of numbers, of one shape and type in all
        items; ``y`` is a label, a number, or an array of numbers.
    folder : str or path-like
        Where ``X.npy``, ``y.npy`` and, for triples, ``sample_weight.npy`` go. Made if it is not
        there. Its disk needs room for all samples.
    n_workers : int, default=0
        Processes of torch's `DataLoader` that read items ahead; 0 reads in this one.

    Returns
    -------
    X : numpy.memmap of shape (n, ...)
        Open for reading alone.
    y : array of shape (n,) or (n, m)
        In memory.
    sample_weight : array of shape (n,), float64
        In memory; only if items are triples.

    Raises
    ------
    ValueError
        If `dataset` is not map-style or empty, or if an item is not like the first one.
    FileExistsError
        If the folder has such a file already.

    See Also
    --------
    numpy.load : Open ``X.npy`` again, with ``mmap_mode="r"``.

    Examples
    --------
    >>> import tempfile
    >>> import torch
    >>> from sklearn_maxl import MAXLClassifier, memory_maps
    >>> dataset = torch.utils.data.TensorDataset(torch.rand(60, 3, 8, 8), torch.arange(60) % 3)
    >>> X, y = memory_maps.from_dataset(dataset, tempfile.mkdtemp())
    >>> X.shape, X.dtype, type(X).__name__
    ((60, 3, 8, 8), dtype('float32'), 'memmap')
    >>> clf = MAXLClassifier(max_epochs=1, random_state=0).fit(X, y)
    """
    n, target = _length(dataset), Path(folder)
    for name in FILES:
        if (target / name).exists():
            raise FileExistsError(
                f"{target / name} is there already; delete it, name another folder, or open it "
                "with np.load."
            )
    target.mkdir(parents=True, exist_ok=True)
    # With a generator of its own, because torch's would else draw for the seeds of workers.
    loader = DataLoader(
        dataset,
        batch_size=AT_ONCE,
        num_workers=n_workers,
        collate_fn=list,
        generator=torch.Generator(),
    )
    items = map(_item, count(), chain.from_iterable(loader))
    with TemporaryDirectory(dir=target) as unfinished:
        _write(n, items, Path(unfinished))
        for path in Path(unfinished).iterdir():
            path.replace(target / path.name)
    written = [target / name for name in FILES[1:] if (target / name).exists()]
    return np.load(target / FILES[0], mmap_mode="r"), *map(np.load, written)


class _Item(NamedTuple):
    """A sample, its label, and its weight where there are any."""

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None

    @property
    def form(self) -> list[tuple[object, ...] | None]:
        """What must be the same in all items."""
        x, y, weight = self
        text = y.dtype.kind in "US"  # of any length
        form = [(x.shape, x.dtype), (y.shape, y.dtype.kind if text else y.dtype)]
        return [*form, None if weight is None else (weight.shape,)]


def _write(n: int, items: Iterator[_Item], folder: Path) -> None:
    """Write the arrays of all items; only labels and weights are in memory."""
    first = next(items)
    labels, weights = [], []
    with (folder / FILES[0]).open("wb") as file:
        header = {"descr": first.x.dtype.str, "fortran_order": False, "shape": (n, *first.x.shape)}
        np.lib.format.write_array_header_2_0(file, header)
        for number, item in enumerate(chain([first], items)):
            if item.form != first.form:
                raise ValueError(
                    f"Item {number} of dataset is {_described(item)}, but item 0 is "
                    f"{_described(first)}; crop, pad or resize samples, and convert them to one "
                    "type."
                )
            file.write(item.x.tobytes())
            labels.append(item.y)
            weights.append(item.weight)
    np.save(folder / FILES[1], np.array(labels))
    if first.weight is not None:
        np.save(folder / FILES[2], np.array(weights, np.float64))


def _length(dataset: Any) -> int:
    """The number of items of a map-style data set; other kinds are refused."""
    name = type(dataset).__name__
    if isinstance(dataset, DataLoader):
        raise ValueError("dataset is a DataLoader; pass its data set, loader.dataset.")
    if isinstance(dataset, IterableDataset) or not hasattr(dataset, "__getitem__"):
        raise ValueError(
            f"dataset is of {name}, whose items have no numbers; pass a map-style data set, with "
            "__len__ and __getitem__, or write the samples into np.lib.format.open_memmap."
        )
    if not hasattr(dataset, "__len__"):
        raise ValueError(f"dataset is of {name}, which has no length; give it __len__.")
    if len(dataset) == 0:
        raise ValueError("dataset is empty; it must have an item at least.")
    return len(dataset)


def _item(number: int, item: Any) -> _Item:
    """An item as arrays."""
    parts = item if isinstance(item, tuple | list) else (item,)
    if len(parts) not in (2, 3):
        got = f"a {type(item).__name__} of {len(parts)}" if parts is item else type(item).__name__
        raise ValueError(
            f"Item {number} of dataset must be (x, y) or (x, y, weight), but is {got}; where "
            "samples have no label, give any number as y."
        )
    x, y, *weight = map(_as_array, parts)
    for name, values in zip(("x", "weight"), (x, *weight), strict=False):
        if values.dtype.kind not in "biuf":
            raise ValueError(
                f"{name} of item {number} of dataset must hold numbers, but is of type "
                f"{type(parts[0 if name == 'x' else 2]).__name__}; convert it, for instance in the "
                "transform of the data set."
            )
    return _Item(x, y, weight[0] if weight else None)


def _as_array(value: Any) -> np.ndarray:
    return np.asarray(value.detach().cpu() if isinstance(value, torch.Tensor) else value)


def _described(item: _Item) -> str:
    weight = "" if item.weight is None else ", weight"
    return f"(x {item.x.dtype} {item.x.shape}, y {item.y.dtype} {item.y.shape}{weight})"
