"""The command line: a right report for right files, one sentence for wrong ones."""

import builtins
import gzip
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_iris

from sklearn_maxl import MAXLClassifier
from sklearn_maxl._cli import compare as _compare
from sklearn_maxl._cli import main as _cli
from sklearn_maxl._cli.main import main
from sklearn_maxl._cli.tables import prepare
from sklearn_maxl.comparison import _progress
from sklearn_maxl.comparison._progress import Progress
from sklearn_maxl.preprocessing import tabular_pipeline

IRIS = load_iris(as_frame=True)
FRAME = IRIS.frame.rename(columns={"target": "kind"})
FRAME["kind"] = IRIS.target_names[FRAME["kind"]]
RNG = np.random.default_rng(0)
QUICK = ["--epochs=1", "--folds=2", "--seeds=1", "--jobs=1", "--arms", "uniform", "none"]


def mixed(n=200):
    """Numbers, text, truth values, gaps; a target that the text decides."""
    rng = np.random.default_rng(1)
    colour = rng.choice(["red", "green", "blue"], n)
    frame = pd.DataFrame({"size": rng.normal(size=n), "colour": colour, "old": rng.random(n) < 0.5})
    frame["town"] = rng.choice([f"t{i}" for i in range(40)], n)
    frame.loc[::7, "size"] = np.nan
    frame.loc[::5, "colour"] = None
    frame["y"] = np.where(frame["colour"] == "red", "yes", "no")
    return frame


