"""The service of the examples: what it answers, what it refuses, and that it drops no request."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scripts
from sklearn.datasets import load_iris

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl.backbones import ConvNet

FILE = Path(__file__).parents[1] / "examples" / "serve.py"
X, y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[y]


def quick(cls=MAXLClassifier, **params):
    return cls(**{"max_epochs": 2, "backbone": "mlp", "random_state": 0, **params})


@pytest.fixture(scope="module")
def serve():
    module = scripts.load(FILE)
    module.PATIENCE = module.Handler.timeout = 2.0
    module.LOOK_EVERY = 0.02
    return module


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Files of two classifiers that differ."""
    folder = tmp_path_factory.mktemp("saved")
    fits = [quick(random_state=seed).fit(X, NAMES) for seed in (0, 1)]
    for i, fit in enumerate(fits):
        fit.save(folder / f"{i}.safetensors")
    return folder, fits


@contextmanager
def running(serve, path, kind=MAXLClassifier):
    """A service in a thread, and a function that sends it requests on one connection."""
    service = serve.Service(("127.0.0.1", 0), serve.Model(path, kind))
    thread = threading.Thread(target=service.serve)
    thread.start()
    try:
        yield service
    finally:
        service.shutdown()
        thread.join(timeout=60)
        assert not thread.is_alive()


@contextmanager
def connected(service):
    connection = http.client.HTTPConnection("127.0.0.1", service.server_port, timeout=30)

    def send(body=None, path="/predict", method="POST", headers=None):
        text = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
        connection.request(method, path, text, headers or {})
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    try:
        yield send
    finally:
        connection.close()


@pytest.fixture(scope="module")
def send(serve, saved):
    folder, _ = saved
    with running(serve, folder / "0.safetensors") as service, connected(service) as send:
        yield send


def test_answers_are_those_of_the_classifier(send, saved):
    fit = saved[1][0]
    for rows in (X[:1], X[::7]):
        status, found = send({"rows": rows.tolist()})
        assert status == 200
        assert found["classes"] == fit.classes_.tolist()
        assert found["predictions"] == fit.predict(rows).tolist()
        np.testing.assert_allclose(found["probabilities"], fit.predict_proba(rows), atol=1e-6)


def test_health_tells_what_is_served(send):
    status, found = send(path="/health", method="GET")
    assert (status, found["status"], found["refused"]) == (200, "ok", None)
    assert (found["estimator"], found["shape"], found["columns"]) == ("MAXLClassifier", [4], None)


ROW = [5.1, 3.5, 1.4, 0.2]
ONE_KEY = "Send an object with one key"
WRONG = {
    "nothing": (b"", 400, "no JSON that can be read"),
    "text": (b"rows", 400, "no JSON that can be read"),
    "bytes": (b"\xff\xfe\x00", 400, "no JSON that can be read"),
    "cut off": (b'{"rows": [[1, 2', 400, "no JSON that can be read"),
    "deep": (b"[" * 200_000, 400, "no JSON that can be read"),
    "nan": ({"rows": [[np.nan, 1, 2, 3]]}, 400, "NaN is no number"),
    "infinity": (b'{"rows": [[1e999, 1, 2, 3]]}', 400, "infinity"),
    "list": ([ROW], 400, ONE_KEY),
    "another key": ({"samples": [ROW]}, 400, ONE_KEY),
    "two keys": ({"rows": [ROW], "file": "/etc/passwd"}, 400, ONE_KEY),
    "no rows": ({"rows": []}, 400, ONE_KEY),
    "number": ({"rows": 3}, 400, ONE_KEY),
    "one row flat": ({"rows": ROW}, 400, r"the shape \(4,\), not \(\)"),
    "short rows": ({"rows": [[1, 2]]}, 400, r"the shape \(4,\), not \(2,\)"),
    "ragged": ({"rows": [ROW, [1]]}, 400, "differ in their lengths"),
    "words": ({"rows": [["a", "b", "c", "d"]]}, 400, "something that is no number"),
    "numbers as words": ({"rows": [["1", "2", "3", "4"]]}, 400, "something that is no number"),
    "null": ({"rows": [[None, 1, 2, 3]]}, 400, "something that is no number"),
    "huge": ({"rows": [[10**40, 1, 2, 3]]}, 400, "something that is no number"),
    "names": ({"rows": [{"a": 1}]}, 400, "The fit saw no names of columns"),
    "many rows": ({"rows": [ROW] * 1001}, 400, "at most 1000 rows at once, not 1001"),
}


