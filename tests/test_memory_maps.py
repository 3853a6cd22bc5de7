"""A torch data set as arrays in files: what they hold, and what is refused."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.memory_maps import AT_ONCE, from_dataset


class Items(Dataset):
    """A data set of the items that it is given."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


class WithoutLength(Dataset):
    def __getitem__(self, i):
        return torch.zeros(2), 0


class Stream(IterableDataset):
    def __iter__(self):
        yield torch.zeros(2), 0


@pytest.mark.parametrize("n_workers", [0, 2])
def test_every_item_is_in_its_row(n_workers, images, tmp_path):
    X, y = images  # more than are handed over at once
    assert len(X) > 2 * AT_ONCE
    weight = np.arange(len(y)) / 7
    dataset = TensorDataset(*map(torch.from_numpy, (X, y, weight)))
    found = from_dataset(dataset, tmp_path, n_workers=n_workers)
    for expected, values in zip((X, y, weight), found, strict=True):
        np.testing.assert_array_equal(values, expected)
        assert values.dtype == expected.dtype
    assert isinstance(found[0], np.memmap)
    assert not found[0].flags.writeable
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["X.npy", "sample_weight.npy", "y.npy"]


def test_a_fit_on_a_data_set_has_the_bits_of_one_on_its_arrays(images, tmp_path):
    X, y = images
    clf = MAXLClassifier(max_epochs=1, random_state=0)
    expected = clf.fit(X, y).predict_proba(X)
    on_disk, labels = from_dataset(Items(list(zip(X, y, strict=True))), tmp_path)
    found = clf.fit(on_disk, labels).predict_proba(on_disk)
    np.testing.assert_array_equal(found, expected)


X = np.arange(6.0).reshape(3, 2)
FORMS = {
    "text": [(x, label) for x, label in zip(X, ["a", "bcd", "e"], strict=True)],
    "several targets": [(x, np.array([1.0, 2.0])) for x in X],
    "tensors with gradients": [(torch.tensor(x, requires_grad=True), torch.tensor(1)) for x in X],
    "lists": [[x.tolist(), 0.5, 2] for x in X],
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_items(form, tmp_path):
    found = from_dataset(Items(FORMS[form]), tmp_path / "new" / "folder")
    np.testing.assert_array_equal(found[0], X)
    np.testing.assert_array_equal(found[1], np.array([item[1] for item in FORMS[form]]))


def test_random_numbers_of_the_program_are_left_alone(tmp_path):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    from_dataset(Items(FORMS["text"]), tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


WRONG = {
    "without length": (WithoutLength(), "dataset is of WithoutLength, which has no length"),
    "stream": (Stream(), "dataset is of Stream, whose items have no numbers; pass a map-style"),
    "no data set": (iter(X), "whose items have no numbers"),
    "loader": (DataLoader(Items(X)), r"dataset is a DataLoader; pass its data set, loader.dataset"),
    "empty": (Items([]), "dataset is empty"),
    "no label": (Items(X), r"Item 0 .* \(x, y\) or \(x, y, weight\), but is ndarray; where"),
    "label of one is missing": (
        Items([(X[0], 1), (X[1],)]), r"Item 1 .*but is a tuple of 1"
    ),
    "another shape": (
        Items([(X[0], 1), (X[1, :1], 1)]),
        r"Item 1 of dataset is \(x float64 \(1,\), y int64 \(\)\), but item 0 is \(x float64 \(2,",
    ),
    "another type": (Items([(X[0], 1), (X[1].astype(int), 1)]), "Item 1 of dataset is .x int64"),
    "another label": (Items([(X[0], 1), (X[1], "b")]), "Item 1 .* y <U1 .*, but item 0 .* y int64"),
    "one weight": (Items([(X[0], 1), (X[1], 1, 0.5)]), "Item 1 of dataset is .*, weight.*, but"),
    "text as x": (Items([("a b", 1)]), "x of item 0 of dataset must hold numbers, but is"),
    "text as weight": (Items([(X[0], 1, "w")]), "weight of item 0 of dataset must hold numbers"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_refused_leaves_no_file(case, tmp_path):
    dataset, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        from_dataset(dataset, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_files_are_not_replaced(tmp_path):
    from_dataset(Items(FORMS["text"]), tmp_path)
    with pytest.raises(FileExistsError, match=r"X.npy is there already; delete it, name another"):
        from_dataset(Items(FORMS["text"]), tmp_path)
