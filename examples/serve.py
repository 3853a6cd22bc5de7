"""
An HTTP service
===============

A small service for a classifier that was kept with ``clf.save``, on the standard library alone.
It checks what it is sent, says in one sentence what is wrong with it, and takes over a new file
without dropping a request::

    python examples/serve.py classifier.safetensors --port 8000

    curl http://127.0.0.1:8000/health
    curl http://127.0.0.1:8000/predict --data '{"rows": [[5.1, 3.5, 1.4, 0.2]]}'

Loading a file runs no code that is in it. :doc:`serving </serving>` says what the service answers,
and how fast; ``serve_load.py`` measures it.
"""

import argparse
import json
import logging
import math
import signal
import threading
import time
import warnings
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from sklearn_maxl import MAXLClassifier, MAXLRegressor

MAX_BYTES, MAX_ROWS = 1_000_000, 1000  # of a request
LOOK_EVERY = 0.5  # seconds between two looks at the file
PATIENCE = 5.0  # seconds that a silent client keeps its connection

log = logging.getLogger("serve")


class WrongRequestError(Exception):
    """What is wrong with a request, in one sentence."""

    def __init__(self, sentence: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST):
        super().__init__(sentence)
        self.status = status


# %%
# The model
# ---------
# A request takes the estimator that is there when it begins. A new file is read and tried on the
# side; if it is broken, the old estimator goes on.


class Model:
    """The estimator in a file, and in the files that take its place."""

    def __init__(self, path: Path, kind: type):
        self.path, self.kind = path, kind
        self.refused: str | None = None  # why the file that is there now is not used
        self.seen = self._identity()
        self.estimator = self._read()
        self.since = time.time()

    def _identity(self) -> tuple[int, int, int] | None:
        """What changes when a file is replaced or written to; None if there is no file."""
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_mtime_ns, stat.st_size

    def _read(self):
        estimator = self.kind.load(self.path, device="cpu")
        estimator.set_params(n_threads=1)  # requests come side by side
        answer(estimator, np.zeros((1, *estimator.input_shape_)))  # the first one takes longest
        return estimator

    def look(self) -> None:
        """Take over the file, if it is another one than the last time."""
        found = self._identity()
        if found == self.seen:
            return
        self.seen = found
        try:
            self.estimator, self.since, self.refused = self._read(), time.time(), None
            log.info("now serving the new %s", self.path)
        except (OSError, ValueError) as error:
            self.refused = str(error)
            log.warning("the old file goes on being served: %s", error)

    def follow(self, stop: threading.Event) -> None:
        """Look at the file now and then."""
        while not stop.wait(LOOK_EVERY):
            self.look()

    def health(self) -> dict:
        """What is served."""
        estimator = self.estimator
        names = getattr(estimator, "feature_names_in_", None)
        return {
            "status": "ok",
            "estimator": type(estimator).__name__,
            "shape": list(estimator.input_shape_),
            "columns": None if names is None else names.tolist(),
            "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.since)),
            "refused": self.refused,
            "cpu_seconds": time.process_time(),
        }


# %%
# A request and its answer
# ------------------------
# ``{"rows": [[...], ...]}``; where the fit saw names of columns, a row may also be an object,
# ``{"rows": [{"age": 40, "height": 1.7}]}``.


def rows_of(body: bytes, estimator) -> np.ndarray:
    """Samples from the text of a request."""
    try:
        request = json.loads(body, parse_constant=no_number)
    except (ValueError, RecursionError) as error:
        raise WrongRequestError(f"The request is no JSON that can be read: {error}.") from error
    rows = request.get("rows") if isinstance(request, dict) and len(request) == 1 else None
    if not isinstance(rows, list) or not rows:
        raise WrongRequestError('Send an object with one key, {"rows": [...]}, and at least a row.')
    if len(rows) > MAX_ROWS:
        raise WrongRequestError(f"Send at most {MAX_ROWS} rows at once, not {len(rows)}.")
    if any(isinstance(row, dict) for row in rows):
        names = getattr(estimator, "feature_names_in_", None)
        rows = [in_order(row, names) for row in rows]
    return checked(rows, tuple(estimator.input_shape_))


def no_number(name: str) -> None:
    """Refuse NaN and Infinity, which Python reads and JSON does not know."""
    raise ValueError(f"{name} is no number")


def in_order(row: object, names: np.ndarray | None) -> list:
    """The values of a row by names of columns, in the order of the fit."""
    if names is None:
        raise WrongRequestError("The fit saw no names of columns; send each row as a list.")
    if not isinstance(row, dict):
        raise WrongRequestError("Send all rows as objects, or all as lists.")
    if missing := [name for name in names if name not in row]:
        raise WrongRequestError(f"A row lacks the column {missing[0]!r}.")
    if unknown := row.keys() - set(names):
        raise WrongRequestError(f"A row has the column {min(unknown)!r}, which was not in the fit.")
    return [row[name] for name in names]


