"""Tables in files: what is read from them, and what is told about it."""

import codecs
import csv
import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from sklearn_maxl._cli.files import Format, column_named, read
from sklearn_maxl._cli.scores import check_score
from sklearn_maxl._cli.sentences import TableError
from sklearn_maxl._cli.tables import prepare

N = 40
NUMBERS = np.random.default_rng(0).normal(size=N).round(3)
CLASSES = np.where(NUMBERS > 0, "up", "down")


@pytest.fixture
def table(tmp_path):
    """The table that the command would learn from, of a text or of lines with cells."""

    def make(data, target="y", task="auto", drop=(), **form):
        path = tmp_path / "data.csv"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        notes = []
        source = read(str(path), target, Format(**form), notes)
        return prepare(source.frame, source.target, task, drop, notes=notes)

    return make


def lines(header, cells, end="\n"):
    """A text with a line for each sample; `cells` makes it of its number."""
    return end.join([header, *map(cells, range(N)), ""])


def comma(number):
    return str(number).replace(".", ",")


# Words and missing values


@pytest.mark.parametrize("words", [("None", "Snoring"), ("NA", "EU", "AF"), ("null", "n/a")])
def test_words_for_missing_are_classes_of_a_target_of_text(table, words):
    found = table(lines("a,y", lambda i: f"{NUMBERS[i]},{words[i % len(words)]}"))
    assert set(found.y) == set(words)
    assert len(found.y) == N
    kept = [w for w in words if w in ("None", "NA", "null", "n/a")]
    note = next(note for note in found.notes if "taken for classes of 'y'" in note)
    assert all(f"{word} ({(N + len(words) - 1) // len(words)} row" in note for word in kept[:1])


def test_empty_cells_and_question_marks_are_missing_and_the_rows_are_told(table):
    words = ["None", "some", "", "?"]
    found = table(lines("a,y", lambda i: f"{NUMBERS[i]},{words[i % 4]}"))
    assert set(found.y) == {"None", "some"}
    assert "20 rows without a target left out" in found.notes


@pytest.mark.parametrize("values", [("1", "2", "NA"), ("True", "False", "NA")])
def test_words_for_missing_are_missing_among_numbers_and_truth_values(table, values):
    found = table(lines("a,y", lambda i: f"{NUMBERS[i]},{values[i % 3]}"))
    assert set(found.y.astype(str)) == set(values[:2])
    assert "13 rows without a target left out" in found.notes


def test_classes_that_differ_by_blanks_or_capitals_are_told(table):
    words = ["yes", "no", "yes ", "No"]
    notes = table(lines("a,y", lambda i: f"{NUMBERS[i]},{words[i % 4]}")).notes
    assert "classes that differ by blanks or capital letters only: 'yes' and 'yes '" in notes
    assert "classes that differ by blanks or capital letters only: 'No' and 'no'" in notes


# Numbers as people write them


def test_decimal_commas_are_found_beside_semicolons(table):
    found = table(lines("a;b;y", lambda i: f"{comma(NUMBERS[i])};1.234,5{i};{CLASSES[i]}"))
    np.testing.assert_array_equal(found.X["a"], NUMBERS)
    assert found.X["b"][0] == 1234.5
    assert "columns of numbers with a decimal comma: a, b" in found.notes


def test_decimal_commas_of_a_target_make_a_regression(table):
    found = table(lines("a;y", lambda i: f"{i % 7};{comma(NUMBERS[i])}"))
    assert found.task == "regression"
    np.testing.assert_array_equal(found.y, NUMBERS)


