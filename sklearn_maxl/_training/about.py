"""What a fit was, in words: the lines below the table of the history and in a notebook."""

from textwrap import shorten
from typing import Any

import numpy as np
from torch import nn

from ..backbones import Build
from ..labels import NAMED, Labels
from .fitted import Fitted
from .history import Row, share_in_use
from .schedules import SCHEDULES

LONGEST = 120  # letters of a network's name


def about(fitted: Fitted) -> dict[str, str]:
    """What was chosen and what came of it, a line each; all of it follows from the fit.

    Nothing before the first epoch, which scikit-learn's callbacks may look at.
    """
    if not fitted.history:
        return {}
    lines = {
        "auxiliary labels": _source(fitted.settings.labels),
        "auxiliary classes": _auxiliary_classes(fitted),
        "network": _network(fitted.settings.backbone, fitted.net.module_),
        "learning rate": _rate(fitted),
        "epochs": _epochs(fitted),
        "temperature": _temperature(fitted),
        "held-out score of trials": _of_trials(fitted),
        "validation score": _of_early_stopping(fitted),
        "seconds in epochs": _seconds(fitted),
    }
    return {name: line for name, line in lines.items() if line}


def _source(labels: Labels | None) -> str:
    if labels is None:
        return "none"
    name = next((name for name, kind in NAMED.items() if type(labels) is kind), None)
    told = _one_line(labels)
    if name is None:
        return told
    return name if told == _one_line(NAMED[name]()) else f"{name}, {told}"


def _auxiliary_classes(fitted: Fitted) -> str:
    if fitted.labels is None:
        return ""
    psi, views = fitted.psi, fitted.settings.views
    least, most = psi.min(), psi.max()
    each = f"{most}" if least == most else f"{least} to {most}"
    kind = "bins" if fitted.targets.regression else "classes"
    turned = "" if views is None else f", in {views.n} views"
    line = f"{psi.sum()}, {each} for each of {len(psi)} {kind}{turned}"
    row = _kept(fitted)
    if "auxiliary_in_use" not in row:
        return line
    share = share_in_use(np.asarray(row["auxiliary_in_use"]), psi)
    return f"{line}; {share:.0%} in use{' (collapsed)' if share < 0.5 else ''}"


def _network(build: Build, network: nn.Module) -> str:
    n = sum(p.numel() for p in network.parameters())
    return f"{_name_of(build)}, {n:,} parameters with the heads"


def _name_of(build: Any) -> str:
    """A backbone as its user would write it, or the name of what makes it."""
    holder = getattr(build, "__self__", None)
    if holder is not None:
        return _one_line(holder)
    module = getattr(build, "module", build)  # given as it is
    return getattr(module, "__name__", type(module).__name__)


def _rate(fitted: Fitted) -> str:
    schedule = fitted.net.rates_.schedule
    names = {function: name for name, function in SCHEDULES.items()}
    name = names.get(schedule, getattr(schedule, "__name__", "a schedule of your own"))
    return f"{fitted.settings.lr:g}, {name}"


def _epochs(fitted: Fitted) -> str:
    n, most = fitted.history.n_epochs, fitted.settings.max_epochs
    if n >= most:
        return f"{n}"
    return f"{n}, fewer than max_epochs={most}"


def _temperature(fitted: Fitted) -> str:
    return "" if fitted.targets.regression else f"{fitted.settings.temperature:.2g}"


def _of_trials(fitted: Fitted) -> str:
    """That of the last question whose candidates are like the fit."""
    chosen = {trial["setting"]: trial for trial in fitted.history.trials if trial["chosen"]}
    setting = next((s for s in ("auxiliary", "max_epochs", "temperature") if s in chosen), None)
    if setting is None:
        return ""
    trial = chosen[setting]
    accuracy = "" if trial["accuracy"] is None else f"accuracy {trial['accuracy']:.4f}, "
    alone = setting != "auxiliary" and fitted.labels is not None
    of_what = ", of a network without auxiliary task" if alone else ""
    return f"{accuracy}loss {trial['loss']:.4f}{of_what}"


def _of_early_stopping(fitted: Fitted) -> str:
    if "validation_score" not in fitted.history[-1]:
        return ""
    row = _kept(fitted)
    name = "R2" if fitted.targets.regression else "accuracy"
    return f"{name} {row['validation_score']:.4f}, the best, of epoch {row['epoch']}"


def _seconds(fitted: Fitted) -> str:
    rows = fitted.history
    if rows[0]["epoch"] != 1 or not all("time" in row for row in rows):  # not all are known
        return ""
    trials = ", without the trials" if rows.trials else ""
    return f"{sum(float(row['time']) for row in rows):.2f}{trials}"


def _kept(fitted: Fitted) -> Row:
    """The epoch whose networks predict."""
    rows = fitted.history
    if "validation_score" not in rows[-1]:
        return rows[-1]
    return rows[int(np.nanargmax(rows["validation_score"]))]


def _one_line(holder: object) -> str:
    return shorten(repr(holder), LONGEST, placeholder="...")