@pytest.mark.parametrize(("body", "status", "sentence"), WRONG.values(), ids=WRONG)
def test_a_wrong_request_gets_one_sentence_and_the_connection_goes_on(send, body, status, sentence):
    found_status, found = send(body)
    assert found_status == status
    with pytest.raises(AssertionError, match=sentence):
        raise AssertionError(found["error"])
    assert "\n" not in found["error"]
    assert len(found["error"]) < 200
    assert send({"rows": [ROW]})[0] == 200


def test_wrong_places_are_named(send):
    assert send({"rows": [ROW]}, path="/elsewhere") == (
        404,
        {"error": "Rows are sent to /predict."},
    )
    assert send(path="/predict", method="GET")[0] == 404
    assert send({"rows": [ROW]})[0] == 200


def test_a_body_that_is_too_long_is_not_read_into_memory(serve, send):
    status, found = send(b" " * (serve.MAX_BYTES + 1))
    assert status == 413
    assert "at most 1000000 bytes" in found["error"]
    assert send({"rows": [ROW]})[0] == 200


@pytest.mark.parametrize("length", ["", "-1", "x", "1e3"])
def test_a_length_is_asked_for(serve, saved, length):
    with running(serve, saved[0] / "0.safetensors") as service:
        head = f"Content-Length: {length}\r\n" if length else ""
        with socket.create_connection(("127.0.0.1", service.server_port), timeout=30) as client:
            client.sendall(f"POST /predict HTTP/1.1\r\nHost: a\r\n{head}\r\n".encode())
            found = client.makefile("rb").read()  # until the service closes the connection
    assert b" 411 " in found.splitlines()[0]
    assert b"Send a Content-Length." in found


def test_a_client_that_goes_away_harms_nobody(serve, saved):
    with running(serve, saved[0] / "0.safetensors") as service, connected(service) as send:
        for sent in (b"", b"POST", b"POST /predict HTTP/1.1\r\nContent-Length: 50\r\n\r\n{"):
            with socket.create_connection(("127.0.0.1", service.server_port), timeout=30) as client:
                client.sendall(sent)
        assert send({"rows": [ROW]})[0] == 200


def test_a_failure_of_the_service_is_told_without_its_insides(serve, saved, caplog):
    with running(serve, saved[0] / "0.safetensors") as service, connected(service) as send:
        service.model.estimator = None
        status, found = send({"rows": [ROW]})
    assert (status, found) == (500, {"error": "The service failed; its log says why."})
    assert "AttributeError" in caplog.text


def test_rows_may_name_their_columns_in_any_order(serve, tmp_path):
    names = ["a", "b", "c", "d"]
    fit = quick().fit(pd.DataFrame(X, columns=names), NAMES)
    fit.save(tmp_path / "named.safetensors")
    with pytest.warns(UserWarning, match="valid feature names"):
        model = serve.Model(tmp_path / "named.safetensors", MAXLClassifier).estimator
    row = dict(zip(reversed(names), X[0][::-1].tolist(), strict=True))
    body = json.dumps({"rows": [row]}).encode()
    np.testing.assert_array_equal(serve.rows_of(body, model), X[:1])
    for wrong, sentence in (
        ({"a": 1, "b": 2, "c": 3}, "A row lacks the column 'd'."),
        ({**row, "e": 1}, "A row has the column 'e', which was not in the fit."),
    ):
        with pytest.raises(serve.WrongRequestError, match=sentence):
            serve.rows_of(json.dumps({"rows": [wrong]}).encode(), model)
    with pytest.raises(serve.WrongRequestError, match="all rows as objects, or all as lists"):
        serve.rows_of(json.dumps({"rows": [row, ROW]}).encode(), model)


def test_a_regressor_and_images_are_served(serve, tmp_path, images):
    path = tmp_path / "numbers.safetensors"
    reg = quick(MAXLRegressor).fit(X[:, :3], X[:, 3])
    reg.save(path)
    served = serve.Model(path, MAXLRegressor).estimator
    assert serve.answer(served, X[:2, :3]) == {"predictions": reg.predict(X[:2, :3]).tolist()}
    samples, digits = images
    fit = quick(backbone=ConvNet((4,)), max_epochs=1).fit(samples, digits)
    for rows in (samples[:2].tolist(), samples[:2].reshape(2, -1).tolist()):
        found = serve.rows_of(json.dumps({"rows": rows}).encode(), fit)
        np.testing.assert_array_equal(found, samples[:2])
    with pytest.raises(serve.WrongRequestError, match=r"shape \(1, 8, 8\), not \(8, 8\)"):
        serve.rows_of(json.dumps({"rows": samples[:2, 0].tolist()}).encode(), fit)


