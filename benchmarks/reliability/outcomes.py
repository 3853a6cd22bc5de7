"""What becomes of a changed file: it is refused in a sentence, or what is loaded does its work."""

import pickle
import resource
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from benchmarks.package import DivergedError
from benchmarks.reliability.subjects import Subject

SECONDS = 20  # of computing, for one file: a busy machine needs longer for all
MEMORY = 2**28  # bytes more than the process has before
LONGEST = 500  # characters of a sentence
LARGEST = 2**16  # values of a sample that is predicted
HELD = ("refused", "loaded", "loaded, no finite answer")


class Outcome(NamedTuple):
    """What became of a file.

    "refused" in a sentence; "loaded", and all its methods work; "loaded, no finite answer", which
    predictions say in a sentence. All else should not happen.
    """

    name: str
    detail: str
    seconds: float


class BrokenError(Exception):
    """What was loaded does not do its work."""


@contextmanager
def limited() -> Iterator[None]:
    """Bounds of time and memory; beyond them something is raised."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    signal.signal(signal.SIGPROF, _too_long)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.setitimer(signal.ITIMER_PROF, 0)


def _too_long(number: int, frame: object) -> None:
    raise SystemExit("too long")  # nobody who handles errors catches it


def outcome(data: bytes, subject: Subject, path: Path) -> Outcome:
    """Load a file and use what came."""
    path.write_bytes(data)
    start = time.process_time()
    name, detail = _loaded(subject, path)
    return Outcome(name, detail, time.process_time() - start)


def _loaded(subject: Subject, path: Path) -> tuple[str, str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with limited():
                estimator = subject.load(path)
        except DivergedError:  # of a checkpoint
            return "loaded, no finite answer", ""
        except ValueError as error:
            return _refused(str(error).replace(str(path), "FILE"))
        except SystemExit:
            return "too long", f"more than {SECONDS} s"
        except BaseException as error:
            return "another error", f"{type(error).__name__}: {error}"
        try:
            return use(estimator, subject)
        except Exception as error:
            return "broken", f"{type(error).__name__}: {error}"


def _refused(said: str) -> tuple[str, str]:
    """Whether what `load` said is a sentence about the file."""
    sentence = said.startswith(("FILE can't be loaded: ", "FILE holds ")) and said.endswith(".")
    if not sentence or not said.isprintable() or "\n" in said or len(said) > LONGEST:
        return "refused, not in a sentence", said
    if "MemoryError" in said or "alloc" in said:
        return "too much memory", said
    return ("refused by the last resort" if "does not fit together" in said else "refused"), said


def use(estimator: Any, subject: Subject) -> tuple[str, str]:
    """Do everything that a fitted estimator can do; `BrokenError` where it does not."""
    if isinstance(estimator, Pipeline):
        return use_pipeline(estimator, subject)
    X = samples_for(estimator, subject)
    for look in (repr, clone, pickle.dumps, lambda e: str(e.history_)):
        look(estimator)
    if X is None:
        return "loaded", "a sample is too large to try"
    finite = predict(estimator, X)
    y = subject.y
    if hasattr(estimator, "classes_"):
        y = estimator.classes_[np.arange(len(X)) % len(estimator.classes_)]
    go_on(estimator, X, y)
    return ("loaded", "") if finite else ("loaded, no finite answer", "")


def use_pipeline(pipeline: Any, subject: Subject) -> tuple[str, str]:
    """The same for a table's preparation and a network."""
    encoder, network = (step for _, step in pipeline.steps)
    for look in (repr, clone, pickle.dumps):
        look(pipeline)
    places = np.arange(encoder.n_features_in_) % subject.X.shape[1]
    X = subject.X.iloc[:, places]
    names = getattr(encoder, "feature_names_in_", None)
    X = X.to_numpy(object) if names is None else X.set_axis(names, axis=1)
    try:
        Z = encoder.transform(X)
    except ValueError as error:  # its columns are of other kinds
        if not any(repr(name) in str(error) for name in X):
            raise
        return "loaded", "another table"
    return use(network, replace(subject, X=np.asarray(Z)))


def samples_for(estimator: Any, subject: Subject) -> Any:
    """Samples of the shape that it takes; None where one would be very large."""
    import pandas as pd

    shape = estimator.input_shape_
    if np.prod(shape, dtype=float) > LARGEST:
        return None
    fits = subject.X.shape[1:] == shape
    X = subject.X if fits else np.zeros((len(subject.X), *shape), np.float32)
    names = getattr(estimator, "feature_names_in_", None)
    # scikit-learn below 1.9 takes a table that has a name twice, and no longer does.
    named = names is not None and len(shape) == 1 and len(set(names)) == len(names)
    return pd.DataFrame(X, columns=names) if named else X


def predict(estimator: Any, X: Any) -> bool:
    """Ask for all predictions; whether they are finite, which else they say."""
    names = ("predict", "predict_proba", "transform", "predict_auxiliary")
    for name in (n for n in names if hasattr(estimator, n)):
        try:
            found = getattr(estimator, name)(X)
        except ValueError as error:
            if "not finite" in str(error):
                return False
            raise
        if len(found) != len(X):
            raise BrokenError(f"{name} gives {len(found)} answers for {len(X)} samples")
        if found.dtype.kind == "f" and not np.isfinite(found).all():
            raise BrokenError(f"{name} is not finite")
        if name == "predict_proba" and not np.allclose(found.sum(1), 1):
            raise BrokenError("probabilities don't sum to 1")
    return True


def go_on(estimator: Any, X: Any, y: np.ndarray) -> None:
    """Train on, which a sentence may refuse."""
    try:
        estimator.set_params(n_threads=1, verbose=0).partial_fit(X, y)
    except ValueError:
        return
