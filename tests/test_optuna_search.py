"""The study of the examples: scores that Optuna is told, pruning, and a study after a kill."""

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
import scripts
from optuna.trial import TrialState

FILE = Path(__file__).parents[1] / "examples" / "optuna_search.py"

# The example in a process that is killed in the middle of the third trial.
KILLED = """
import os, runpy, signal, sys
import optuna
report = optuna.Trial.report
def report_or_die(trial, value, step):
    if (trial.number, step) == (2, 3):
        os.kill(os.getpid(), signal.SIGKILL)
    report(trial, value, step)
optuna.Trial.report = report_or_die
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def example():
    return scripts.load(FILE)


def one_trial(example, pruner):
    study = optuna.create_study(direction="maximize", pruner=pruner)
    study.enqueue_trial({"lr": 0.01, "psi": 3, "label_smoothing": 0.0})
    study.optimize(example.objective, n_trials=1)
    return study.trials[0]


def test_optuna_is_told_the_score_of_every_epoch(example):
    trial = one_trial(example, optuna.pruners.NopPruner())
    history = example.model(trial.params).fit(example.X_train, example.y_train).history_
    assert list(trial.intermediate_values.values()) == history["validation_score"].tolist()
    assert trial.state == TrialState.COMPLETE
    assert trial.value == history["validation_score"].max()


def test_a_trial_that_optuna_gives_up_ends_its_fit(example):
    trial = one_trial(example, optuna.pruners.ThresholdPruner(lower=2.0))  # no accuracy is enough
    assert trial.state == TrialState.PRUNED
    assert list(trial.intermediate_values) == [1]


def test_a_study_is_whole_after_a_worker_was_killed_and_the_command_given_again(tmp_path):
    options = [str(FILE), "--storage", f"sqlite:///{tmp_path / 'study.db'}", "--trials", "6"]
    worker = [sys.executable, "-c", KILLED, *options, "--workers", "1"]
    assert subprocess.run(worker, timeout=300).returncode == -signal.SIGKILL
    assert [trial.state for trial in trials(tmp_path)][2:] == [TrialState.RUNNING]

    let_time_pass(tmp_path)
    done = subprocess.run([sys.executable, *options], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    killed, *retried = [t for t in trials(tmp_path) if t.params == trials(tmp_path)[2].params]
    states = [trial.state for trial in trials(tmp_path)]
    assert killed.state == TrialState.FAIL
    # Two workers that find it at the same moment may both try it again.
    assert retried
    assert {trial.state for trial in retried} <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert states.count(TrialState.FAIL) == 1
    assert TrialState.RUNNING not in states
    assert 6 <= len(states) - 1 <= 8  # one too many at the end, one tried twice
    assert f"{len(states) - 1} trials" in done.stdout


def trials(folder):
    """All trials of the study, in the order of their numbers."""
    return optuna.load_study(study_name="digits", storage=f"sqlite:///{folder / 'study.db'}").trials


def let_time_pass(folder):
    """What is in the database when a killed process has been silent for long."""
    with sqlite3.connect(folder / "study.db") as database:
        database.execute("UPDATE trial_heartbeats SET heartbeat = '2020-01-01 00:00:00'")
    database.close()