def checked(rows: list, shape: tuple[int, ...]) -> np.ndarray:
    """Rows as an array; rows of images may be flat."""
    try:
        X = np.array(rows)
    except ValueError:
        raise WrongRequestError("The rows differ in their lengths.") from None
    if X.dtype.kind not in "iuf":
        raise WrongRequestError("The rows hold something that is no number.")
    if X.shape[1:] not in (shape, (math.prod(shape),)):
        raise WrongRequestError(f"A row must have the shape {shape}, not {X.shape[1:]}.")
    return X.reshape(len(X), *shape)


def answer(estimator, X: np.ndarray) -> dict:
    """Predictions as JSON knows them."""
    try:
        if not hasattr(estimator, "predict_proba"):
            return {"predictions": estimator.predict(X).tolist()}
        p = estimator.predict_proba(X).astype(float)
    except ValueError as error:  # numbers that no answer can be given for
        raise WrongRequestError(str(error).splitlines()[0]) from error
    return {
        "predictions": estimator.classes_[p.argmax(axis=1)].tolist(),
        "classes": estimator.classes_.tolist(),
        "probabilities": p.round(6).tolist(),
    }


# %%
# The service
# -----------


class Handler(BaseHTTPRequestHandler):
    """One connection, with any number of requests."""

    protocol_version = "HTTP/1.1"  # keeps the connection
    timeout = PATIENCE
    disable_nagle_algorithm = True  # else the end of an answer waits for 40 ms
    server: "Service"

    def do_GET(self) -> None:
        if self.path == "/health":
            self._say(HTTPStatus.OK, self.server.model.health())
        else:
            self._say(HTTPStatus.NOT_FOUND, {"error": "There is GET /health and POST /predict."})

    def do_POST(self) -> None:
        try:
            body = self._body()
            if self.path != "/predict":
                raise WrongRequestError("Rows are sent to /predict.", HTTPStatus.NOT_FOUND)
            estimator = self.server.model.estimator
            self._say(HTTPStatus.OK, answer(estimator, rows_of(body, estimator)))
        except WrongRequestError as error:
            self._say(error.status, {"error": str(error)})
        except OSError:  # the client is gone, or silent
            raise
        except Exception:
            log.exception("a request failed")
            sentence = "The service failed; its log says why."
            self._say(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": sentence})

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            self.close_connection = True  # nobody knows where the next request begins
            raise WrongRequestError("Send a Content-Length.", HTTPStatus.LENGTH_REQUIRED)
        if int(length) > MAX_BYTES:
            self.close_connection = True
            self._skip(int(length))
            sentence = f"Send at most {MAX_BYTES} bytes at once, not {length}."
            raise WrongRequestError(sentence, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ConnectionError("the client went away")
        return body

    def _skip(self, length: int) -> None:
        """Read on for a while: who is cut off while sending does not read the answer."""
        left = min(length, 10 * MAX_BYTES)
        while left > 0 and (got := self.rfile.read1(min(left, 65536))):
            left -= len(got)

    def _say(self, status: HTTPStatus, content: dict) -> None:
        text = json.dumps(content).encode()
        self.close_connection |= self.server.closing
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, text: str, *args: object) -> None:
        log.debug(text, *args)


class Service(ThreadingHTTPServer):
    """A thread for each connection; closing it waits for the requests in flight."""

    daemon_threads = False
    request_queue_size = 128
    closing = False

    def __init__(self, address: tuple[str, int], model: Model):
        super().__init__(address, Handler)
        self.model = model

    def handle_error(self, request: object, client_address: object) -> None:
        log.debug("a connection broke", exc_info=True)

    def serve(self) -> None:
        """Answer requests until `shutdown`, and then those in flight."""
        stop = threading.Event()
        watcher = threading.Thread(target=self.model.follow, args=(stop,))
        watcher.start()
        try:
            self.serve_forever(poll_interval=0.1)
        finally:
            self.closing = True
            stop.set()
            watcher.join()
            self.server_close()


def main() -> None:
    """Serve the file that the command line names, until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="Serve a file of clf.save over HTTP.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets other machines in")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    parser.add_argument("--regressor", action="store_true", help="the file is of a MAXLRegressor")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    # Columns are put in their order here.
    warnings.filterwarnings("ignore", "X does not have valid feature names")
    try:
        model = Model(options.file, MAXLRegressor if options.regressor else MAXLClassifier)
        service = Service((options.host, options.port), model)
    except (OSError, ValueError) as error:
        parser.error(str(error))

    def end(*_: object) -> None:
        # `shutdown` waits for the loop, which this handler interrupts.
        threading.Thread(target=service.shutdown).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    print(f"serving {options.file} at http://{options.host}:{service.server_port}", flush=True)
    service.serve()


if __name__ == "__main__":
    main()
