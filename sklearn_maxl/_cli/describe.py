"""``inspect``: what is in the file of a model."""

import argparse
import sys
from pathlib import Path

import numpy as np

from .columns import preview
from .model import Model, load_model
from .scores import held_out
from .sentences import aligned, printable, shown


def inspect(options: argparse.Namespace) -> None:
    """Write what a file says of its model."""
    model = load_model(options.model)
    for name, text in _facts(model):
        sys.stdout.write(f"{name}: {text}\n")
    sys.stdout.write(f"\n{aligned(preview(model.columns))}\n")


def _facts(model: Model) -> list[tuple[str, str]]:
    network, record = model.pipeline[-1], model.record
    size = Path(model.path).stat().st_size
    facts = [("File", f"{model.path}, {size / 1000:,.0f} kB, a model for tables")]
    facts.append(("Made", f"{model.created:%Y-%m-%d %H:%M} UTC"))
    if record is not None:
        facts.append(("From", f"{printable(record.source)}, {record.rows:,} rows"))
        facts.append(("Target", printable(record.target)))
    task = model.task
    if task == "classification":
        classes = shown(map(printable, network.classes_))
        task += f" into {len(network.classes_)} classes: {classes}"
    facts.append(("Task", task))
    if record is not None:
        facts.append(("Held-out score", held_out(record.score, model.task)))
    facts.append(("Training", _training(model)))
    versions = ", ".join(f"{name} {version}" for name, version in model.versions.items())
    facts.append(("Versions", printable(versions)))
    return facts


def _training(model: Model) -> str:
    """What was chosen for the training."""
    network, record = model.pipeline[-1], model.record
    labels = network.auxiliary
    if labels is None:
        arm = "no auxiliary labels"
    else:
        arm = f"auxiliary labels {labels if isinstance(labels, str) else type(labels).__name__}"
    n = network.n_iter_
    words = [f"{n} epoch{'s' if n > 1 else ''}"]
    tried = [t["value"] for t in network.history_.trials if t["setting"] == "max_epochs"]
    if tried:
        words[0] += f" ({' and '.join(map(str, tried))} tried)"
    words.append(f"learning rate {network.lr_:g}")
    if hasattr(network, "temperature_"):
        words.append(f"temperature {np.round(network.temperature_, 3):g}")
    words.append(arm)
    if record is not None:
        words.append(f"seed {record.seed}")
    return ", ".join(words)
