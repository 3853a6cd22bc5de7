"""A pipeline in a file: the same predictions, and one sentence for whatever else is in the file."""

import copy
import json
import os
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._persistence import container
from sklearn_maxl._persistence.encoder import encoder_from_plain, encoder_to_plain
from sklearn_maxl.preprocessing import TableEncoder, tabular_pipeline
from sklearn_maxl.tables import load_pipeline, save_pipeline

N = 90
RNG = np.random.default_rng(0)


def table(n=N):
    """Every kind of column, with gaps; rare categories; columns that are left out."""
    rng = np.random.default_rng(1)
    X = pd.DataFrame(
        {
            "size": rng.normal(size=n),
            "rooms": rng.integers(1, 5, n),
            "colour": rng.choice(["red", "green", "blue", None], n),
            "town": [f"t{i // 2}" for i in range(n)],
            "sold": pd.Timestamp("2024-01-01")
            + pd.to_timedelta(rng.integers(0, 9999, n), unit="h"),
            "shop": "A",
            "id": np.arange(n),
        }
    )
    X.loc[::9, "size"] = np.nan
    X.loc[::11, "sold"] = pd.NaT
    return X


@pytest.fixture(scope="module")
def encoder():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return TableEncoder().fit(table())


@pytest.fixture(scope="module")
def pipeline():
    X = table()[["size", "colour", "sold"]]
    y = np.where(X["size"].fillna(0) > 0, "up", "down")
    return tabular_pipeline(MAXLClassifier(max_epochs=2, temperature=1, random_state=0)).fit(X, y)


@pytest.fixture
def path(pipeline, tmp_path):
    save_pipeline(pipeline, tmp_path / "model.maxl")
    return tmp_path / "model.maxl"


def again(encoder):
    """The encoder as it comes back from JSON."""
    return encoder_from_plain(json.loads(json.dumps(encoder_to_plain(encoder))))


