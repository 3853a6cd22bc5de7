"""What may be given as X and y, and what it leaves in the fitted attributes."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import MLP, ConvNet


def fitted(X, y, **params):
    return MAXLClassifier(**{"max_epochs": 3, "psi": 2, "random_state": 0, **params}).fit(X, y)


def memory_map(X, tmp_path):
    np.save(tmp_path / "X.npy", X)
    return np.load(tmp_path / "X.npy", mmap_mode="r")


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def within_a_larger_array(X):
    larger = np.full((2 * len(X), *X.shape[1:-1], 3 * X.shape[-1]), 99, dtype=X.dtype)
    larger[::2, ..., ::3] = X
    return larger[::2, ..., ::3]


# Forms that hold small integers exactly, so that all of them are the same table.
TABLES = {
    "list": lambda X, _: X.tolist(),
    "list of tuples": lambda X, _: [tuple(row) for row in X.tolist()],
    "float16": lambda X, _: X.astype(np.float16),
    "float32": lambda X, _: X.astype(np.float32),
    "int8": lambda X, _: X.astype(np.int8),
    "int64": lambda X, _: X.astype(np.int64),
    "uint8": lambda X, _: X.astype(np.uint8),
    "big-endian": lambda X, _: X.astype(">f8"),
    "object": lambda X, _: X.astype(object),
    "Fortran order": lambda X, _: np.asfortranarray(X),
    "non-contiguous": lambda X, _: within_a_larger_array(X),
    "backwards": lambda X, _: X[::-1].copy()[::-1],
    "read-only": lambda X, _: read_only(X),
    "read-only float32": lambda X, _: read_only(X.astype(np.float32)),
    "memory map": memory_map,
    "memory map of float32": lambda X, path: memory_map(X.astype(np.float32), path),
    "pandas": lambda X, _: pd.DataFrame(X, columns=list("abcd"), index=range(9, 159)),
    "pandas Int64": lambda X, _: pd.DataFrame(X).astype("Int64"),
    "polars": lambda X, _: pl.DataFrame(X, schema=list("abcd")),
    "torch float64": lambda X, _: torch.from_numpy(X),
    "torch int": lambda X, _: torch.from_numpy(X).int(),
    "torch bfloat16": lambda X, _: torch.from_numpy(X).bfloat16(),
    "torch with gradient": lambda X, _: torch.from_numpy(X).requires_grad_(),
    "torch transposed": lambda X, _: torch.from_numpy(X.T.copy()).T,
}


@pytest.mark.parametrize("form", TABLES.values(), ids=TABLES)
def test_every_form_of_a_table_gives_the_same_predictions(iris, tmp_path, form):
    X, y = iris
    X = np.round(10 * X)
    expected = fitted(X, y).predict_proba(X)
    given = form(X, tmp_path)
    clf = fitted(given, y)
    np.testing.assert_array_equal(clf.predict_proba(given), expected)
    assert clf.input_shape_ == (4,)
    assert clf.n_features_in_ == 4


def test_boolean_features_are_zeros_and_ones(iris):
    X, y = iris
    X = np.greater(X, X.mean(0))
    expected = fitted(X.astype(float), y).predict_proba(X.astype(float))
    np.testing.assert_array_equal(fitted(X, y).predict_proba(X), expected)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_names_of_columns_are_kept_and_checked(iris, frame):
    X, y = iris
    table = frame(dict(zip("abcd", X.T, strict=True)))
    clf = fitted(table, y)
    assert clf.feature_names_in_.tolist() == list("abcd")
    with pytest.raises(ValueError, match="feature names"):
        clf.predict(table[["b", "a", "c", "d"]])


def test_a_refit_without_names_forgets_them(iris):
    X, y = iris
    clf = fitted(pd.DataFrame(X, columns=list("abcd")), y).fit(X, y)
    assert not hasattr(clf, "feature_names_in_")


IMAGES = {
    "uint8": lambda X, _: X,
    "float32": lambda X, _: X.astype(np.float32),
    "float64": lambda X, _: X.astype(float),
    "list": lambda X, _: X.tolist(),
    "read-only": lambda X, _: read_only(X),
    "memory map": memory_map,
    "non-contiguous": lambda X, _: within_a_larger_array(X),
    "transposed": lambda X, _: X.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2),
    "torch uint8": lambda X, _: torch.from_numpy(X),
    "torch float": lambda X, _: torch.from_numpy(X).float(),
    "torch channels last": lambda X, _: torch.from_numpy(X).to(memory_format=torch.channels_last),
}


@pytest.mark.parametrize("form", IMAGES.values(), ids=IMAGES)
def test_every_form_of_images_gives_the_same_predictions(images, tmp_path, form):
    X, y = images
    X = np.concatenate([X, X[:, :, ::-1]], axis=1)
    params = {"backbone": ConvNet((8, 8)), "max_epochs": 1}
    expected = fitted(X, y, **params).predict_proba(X)
    given = form(X, tmp_path)
    clf = fitted(given, y, **params)
    np.testing.assert_allclose(clf.predict_proba(given), expected, rtol=1e-5)
    assert clf.input_shape_ == (2, 8, 8)
    assert clf.n_features_in_ == 128
    assert not hasattr(clf, "feature_names_in_")


def test_arrays_that_are_given_stay_as_they_are(iris):
    X, y = (a.copy() for a in iris)
    X = X.astype(np.float32)  # the type that needs no conversion
    weight = np.linspace(0, 1, 150)
    copies = X.copy(), y.copy(), weight.copy()
    clf = MAXLClassifier(max_epochs=1).fit(X, y, sample_weight=weight)
    clf.predict(X)
    for array, copy in zip((X, y, weight), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("shape", [(8, 8), (1, 4, 4, 4)])
@pytest.mark.parametrize("backbone", [MLP(), lambda shape: torch.nn.Flatten()])
def test_samples_of_any_shape_train_with_a_backbone_that_takes_them(images, shape, backbone):
    X, y = images
    X = X.reshape(-1, *shape)
    clf = fitted(X, y, backbone=backbone, max_epochs=5, lr=0.01)
    assert clf.input_shape_ == shape
    assert clf.score(X, y) > 0.8


LABELS = {
    "strings": lambda y: np.array(["b", "c", "a"])[y],
    "negative": lambda y: y - 7,
    "far apart": lambda y: np.array([-(2**60), 0, 2**60])[y],
    "int8": lambda y: y.astype(np.int8),
    "whole floats": lambda y: y.astype(float),
    "boolean": lambda y: y == 1,
    "object": lambda y: np.array(["b", "c", "a"], dtype=object)[y],
    "list": lambda y: np.array(["b", "c", "a"])[y].tolist(),
    "Series": lambda y: pd.Series(np.array(["b", "c", "a"])[y], index=range(5, 155)),
    "Categorical": lambda y: pd.Series(pd.Categorical.from_codes(y, ["b", "c", "a"])),
    "polars": lambda y: pl.Series(np.array(["b", "c", "a"])[y].tolist()),
    "torch": torch.from_numpy,
    "torch uint8": lambda y: torch.from_numpy(y).to(torch.uint8),
}


@pytest.mark.parametrize("label", LABELS.values(), ids=LABELS)
def test_labels_of_any_type_come_back_as_they_were(iris, label):
    X, y = iris
    given = label(y)
    expected = np.asarray(given)
    clf = fitted(X, given, max_epochs=8, lr=0.01)
    np.testing.assert_array_equal(clf.classes_, np.unique(expected))
    predicted = clf.predict(X)
    assert predicted.dtype == clf.classes_.dtype == np.unique(expected).dtype
    assert (predicted == expected).mean() > 0.9
    assert clf.generate_auxiliary_labels(X, given).shape == (150, 2 * len(clf.classes_))


def test_a_column_of_labels_is_flattened_with_the_usual_warning(iris):
    X, y = iris
    with pytest.warns(UserWarning, match="column-vector y"):
        clf = fitted(X, y[:, None])
    assert clf.predict(X).shape == (150,)


@pytest.mark.parametrize(
    ("scale", "offset"), [(1e6, 1e3), (1e-6, 0), ([1e-3, 1, 1e3, 1e9], 0), (1, 1e4)]
)
def test_scale_and_offset_of_a_table_do_not_matter(iris, scale, offset):
    X, y = iris
    standardised = (X - X.mean(0)) / X.std(0)
    expected = fitted(standardised, y, max_epochs=8).predict_proba(standardised)
    got = fitted(X * scale + offset, y, max_epochs=8).predict_proba(X * scale + offset)
    np.testing.assert_allclose(got, expected, atol=0.02)


def test_raw_uint8_images_train_as_well_as_standardised_ones(images):
    X, y = images
    bright = (X * 15).astype(np.uint8)
    standardised = (X - X.mean()) / X.std()
    steady = {"schedule": "constant", "views": None}
    params = {"backbone": ConvNet((8, 16)), "max_epochs": 8, "lr": 0.01, **steady}
    scores = [fitted(A, y, **params).score(A, y) for A in (bright, standardised)]
    assert min(scores) > 0.8
    assert abs(scores[0] - scores[1]) < 0.02


def test_constant_features_do_no_harm(iris):
    X, y = iris
    X = np.c_[X, np.zeros(150), np.full(150, 1e8), np.full(150, 0.1)]
    assert fitted(X, y, max_epochs=8, lr=0.01).score(X, y) > 0.9


def test_a_table_of_time_stamps_keeps_its_digits(iris):
    X, y = iris
    stamps = MAXLClassifier(max_epochs=30, random_state=0).fit(X + 1.7e9, y)
    assert stamps.score(X + 1.7e9, y) > 0.9
