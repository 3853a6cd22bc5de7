"""What samples, targets and weights hold besides ordinary numbers: taken, or one clear sentence."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from torch import nn

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._data.arrays import moments
from sklearn_maxl._estimators import validation
from sklearn_maxl.backbones import MLP, ConvNet, Custom
from sklearn_maxl.labels import Learned

X, Y = load_iris(return_X_y=True)
FRAME = pd.DataFrame(X, columns=list("abcd"))
N = len(X)
DAYS = pd.date_range("2021-02-03", periods=N)


def classifier(**params):
    settings = {"max_epochs": 2, "lr": 0.01, "random_state": 0, "auxiliary": "uniform"}
    return MAXLClassifier(**{**settings, **params})


def regressor(**params):
    settings = {"max_epochs": 2, "random_state": 0, "auxiliary": "uniform"}
    return MAXLRegressor(**{**settings, **params})


def with_column(values):
    return FRAME.assign(new=values)


def polars_with(values):
    return pl.DataFrame(X, schema=list("abcd")).with_columns(pl.Series("new", values))


# Sparse samples


FORMS = ["csr_array", "csr_matrix", "csc_array", "coo_matrix", "lil_array", "dok_array"]


@pytest.mark.parametrize("form", FORMS)
def test_a_sparse_table_gives_the_predictions_of_the_dense_one(form):
    tenths = np.where(X > 3, np.round(10 * X), 0)
    given = getattr(sparse, form)(tenths)
    expected = classifier().fit(tenths, Y)
    clf = classifier().fit(given, Y)
    np.testing.assert_array_equal(clf.predict_proba(given), expected.predict_proba(tenths))
    np.testing.assert_array_equal(clf.transform(given), expected.transform(tenths))
    assert clf.score(given, Y) == expected.score(tenths, Y)


def test_a_sparse_table_is_float32_where_zeros_stand_beside_its_numbers():
    numbers = np.random.RandomState(0).rand(50, 3)
    numbers[::2] = 0
    stamps = np.c_[numbers, 1.7e9 + np.arange(50) / 10]
    for table, dtype in ((numbers, np.float32), (stamps, np.float64), (1e-60 * numbers, float)):
        dense = validation._dense(sparse.csr_array(table))
        assert dense.dtype == dtype
        np.testing.assert_allclose(dense, table, rtol=1e-6)


def test_other_methods_take_sparse_tables():
    S = sparse.csr_array(np.where(X > 3, X, 0))
    clf = classifier().partial_fit(S, Y, classes=[0, 1, 2]).partial_fit(S, Y)
    assert clf.generate_auxiliary_labels(S, Y).shape == (N, 15)
    assert clf.predict_auxiliary(S[:3]).shape == (3, 15)
    assert regressor().fit(S, X[:, 0]).predict(S).shape == (N,)
    images = sparse.csr_array(np.random.RandomState(0).rand(20, 64) > 0.5).astype(float)
    shaped = classifier(backbone=ConvNet((4,)), input_shape=(1, 8, 8), max_epochs=1)
    assert shaped.fit(images, np.arange(20) % 2).predict(images).shape == (20,)


def test_encoders_that_make_sparse_matrices_work_in_front():
    towns = FRAME.assign(town=[f"t{i % 40}" for i in range(N)])
    encode = ColumnTransformer([("town", OneHotEncoder(), ["town"])], remainder="passthrough")
    assert sparse.issparse(encode.fit_transform(towns))
    clf = make_pipeline(encode, classifier(max_epochs=8)).fit(towns, Y)
    assert clf.score(towns, Y) > 0.8
    texts = [f"{name} word" for name in np.array(["red", "green", "blue"])[Y]]
    clf = make_pipeline(TfidfVectorizer(), classifier(max_epochs=8)).fit(texts, Y)
    assert clf.score(texts, Y) == 1


def test_a_sparse_matrix_larger_than_the_memory_is_refused(monkeypatch):
    with pytest.raises(ValueError, match=r"X is sparse .*10000000000\).* GiB.*TruncatedSVD"):
        classifier().fit(sparse.csr_array((N, 10**10)), Y)
    monkeypatch.setattr(validation, "total_memory", lambda: None)  # where nobody knows
    validation._refuse_too_large(sparse.csr_array((N, 10**10)))


def test_a_sparse_table_with_a_gap_is_refused():
    with pytest.raises(ValueError, match="Input X contains NaN"):
        classifier().fit(sparse.csr_array(np.where(X > 7, np.nan, X)), Y)


# Samples that are no numbers


DATES = r"X holds dates or times in column.*new.*tabular_pipeline"
TEXT = r"X holds text in column.*new.*tabular_pipeline.*OneHotEncoder.*sparse"
GAPS = r"Input X contains NaN or other missing values in column.*new.*fillna.*SimpleImputer"
ARRAYS = r"X holds arrays in its cells in column.*new.*np\.stack\(X\['new'\]\)"
NO_NUMBERS = {
    "dates": (with_column(DAYS), DATES),
    "with a zone": (with_column(DAYS.tz_localize("CET")), DATES),
    "differences": (with_column(DAYS - DAYS[0]), DATES),
    "periods": (with_column(DAYS.to_period("D")), DATES),
    "dates of Python": (with_column([datetime.date(2021, 2, 3)] * N), DATES),
    "times of Python": (with_column([datetime.time(7)] * N), DATES),
    "dates as categories": (with_column(pd.Series(DAYS).astype("category")), DATES),
    "polars dates": (polars_with([datetime.date(2021, 2, 3)] * N), DATES),
    "polars differences": (polars_with([datetime.timedelta(7)] * N), DATES),
    "text": (with_column(["u", "v"] * 75), TEXT),
    "categories": (with_column(pd.Categorical(["u", "v"] * 75)), TEXT),
    "text with gaps": (with_column(["u", None] * 75), TEXT),
    "polars text": (polars_with(["u", None] * 75), TEXT),
    "polars Enum": (polars_with(pl.Series(["date", "v"] * 75, dtype=pl.Enum(["date", "v"]))), TEXT),
    "pd.NA": (with_column(pd.Series([pd.NA, 1.5] * 75, dtype=object)), GAPS),
    "None": (with_column(pd.Series([None, 1.5] * 75, dtype=object)), GAPS),
    "NaT": (with_column(pd.Series([pd.NaT, 1.5] * 75, dtype=object)), GAPS),
    "arrays": (with_column(list(np.ones((N, 2)))), ARRAYS),
    "lists": (with_column([[1, 2]] * N), ARRAYS),
    "polars lists": (polars_with([[1, 2]] * N), ARRAYS),
    "polars arrays": (polars_with(np.ones((N, 2))), ARRAYS),
}


@pytest.mark.parametrize(("table", "message"), NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_what_is_no_number_is_refused_with_its_columns_and_a_cure(table, message):
    with pytest.raises(ValueError, match=message):
        classifier().fit(table, Y)
    with pytest.raises(ValueError, match=message):
        regressor().partial_fit(table, X[:, 0])
    clf = classifier().fit(with_column(X[:, 0]), Y)
    with pytest.raises(ValueError, match=message):
        clf.predict(table)
    if "text" not in message and not hasattr(table, "schema"):
        values = table.to_numpy(dtype=object)
        with pytest.raises(ValueError, match=message.split(" in column")[0] + ".* in column 4"):
            classifier().fit(values, Y)


ARRAYS_ALONE = {
    "dates": (np.full((N, 2), "2021-02-03", "M8[D]"), r"X holds dates"),
    "differences": (np.ones((N, 2), "m8[s]"), r"X holds dates"),
    "images of dates": (np.ones((N, 1, 8, 8), ">m8[s]"), r"X holds dates"),
    "a column of arrays": (pd.Series(list(X)), r"X holds arrays in its cells; .*np\.stack\(X\)"),
    "list of texts": (["some words", "more"] * 75, r"X holds text.*TfidfVectorizer"),
    "lists with None": ([[1, None]] * N, r"Input X contains NaN or other missing values"),
    "lazy": (pl.DataFrame(X).lazy(), r"X is a LazyFrame; collect\(\) it first"),
}


@pytest.mark.parametrize(("given", "message"), ARRAYS_ALONE.values(), ids=ARRAYS_ALONE)
def test_arrays_that_hold_no_numbers_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        classifier().fit(given, Y)


def test_many_columns_are_not_all_named():
    table = pd.DataFrame({f"day {i}": DAYS for i in range(5)})
    with pytest.raises(ValueError, match=r"in columns 'day 0', 'day 1', 'day 2', \.\.\.; turn"):
        classifier().fit(table, Y)


@pytest.mark.parametrize(
    "values", [["1.5", "2"] * 75, [True, False] * 75, pd.Categorical([1, 2] * 75)]
)
def test_cells_that_read_as_numbers_are_taken(values):
    assert classifier().fit(with_column(values), Y).n_features_in_ == 5


# Targets and weights


MISSING = {
    "None": np.array([None, *"ab" * 74, "a"], dtype=object),
    "NaN": np.array([np.nan, *[1.0, 2.0] * 74, 1.0]),
    "pd.NA in text": pd.Series(["a", "b"] * 75, dtype="string").mask(np.arange(N) == 5),
    "pd.NA": pd.Series([pd.NA, 1] * 75, dtype=object),
    "nullable": pd.Series([None, 1] * 75, dtype="Int64"),
    "NaT": pd.Series([pd.NaT, 1] * 75, dtype=object),
    "null": pl.Series([None, "a", "b"] * 50),
    "null number": pl.Series([None, 1, 2] * 50),
    "list": [None, 1] * 75,
}


@pytest.mark.parametrize("values", MISSING.values(), ids=MISSING)
def test_missing_targets_and_weights_are_called_missing(values):
    message = "Input {} contains NaN or other missing values; leave out these samples, in X too"
    clf = classifier().fit(X, Y)
    for call in (
        lambda: classifier().fit(X, values),
        lambda: clf.score(X, values),
        lambda: clf.partial_fit(X, values),
        lambda: clf.generate_auxiliary_labels(X, values),
    ):
        with pytest.raises(ValueError, match=message.format("y")):
            call()
    with pytest.raises(ValueError, match=message.format("classes")):
        classifier().partial_fit(X, Y, classes=values)
    numbers = not any(isinstance(value, str) for value in values)
    with pytest.raises(ValueError, match=message.format("y") if numbers else "y must hold numbers"):
        regressor().fit(X, values)
    with pytest.raises(ValueError, match=message.format("sample_weight")):
        regressor().fit(X, Y, sample_weight=values)
    with pytest.raises(ValueError, match=message.format("sample_weight")):
        clf.score(X, Y, sample_weight=values)
    with pytest.raises(ValueError, match=r"auxiliary_labels .* missing"):
        classifier(auxiliary="human").fit(X, Y, auxiliary_labels=values)


@pytest.mark.parametrize(
    ("labels", "cure"),
    [
        ((Y + 3).astype(object), r"type int\. .*y\.astype\(int\)"),
        (np.array(list(map(np.int32, Y)), dtype=object), r"type int32\. .*y\.astype\(int\)"),
        ((Y > 1).astype(object), r"type bool\. .*y\.astype\(bool\)"),
        (Y.astype(float).astype(object), r"type float\. .*y\.astype\(float\)"),
        (np.array([1, "a", "b"] * 50, dtype=object), r"types? int and str\. .*y\.astype\(str\)"),
    ],
)
def test_labels_in_an_array_of_objects_are_to_be_given_a_type(labels, cure):
    clf = classifier().fit(X, Y)
    for call in (lambda: classifier().fit(X, labels), lambda: clf.score(X, labels)):
        with pytest.raises(ValueError, match=cure) as caught:
            call()
        assert "Regressor" not in str(caught.value)
    kind = {"int": int, "bool": bool, "float": float, "str": str}[cure.split("(")[1].split("\\")[0]]
    classifier().fit(X, labels.astype(kind))  # what the sentence says


@pytest.mark.parametrize(
    "values", [DAYS, DAYS - DAYS[0], pl.Series(DAYS.tolist()), [datetime.date(2021, 2, 3)] * N]
)
def test_dates_as_targets_and_weights_are_refused(values):
    for estimator in (classifier(), regressor()):
        with pytest.raises(ValueError, match=r"y holds dates or times; make numbers of them"):
            estimator.fit(X, values)
        with pytest.raises(ValueError, match=r"sample_weight holds dates or times"):
            estimator.fit(X, Y, sample_weight=values)


def test_lazy_targets_are_to_be_collected():
    with pytest.raises(ValueError, match=r"y is a LazyFrame; collect\(\) it first"):
        regressor().fit(X, pl.DataFrame({"y": Y}).lazy())


# Very small and very large numbers


@pytest.mark.parametrize("factor", [2.0**-150, 2.0**-990, 2.0**980])
def test_a_factor_changes_no_bit(factor):
    expected = classifier().fit(X, Y)
    clf = classifier().fit(X * factor, Y)
    np.testing.assert_array_equal(clf.predict_proba(X * factor), expected.predict_proba(X))
    diabetes, numbers = load_diabetes(return_X_y=True)
    expected = regressor().fit(diabetes, numbers).predict(diabetes)
    got = regressor().fit(diabetes, numbers * factor).predict(diabetes)
    np.testing.assert_array_equal(got, expected * factor)
    images = np.random.RandomState(0).rand(20, 1, 8, 8)
    two = np.arange(20) % 2
    small = {"backbone": ConvNet((4,)), "max_epochs": 1}
    expected = classifier(**small).fit(images, two).predict_proba(images)
    got = classifier(**small).fit(images * factor, two).predict_proba(images * factor)
    np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("factor", [1e-310, 1e-200, 1e200, 1e299])
def test_moments_of_numbers_whose_squares_float64_lacks(factor):
    wide = np.random.RandomState(0).normal([0, 5], 1, (400, 2))
    mean, scale = moments(np.c_[wide[:, 0], wide[:, 1] * factor], None)
    np.testing.assert_allclose(mean, wide.mean(0) * [1, factor], rtol=1e-4)
    np.testing.assert_allclose(scale, wide.std(0) * [1, factor], rtol=1e-4)
    weight = np.arange(400.0)
    weighted = np.average(wide[:, 1], weights=weight) * factor
    np.testing.assert_allclose(moments(wide * factor, weight)[0][1], weighted, rtol=1e-4)


def test_numbers_that_leave_nothing_of_the_others_are_refused():
    far = X.copy()
    far[7, 1] = -1e250
    with pytest.raises(ValueError, match=r"X holds numbers as large as 1e\+250 in column 1,"):
        classifier().fit(far, Y)
    far = X[:, 0].copy()
    for outlier in (1e13, 1e220):
        far[7] = outlier
        with pytest.raises(ValueError, match=r"y holds numbers as large as 1e.*correct y"):
            regressor().fit(X, far)
    for zero_inflated in (np.where(np.arange(N) < 9, 1e20, 0.0), X[:, 0] > 5):
        assert np.isfinite(regressor().fit(X, zero_inflated).predict(X)).all()


def test_numbers_at_the_end_of_float64_are_refused():
    with pytest.raises(ValueError, match=r"X holds numbers beyond 1e\+300 in column 2.*divide X"):
        classifier().fit(X * [1, 1, 1e305, 1], Y)
    with pytest.raises(ValueError, match=r"y holds numbers beyond 1e\+300.*divide y"):
        regressor().fit(X, X[:, 0] * -1e305)


def test_weights_of_any_size():
    weight = np.linspace(0.5, 1, N)
    expected = classifier(class_weight={0: 0.5}).fit(X, Y, sample_weight=weight).predict_proba(X)
    huge = classifier(class_weight={0: 2.0**1000, 1: 2.0**1001, 2: 2.0**1001})
    for factor in (2.0**1020, 2.0**-1000):
        got = huge.fit(X, Y, sample_weight=weight * factor).predict_proba(X)
        np.testing.assert_array_equal(got, expected)


def message_of(call, samples):
    """What an error says, or "finite"."""
    try:
        outputs = call(samples)
    except ValueError as error:
        return str(error)
    return "finite" if np.isfinite(outputs).all() else "not finite"


@pytest.mark.parametrize("value", [1e38, 1e200, 1e307])
def test_a_value_far_outside_gives_an_answer_or_a_sentence(value):
    constant = np.c_[X, np.full(N, 0.1)]
    clf = classifier(auxiliary="maxl").fit(constant, Y)
    reg = regressor().fit(constant, X[:, 0])
    calls = [
        clf.predict,
        clf.predict_proba,
        clf.predict_log_proba,
        clf.transform,
        reg.predict,
        clf.predict_auxiliary,
        lambda Z: clf.generate_auxiliary_labels(Z, Y),
    ]
    for column in (2, 4):
        far = constant.copy()
        far[9, column] = value
        for call in calls:
            said = message_of(call, far)
            beyond = f"X holds numbers beyond 1e+300 in column {column}"
            assert beyond in said if value > 1e300 else said == "finite"
    assert np.isfinite(clf.predict_proba(np.c_[X, np.full(N, 1e6)])).all()


IMAGES = np.random.RandomState(0).rand(20, 1, 8, 8)
FAR = {
    "a pixel": (IMAGES, np.where(np.arange(64).reshape(8, 8) == 21, 1e250, IMAGES)),
    "all": (IMAGES, np.full_like(IMAGES, -1e300)),
    "float32": (IMAGES.astype(np.float32), np.full(IMAGES.shape, 3e38, np.float32)),
    "tiny in training": (IMAGES * 1e-300, IMAGES),
    "constant in training": (np.full_like(IMAGES, 7), IMAGES * 1e299),
    "signals": (IMAGES[:, 0, :3], IMAGES[:, 0, :3] * 1e299),
}


@pytest.mark.parametrize(("trained", "far"), FAR.values(), ids=FAR)
def test_what_lies_far_outside_of_images_has_an_answer_everywhere(trained, far):
    """Clipped in one place: in all methods and in what is exported."""
    y = np.arange(20) % 2
    clf = classifier(backbone=ConvNet((4,)), max_epochs=1).fit(trained, y)
    reg = regressor(backbone=ConvNet((4,)), max_epochs=1).fit(trained, y * 1e299)
    for call in (clf.predict_proba, clf.transform, clf.predict_auxiliary, reg.predict):
        assert np.isfinite(call(far)).all()
    assert np.isfinite(clf.generate_auxiliary_labels(far, y)).all()
    for estimator, call in ((clf, clf.predict_proba), (reg, reg.predict)):
        exported = estimator.to_torch()(torch.tensor(far)).numpy()
        np.testing.assert_allclose(exported, call(far), rtol=1e-5, atol=1e-6)


def test_what_is_clipped_is_farther_than_any_value_of_training():
    clf = classifier(backbone=ConvNet((4,)), max_epochs=1).fit(IMAGES, np.arange(20) % 2)
    mean, scale = clf._fitted.scaling
    z = np.array([3e5, 9.9e5, 1e6, 2e6, 1e30]).reshape(-1, 1, 1, 1) * np.ones((1, 1, 8, 8))
    standardize = clf.net_.module_.standardize
    found = standardize(torch.tensor(z * scale + mean, dtype=torch.float64))[:, 0, 0, 0]
    np.testing.assert_allclose(found, [3e5, 9.9e5, 1e6, 1e6, 1e6], rtol=1e-6)


class Steep(nn.Module):
    """Overflows for samples that lie far outside."""

    def forward(self, x):
        return x.flatten(1).exp().exp()


def test_a_network_that_has_no_answer_for_a_sample_names_it():
    images = IMAGES.copy()
    backbone = nn.Sequential(Steep(), nn.Linear(64, 2))
    clf = classifier(backbone=backbone, max_epochs=1, lr=1e-6).fit(images, np.arange(20) % 2)
    images[3, 0, 2, 5] = 1e250
    with pytest.raises(ValueError, match=r"sample 3 of X is not finite.*X\[3, 0, 2, 5\] = 1e\+250"):
        clf.predict(images)


def test_r2_of_numbers_whose_squares_are_too_large():
    expected = regressor(max_epochs=2).fit(X, X[:, :2]).score(X, X[:, :2])
    for factor in (1e-200, 1e200):
        y = X[:, :2] * [factor, 1.0]
        found = regressor(max_epochs=2).fit(X, y).score(X, y)
        assert found == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("make", [classifier, regressor])
def test_a_weight_beside_which_classes_count_as_nothing_is_told(make):
    weight = np.where(np.arange(N) == 0, 1e300, 1.0)
    model = make()
    with pytest.warns(UserWarning, match=r"none is left of the .*Correct the w") as told:
        model.fit(X, Y, sample_weight=weight)
    assert told[0].filename == __file__
    assert np.isfinite(model.predict(X)).all()


# Inputs as they are


class Tokens(nn.Module):
    """Looks whole numbers up in a table."""

    def __init__(self, width=3, raw=True):
        super().__init__()
        self.raw_inputs = raw
        self.table = nn.Embedding(12, width)
        self.seen = []

    def forward(self, x):
        self.seen.append((x.min().item(), x.max().item()))
        return self.table(x.long()).flatten(1)


IDS = np.random.RandomState(0).randint(0, 12, (60, 5))


@pytest.mark.parametrize(
    ("backbone", "auxiliary"),
    [
        (Custom(Tokens, width=4), "maxl"),
        (Custom(Tokens, width=4), "kmeans"),
        (Tokens(4), None),
        (lambda shape: Tokens(4), "maxl"),
    ],
)
def test_a_network_that_asks_for_raw_inputs_gets_them(backbone, auxiliary, tmp_path):
    clf = classifier(backbone=backbone, auxiliary=auxiliary).fit(IDS, IDS[:, 0] % 3)
    clf.net_.module_.trunk.seen.clear()
    before = clf.predict_proba(IDS)
    assert clf.net_.module_.trunk.seen == [(0, 11)]
    clf.save(tmp_path / "clf.safetensors")
    other = MAXLClassifier.load(tmp_path / "clf.safetensors", backbone=backbone)
    np.testing.assert_array_equal(other.predict_proba(IDS), before)


def test_networks_that_do_not_ask_are_told_or_get_standardised_inputs():
    with pytest.raises(ValueError, match=r"nn\.Embedding.*standardised.*raw_inputs = True"):
        classifier(backbone=Tokens(raw=False)).fit(IDS, IDS[:, 0] % 3)
    clf = classifier(backbone=MLP((5,))).fit(IDS, IDS[:, 0] % 3)
    assert float(clf.net_.module_.standardize.scale.min()) > 1


@pytest.mark.parametrize(
    "own",
    [
        {"backbone": "mlp", "auxiliary": Learned(Tokens(4))},
        {"backbone": Tokens(4), "auxiliary": Learned("mlp")},
    ],
)
def test_both_networks_take_raw_inputs_or_neither(own):
    with pytest.raises(ValueError, match=r"backbone and generator must both .*raw_inputs"):
        classifier(**own).fit(IDS, IDS[:, 0] % 3)


class WithPositions(nn.Module):
    """An embedding that the inputs have no part in."""

    def __init__(self):
        super().__init__()
        self.positions = nn.Embedding(4, 1)

    def forward(self, x):
        return x + self.positions.weight.flatten()


def test_an_embedding_of_positions_needs_no_raw_inputs():
    clf = classifier(backbone=WithPositions(), max_epochs=1).fit(X, Y)
    assert clf.predict(X).shape == (N,)