def transformed(encoder, X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of unknown categories
        return encoder.transform(X)


# The table's preparation


def test_a_table_becomes_the_same_numbers(encoder):
    other, X = again(encoder), table()
    new = X[::-1].assign(colour="violet", town="elsewhere", more=1)[[*X.columns[::-1], "more"]]
    for rows in (X, new):
        np.testing.assert_array_equal(transformed(other, rows), transformed(encoder, rows))
    names = encoder.get_feature_names_out().tolist()
    assert other.get_feature_names_out().tolist() == names
    assert other.left_out_ == encoder.left_out_
    assert other.feature_names_in_.tolist() == encoder.feature_names_in_.tolist()
    assert vars(other).keys() == vars(encoder).keys()
    own, others = encoder.column_transformer_, other.column_transformer_
    assert vars(others).keys() == vars(own).keys()
    assert str(others.transformers_) == str(own.transformers_)


def test_whatever_the_program_has_set_for_outputs(encoder):
    with config_context(transform_output="pandas"):
        other = again(encoder)
    np.testing.assert_array_equal(transformed(other, table()), transformed(encoder, table()))


def test_it_can_be_fitted_again_and_pickled(encoder):
    other = pickle.loads(pickle.dumps(again(encoder)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other.fit(table()[:50])
    assert other.n_features_in_ == 7


def test_rare_categories_are_not_in_the_file(encoder):
    text = json.dumps(encoder_to_plain(encoder))
    kept = [name for name in encoder.get_feature_names_out() if name.startswith("town_t")]
    assert len(kept) == 19
    assert sum(f'"t{i}"' in text for i in range(N // 2)) == 19


@pytest.mark.parametrize(
    "X",
    [
        RNG.normal(size=(20, 3)),
        np.array([["a", 1.5], ["b", 2.5]] * 6, dtype=object),
        pl.DataFrame({"a": [1.5, None, 2.5] * 4, "b": ["u", "v", None] * 4}),
        pd.DataFrame({0: [1.5, 2.5] * 6, 1: ["u", "v"] * 6}),
        pd.DataFrame({"a": [f"t{i % 6}" for i in range(12)], "b": [1e306, 9e306] * 6}),
    ],
    ids=["numbers", "objects", "polars", "numbered", "large"],
)
def test_other_kinds_of_tables(X):
    encoder = TableEncoder(max_categories=4).fit(X)
    other = again(encoder)
    np.testing.assert_array_equal(other.transform(X), encoder.transform(X))
    assert hasattr(other, "feature_names_in_") == hasattr(encoder, "feature_names_in_")


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from("abcdefg "), min_size=18, max_size=40), st.integers(2, 9))
def test_any_numbers_of_categories(cells, most):
    X = np.array([[cell, number % 2] for number, cell in enumerate(cells)], dtype=object)
    encoder = TableEncoder(max_categories=most).fit(X)
    other = again(encoder)
    new = np.array([[cell, 0] for cell in "abcdefgh "], dtype=object)
    np.testing.assert_array_equal(transformed(other, new), transformed(encoder, new))


def broken(plain, path, value):
    """A copy with another value in some place."""
    plain = copy.deepcopy(plain)
    *parents, last = path
    inside = plain
    for name in parents:
        inside = inside[name]
    if value is ...:
        del inside[last]
    else:
        inside[last] = value
    return plain


WRONG = {
    "nothing": (["numbers"], ...),
    "text for a number": (["max_categories"], "20"),
    "one category": (["max_categories"], 1),
    "other max": (["max_categories"], 21),
    "truth for a number": (["n_features"], True),
    "too many columns": (["n_features"], 2**40),
    "names": (["feature_names"], ["a"]),
    "names of numbers": (["feature_names", 0], 3),
    "place outside": (["numbers", "places", 0], 10**9),
    "negative place": (["numbers", "places", 0], -1),
    "place twice": (["numbers", "places"], [2, 2]),
    "no places": (["numbers", "places"], []),
    "median of text": (["numbers", "medians", 0], "1"),
    "infinite median": (["numbers", "medians", 0], float("inf")),
    "too few medians": (["numbers", "medians"], [1.0]),
    "gap of a number": (["numbers", "gaps", 0], 1),
    "category of a number": (["categories", "frequent", 0, 0], 5),
    "category twice": (["categories", "frequent", 0, 1], "blue"),
    "no categories": (["categories", "frequent", 0], []),
    "categories no list": (["categories", "frequent", 0], "blue"),
    "too many categories": (["categories", "frequent", 0], [f"{i:09}" for i in range(50)]),
    "rare ones of few": (["categories", "rare", 0], True),
    "huge": (["categories", "frequent", 0], [f"{i:09}" for i in range(2**21)]),
    "first date of text": (["dates", "first", 0], "2024-01-01"),
    "first date beyond": (["dates", "first", 0], 2**63),
    "parts": (["dates", "used", 0], [True]),
    "part of a number": (["dates", "used", 0, 0], 1),
    "no part": (["dates", "used", 0], [False] * 5),
    "medians of dates": (["dates", "medians"], [0.0]),
    "reason": (["left_out", 0, 1], "\x1b[2J"),
    "left out": (["left_out", 0], "shop"),
    "name of a list": (["left_out", 0, 0], []),
}


@pytest.mark.parametrize(("place", "value"), WRONG.values(), ids=WRONG)
def test_a_made_up_preparation_is_refused(encoder, place, value):
    plain = encoder_to_plain(encoder)
    encoder_from_plain(plain)
    with pytest.raises(ValueError, match=r"^.{10,}$"):
        encoder_from_plain(broken(plain, place, value))


# The whole file


def test_a_pipeline_comes_back(pipeline, path):
    X = table()
    loaded = load_pipeline(path)
    np.testing.assert_array_equal(loaded.predict_proba(X), pipeline.predict_proba(X))
    assert [name for name, _ in loaded.steps] == ["tableencoder", "maxlclassifier"]
    assert loaded[-1].get_params() == pipeline[-1].get_params()
    save_pipeline(loaded, path)
    np.testing.assert_array_equal(load_pipeline(path).predict(X), pipeline.predict(X))


def test_numbers_come_back(tmp_path):
    X = table()[["size", "colour"]]
    model = tabular_pipeline(MAXLRegressor(max_epochs=2, random_state=0)).fit(X, np.arange(N) / 7)
    save_pipeline(model, tmp_path / "model.maxl")
    loaded = load_pipeline(tmp_path / "model.maxl")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_a_network_of_ones_own_is_given(tmp_path):
    from torch import nn

    def own(shape):
        return nn.Sequential(nn.Linear(*shape, 4), nn.Tanh())

    X = table()[["size", "colour"]]
    model = tabular_pipeline(MAXLClassifier(own, max_epochs=2, temperature=1, random_state=0))
    save_pipeline(model.fit(X, np.arange(N) % 2), tmp_path / "m")
    with pytest.raises(ValueError, match="its backbone is a network of your own"):
        load_pipeline(tmp_path / "m")
    loaded = load_pipeline(tmp_path / "m", backbone=own)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_each_kind_of_file_tells_what_opens_it(pipeline, path, tmp_path):
    with pytest.raises(ValueError, match=r"holds a pipeline .* use sklearn_maxl.tables.load_pipe"):
        MAXLClassifier.load(path)
    other = tmp_path / "estimator"
    pipeline[-1].save(other)
    with pytest.raises(ValueError, match=r"holds a MAXLClassifier without .* MAXLClassifier.load"):
        load_pipeline(other)
    with pytest.raises(FileNotFoundError):
        load_pipeline(tmp_path / "none")
    (tmp_path / "text").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="text can't be loaded"):
        load_pipeline(tmp_path / "text")


def test_a_byte_that_changed_is_found(path):
    data = bytearray(path.read_bytes())
    place = data.index(b"green")
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="was changed"):
        load_pipeline(path)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (["pipeline", "encoder"], {}),
        (["pipeline", "encoder", "numbers"], None),
        (["pipeline", "created"], "yesterday"),
        (["pipeline", "created"], "2024-01-01T00:00:00"),
        (["pipeline", "record"], []),
        (["network", "estimator"], "Pipeline"),
        (["network", "input_shape"], [3]),
        (["network", "input_shape"], [[9]]),
        (["network", "versions", "torch"], 2),
        (["more"], 1),
        (["network"], ...),
    ],
    ids=str,
)
def test_a_made_up_file_is_refused_in_a_sentence(path, place, value):
    header, tensors = container.read(path)
    container.write(path, broken(header, place, value), tensors)
    with pytest.raises(ValueError, match=r"^.*model\.maxl can't be loaded: .{10,}\.$"):
        load_pipeline(path)


def test_what_is_no_pipeline_for_tables(pipeline, tmp_path):
    X, y = load_iris(return_X_y=True)
    scaled = make_pipeline(StandardScaler(), MAXLClassifier(max_epochs=1)).fit(X, y)
    for wrong, message in {
        "estimator": (pipeline[-1], "use its method save"),
        "scaler": (scaled, "got StandardScaler, MAXLClassifier"),
        "linear": (tabular_pipeline(DummyClassifier()).fit(X, y), "got TableEncoder, Dummy"),
        "other": (3, "got int"),
    }.values():
        with pytest.raises(TypeError, match=message):
            save_pipeline(wrong, tmp_path / "m")
    with pytest.raises(NotFittedError):
        save_pipeline(tabular_pipeline(MAXLClassifier()), tmp_path / "m")
    assert os.listdir(tmp_path) == []