def test_elsewhere_decimal_commas_are_told_and_read_on_demand(table):
    text = lines("a\tb\ty", lambda i: f"{comma(NUMBERS[i])}\t{i % 3}\t{CLASSES[i]}")
    assert "'a' looks like numbers with a decimal comma (--decimal comma)" in table(text).notes
    np.testing.assert_array_equal(table(text, decimal="comma").X["a"], NUMBERS)
    with pytest.raises(TableError, match=r"it looks like numbers with a decimal comma \(--dec"):
        table(text, target="a")
    text = lines("a;b;y", lambda i: f"{comma(NUMBERS[i])};{i % 3};{CLASSES[i]}")
    assert list(table(text, decimal="point").X) == ["b"]


@pytest.mark.parametrize(
    ("cell", "note"),
    [
        (lambda i: f'"{1000 + i:,}"', f"{N} cells are not, such as '1,000'"),
        (lambda i: f"${i}.50", f"{N} cells are not, such as '$0.50'"),
        (lambda i: f"{i} %", f"{N} cells are not, such as '0 %'"),
        (lambda i: "unknown" if i == 3 else i, "1 cell is not, such as 'unknown'"),
        (lambda i: "-" if i < 2 else i, "2 cells are not, such as '-'"),
    ],
)
def test_what_is_nearly_numbers_is_told(table, cell, note):
    text = lines("a,b,y", lambda i: f"{cell(i)},{i % 3},{CLASSES[i]}")
    assert f"'a' looks like numbers, but {note}; it is taken for text" in table(text).notes
    with pytest.raises(TableError, match="too many to learn; it looks like numbers, but"):
        table(text, target="a")


def test_text_is_not_nearly_numbers(table):
    words = ["12-14", "A3", "red", "5"]
    found = table(lines("a,y", lambda i: f"{words[i % 4]},{CLASSES[i]}"))
    assert found.notes == []
    assert found.kinds == {"categories": 1}


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d.%m.%Y %H:%M", "%m/%d/%Y", "%Y-%m-%dT%H:%M:%SZ"])
def test_dates_are_found(table, form):
    start = datetime.datetime(2024, 1, 20, 6)
    days = [start + datetime.timedelta(days=3 * i) for i in range(N)]
    found = table(lines("when,y", lambda i: f"{days[i].strftime(form)},{CLASSES[i]}"))
    assert "column of dates: when" in found.notes
    assert found.kinds == {"dates": 1}
    assert found.X["when"].dt.date.tolist() == [day.date() for day in days]


def test_numbers_of_versions_are_no_dates(table):
    found = table(lines("a,y", lambda i: f"1.{i % 9}.2,{CLASSES[i]}"))
    assert found.kinds == {"categories": 1}


# Separators, line ends, encodings, headers


@pytest.mark.parametrize("mark", [";", "\t", "|", ","])
@pytest.mark.parametrize("note", ['"two\nlines"', "a\u2028b", "a\x0cb", "a\x85b", '"say ""so"""'])
def test_separators_are_found_in_spite_of_line_breaks_in_text(table, mark, note):
    notes = [note, "x"]
    found = table(lines(f"a{mark}t{mark}y", lambda i: mark.join(
        [str(NUMBERS[i]), notes[i % 2], CLASSES[i]]
    )))  # fmt: skip
    assert list(found.X) == ["a", "t"]
    assert found.X["t"].nunique() == 2


def test_separators_are_found_in_spite_of_a_short_row(table):
    text = lines("a;b;y", lambda i: "0.5" if i == 2 else f"{NUMBERS[i]};{i % 3};{CLASSES[i]}")
    found = table(text)
    assert list(found.X) == ["a", "b"]
    assert "1 row without a target left out" in found.notes


def test_a_semicolon_is_found_beside_decimal_commas_without_a_header(table):
    text = lines("1,5;2,5;up", lambda i: f"{comma(NUMBERS[i])};{i % 5},5;{CLASSES[i]}")
    found = table(text, target="3", header=False)
    assert found.X.shape == (N + 1, 2)
    assert found.kinds == {"numbers": 2}


def test_lines_that_end_with_carriage_returns(table):
    found = table(lines("a;y", lambda i: f"{NUMBERS[i]};{CLASSES[i]}", end="\r"))
    assert len(found.y) == N


