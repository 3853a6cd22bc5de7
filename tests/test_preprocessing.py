"""Tables as numbers: every kind of column, from pandas, polars and arrays."""

import datetime
import pickle
import re
import warnings
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_maxl import MAXLClassifier, preprocessing
from sklearn_maxl.preprocessing import TableEncoder, tabular_pipeline

N = 28
RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(size=N)
WHOLE = RNG.integers(0, 5, N).tolist()
TRUTH = (RNG.random(N) < 0.5).tolist()
TEXT = RNG.choice(["red", "green", "blue"], N).tolist()
START = datetime.datetime(2024, 1, 30, 6)
DATES = [START + datetime.timedelta(hours=31 * i) for i in range(N)]
DATE_PARTS = ["days", "month", "weekday", "hour"]


@parametrize_with_checks([TableEncoder()])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def gaps(values, missing=None):
    """The values with every seventh missing."""
    return [missing if i % 7 == 0 else value for i, value in enumerate(values)]


def names_of(column):
    """Names of what the column becomes, without its own."""
    frame = pl.DataFrame if isinstance(column, pl.Series) else pd.DataFrame
    X = frame({"a": column})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder = TableEncoder().fit(X)
    values = encoder.transform(X)
    names = encoder.get_feature_names_out().tolist()
    assert values.shape == (N, len(names))
    assert np.isfinite(values).all()
    return [name.removeprefix("a_") for name in names], values


@pytest.mark.parametrize("column", [
    WHOLE, NUMBERS.astype(np.float32), np.array(WHOLE, np.uint8), TRUTH, list(map(Decimal, WHOLE)),
    pd.array(WHOLE, dtype="Int64"), pd.array(TRUTH, dtype="boolean"), pd.arrays.SparseArray(WHOLE),
    pd.Series(WHOLE, dtype=object), pd.to_timedelta(WHOLE, unit="D"),
    pl.Series(WHOLE, dtype=pl.UInt64), pl.Series(TRUTH), pl.Series(WHOLE, dtype=pl.Decimal(9, 2)),
    pl.Series([datetime.timedelta(days=i) for i in WHOLE]),
], ids=str)  # fmt: skip
def test_numbers(column):
    names, values = names_of(column)
    assert names == ["a"]
    expected = TRUTH if set(values.ravel()) == {0, 1} else WHOLE
    np.testing.assert_allclose(values[:, 0], NUMBERS if values.min() < 0 else expected, rtol=1e-6)


@pytest.mark.parametrize("column", [
    gaps(WHOLE, np.nan), gaps(WHOLE), gaps(WHOLE, np.inf),
    pd.Series(gaps(WHOLE, 10**400), dtype=object),
    pd.array(gaps(WHOLE), dtype="Int64"),
    pd.Series(gaps(WHOLE, pd.NA), dtype=object), pd.array(gaps(TRUTH), dtype="boolean"),
    pl.Series(gaps(WHOLE)), pl.Series(gaps(TRUTH)),
], ids=str)  # fmt: skip
def test_missing_numbers_are_the_median_and_told_in_a_column(column):
    names, values = names_of(column)
    assert names == ["a", "missingindicator_a"]
    missing = np.arange(N) % 7 == 0
    np.testing.assert_array_equal(values[:, 1], missing)
    np.testing.assert_array_equal(values[missing, 0], np.median(values[~missing, 0]))


@pytest.mark.parametrize("column", [
    TEXT, pd.Categorical(TEXT), pd.Categorical(TEXT, ordered=True), pd.array(TEXT, dtype="string"),
    pd.Series(TEXT, dtype=object), pl.Series(TEXT), pl.Series(TEXT, dtype=pl.Categorical),
    pl.Series(TEXT, dtype=pl.Enum(["red", "green", "blue"])),
], ids=str)  # fmt: skip
def test_categories(column):
    names, values = names_of(column)
    assert names == ["blue", "green", "red"]
    np.testing.assert_array_equal(values.argmax(axis=1), [names.index(t) for t in TEXT])


@pytest.mark.parametrize("column", [
    gaps(TEXT), gaps(TEXT, np.nan), pd.Categorical(gaps(TEXT)), pl.Series(gaps(TEXT)),
    pd.array(gaps(TEXT), dtype="string"), pl.Series(gaps(TEXT), dtype=pl.Categorical),
], ids=str)  # fmt: skip
def test_a_missing_category_is_a_category(column):
    names, values = names_of(column)
    assert names == ["blue", "green", "missing", "red"]
    np.testing.assert_array_equal(values[:, 2], np.arange(N) % 7 == 0)