def test_a_service_that_ends_closes_connections_after_the_answer(serve, saved):
    with running(serve, saved[0] / "0.safetensors") as service:
        service.closing = True
        with socket.create_connection(("127.0.0.1", service.server_port), timeout=30) as client:
            client.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
            found = client.makefile("rb").read()
    assert b"Connection: close" in found
    assert b'"status": "ok"' in found


# Another file


def put(content, path):
    """Replace a file at once."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    os.replace(new, path)


def test_a_new_file_is_taken_over_and_a_broken_one_refused(serve, saved, tmp_path):
    folder, fits = saved
    contents = [(folder / f"{i}.safetensors").read_bytes() for i in (0, 1)]
    path = tmp_path / "served.safetensors"
    path.write_bytes(contents[0])
    model = serve.Model(path, MAXLClassifier)

    def serves(fit):
        expected = fit.predict_proba(X[:5])
        return np.array_equal(model.estimator.predict_proba(X[:5]), expected)

    model.look()
    assert serves(fits[0])
    put(contents[1], path)
    model.look()
    assert serves(fits[1])
    assert model.health()["refused"] is None
    before = model.estimator
    for broken in (contents[0][:-1], b"", contents[0][:-1] + b"\x00"):
        put(broken, path)
        model.look()
        assert model.estimator is before
        assert "can't be loaded" in model.health()["refused"]
    path.unlink()
    model.look()
    assert model.estimator is before
    put(contents[0], path)
    model.look()
    assert serves(fits[0])
    assert model.health()["refused"] is None


def test_replacing_the_file_under_load_drops_no_request(serve, saved, tmp_path):
    folder, fits = saved
    contents = [(folder / f"{i}.safetensors").read_bytes() for i in (0, 1)]
    expected = [fit.predict_proba(X[:1]).astype(float).round(6).tolist() for fit in fits]
    path = tmp_path / "served.safetensors"
    path.write_bytes(contents[0])
    stop, answers, wrong = threading.Event(), [], []

    def client():
        with connected(service) as send:
            while not stop.is_set():
                status, found = send({"rows": X[:1].tolist()})
                known = status == 200 and found["probabilities"] in expected
                (answers if known else wrong).append(found)

    def served(which):
        """Wait until the answers are those of this file."""
        with connected(service) as send:
            for _ in range(3000):
                if send({"rows": X[:1].tolist()})[1]["probabilities"] == expected[which]:
                    return True
                stop.wait(0.01)
        return False

    with running(serve, path) as service:
        clients = [threading.Thread(target=client) for _ in range(3)]
        for thread in clients:
            thread.start()
        try:
            for which in (1, 0, 1):
                put(contents[which], path)
                assert served(which)
                put(b"broken", path)
        finally:
            stop.set()
            for thread in clients:
                thread.join(timeout=60)
    assert wrong == []
    assert {found["probabilities"] == expected[1] for found in answers} == {True, False}


# The process


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, str(FILE), *map(str, arguments), "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_after_the_request_in_flight(saved, number):
    with start(saved[0] / "0.safetensors") as process:
        port = int(process.stdout.readline().rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            body = json.dumps({"rows": [ROW]}).encode()
            head = f"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
            client.sendall(head.encode() + body[:5])
            # The connection is the first in the queue: once another is answered, it is taken.
            other = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            other.request("GET", "/health")
            assert other.getresponse().status == 200
            other.close()
            process.send_signal(number)
            client.sendall(body[5:])
            found = client.makefile("rb").read()
        assert b" 200 " in found.splitlines()[0]
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


def test_the_load_of_many_clients_is_measured(saved, tmp_path):
    path = tmp_path / "served.safetensors"
    path.write_bytes((saved[0] / "0.safetensors").read_bytes())
    load = scripts.load(FILE.with_name("serve_load.py"))
    load.X = X  # the served classifier is of these
    found = load.measure(path, n_clients=2, n_requests=20, n_rows=3, replace_every=0.2)
    assert 0 < found["p50"] <= found["p90"] <= found["p99"] <= found["max"]
    assert found["failed"] == 0
    assert found["cpu"] > 0


def test_a_file_that_cannot_be_read_is_told_at_the_start(tmp_path):
    path = tmp_path / "none.safetensors"
    with start(path) as process:
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 2
    assert errors.splitlines()[-1].startswith("serve.py: error: ")
    assert str(path) in errors