def test_a_text_of_any_length_and_the_limit_of_the_csv_module_stays(table):
    limit = csv.field_size_limit()
    long = "x" * (limit + 1)
    found = table(lines("a,t,y", lambda i: f"{NUMBERS[i]},{long if i == 1 else 'u'},{CLASSES[i]}"))
    assert found.X["t"].str.len().max() == limit + 1
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-be"])
def test_encodings_with_a_mark_are_found(table, encoding):
    data = lines("größe,y", lambda i: f"{NUMBERS[i]},{CLASSES[i]}é").encode(encoding)
    if encoding == "utf-16-be":
        data = codecs.BOM_UTF16_BE + data
    found = table(data)
    assert list(found.X) == ["größe"]
    assert set(found.y) == {"upé", "downé"}


def test_other_encodings_are_read_on_demand(table):
    data = lines("größe,y", lambda i: f"{NUMBERS[i]},{CLASSES[i]}")
    for encoding in ("latin-1", "utf-16-le"):
        assert list(table(data.encode(encoding), encoding=encoding).X) == ["größe"]
    with pytest.raises(TableError, match="--encoding latin-1"):
        table(data.encode("latin-1"))
    with pytest.raises(TableError, match="is not in the encoding ascii"):
        table(data, encoding="ascii")
    for unknown in ("hex", "klingon"):
        with pytest.raises(TableError, match=f"--encoding '{unknown}' is not known"):
            table(data, encoding=unknown)


def test_a_file_without_a_header(table):
    text = lines("1.5,2,up", lambda i: f"{NUMBERS[i]},{i % 3},{CLASSES[i]}")
    found = table(text, target="3", header=False)
    assert list(found.X) == ["1", "2"]
    assert len(found.y) == N + 1
    hint = "If the file has no header, say --no-header."
    assert f"most names of columns are numbers. {hint}" in table(text, target="up").notes
    with pytest.raises(TableError, match=f"no column 'kind'.*{hint}"):
        table(text, target="kind")
    with pytest.raises(TableError, match=f"two columns called '2'.*{hint}"):
        table("2,2,up\n" + text)


def test_values_between_blanks(table):
    text = lines("a  b y", lambda i: f"  {NUMBERS[i]}   {i % 3} {CLASSES[i]}")
    with pytest.raises(TableError, match="give the --separator, such as --separator space"):
        table(text)
    assert list(table(text, separator="space").X) == ["a", "b"]


def test_blanks_after_commas_belong_to_nothing(table):
    words = ["?", "x", "z"]
    found = table(lines("a, t, y", lambda i: f"{NUMBERS[i]}, {words[i % 3]}, {CLASSES[i]}"))
    assert list(found.X) == ["a", "t"]
    assert found.X["t"].isna().sum() == 14
    assert set(found.y) == {"up", "down"}


def test_a_header_with_too_few_names_in_words_of_ours(table):
    text = lines("a,y", lambda i: f"{i},{NUMBERS[i]},{CLASSES[i]}")
    with pytest.raises(TableError, match="rows have 3 values, but the header has 2 names") as error:
        table(text)
    assert "index_col" not in str(error.value)
    with pytest.raises(TableError, match="line 3 has 3 values, but the lines before it have 2"):
        table("a,y\n1,u\n2,v,w\n")
    with pytest.raises(TableError, match="a quotation mark is opened in line 3 and never closed"):
        table('a,y\n1,u\n2,"v\n3,u\n')


@pytest.mark.parametrize("name", ["z\u00fc", "zu\u0308", " z\u00fc "])
def test_names_are_found_in_either_form_of_unicode_and_without_blanks(name):
    for own in ("z\u00fc", "zu\u0308", "z\u00fc "):
        assert column_named(name, ["a", own]) == own
    assert column_named(name, ["z\u00fc", name]) == name


