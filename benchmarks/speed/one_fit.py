"""One fit in a process of its own, whose peak memory is then that fit's.

python -m benchmarks.speed.one_fit '{"samples": 1000, "features": 100, "auxiliary": null}'
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.memory import peak_resident
from benchmarks.speed.timing import timed
from sklearn_maxl import MAXLClassifier

ROOT = Path(__file__).parents[2]


def own_process(**settings: Any) -> dict[str, float]:
    """Seconds and peak memory of one fit (see `fit_once`), in a fresh Python."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.speed.one_fit", json.dumps(settings)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def fit_once(
    samples: int, features: int, auxiliary: str | None, batch_size: int = 200, device: str = "cpu"
) -> dict[str, float]:
    """One epoch on a table of float32: seconds of `fit`, and bytes of the process beyond the data.

    A fit of a few rows comes first, so that what a process does only once is not in
    the seconds.
    """
    rng = np.random.default_rng(0)
    X = rng.standard_normal((samples, features), dtype=np.float32)
    y = X[:, :10].argmax(1)
    settings = {"backbone": "mlp", "auxiliary": auxiliary, "batch_size": batch_size}
    settings |= {"lr": 0.001, "temperature": 1.0}  # no trials
    clf = MAXLClassifier(**settings, max_epochs=1, device=device, random_state=0)
    clf.fit(X[: 2 * batch_size], y[: 2 * batch_size])
    seconds = timed(lambda: clf.fit(X, y), device)()
    return {"seconds": seconds, "bytes": peak_resident() - X.nbytes}


if __name__ == "__main__":
    print(json.dumps(fit_once(**json.loads(sys.argv[1]))))
