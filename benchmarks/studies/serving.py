"""How fast the service of the examples answers, and that a new file drops no request.

``python -m benchmarks.studies.serving`` starts ``examples/serve.py`` for each row, with a
classifier of 30 columns, and sends it requests from another process on the same machine.
"""

import os
import runpy
import tempfile
from pathlib import Path

from benchmarks.studies.study import study

LOAD = Path(__file__).parents[2] / "examples" / "serve_load.py"
N_REQUESTS = 200
# Clients, rows in a request, seconds between two new files.
SETTINGS = [(1, 1, 0.0), (4, 1, 0.0), (1, 100, 0.0), (4, 1, 0.5)]
KEYS = ["clients", "rows", "replace_every"]
VALUES = ["requests", "p50", "p90", "p99", "max", "cpu", "per_second", "failed", "load"]


def run(n_clients: int, n_rows: int, replace_every: float) -> tuple:
    load = runpy.run_path(str(LOAD))
    load_of_machine = os.getloadavg()[0] / (os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "classifier.safetensors"
        clf = load["MAXLClassifier"](lr=0.01, max_epochs=10, random_state=0)
        clf.fit(load["X"], load["y"]).save(path)
        found = load["measure"](path, n_clients, N_REQUESTS, n_rows, replace_every)
    times = (f"{found[name]:.2f}" for name in VALUES[1:-2])
    return N_REQUESTS, *times, int(found["failed"]), f"{load_of_machine:.1f}"


def main() -> None:
    study("serving", KEYS, VALUES, SETTINGS, run, n_jobs=1)


if __name__ == "__main__":
    main()