@pytest.fixture
def call(tmp_path, capsys, monkeypatch):
    """Run the command on a frame or a text; (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_progress, "FIRST", np.inf)  # a slow machine tells no more than others
    for baselines in _compare.BASELINES.values():  # forests take a while
        monkeypatch.delitem(baselines, "forest")

    def run(data, *options, target="kind", name="data.csv"):
        if isinstance(data, pd.DataFrame):
            data.to_csv(name, index=False)
        elif isinstance(data, str):
            (tmp_path / name).write_text(data, encoding="utf-8")
        elif data is not None:
            (tmp_path / name).write_bytes(data)
        code = main(["compare", name, "--target", target, *QUICK, *options])
        return code, *capsys.readouterr()

    return run


# Reports


def test_a_report_of_a_table(call, tmp_path):
    code, out, err = call(FRAME, "--output", "page.html")
    assert (code, err) == (0, "")
    assert "Rows: 150" in out
    assert "Columns: 4 numeric" in out
    assert "Target: kind, 3 classes: setosa, versicolor, virginica; 33.3 % of the rows are s" in out
    assert re.search(r"^uniform  +\d+\.\d\d ± ", out, re.MULTILINE)
    assert "Training: 1 epoch, seed " in out
    assert "Verdict: " in out
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<h1>Do auxiliary labels help on data.csv?</h1>" in page
    assert page.count("data:image/svg+xml;base64,") == 2
    assert "<dt>Rows</dt><dd>150</dd>" in page


@pytest.mark.parametrize(("target", "names"), [
    ("kind", ["most frequent class", "linear", "forest"]),
    ("petal width (cm)", ["mean", "linear", "forest"]),
])  # fmt: skip
def test_other_estimators_stand_below_the_arms(tmp_path, capsys, target, names):
    FRAME.to_csv(tmp_path / "data.csv", index=False)
    page = tmp_path / "page.html"
    command = ["compare", str(tmp_path / "data.csv"), "--target", target, *QUICK]
    assert main([*command, "--output", str(page)]) == 0
    table = capsys.readouterr().out.split("s per fit")[1].split("±  is")[0]
    places = [table.index(f"\n{name} ") for name in ["single task", "uniform", *names]]
    assert places == sorted(places)
    assert re.search(r"(linear|forest) scores higher than all arms: \+", table)
    assert all(f'<th scope="row">{name}</th>' in page.read_text() for name in names)


def test_the_report_ends_with_the_command_that_trains(call, tmp_path):
    text = FRAME.to_csv(index=False, sep=":")
    options = ["--separator", ":", "--drop", "petal width (cm)", "--seed", "3"]
    out = call(text, *options, name="my data.csv")[1]
    following = re.search(r"^Next: (.*)$", out, re.MULTILINE)[1]
    assert following == (
        "python -m sklearn_maxl fit 'my data.csv' --target kind --separator : --epochs 1 "
        "--random-state 3 --drop 'petal width (cm)' --arm none --output 'my data.maxl'"
    )
    assert main(shlex.split(following)[3:]) == 0
    assert (tmp_path / "my data.maxl").exists()


def test_nothing_is_written_unless_asked_for(call, tmp_path):
    assert call(FRAME)[0] == 0
    assert [p.name for p in tmp_path.iterdir()] == ["data.csv"]


def test_numbers_text_truth_and_gaps(call):
    code, out, err = call(mixed(), target="y")
    assert (code, err) == (0, "")
    assert "Columns: 2 numeric, 2 text" in out


def test_text_is_learned_from():
    table = prepare(mixed(), "y", random_state=0)
    model = tabular_pipeline(MAXLClassifier(auxiliary=None, max_epochs=30, random_state=0))
    assert model.fit(table.X[:150], table.y[:150]).score(table.X[150:], table.y[150:]) > 0.9


def test_transformers_learn_from_training_rows_only():
    table = prepare(mixed(), "y")
    columns = tabular_pipeline(MAXLClassifier())[:-1].fit(table.X[:120])
    unseen = table.X[120:].assign(colour="violet", size=np.nan)
    values = columns.transform(unseen)
    assert isinstance(values, np.ndarray)
    assert np.isfinite(values).all()
    median = table.X["size"][:120].median()
    np.testing.assert_array_equal(values[:, 0], np.full(len(unseen), median))


def test_numbers_are_regression_and_it_says_so(call):
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    code, out, _ = call(X.assign(y=y + 0.5)[:60], target="y")
    assert code == 0
    assert "Note: regression, because 'y' holds numbers with fractions" in out
    assert "Paired comparison by R2" in out
    out = call(X.assign(y=y.astype(int))[:60], target="y")[1]
    assert re.search(r"regression, because 'y' holds \d\d different whole numbers", out)


def test_few_whole_numbers_are_classes_unless_told_otherwise(call):
    frame = FRAME.assign(kind=IRIS.target)
    assert "3 classes: 0, 1, 2" in call(frame)[1]
    assert "Target: kind, numbers from 0 to 2" in call(frame, "--task", "regression")[1]


def test_a_sample_of_the_rows_keeps_the_classes_in_proportion(call):
    out = call(FRAME, "--max-rows", "60")[1]
    assert "Rows: 60" in out
    assert "Note: 60 of 150 rows drawn at random (--max-rows)" in out
    y = prepare(FRAME, "kind", max_rows=60).y
    assert np.unique(y, return_counts=True)[1].tolist() == [20, 20, 20]


def test_rows_are_drawn_in_proportion_whatever_their_number():
    y = np.repeat(["a", "b", "c"], [600, 390, 11])
    frame = pd.DataFrame({"x": np.arange(1001) / 8, "y": y})
    for n in (1000, 500, 200):
        table = prepare(frame, "y", max_rows=n, n_folds=2)
        counts = np.unique(table.y, return_counts=True)[1]
        np.testing.assert_allclose(counts, np.array([600, 390, 11]) * n / 1001, atol=1)
        assert len(table.y) == len(set(table.X["x"])) == n
    other = prepare(frame, "y", max_rows=200, random_state=1)
    assert set(other.X["x"]) != set(table.X["x"])
    frame["y"] = np.arange(1001) + 0.5
    assert len(prepare(frame, "y", max_rows=100).y) == 100


def test_classes_too_rare_for_the_folds_are_left_out_and_named(call):
    frame = pd.concat([FRAME, FRAME[:2].assign(kind="rare")])
    code, out, _ = call(frame, "--folds", "3")
    assert code == 0
    assert "Rows: 150" in out
    assert "Note: classes too rare for 3 folds left out, with their rows: rare (2)" in out
    assert "4 classes" in call(frame, "--folds", "2")[1]


def test_what_is_left_out_is_told(call):
    frame = FRAME.assign(
        name=[f"flower {i}" for i in range(150)], nothing=np.nan, far=149 * [1.0] + [np.inf]
    )
    frame.loc[:9, "kind"] = None
    frame.index.name = None
    frame.to_csv("data.csv")
    _, out, _ = call(None, "--drop", "petal width (cm)")
    assert "Rows: 140" in out
    assert "Columns: 4 numeric" in out
    assert "Note: 10 rows without a target left out" in out
    assert "Note: column left out (no values): nothing" in out
    assert "Note: column left out (an identifier): Unnamed: 0" in out
    assert "Note: column left out (a text of its own in most rows): name" in out
    assert "Note: infinite numbers taken for missing: far" in out


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_the_separator_is_found(call, mark):
    text = FRAME.assign(note=['a, "b"', "c"] * 75).to_csv(index=False, sep=mark)
    assert "Columns: 4 numeric, 1 text" in call(text)[1]


def test_a_separator_by_name_or_sign(call):
    text = FRAME.to_csv(index=False, sep=":")
    assert call(text, "--separator", ":")[0] == 0
    assert call(FRAME, "--separator", "comma")[0] == 0


def test_compressed_and_with_a_byte_order_mark(call):
    text = "\ufeff" + FRAME[["kind", *FRAME.columns[:4]]].to_csv(index=False)
    assert call(gzip.compress(text.encode()), name="data.csv.gz")[0] == 0


def test_arms_and_score(call):
    _, out, _ = call(FRAME, "--arms", "maxl,none", "--scoring", "balanced_accuracy")
    assert "balanced_accuracy in %" in out
    assert re.search(r"^maxl ", out, re.MULTILINE)
    assert not re.search(r"^uniform ", out, re.MULTILINE)


def test_a_random_state_repeats_the_report(call):
    figures = [call(FRAME, "--random-state", "5")[1].split("s per fit")[1][:60] for _ in range(2)]
    assert figures[0].split()[:4] == figures[1].split()[:4]


# Progress


class Terminal:
    def __init__(self):
        self.text = ""

    def isatty(self):
        return True

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def test_progress_is_a_bar_on_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert list(_compare._track(iter(range(4)), Progress(0, 4, 1))) == [0, 1, 2, 3]
    assert "|          | 0 of 4 fits" in sys.stderr.text


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_lines_without_a_terminal_or_tqdm(monkeypatch, terminal):
    if terminal:
        without(monkeypatch, "tqdm")
    monkeypatch.setattr(Terminal, "isatty", lambda _: terminal)
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(_progress, "FIRST", 0.0)
    assert len(list(_compare._track(iter(range(25)), Progress(0, 25, 1)))) == 25
    assert sys.stderr.text == "0 of 25 fits\n"  # the next would come half a minute later


# Wrong uses


def without(monkeypatch, name):
    """Make a package look as if it were not installed."""
    find = builtins.__import__

    def missing(module, *args, **kwargs):
        if module.split(".")[0] == name:
            raise ImportError(module)
        return find(module, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)


N = len(FRAME)
CSV = FRAME.to_csv(index=False)
# data, target, options, what the message says
WRONG = {
    "missing file": (None, "kind", [], r"there is no file data\.csv\."),
    "empty file": (b"", "kind", [], r"data\.csv is empty"),
    "blank file": ("\n \n", "kind", [], r"data\.csv is empty"),
    "binary": (bytes(range(256)) * 40, "kind", [], r"data\.csv is not a text file"),
    "other encoding": (CSV.replace("setosa", "sétosa").encode("latin-1"), "kind", [],
                       r"not UTF-8 text"),
    "spreadsheet": (b"PK\x03\x04" + b"\0" * 99, "kind", [], r"is a spreadsheet or an archive"),
    "ragged": ("a,kind\n1,u\n2,v,3,4\n", "kind", [], r"can't be read as CSV: .*line 3"),
    "wider than its header": ("a,kind\n1,u,9\n2,v,9\n", "kind", [], r"can't be read as CSV"),
    "broken archive": (b"\x1f\x8b garbage", "kind", ["gz"], r"can't be read"),
    "no target": (FRAME, "kidn", [], r"there is no column 'kidn'\. Did you mean 'kind'\?"),
    "upper case": (FRAME, "KIND", [], r"Did you mean 'kind'\?"),
    "nothing like it": (FRAME, "zzz", [], r"no column 'zzz'\. The columns are: sepal length"),
    "header only": ("a,kind\n", "kind", [], r"no rows"),
    "one class": (FRAME[:50], "kind", [], r"one value only, 'setosa'"),
    "target empty": (FRAME.assign(kind=np.nan), "kind", [], r"no values in any of its 150 rows"),
    "identifiers": (FRAME.assign(kind=[f"id{i}" for i in range(N)]), "kind", [],
                    r"150 classes in 150 rows, too many .*identifier"),
    "numbers as classes": (FRAME.assign(kind=RNG.normal(size=N)), "kind",
                           ["--task", "classification"], r"fractions.*use --task regression"),
    "text as numbers": (FRAME, "kind", ["--task", "regression"], r"holds text such as 'setosa'"),
    "infinite target": (FRAME.assign(kind=[np.inf, *np.arange(N - 1) / 7]), "kind", [],
                        r"holds infinite numbers"),
    "same names": ("a,a,kind\n1,2,u\n3,4,v\n", "kind", [], r"two columns called 'a'"),
    "only the target": (FRAME[["kind"]], "kind", [], r"no column but the target"),
    "nothing to learn from": (FRAME[["kind"]].assign(a=np.nan), "kind", [], r"no column is left"),
    "drop unknown": (FRAME, "kind", ["--drop", "sepal length (mm)"], r"Did you mean 'sepal length"),
    "drop target": (FRAME, "kind", ["--drop", "kind"], r"target 'kind' can't be left out"),
    "unknown arm": (FRAME, "kind", ["--arms", "kmean", "none"], r"arm 'kmean'.*mean 'kmeans'\?"),
    "very unknown arm": (FRAME, "kind", ["--arms", "gan"], r"no arm 'gan'\. There are maxl, uni"),
    "no single task": (FRAME, "kind", ["--arms", "maxl", "random"], r"--arms needs none"),
    "one arm": (FRAME, "kind", ["--arms", "none"], r"at least two"),
    "rare classes": (FRAME, "kind", ["--folds", "51"], r"no two classes with enough .* 51 folds"),
    "few rows drawn": (FRAME, "kind", ["--folds", "5", "--max-rows", "10"], r"more of the rows"),
    "unknown score": (FRAME, "kind", ["--scoring", "nonsense"], r"nonsense"),
    "score of two classes": (FRAME, "kind", ["--scoring", "roc_auc"], r"; try roc_auc_ovr"),
    "unknown encoding": (FRAME, "kind", ["--encoding", "klingon"], r"--encoding 'klingon' is not"),
    "unknown decimal": (FRAME, "kind", ["--decimal", "dot"], r"--decimal 'dot' is not auto"),
    "output in no folder": (FRAME, "kind", ["--output", "no/page.html"], r"--output no/page.html"),
    "output is a folder": (FRAME, "kind", ["--output", "."], r"--output \. is not a file"),
    "separator of two signs": (FRAME, "kind", ["--separator", "::"], r"--separator '::' is not"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "target", "options", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_call_is_one_sentence_and_exit_code_2(call, data, target, options, message):
    name = "data.csv"
    if options == ["gz"]:
        name, options = "data.csv.gz", []
    code, out, err = call(data, *options, target=target, name=name)
    assert code == 2
    assert re.fullmatch(rf"error: .*{message}.*\n", err), err
    assert "Traceback" not in out + err
    assert err.count("\n") == 1


def test_a_folder_is_no_file(call, tmp_path):
    (tmp_path / "data.csv").mkdir()
    assert call(None) == (2, "", "error: data.csv is a folder; give a CSV or Parquet file in it.\n")


def test_a_file_of_nearly_that_name(call, tmp_path):
    (tmp_path / "date.csv").write_text("")
    assert "Did you mean 'date.csv'?" in call(None)[2]


@pytest.mark.parametrize("package", ["pandas", "matplotlib"])
def test_a_package_that_is_missing_is_named(call, monkeypatch, package):
    without(monkeypatch, package)
    FRAME.to_csv("data.csv") if package != "pandas" else None
    code, _, err = call(None, "--output", "page.html")
    assert code == 2
    assert f'needs {package}, which is not installed: pip install "sklearn_maxl[cli]"' in err


def test_parquet_names_its_package_or_is_read(call, tmp_path):
    try:
        FRAME.to_parquet("data.parquet")
    except ImportError:
        (tmp_path / "data.parquet").write_bytes(b"PAR1")
        code, _, err = call(None, name="data.parquet")
        assert code == 2
        assert "reading Parquet needs pyarrow" in err
    else:
        assert call(None, name="data.parquet")[0] == 0


def test_options_that_argparse_refuses(capsys):
    for options in (
        ["--folds", "1"],
        ["--seeds", "0"],
        ["--task", "guess"],
        ["--epochs", "x"],
        ["--random-state", "4294967296"],
        ["--jobs", "0"],
        ["--lr", "-1"],
    ):
        with pytest.raises(SystemExit, match="2"):
            main(["compare", "data.csv", "--target", "y", *options])
        assert options[0] in capsys.readouterr().err


@pytest.mark.parametrize("error", [ValueError, RuntimeError])
def test_a_failed_fit_is_exit_code_1(call, monkeypatch, error):
    def failed(*_):
        raise error("Training diverged.\nLower lr.")

    monkeypatch.setattr(_compare, "tracked_compare", failed)
    code, _, err = call(FRAME)
    assert (code, err) == (1, "error: Training diverged. Lower lr.\n")


def test_quick_sets_what_was_not_said(monkeypatch, tmp_path):
    def seen(pipeline, X, y, folds, arms, reference, seeds, *_):
        calls.append((pipeline[-1].lr, pipeline[-1].max_epochs, seeds, folds))
        raise ValueError("seen")

    calls = []
    monkeypatch.setattr(_compare, "tracked_compare", seen)
    FRAME.to_csv(tmp_path / "data.csv", index=False)
    for options in [], ["--quick"], ["--quick", "--folds", "4", "--epochs", "9"], ["--lr", "0.1"]:
        main(["compare", str(tmp_path / "data.csv"), "--target", "kind", *options])
    assert calls == [
        ("auto", "auto", 2, 5),
        ("auto", "auto", 1, 3),
        ("auto", 9, 1, 4),
        (0.1, "auto", 2, 5),
    ]


def test_without_a_target_the_columns_are_listed(tmp_path, capsys):
    FRAME.to_csv(tmp_path / "data.csv", index=False)
    assert main(["compare", str(tmp_path / "data.csv")]) == 2
    assert "--target. The columns are: sepal length (cm), " in capsys.readouterr().err


def test_interrupting_is_no_traceback(call, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(_compare, "tracked_compare", interrupted)
    code, _, err = call(FRAME)
    assert (code, err) == (130, "\ninterrupted\n")


def test_as_a_program_in_two_processes(tmp_path):
    FRAME.to_csv(tmp_path / "data.csv", index=False)
    command = [sys.executable, "-W", "error", "-m", "sklearn_maxl", "compare"]
    command += [str(tmp_path / "data.csv"), "--target", "kind", *QUICK, "--jobs", "2"]
    command += ["--output", str(tmp_path / "page.html")]
    root = Path(_cli.__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    assert done.returncode == 0
    assert all(re.match(r"\d+ of 2 searches, ", line) for line in done.stderr.splitlines())
    assert "Verdict: " in done.stdout
    assert (tmp_path / "page.html").stat().st_size > 10_000
