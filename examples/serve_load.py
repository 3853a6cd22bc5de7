"""
The service under load
======================

Starts ``serve.py`` with a classifier of 30 columns, sends it requests from several clients at once,
and prints how long the answers took::

    python examples/serve_load.py --requests 2000 --clients 4
    python examples/serve_load.py --requests 2000 --clients 4 --replace-every 0.5

With ``--replace-every``, the file is replaced again and again meanwhile.
"""

import argparse
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import numpy as np
from sklearn.datasets import load_breast_cancer

from sklearn_maxl import MAXLClassifier

SERVE = Path(__file__).with_name("serve.py")
X, y = load_breast_cancer(return_X_y=True)


@contextmanager
def service(path: Path) -> Iterator[str]:
    """Run the service in a process of its own; the address to send requests to."""
    command = [sys.executable, str(SERVE), str(path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.send_signal(signal.SIGTERM)


class Client(threading.Thread):
    """Sends requests one after the other on one connection, each with other rows."""

    def __init__(self, address: str, n_requests: int, n_rows: int, first: int):
        super().__init__()
        self.place = urlsplit(address).netloc
        self.samples = [
            np.roll(X, -(first + i * n_rows), axis=0)[:n_rows].tolist() for i in range(n_requests)
        ]
        self.seconds: list[float] = []
        self.failed = 0

    def run(self) -> None:
        connection = http.client.HTTPConnection(self.place, timeout=30)
        for rows in self.samples:
            start = time.perf_counter()
            try:
                connection.request("POST", "/predict", json.dumps({"rows": rows}))
                response = connection.getresponse()
                found = json.loads(response.read())
                self.failed += response.status != 200 or len(found["predictions"]) != len(rows)
            except (OSError, http.client.HTTPException):
                self.failed += 1
                connection.close()
            self.seconds.append(time.perf_counter() - start)
        connection.close()


def cpu_seconds(address: str) -> float:
    """What the service has used of a processor."""
    with urlopen(f"{address}/health") as response:
        return json.load(response)["cpu_seconds"]


def replace_until(stop: threading.Event, every: float, path: Path, other: Path) -> None:
    """Put a copy of the other file in the place of the first, again and again."""
    while not stop.wait(every):
        copy = path.with_suffix(".new")
        shutil.copy(other, copy)
        os.replace(copy, path)


def measure(
    path: Path, n_clients: int, n_requests: int, n_rows: int, replace_every: float
) -> dict[str, float]:
    """Milliseconds that an answer takes, by percentile, and those of a processor that it costs.

    Beside them how many came in a second, and how many failed. `replace_every` is in seconds; 0
    leaves the file alone.
    """
    other, stop = path.with_suffix(".other"), threading.Event()
    shutil.copy(path, other)
    with service(path) as address:
        each = n_requests // n_clients
        clients = [Client(address, each, n_rows, 37 * i) for i in range(n_clients)]
        given = (stop, replace_every, path, other)
        replacing = threading.Thread(target=replace_until, args=given)
        if replace_every:
            replacing.start()
        start, used = time.perf_counter(), cpu_seconds(address)
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        elapsed, used = time.perf_counter() - start, cpu_seconds(address) - used
        stop.set()
        if replace_every:
            replacing.join()
    took = 1000 * np.concatenate([client.seconds for client in clients])
    percentiles = {f"p{q}": float(np.percentile(took, q)) for q in (50, 90, 99)}
    found = {**percentiles, "max": took.max(), "cpu": 1000 * used / len(took)}
    failed = sum(client.failed for client in clients)
    return {**found, "per_second": len(took) / elapsed, "failed": failed}


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--rows", type=int, default=1, help="in a request")
    parser.add_argument("--replace-every", type=float, default=0.0, metavar="SECONDS")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "classifier.safetensors"
        MAXLClassifier(lr=0.01, max_epochs=10, random_state=0).fit(X, y).save(path)
        found = measure(
            path, options.clients, options.requests, options.rows, options.replace_every
        )
    print(f"{options.requests} requests of {options.rows} rows from {options.clients} clients")
    for name in ("p50", "p90", "p99", "max"):
        print(f"{name:>4} {found[name]:6.2f} ms")
    print(f"{found['cpu']:.2f} ms of a processor for each")
    print(f"{found['per_second']:.0f} a second, {found['failed']:.0f} failed")


if __name__ == "__main__":
    main()
