"""
A search with Optuna that several processes share
=================================================

`Optuna <https://optuna.org>`_ chooses the next setting by what the ones before it gave, and ends
fits early that do not look promising. The trials lie in a database, so any number of processes work
on one study, on one machine or on several, and a study goes on where it was::

    pip install optuna
    python examples/optuna_search.py

This starts two processes, which share 20 trials. Kill one or all of them, and give the same
command again: the study ends with all its trials. With a database that other machines reach, give
the command on each of them::

    pip install psycopg2-binary
    python examples/optuna_search.py --storage postgresql://user:password@host/searches

It needs optuna, which is not among the package's dependencies, so it is not run when these pages
are built. :doc:`More than one machine </more_than_one_machine>` has other ways.
"""

import argparse
import logging
import subprocess
import sys
import warnings

import optuna
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.study import MaxTrialsCallback
from optuna.trial import TrialState
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from skorch.callbacks import Callback

from sklearn_maxl import MAXLClassifier

ENDED = (TrialState.COMPLETE, TrialState.PRUNED)

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=300, stratify=y, random_state=0
)

# %%
# A trial
# -------
# ``early_stopping=True`` holds out a part of the rows, the same ones in every trial, because
# ``random_state`` is. After every epoch Optuna is told the score on them. An exception of a
# callback ends the fit and comes out of it, and Optuna takes this one for the end of the trial.


class Prune(Callback):
    """Ends a fit that falls behind those before it."""

    def __init__(self, trial: optuna.Trial):
        self.trial = trial

    def on_epoch_end(self, net, **kwargs) -> None:
        self.trial.report(net.history[-1, "validation_score"], step=len(net.history))
        if self.trial.should_prune():
            raise optuna.TrialPruned


def model(params: dict, callbacks: list | None = None) -> MAXLClassifier:
    """The classifier of a trial."""
    settings = {"backbone": "mlp", "max_epochs": 30, "temperature": 1, "early_stopping": True}
    return MAXLClassifier(**settings, **params, callbacks=callbacks, random_state=0)


def objective(trial: optuna.Trial) -> float:
    """Fit with the parameters of a trial, and score."""
    params = {
        "lr": trial.suggest_float("lr", 1e-4, 1e-1, log=True),
        "psi": trial.suggest_int("psi", 2, 8),
        "label_smoothing": trial.suggest_float("label_smoothing", 0.0, 0.2),
    }
    clf = model(params, [Prune(trial)]).fit(X_train, y_train)
    return max(clf.history_["validation_score"])


# %%
# The study
# ---------
# A process that is killed leaves a trial that nobody ends. So each process says every minute that
# it is alive, and the next one that begins a trial takes over those that have been silent for two.


def open_study(url: str, heartbeat: int) -> optuna.Study:
    """The study in a database; it is made if it is not there."""
    storage = RDBStorage(
        url,
        heartbeat_interval=heartbeat,
        grace_period=2 * heartbeat,
        heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=3),
    )
    return optuna.create_study(
        storage=storage,
        study_name="digits",
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_warmup_steps=5),
    )


def work(study: optuna.Study, n_trials: int) -> None:
    """Make trials until the study has enough, whoever made them."""
    if len(study.get_trials(deepcopy=False, states=ENDED)) < n_trials:
        study.optimize(objective, callbacks=[MaxTrialsCallback(n_trials, states=ENDED)])


def work_in_processes(n_workers: int) -> None:
    """Start this command anew in several processes, and wait for them."""
    command = [sys.executable, *sys.argv, "--workers", "1"]
    workers = [subprocess.Popen(command) for _ in range(n_workers)]
    codes = [worker.wait() for worker in workers]
    if any(codes):
        sys.exit("A worker did not end well. Give the same command again to go on.")


def show(study: optuna.Study) -> None:
    """What was found, and its score on rows that no trial has seen."""
    ended = study.get_trials(deepcopy=False, states=ENDED)
    pruned = sum(trial.state == TrialState.PRUNED for trial in ended)
    print(f"{len(ended)} trials, {pruned} of them ended early")
    print(f"best of the held-out scores: {study.best_value:.3f} with {study.best_params}")
    score = model(study.best_params).fit(X_train, y_train).score(X_test, y_test)
    print(f"accuracy on {len(y_test)} other rows: {score:.3f}")


def main() -> None:
    """Take part in the study, with as many processes as the command line says."""
    parser = argparse.ArgumentParser(description="Search with Optuna, in several processes.")
    parser.add_argument("--storage", default="sqlite:///optuna.db", help="URL of the database")
    parser.add_argument("--trials", type=int, default=20, help="of the study, in all processes")
    parser.add_argument("--workers", type=int, default=2, help="processes to start here")
    parser.add_argument("--heartbeat", type=int, default=60, help="seconds")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    logging.getLogger("optuna").setLevel(logging.INFO)
    study = open_study(options.storage, options.heartbeat)
    if options.workers == 1:
        work(study, options.trials)
    else:
        work_in_processes(options.workers)
        show(study)


if __name__ == "__main__":
    main()
