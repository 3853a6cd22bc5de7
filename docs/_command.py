"""The session on the page "From a file to predictions": ``python docs/_command.py`` writes it.

The table is made up. ``docs/command.txt`` is what the command wrote, with long lines broken.
"""

import contextlib
import io
import os
import shlex
import tempfile
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_maxl._cli import fit
from sklearn_maxl._cli.main import main

SESSION = Path(__file__).with_name("command.txt")
START = "python -m sklearn_maxl "
COMMANDS = {
    "fit": "fit ship.csv --target survived --output ship.maxl",
    "predict": "predict ship.maxl new.csv --output predictions.csv",
    "inspect": "inspect ship.maxl",
    "lacks": "predict ship.maxl other.csv --output predictions.csv",
    "there": "fit ship.csv --target survived --output ship.maxl",
}


def table(n=600, seed=0):
    """Passengers of a ship that was not there."""
    rng = np.random.default_rng(seed)
    sex, cabin_class = rng.choice(["male", "female"], n, p=[0.6, 0.4]), rng.integers(1, 4, n)
    age = rng.gamma(6, 5, n).round()
    chance = 1.8 * (sex == "female") - 0.8 * (cabin_class - 2) - 0.03 * (age - 30) - 0.8
    frame = pd.DataFrame(
        {
            "PassengerId": np.arange(1, n + 1),
            "name": [f"Passenger No. {number}" for number in range(1, n + 1)],
            "class": cabin_class,
            "sex": sex,
            "age": age,
            "fare": np.exp(4 - 0.7 * cabin_class + 0.4 * rng.normal(size=n)).round(2),
            "port": rng.choice(["Southampton", "Cherbourg", "Queenstown"], n, p=[0.7, 0.2, 0.1]),
            "booked": pd.Timestamp("1911-12-01") + pd.to_timedelta(rng.integers(0, 120, n), "D"),
            "survived": np.where(chance + 0.5 * rng.logistic(size=n) > 0, "yes", "no"),
        }
    )
    frame.loc[rng.random(n) < 0.2, "age"] = np.nan
    return frame


def write_tables(folder):
    """The table to learn from, one to predict, and one that is another."""
    frame = table()
    frame[:500].to_csv(folder / "ship.csv", index=False)
    frame[500:].to_csv(folder / "new.csv", index=False)
    frame[500:].drop(columns=["age", "port"]).to_csv(folder / "other.csv", index=False)


def run(command):
    """What a command writes, both streams in one."""
    written = io.StringIO()
    with contextlib.redirect_stdout(written), contextlib.redirect_stderr(written):
        main(shlex.split(command))
    return written.getvalue()


def broken(text, width=96):
    """A text with long lines broken."""
    lines = text.rstrip().splitlines()
    return "\n".join(
        line if len(line) <= width else textwrap.fill(line, width, subsequent_indent="  ")
        for line in lines
    )


def session(folder, *options):
    """All commands and what they write; `options` are added to each fit."""
    write_tables(folder)
    parts = []
    before, fit.EVERY = fit.EVERY, 3600.0
    with contextlib.chdir(folder):
        for name, command in COMMANDS.items():
            extra = options if command.startswith("fit") else ()
            said = run(shlex.join([*shlex.split(command), *extra]))
            parts.append(f"[{name}]\n$ {START}{command}\n{broken(said)}\n")
            if name == "predict":
                lines = Path("predictions.csv").read_text().splitlines()[:5]
                parts.append("[predictions]\n" + "\n".join(lines) + "\n")
    fit.EVERY = before
    return "".join(parts) + "[end]\n"


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as name:
        SESSION.write_text(session(Path(name)), encoding="utf-8")
