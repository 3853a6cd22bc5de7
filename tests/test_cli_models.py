"""From a file to predictions: ``fit``, ``predict``, ``inspect``."""

import datetime
import re
import subprocess
import sys
import time
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sklearn_maxl
from sklearn_maxl import MAXLClassifier
from sklearn_maxl._cli import fit as _fit
from sklearn_maxl._cli import new_rows as _new_rows
from sklearn_maxl._cli.main import main
from sklearn_maxl._cli.record import Record
from sklearn_maxl._persistence import container
from sklearn_maxl.preprocessing import tabular_pipeline
from sklearn_maxl.tables import load_pipeline, save_pipeline

ROOT = Path(sklearn_maxl.__file__).parents[1]
N, NEW = 130, 30
QUICK = ["--epochs", "2"]


def passengers(n=N + NEW):
    """Identifiers, numbers, categories, dates, texts of their own, gaps."""
    rng = np.random.default_rng(0)
    sex, fare = rng.choice(["male", "female"], n), np.exp(rng.normal(3, 1, n)).round(4)
    days = [datetime.date(1911, 12, 1) + datetime.timedelta(int(d)) for d in rng.integers(0, 99, n)]
    frame = pd.DataFrame(
        {
            "PassengerId": np.arange(1, n + 1),
            "Name": [f"Person, Mr. {i}" for i in range(n)],
            "Sex": sex,
            "Age": rng.integers(1, 80, n),
            "Fare": fare,
            "Deck": rng.choice(["A", "B", "07", None], n),
            "Booked": days,
        }
    )
    frame.loc[::6, "Age"] = np.nan
    frame["Survived"] = ((sex == "female") ^ (rng.random(n) < 0.1)).astype(int)
    return frame