def test_categories_that_are_numbers_and_numbers_among_text():
    names, _ = names_of(pd.Categorical(WHOLE))
    assert names == ["0", "1", "2", "3", "4"]
    X = pd.DataFrame({"a": gaps(TEXT, 2)})
    encoder = TableEncoder().fit(X)
    two = encoder.transform(pd.DataFrame({"a": [2, 2.0]}))  # a column of numbers now
    np.testing.assert_array_equal(two, [[1, 0, 0, 0]] * 2)


@pytest.mark.parametrize("column", [
    DATES, pd.Series(DATES).astype("datetime64[ns]"), pd.Series(DATES).dt.tz_localize("UTC"),
    pd.Series(DATES, dtype=object), pl.Series(DATES), pl.Series(DATES, dtype=pl.Datetime("ms")),
    pd.Series(DATES).dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"),
    pd.Series([d.replace(tzinfo=datetime.UTC) for d in DATES], dtype=object),
    pl.Series(DATES).dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo"),
], ids=str)  # fmt: skip
def test_dates(column):
    names, values = names_of(column)
    assert names == DATE_PARTS
    np.testing.assert_allclose(values[:, 0], [(d - START).total_seconds() / 86400 for d in DATES])
    expected = [[d.month, d.weekday(), d.hour] for d in DATES]
    np.testing.assert_array_equal(values[:, 1:], expected)


def test_days_have_no_hours_and_parts_that_do_not_differ_are_left_out():
    days = [date.date() for date in DATES]
    assert names_of(days)[0] == names_of(pl.Series(days))[0] == ["days", "month", "weekday"]
    weeks = pd.date_range("2024-03-04", periods=N, freq="7D")
    names, values = names_of(weeks)
    assert names == ["days", "month"]
    np.testing.assert_array_equal(values[:, 0], 7 * np.arange(N))


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_missing_dates_are_told_and_may_be_all_that_a_new_table_has(frame):
    X = frame({"a": gaps(DATES)})
    encoder = TableEncoder().fit(X)
    names = [name.removeprefix("a_") for name in encoder.get_feature_names_out()]
    assert names == [*DATE_PARTS, "missing"]
    np.testing.assert_array_equal(encoder.transform(X)[:, -1], np.arange(N) % 7 == 0)
    nothing = encoder.transform(frame({"a": [None, None]}))
    np.testing.assert_array_equal(
        nothing, encoder.transform(X[[0, 7]] if frame is pl.DataFrame else X.iloc[[0, 7]])
    )


def test_what_is_left_out_and_why():
    X = pd.DataFrame({
        "nothing": [None] * N, "same": ["x"] * N, "note": [f"note {i}" for i in range(N)],
        "PassengerId": RNG.permutation(N) + 7, "row": range(N),
        "customer id": range(5, 2 * N + 5, 2), "list": [[1, 2]] * N, "year": range(1990, 1990 + N),
        "idea": RNG.permutation(N),
        "a": NUMBERS,
    })  # fmt: skip
    told = (
        r"'note' \(a text of its own in most rows\).*'PassengerId' .*'customer id' .*'list' \(lists"
    )
    with pytest.warns(UserWarning, match=told) as warned:
        encoder = TableEncoder().fit(X)
    assert "'same'" not in str(warned[0].message)
    reasons = {"nothing": "no values", "same": "one value only"}
    assert {k: v for k, v in encoder.left_out_.items() if k in reasons} == reasons
    assert encoder.get_feature_names_out().tolist() == ["year", "idea", "a"]
    with pytest.raises(ValueError, match=r"no column to learn from: 'same' \(one value only\)"):
        TableEncoder().fit(X[["same"]])


def test_rare_and_new_categories_share_a_column():
    words = [*"aaaabbbbcccc", *"defghijk"]
    encoder = TableEncoder(max_categories=4).fit(pd.DataFrame({"a": words * 2}))
    names = encoder.get_feature_names_out().tolist()
    assert names == ["a_a", "a_b", "a_c", "a_infrequent_sklearn"]
    new = encoder.transform(pd.DataFrame({"a": ["a", "d", "new", None]}))
    np.testing.assert_array_equal(new, np.eye(4)[[0, 3, 3, 3]])
    few = TableEncoder().fit(pd.DataFrame({"a": TEXT}))
    np.testing.assert_array_equal(few.transform(pd.DataFrame({"a": ["new"]})), [[0, 0, 0]])
    with pytest.raises(ValueError, match="max_categories == 1, must be >= 2"):
        TableEncoder(max_categories=1).fit(pd.DataFrame({"a": TEXT}))


