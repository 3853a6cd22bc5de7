"""Real processes that are killed with SIGKILL, and the table of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.common.rows import read, results, unique
from benchmarks.reliability import pages
from benchmarks.reliability.cases import CASES

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")


def python(*arguments, **environment):
    """A fresh process."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env={**os.environ, **environment},
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip


def test_fits_that_are_killed_at_random_moments_end_in_the_same_bits(tmp_path):
    out = tmp_path / "kills.csv"
    few = ["--fits", "1", "--kills", "2", "--out", str(out)]
    done = python("-m", "benchmarks.reliability.kills", *few)
    assert done.returncode == 0, done.stderr
    rows = read(out)
    assert {row["same_bits"] for row in rows} == {"True"}
    assert {row["broken_files"] for row in rows} == {"0"}


MODEL = """
import torch
from sklearn.datasets import load_iris
from benchmarks.reliability.kills import digest
from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import Custom

clf = MAXLClassifier(
    Custom(torch.nn.Linear, in_features=4, out_features=8), psi={0: 2, 1: 3, 2: 4}, max_epochs=4,
    class_weight={0: 1.0, 1: 2.0, 2: 1.0}, temperature=1.0, lr=0.01, random_state=0,
    schedule=lambda progress: 1 - progress,
)
data = load_iris(return_X_y=True)
"""

KILLED = """
import os, signal, sys
from skorch.callbacks import Callback
from sklearn_maxl.callbacks import Checkpoint

class Kills(Callback):
    def on_epoch_begin(self, net, **kwargs):
        print(len(net.epochs_), flush=True)
        if len(net.epochs_) == int(os.environ["AFTER"]):
            os.kill(os.getpid(), signal.SIGKILL)

print(digest(clf.set_params(callbacks=[Kills(), Checkpoint(sys.argv[1])]).fit(*data)))
"""


def test_a_fresh_process_finds_what_another_left(tmp_path):
    """What a process makes of text (hashes) is random: the names of folders are not."""
    killed, resumed = (
        python("-c", MODEL + KILLED, str(tmp_path), AFTER=after, PYTHONHASHSEED=seed)
        for after, seed in [("2", "1"), ("-1", "2")]
    )
    assert killed.returncode == -9, killed.stderr
    assert killed.stdout.split() == ["0", "1", "2"]
    *begun, found = resumed.stdout.split()
    assert begun == ["2", "3"]
    here = {}
    exec(MODEL, here)
    assert found == here["digest"](here["clf"].fit(*here["data"]))


def test_the_rows_are_of_all_cases():
    rows = results("kills")
    assert unique(rows, "case") == list(CASES)
    assert len(rows) >= 50


def test_a_fit_that_ends_otherwise_is_told():
    row = {"case": "a", "fit": "0", "files_left_by_a_save": "0", "broken_files": "0"}
    rows = [
        {**row, "found": "nothing", "same_bits": "True"},
        {**row, "found": "2 trials", "files_left_by_a_save": "1", "same_bits": "True"},
        {**row, "found": "epoch 3", "fit": "1", "broken_files": "1", "same_bits": "False"},
    ]
    assert list(pages.kills(rows).body) == [("a", "3", "1", "1", "1", "1", "1", "1 of 2")]