def rents(n=N + NEW):
    """A European export: semicolons, decimal commas, points for thousands, days first."""
    rng = np.random.default_rng(0)
    area = rng.gamma(8, 12, n).round(2)

    def comma(values):
        return [f"{v:,.2f}".translate(str.maketrans(",.", ".,")) for v in values]

    days = rng.integers([1, 1, 1950], [13, 13, 2020], (n, 3)).tolist()
    town = rng.choice(["Köln", "Ulm"], n)
    price = 1500 + area * 11 + 300 * (town == "Ulm") + rng.normal(size=n)
    return pd.DataFrame(
        {
            "Fläche": comma(area),
            "Ort": town,
            "Baujahr": [f"{day:02}.{month:02}.{year}" for day, month, year in days],
            "Preis": comma(price),
        }
    )


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with tables and with the models that the command made of them."""
    folder = tmp_path_factory.mktemp("models")
    frame = passengers()
    frame[:N].to_csv(folder / "titanic.csv", index=False)
    frame[N:].to_csv(folder / "new.csv", index=False)
    frame = rents()
    frame[:N].to_csv(folder / "rents.csv", index=False, sep=";")
    frame[N:].to_csv(folder / "new_rents.csv", index=False, sep=";")
    for name, target in ("titanic", "Survived"), ("rents", "Preis"):
        command = ["fit", str(folder / f"{name}.csv"), "--target", target, *QUICK]
        assert main([*command, "--output", str(folder / f"{name}.maxl")]) == 0
    return folder


@pytest.fixture
def call(models, tmp_path, monkeypatch, capsys):
    """Run a command where the models are; (exit code, stdout, stderr)."""
    for path in models.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)

    def run(*words):
        capsys.readouterr()
        return main(list(map(str, words))), *capsys.readouterr()

    return run


def predicted(call, frame, *options, model="titanic.maxl", **form):
    """The predictions of a frame, as they were written; and stdout."""
    frame.to_csv("now.csv", index=False, **form)
    code, out, err = call("predict", model, "now.csv", "--output", "out.csv", *options)
    assert (code, err) == (0, "")
    return pd.read_csv("out.csv", dtype=str, sep=form.get("sep", ",")), out


# fit


def test_fit_tells_what_it_does_with_each_column(call):
    code, out, err = call(
        "fit", "titanic.csv", "--target", "Survived", "--output", "m.maxl", *QUICK,
        "--drop", "Fare",
    )  # fmt: skip
    assert code == 0
    assert re.search(r"^Task: classification into 2 classes: 0, 1; \d\d\.\d % of the", out, re.M)
    lines = {line.split("  ")[0]: line for line in out.splitlines()}
    assert lines["PassengerId"].split() == ["PassengerId", "left", "out", "an", "identifier"]
    assert "left out  a text of its own in most rows" in lines["Name"]
    assert "left out  by --drop" in lines["Fare"]
    assert "category  2 categories: " in lines["Sex"]
    assert "number    1 to 79; 22 values missing" in lines["Age"]
    assert "date      1911-12-01 to 1912-03-08" in lines["Booked"]
    assert re.search(
        r"^Held-out score: accuracy \d+\.\d % ± \d\.\d on 26 rows \(always the most", out, re.M
    )
    assert "Next: python -m sklearn_maxl predict m.maxl NEW.csv --output predictions.csv" in out
    first = "training on 104 rows, to be scored on the other 26 ...\ntraining on all 130 rows ...\n"
    assert err == first


def test_the_score_is_of_rows_that_were_not_trained_on(models):
    frame = passengers()[:N]
    table = _fit.prepare(frame, "Survived", n_folds=1)
    model = tabular_pipeline(MAXLClassifier(max_epochs=2, random_state=0))
    seen = {}

    class Spy(type(model)):
        def fit(self, X, y):
            seen["trained"] = X.index
            return super().fit(X, y)

        def predict(self, X):
            seen["predicted"] = X.index
            return super().predict(X)

    score = _fit._held_out_score(Spy(model.steps), table, 0)
    assert not set(seen["trained"]) & set(seen["predicted"])
    assert len(seen["trained"]) + len(seen["predicted"]) == N
    assert score.rows == N // 5
    assert _fit._held_out_score(model, _fit.prepare(frame[:19], "Survived", n_folds=1), 0) is None


def test_the_model_is_trained_on_all_rows_as_in_python(call, models):
    _, out, _ = call("predict", "titanic.maxl", "new.csv")
    frame = passengers()
    X = frame.drop(columns=["Survived", "Name", "PassengerId"]).assign(
        Booked=pd.to_datetime(frame["Booked"])
    )
    model = tabular_pipeline(MAXLClassifier(max_epochs=2, random_state=0))
    model.fit(X[:N], frame["Survived"][:N].to_numpy())
    own = model.predict_proba(X[N:])
    np.testing.assert_array_equal(load_pipeline("titanic.maxl").predict_proba(X[N:]), own)
    lines = [line.split(",") for line in out.splitlines()]
    assert lines[0] == ["PassengerId", "prediction", "probability_0", "probability_1"]
    assert [line[0] for line in lines[1:]] == [str(i) for i in range(N + 1, N + NEW + 1)]
    assert [line[1] for line in lines[1:]] == own.argmax(axis=1).astype(str).tolist()
    assert [line[3] for line in lines[1:]] == [f"{p:.6f}" for p in own[:, 1]]


def test_rare_categories_are_not_in_the_file(call):
    """They may name persons."""
    frame = passengers()[:N].assign(town=[f"town {i // 2}" for i in range(N)])
    frame.to_csv("towns.csv", index=False)
    fit = ["fit", "towns.csv", "--target", "Survived", "--output", "towns.maxl", *QUICK]
    assert "65 categories, the 19 most frequent by themselves" in call(*fit)[1]
    data = Path("towns.maxl").read_bytes()
    assert len(set(re.findall(rb"town \d+", data))) == 19
    assert not re.search(rb"Person, Mr|Mr\. \d", data)


def test_quick_draws_rows(call, monkeypatch):
    monkeypatch.setattr(_fit, "QUICK_ROWS", 60)
    command = ["fit", "titanic.csv", "--target", "Survived", "--output", "m", *QUICK, "--quick"]
    assert "Note: 60 of 130 rows drawn at random (--max-rows)" in call(*command)[1]
    assert "60 rows" in call("inspect", "m")[1]
    assert "130 rows" in call(*command, "--max-rows", "1000", "--force")[1]


def test_a_model_is_replaced_by_force_only(call):
    before = Path("titanic.maxl").read_bytes()
    command = ["fit", "titanic.csv", "--target", "Survived", *QUICK, "--seed", "1"]
    code, _, err = call(*command, "--output", "titanic.maxl")
    assert (code, Path("titanic.maxl").read_bytes()) == (2, before)
    assert "is there already; give another name, or --force to replace it" in err
    assert call(*command, "--output", "titanic.maxl", "--force")[0] == 0
    assert Path("titanic.maxl").read_bytes() != before
    code, _, err = call(*command, "--output", "titanic.csv", "--force")
    assert code == 2
    assert "is the table itself" in err


def test_a_line_every_few_seconds(call, monkeypatch):
    def slow(self, X, y):
        time.sleep(0.2)
        raise ValueError("Training diverged.\nLower lr.")

    monkeypatch.setattr(_fit, "EVERY", 0.01)
    monkeypatch.setattr(_fit.Pipeline, "fit", slow)
    code, _, err = call("fit", "titanic.csv", "--target", "Survived", "--output", "m.maxl")
    assert code == 1
    assert err.startswith("training on 104 rows, to be scored on the other 26 ...\n  1 s: trials")
    assert err.endswith("error: Training diverged. Lower lr.\n")
    assert not Path("m.maxl").exists()


def test_an_interrupted_fit_leaves_no_model(call, monkeypatch):
    def interrupted(self, X, y):
        raise KeyboardInterrupt

    monkeypatch.setattr(_fit.Pipeline, "fit", interrupted)
    code, _, err = call("fit", "titanic.csv", "--target", "Survived", "--output", "m.maxl")
    assert (code, err.splitlines()[-1]) == (130, "interrupted")
    assert not Path("m.maxl").exists()


# predict


def test_columns_are_found_by_their_names(call):
    new = passengers()[N:]
    own, out = predicted(call, new)
    assert re.search(
        r"^Score: accuracy \d+\.\d % ± \d+\.\d on the 30 rows with a value of Surv", out
    )
    other = new[new.columns[::-1]].rename(columns={"Age": " Age "}).drop(columns="Survived")
    same, out = predicted(call, other.assign(more=1, **{"and more": "x"}))
    pd.testing.assert_frame_equal(own, same)
    assert out == (
        "Note: columns that the model does not know, ignored: more, and more\n"
        "Predictions: out.csv, 30 rows\n"
    )


def test_rows_keep_their_order_and_identifiers(call):
    new = passengers()[N:].sample(frac=1, random_state=0)
    new["PassengerId"] = [f"{i:05}" for i in new["PassengerId"]]
    shuffled, _ = predicted(call, new)
    assert shuffled["PassengerId"].tolist() == new["PassengerId"].tolist()
    numbered, _ = predicted(call, new.drop(columns="PassengerId"))
    assert numbered["row"].tolist() == [str(i) for i in range(1, NEW + 1)]
    assert numbered["prediction"].tolist() == shuffled["prediction"].tolist()
    kept, _ = predicted(call, new, "--keep", "Name", "Deck")
    assert list(kept)[:3] == ["Name", "Deck", "prediction"]
    assert kept["Deck"].fillna("").tolist() == new["Deck"].fillna("").tolist()


def test_cells_mean_what_they_meant_in_training(call):
    """A category that looks like a number, a column without values, a point for thousands."""
    new = passengers()[N:]
    probability = predicted(call, new.assign(Deck="07"))[0]["probability_1"]
    assert not predicted(call, new.assign(Deck="A"))[0]["probability_1"].equals(probability)
    frame = pd.concat([new.assign(Deck="07"), new])
    assert predicted(call, frame)[0]["probability_1"][:NEW].equals(probability)
    assert len(predicted(call, new.assign(Age=np.nan, Booked=None, Deck=None))[0]) == NEW

    new = rents()[N:].assign(Fläche="1.234")
    form = {"model": "rents.maxl", "sep": ";"}
    own = predicted(call, new, **form)[0]["prediction"]
    assert predicted(call, new.assign(Fläche="1.234,00"), **form)[0]["prediction"].equals(own)
    assert not predicted(call, new.assign(Fläche="1,234"), **form)[0]["prediction"].equals(own)


def test_days_are_where_they_were_in_training(call):
    """Of a file in which a month could be a day, written with a sign that does not tell."""
    frame = passengers()
    frame["Booked"] = [day.strftime("%d/%m/%Y") for day in frame["Booked"]]
    frame[:N].to_csv("days.csv", index=False)
    fit = ["fit", "days.csv", "--target", "Survived", "--output", "days.maxl", *QUICK]
    assert "date, day first" in call(*fit)[1]
    new = passengers()[N:].assign(Booked="01/02/1912")
    one = predicted(call, new, model="days.maxl")[0]
    other = predicted(call, new.assign(Booked="1912-02-01"), model="days.maxl")[0]
    pd.testing.assert_frame_equal(one, other)
    new["Booked"] = "12/31/1911"
    new.to_csv("now.csv")
    code, _, err = call("predict", "days.maxl", "now.csv")
    assert code == 2
    assert "'Booked' held dates, the day first, in the training file, and holds '12/31/1911'" in err


def test_a_european_export_is_answered_in_its_own_way(call):
    code, out, err = call("predict", "rents.maxl", "new_rents.csv", "--output", "p.csv")
    assert (code, err) == (0, "")
    assert re.match(r"Score: R2 -?\d\.\d+, mean absolute error \S+ on the 30 rows with a", out)
    text = Path("p.csv").read_text()
    assert re.match(r"row;prediction\n1;\d+,\d+\n", text)
    assert text.count("\n") == NEW + 1
    shown = call("inspect", "rents.maxl")[1]
    assert "number, decimal comma" in shown
    assert "date, day first" in shown


def test_semicolons_with_points_and_files_without_a_header(call):
    """The sign before fractions is that of the files, and names are numbers of columns."""
    new = passengers()[N:].drop(columns="PassengerId")
    found, _ = predicted(call, new, sep=";")
    assert found["probability_1"].str.fullmatch(r"[01]\.\d{6}").all()
    passengers()[:N].to_csv("bare.csv", index=False, header=False, sep=";")
    fit = ["fit", "bare.csv", "--target", "8", "--output", "bare.maxl", *QUICK, "--no-header"]
    out = call(*fit)[1]
    assert "--output predictions.csv --no-header" in out
    passengers()[N:].to_csv("now.csv", index=False, header=False)
    code, out, err = call("predict", "bare.maxl", "now.csv", "--no-header")
    assert code == 0
    assert "on the 30 rows with a value of 8" in err
    own, _ = predicted(call, passengers()[N:])
    assert [line.split(",")[1] for line in out.splitlines()[1:]] == own["prediction"].tolist()


def test_words_as_classes_and_rows_without_one(call):
    frame = passengers().assign(Survived=np.where(passengers()["Survived"] == 1, "None", "no"))
    frame[:N].to_csv("words.csv", index=False)
    fit = ["fit", "words.csv", "--target", "Survived", "--output", "words.maxl", *QUICK]
    assert call(*fit)[0] == 0
    new = frame[N:].copy()
    new.loc[new.index[:7], "Survived"] = ["", "", "?", "?", "other", "other", ""]
    found, out = predicted(call, new, model="words.maxl")
    assert list(found)[2:] == ["probability_None", "probability_no"]
    assert "on the 25 rows with a value of Survived" in out
    for words in (["true", "False"], ["yes", "no"]):
        frame["Survived"] = np.resize(words, len(frame))
        frame[:N].to_csv("words.csv", index=False)
        assert call(*fit, "--force")[0] == 0
        assert "on the 30 rows" in predicted(call, frame[N:], model="words.maxl")[1]


def test_parquet_is_predicted_as_csv_is(call, monkeypatch):
    """Where values have types; pyarrow, which reads them, need not be installed."""
    new = passengers()[N:].reset_index(drop=True)
    own, said = predicted(call, new)
    typed = new.assign(
        Age=new["Age"].astype("Int64"),
        Sex=pd.Categorical(new["Sex"]),
        Survived=new["Survived"] * 1.0,
    )
    monkeypatch.setattr(_new_rows, "is_parquet", lambda path: True)
    for frame in (typed, typed.assign(Booked=typed["Booked"].astype(str))):
        monkeypatch.setattr(_new_rows, "read_parquet", lambda path, frame=frame: frame)
        code, out, err = call("predict", "titanic.maxl", "now.csv", "--output", "out.csv")
        assert (code, out, err) == (0, said, "")
        pd.testing.assert_frame_equal(pd.read_csv("out.csv", dtype=str), own)
    monkeypatch.setattr(_new_rows, "read_parquet", lambda path: typed.assign(Booked=1.5))
    wrong = "'Booked' held dates in the training file, and holds numbers or other things here"
    assert wrong in call("predict", "titanic.maxl", "now.csv")[2]


def test_nothing_known_in_a_column_is_told(call):
    out = predicted(call, passengers()[N:].assign(Sex="f"))[1]
    assert "Note: 'Sex' holds none of the categories of the training file, but others, such" in out


# inspect


def test_inspect_tells_where_a_model_comes_from(call):
    code, out, err = call("inspect", "titanic.maxl")
    assert (code, err) == (0, "")
    for line in (
        r"File: titanic\.maxl, \d+ kB, a model for tables",
        r"Made: \d{4}-\d\d-\d\d \d\d:\d\d UTC",
        r"From: titanic\.csv, 130 rows",
        r"Target: Survived",
        r"Task: classification into 2 classes: 0, 1",
        r"Held-out score: accuracy .*",
        r"Training: 2 epochs, learning rate 0\.015, temperature \S+, auxiliary labels maxl, seed 0",
        rf"Versions: python .*, sklearn_maxl {sklearn_maxl.__version__}, torch .*",
    ):
        assert re.search(f"^{line}$", out, re.M), line
    assert "PassengerId  left out  an identifier" in out


def test_a_pipeline_that_was_saved_in_python(call):
    frame = passengers()
    X = frame[["Sex", "Age", "Name"]]
    with pytest.warns(UserWarning, match="left out: 'Name'"):
        model = tabular_pipeline(MAXLClassifier(max_epochs=2, temperature=1, random_state=0)).fit(
            X[:N], frame["Survived"][:N]
        )
    save_pipeline(model, "python.maxl")
    found, out = predicted(call, frame[N:], model="python.maxl")
    assert "Score" not in out
    assert found["prediction"].tolist() == model.predict(X[N:]).astype(str).tolist()
    shown = call("inspect", "python.maxl")[1]
    assert re.search(r"^Name +left out +a text of its own in most rows$", shown, re.M)
    save_pipeline(model.fit(X[["Age"]].to_numpy(), frame["Survived"]), "array.maxl")
    assert "a table without names of columns" in call("predict", "array.maxl", "new.csv")[2]


# Wrong uses


WRONG = {
    "no output": (["fit", "titanic.csv", "--target", "Survived"], r"such as --output titanic\.max"),
    "no folder": (["fit", "titanic.csv", "--target", "Survived", "--output", "no/m"], r"no/m is n"),
    "no target": (["fit", "titanic.csv", "--output", "m"], r"--target\. The columns are: Passeng"),
    "arm": (["fit", "titanic.csv", "--target", "Survived", "--output", "m", "--arm", "uniforn"],
            r"--arm: there is no arm 'uniforn'\. Did you mean 'uniform'\?"),
    "no table": (["fit", "titanik.csv", "--target", "Survived", "--output", "m"],
                 r"no file titanik\.csv\. Did you mean 'titanic\.csv' or"),
    "no model": (["predict", "titanik.maxl", "new.csv"], r"no file .*Did you mean 'titanic\.maxl'"),
    "table for model": (["predict", "new.csv", "titanic.maxl"],
                        r"new\.csv can't be loaded: .*Is it a file that fit wrote\?"),
    "model for table": (["predict", "titanic.maxl", "titanic.maxl"], r"not a text file"),
    "folder": (["inspect", "."], r"\. is a folder; give the file of a model in it"),
    "other table": (["predict", "titanic.maxl", "rents.csv"],
                    r"rents\.csv lacks 5 columns that the model .*: Sex, Age, Fare, Deck, "),
    "text for numbers": (["predict", "titanic.maxl", "text.csv"],
                         r"'Age' held numbers .*, and holds 'old' in row 2 here"),
    "no dates": (["predict", "titanic.maxl", "dates.csv"],
                 r"'Booked' held dates, the year first, .* and holds 'soon' in row 1 here"),
    "numbers for dates": (["predict", "titanic.maxl", "numbers.csv"],
                          r"'Booked' held dates, the year first, .* and holds '7' in row 1"),
    "header only": (["predict", "titanic.maxl", "header.csv"], r"header, but no rows"),
    "output is input": (["predict", "titanic.maxl", "new.csv", "--output", "new.csv"],
                        r"new\.csv is what is read"),
    "output is model": (["predict", "titanic.maxl", "new.csv", "--output", "./titanic.maxl"],
                        r"would be CSV under another name"),
    "other format": (["predict", "titanic.maxl", "new.csv", "--output", "p.xlsx"], r"ends with"),
    "keep": (["predict", "titanic.maxl", "new.csv", "--keep", "NAME"], r"Did you mean 'Name'\?"),
}  # fmt: skip


@pytest.mark.parametrize(("words", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_use_is_one_sentence_and_exit_code_2(call, words, message):
    new = passengers()[N:]
    ages = new["Age"].astype(object)
    ages.iloc[1] = "old"
    new.assign(Age=ages).to_csv("text.csv", index=False)
    new.assign(Booked="soon").to_csv("dates.csv", index=False)
    new.assign(Booked=7).to_csv("numbers.csv", index=False)
    new[:0].to_csv("header.csv", index=False)
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"error: .*{message}.*\n", err), err
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("source", 3),
        ("rows", -1),
        ("task", "guess"),
        ("written", "\x1b[2J"),
        ("score", {"rows": 1, "value": "high", "error": 0.0, "baseline": 0.0}),
        ("columns", []),
        ("columns", [3]),
        ("columns", [{"name": "Sex", "kind": "wood", "written": "", "about": ""}]),
        ("columns", [{"name": "Sex", "kind": "numbers", "written": "", "about": ""}]),
        ("target", ...),
    ],
    ids=str,
)
def test_a_made_up_record_is_refused_in_a_sentence(call, place, value):
    header, tensors = container.read("titanic.maxl")
    record = header["pipeline"]["record"]
    if value is ...:
        del record[place]
    else:
        record[place] = value
    container.write("made.maxl", header, tensors)
    code, out, err = call("inspect", "made.maxl")
    assert (code, out) == (2, "")
    assert re.fullmatch(r"error: made\.maxl can't be loaded: .*\n", err)


def test_nothing_in_a_file_steers_the_terminal(call):
    header, tensors = container.read("titanic.maxl")
    header["pipeline"]["record"].update(source="\x1b[2Jx", target="a\nb")
    container.write("made.maxl", header, tensors)
    code, out, _ = call("inspect", "made.maxl")
    assert code == 0
    assert r"From: \x1b[2Jx, 130 rows" in out
    assert r"Target: a\nb" in out


def test_a_record_comes_back_from_json():
    columns = [{"name": "a", "kind": "dates", "written": "day first", "about": "x"}]
    header = {
        "source": "f", "rows": 3, "target": "y", "written": "", "task": "regression", "seed": 0,
        "columns": columns, "score": None,
    }  # fmt: skip
    assert Record.from_plain(header).to_plain() == header


# As a program


def test_the_installed_command_is_this_one(call, monkeypatch):
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert EntryPoint("sklearn-maxl", scripts["sklearn-maxl"], "console_scripts").load() is main
    monkeypatch.setattr(sys, "argv", ["/usr/bin/sklearn-maxl", "..."])
    fit = ["fit", "titanic.csv", "--target", "Survived", "--output", "m", "--separator", "comma"]
    out = call(*fit, *QUICK)[1]
    following = "sklearn-maxl predict m NEW.csv --output predictions.csv --separator comma"
    assert f"Next: {following}\n" in out


def test_two_commands_lead_from_a_file_to_predictions(models, tmp_path):
    start = [sys.executable, "-W", "error", "-m", "sklearn_maxl"]
    model, out = tmp_path / "model.maxl", tmp_path / "out.csv"

    def run(*words):
        return subprocess.run([*start, *words], capture_output=True, text=True, cwd=ROOT)

    fit = run(
        "fit", models / "rents.csv", "--target", "Preis", "--output", model, "--arm", "none", *QUICK
    )
    assert fit.returncode == 0, fit.stderr
    done = run("predict", model, models / "new_rents.csv", "--output", out)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(out.read_text().splitlines()) == NEW + 1
    assert run("predict", model, models / "titanic.csv").returncode == 2