def test_arrays_and_lists():
    rows = [[n, t, w] for n, t, w in zip(NUMBERS, gaps(TEXT), WHOLE, strict=True)]
    encoder = TableEncoder().fit(rows)
    names = encoder.get_feature_names_out().tolist()
    assert names == ["x0", "x2", "x1_blue", "x1_green", "x1_missing", "x1_red"]
    as_array = encoder.transform(np.array(rows, dtype=object))
    np.testing.assert_array_equal(encoder.transform(rows), as_array)
    np.testing.assert_array_equal(as_array[:, 0], NUMBERS)


def test_other_order_and_more_columns_are_found_by_name():
    X = pd.DataFrame({"a": NUMBERS, "b": TEXT, "c": DATES})
    encoder = TableEncoder().fit(X)
    other = X.assign(d=1)[["d", "c", "b", "a"]]
    np.testing.assert_array_equal(encoder.transform(other), encoder.transform(X))
    with pytest.raises(ValueError, match=r"columns are missing: \{'c'\}"):
        encoder.transform(X[["a", "b"]])


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"a": ["much"]}, "other things than numbers in column 'a'"),
        ({"a": [START]}, "dates in column 'a', which held numbers in fit"),
        ({"c": ["2024-01-01"]}, "no dates in column 'c'.*pandas.to_datetime"),
    ],
)
def test_another_kind_than_in_fit_is_a_sentence(column, message):
    X = pd.DataFrame({"a": NUMBERS, "b": TEXT, "c": DATES})
    encoder = TableEncoder().fit(X)
    with pytest.raises(ValueError, match=message):
        encoder.transform(X[:1].drop(columns=list(column)).assign(**column))


def table():
    """A table of all kinds whose text decides the class."""
    rng = np.random.default_rng(1)
    text = rng.choice(["red", "green", "blue"], 90)
    size = np.where(rng.random(90) < 0.2, np.nan, rng.normal(size=90))
    days = pd.date_range("2024-01-01", periods=90, freq="13h")
    return pd.DataFrame({"size": size, "colour": text, "day": days}), np.where(
        text == "red", "warm", "cold"
    )


def test_only_training_rows_are_learned_from():
    X, _ = table()
    encoder = TableEncoder().fit(X[:60])
    first = encoder.transform(X[60:].assign(size=np.nan, colour="violet"))
    names = encoder.get_feature_names_out().tolist()
    np.testing.assert_array_equal(first[:, names.index("size")], X["size"][:60].median())
    assert first[0, names.index("day_days")] == 60 * 13 / 24
    same = clone(encoder).fit(X[:60])
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(same)).transform(X), encoder.transform(X)
    )


def test_data_frames_on_demand():
    X, _ = table()
    encoder = TableEncoder().set_output(transform="pandas").fit(X)
    assert list(encoder.transform(X)) == encoder.get_feature_names_out().tolist()
    with config_context(transform_output="polars"):
        assert isinstance(TableEncoder().fit_transform(X), pl.DataFrame)


@pytest.mark.parametrize("of", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_a_pipeline_learns_from_a_table_as_it_is(of):
    X, y = table()
    model = tabular_pipeline(MAXLClassifier(auxiliary=None, lr=0.01, max_epochs=20, random_state=0))
    frame = of({name: X[name].to_list() for name in X})
    target = pl.Series(y.tolist()) if of is pl.DataFrame else y
    assert model.fit(frame[:60], target[:60]).score(frame[60:], target[60:]) > 0.9
    assert pickle.loads(pickle.dumps(model)).predict(frame[:2]).shape == (2,)


def test_in_searches():
    X, y = table()
    model = tabular_pipeline(LogisticRegression(max_iter=5000))
    assert cross_val_score(model, X, y, cv=3).mean() > 0.95
    search = GridSearchCV(model, {"tableencoder__max_categories": [2, 20]}, cv=2).fit(X, y)
    assert search.best_params_ == {"tableencoder__max_categories": 20}


def test_neither_pandas_nor_polars_is_imported_here():
    for path in Path(preprocessing.__file__).parent.glob("*.py"):
        assert not re.search(r"^ *(import|from) (pandas|polars)", path.read_text(), re.MULTILINE)
