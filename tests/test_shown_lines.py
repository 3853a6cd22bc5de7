"""Where the lines of `verbose` go: a terminal, a notebook, a file."""

import logging
import re
import subprocess
import sys
import types
from itertools import count

import pytest

from sklearn_maxl._training import shown_lines
from sklearn_maxl._training.shown_lines import OF_FILE, OF_NOTEBOOK, ShownLines


class Clock:
    """Time that goes on by a step whenever it is asked for."""

    def __init__(self, monkeypatch, step):
        self.ticks = count()
        monkeypatch.setattr(shown_lines.time, "monotonic", lambda: step * next(self.ticks))


def say(handler, line, *epoch):
    record = logging.makeLogRecord({"msg": line, "levelno": logging.INFO})
    if epoch:
        record.epoch = epoch
    handler.handle(record)


def say_fit(handler, epochs=30, first=1):
    for number in range(first, first + epochs):
        say(handler, f"epoch {number}", number, first + epochs - 1)


class Handle:
    """What IPython gives for an output that can be changed."""

    def __init__(self, data):
        self.shown = [data]

    def update(self, data, *, raw):
        assert raw
        self.shown.append(data)

    @property
    def texts(self):
        return [data["text/plain"] for data in self.shown]


@pytest.fixture
def cell(monkeypatch):
    """A notebook: its shell, with `outputs`, the lines in the cells."""
    shell = types.SimpleNamespace(kernel=object(), execution_count=1, outputs=[])

    def display(data, *, raw, display_id):
        assert raw
        assert display_id
        shell.outputs.append(Handle(data))
        return shell.outputs[-1]

    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: shell
    ipython.display = types.ModuleType("IPython.display")
    ipython.display.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    return shell


def test_a_notebook_has_one_line_for_a_fit(cell, monkeypatch, capsys):
    Clock(monkeypatch, 2 * OF_NOTEBOOK)
    handler = ShownLines()
    say(handler, "trial of max_epochs=30")
    say(handler, "max_epochs=30 chosen")
    say_fit(handler)
    (line,) = cell.outputs
    assert line.texts[:2] == ["trial of max_epochs=30", "max_epochs=30 chosen"]
    assert line.texts[2:] == [f"epoch {i}" for i in range(1, 31)]
    assert '<progress value="30" max="30">' in line.shown[-1]["text/html"]
    assert "<progress" not in line.shown[0]["text/html"]
    say(handler, "trial <b> of another fit")
    say_fit(handler, 3)
    assert [output.texts[-1] for output in cell.outputs] == ["epoch 30", "epoch 3"]
    assert "trial &lt;b&gt; of" in cell.outputs[1].shown[0]["text/html"]
    assert capsys.readouterr() == ("", "")


def test_fits_without_trials_have_lines_of_their_own_and_a_stream_has_one(cell, monkeypatch):
    Clock(monkeypatch, 2 * OF_NOTEBOOK)
    handler = ShownLines()
    say_fit(handler, 3)
    say_fit(handler, 3)
    assert len(cell.outputs) == 2
    for number in (4, 5, 6):  # `partial_fit`
        say_fit(handler, 1, first=number)
    assert len(cell.outputs) == 2
    cell.execution_count = 2
    say_fit(handler, 1, first=7)
    assert [output.texts[-1] for output in cell.outputs] == ["epoch 3", "epoch 6", "epoch 7"]


def test_a_notebook_is_not_flooded_and_sees_the_last_epoch(cell, monkeypatch):
    Clock(monkeypatch, OF_NOTEBOOK / 10)
    say_fit(ShownLines(), 1000)
    (line,) = cell.outputs
    assert 80 < len(line.shown) < 120
    assert line.texts[-1] == "epoch 1000"


def test_a_file_gets_few_lines_of_epochs_and_all_others(monkeypatch, capsys):
    Clock(monkeypatch, OF_FILE / 10)
    handler = ShownLines()
    say(handler, "trial 1")
    say(handler, "trial 2")
    say_fit(handler)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == ["trial 1", "trial 2", *(f"epoch {i}" for i in (1, 11, 21, 30))]


def test_a_terminal_gets_all_lines(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    say_fit(ShownLines())
    assert len(capsys.readouterr().err.splitlines()) == 30


def test_ipython_in_a_terminal_and_plain_python_are_no_notebook(cell, monkeypatch):
    assert shown_lines.notebook() is cell
    del cell.kernel
    assert shown_lines.notebook() is None
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: None)
    assert shown_lines.notebook() is None
    monkeypatch.delitem(sys.modules, "IPython")
    assert shown_lines.notebook() is None


def test_a_stream_that_fails_ends_no_fit(monkeypatch, capsys):
    def broken():
        raise OSError("closed")

    monkeypatch.setattr(sys.stderr, "isatty", broken)
    say(ShownLines(), "epoch 1", 1, 3)
    assert "OSError: closed" in capsys.readouterr().err


FIT = """
import sys, types
from sklearn.datasets import load_iris
from sklearn_maxl import MAXLClassifier
if "notebook" in sys.argv:
    shell = types.SimpleNamespace(kernel=None, execution_count=1)
    class Handle:
        def update(self, data, raw): print("over:", data["text/plain"])
    def display(data, raw, display_id):
        print("new:", data["text/plain"])
        return Handle()
    IPython = sys.modules["IPython"] = types.ModuleType("IPython")
    IPython.get_ipython = lambda: shell
    sys.modules["IPython.display"] = types.SimpleNamespace(display=display)
for auto in ("auto", 3):
    MAXLClassifier("mlp", verbose=1, max_epochs=auto, lr=0.01).fit(*load_iris(return_X_y=True))
"""


@pytest.mark.parametrize("where", ["notebook", "file"])
def test_a_program_without_logging_shows_its_fits(where):
    command = [sys.executable, "-c", FIT, where]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    if where == "notebook":
        assert done.stderr == ""
        lines = done.stdout.splitlines()
        assert [line.split(":")[0] for line in lines].count("new") == 2
        last = lines[-1].removeprefix("over: ")
    else:
        assert done.stdout == ""
        lines = done.stderr.splitlines()
        assert lines[0].startswith("trial of max_epochs=")
        assert len([line for line in lines if line.startswith("epoch ")]) < 10
        last = lines[-1]
    assert re.fullmatch(r"epoch 3 of 3  primary_loss .* s", last)