def test_without_a_target_the_columns_are_listed(table):
    with pytest.raises(TableError, match=r"--target\. The columns are: a, b, y\."):
        table("a,b,y\n1,2,3\n", target=None)


@pytest.mark.parametrize("wrong", [{"decimal": "dot"}, {"separator": "::"}])
def test_formats_that_there_are_not(wrong):
    with pytest.raises(TableError, match=f"--{next(iter(wrong))}"):
        Format(**wrong)


# What Parquet can hold


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([Decimal("1.25"), Decimal("2.5")], "numbers"),
        ([datetime.date(2024, 1, 2), datetime.date(2025, 1, 2)], "dates"),
        (pd.array([True, None], dtype="boolean"), "numbers"),
        (pd.array([1, None], dtype="Int64"), "numbers"),
        (np.array([2**63, 2**64 - 1], dtype=np.uint64), "numbers"),
        (pd.Categorical(["u", "v"]), "categories"),
    ],
)
def test_types_of_columns(values, kind):
    frame = pd.DataFrame({"a": values, "y": ["u", "v"]})
    frame = pd.concat([frame] * 10, ignore_index=True)
    assert prepare(frame, "y").kinds == {kind: 1}


def test_lists_are_left_out_and_no_target():
    frame = pd.DataFrame({"a": [[1, 2], [3]] * 10, "b": [1, 2, 2, 1] * 5, "y": ["u", "v"] * 10})
    assert "column left out (lists or other collections): a" in prepare(frame, "y").notes
    with pytest.raises(TableError, match="target 'a' holds lists or other collections"):
        prepare(frame, "a")


def test_targets_of_other_types():
    a = [1, 2, 2, 1] * 5
    large = np.array([2**63 + 1, 2**64 - 1] * 10, dtype=np.uint64)
    assert set(prepare(pd.DataFrame({"a": a, "y": large}), "y").y) == set(large)
    decimals = [Decimal("0.5"), Decimal("1.5")] * 10
    assert prepare(pd.DataFrame({"a": a, "y": decimals}), "y").task == "regression"
    truth = pd.array([True, False, None, True] * 5, dtype="boolean")
    assert set(prepare(pd.DataFrame({"a": a, "y": truth}), "y").y) == {"True", "False"}
    dates = pd.date_range("2024-01-01", periods=20)
    with pytest.raises(TableError, match="'y' holds dates, which can't be predicted"):
        prepare(pd.DataFrame({"a": a, "y": dates}), "y")
    with pytest.raises(TableError, match="3 rows are too few for 2 folds"):
        prepare(pd.DataFrame({"a": [1, 2, 4], "y": [0.5, 1.5, 2.5]}), "y")


# Scores


@pytest.mark.parametrize(
    ("name", "y", "message"),
    [
        ("accuracyy", CLASSES, r"no score 'accuracyy'\. Did you mean 'accuracy'"),
        ("zzz", CLASSES, r"no score 'zzz'\. Some are accuracy, "),
        ("f1", CLASSES, r"f1 is not for classes such as these; try f1_macro\."),
        ("recall", np.arange(N) % 3, r"try recall_macro\."),
        ("roc_auc", np.arange(N) % 3, r"try roc_auc_ovr\."),
        ("r2", CLASSES, r"r2 is not for classes such as these\. Some are accuracy"),
        ("f1", NUMBERS, r"f1 is not for numbers such as these: .*Some are r2"),
    ],
)
def test_a_score_that_cannot_be_used_is_told_with_another(name, y, message):
    task = "regression" if y is NUMBERS else "classification"
    with pytest.raises(TableError, match=message) as error:
        check_score(name, y, task)
    assert "{" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "y"), [("f1", (NUMBERS > 0).astype(int)), ("f1_macro", CLASSES), ("roc_auc", CLASSES)]
)
def test_a_score_that_can_be_used(name, y):
    check_score(name, y, "classification")
