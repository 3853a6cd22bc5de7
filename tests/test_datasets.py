"""CIFAR-100's levels, and a download that breaks, goes on, and is checked."""

import codecs
import hashlib
import http.server
import io
import logging
import pickle
import struct
import tarfile
import threading
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_maxl import MAXLClassifier, datasets
from sklearn_maxl.datasets import (
    CIFAR100_PAIRS,
    NumbersOnly,
    cifar100_levels,
    fetch_cifar100_hierarchy,
    level_names,
)

# The authors' hand-made maps, in the form they have in their create_dataset.py.
TO_TEN = {
    0: 1, 1: 2, 2: 5, 3: 6, 4: 5, 5: 6, 6: 6, 7: 3, 8: 0, 9: 7,
    10: 8, 11: 0, 12: 1, 13: 3, 14: 4, 15: 0, 16: 2, 17: 5, 18: 9, 19: 9,
}  # fmt: skip
TO_THREE = {0: 0, 1: 0, 2: 0, 3: 0, 4: 0, 5: 1, 6: 2, 7: 2, 8: 2, 9: 2}


def contents(n, seed):
    """What one of the original files holds."""
    rng = np.random.RandomState(seed)
    fine = rng.randint(100, size=n).tolist()
    return {
        b"filenames": [b"a.png"] * n,
        b"batch_label": b"training batch 1 of 1",
        b"fine_labels": fine,
        b"coarse_labels": cifar100_levels(fine)[20].tolist(),
        b"data": rng.randint(256, size=(n, 3072)).astype(np.uint8),
    }


def python2(value):
    """The opcodes with which Python 2 pickled a value in protocol 2: text is bytes."""
    if isinstance(value, dict):
        items = b"".join(python2(k) + python2(v) for k, v in value.items())
        return b"}(" + items + b"u"
    if isinstance(value, list):
        return b"](" + b"".join(map(python2, value)) + b"e"
    if isinstance(value, bytes):
        return b"T" + struct.pack("<i", len(value)) + value
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01("
        + b"".join(map(python2, value.shape))
        + b"tcnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNN"
        + b"J\xff\xff\xff\xff" * 2
        + b"K\x00tb\x89"
        + python2(value.tobytes())
        + b"tb"
    )


def write_archive(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            raw = content if isinstance(content, bytes) else b"\x80\x02" + python2(content) + b"."
            info = tarfile.TarInfo(f"cifar-100-python/{name}")
            info.size = len(raw)
            archive.addfile(info, io.BytesIO(raw))


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one file, in the way that `server.behaviour` says."""

    def do_GET(self):
        server = self.server
        whole, start = server.content, 0
        asked = self.headers.get("Range")
        server.asked.append(asked)
        if asked and server.behaviour != "no ranges":
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(whole):
            self.send_error(416)
            return
        body = whole[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.behaviour == "breaks" and len(server.asked) < 3:
            body = body[: len(body) // 2]
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A server of a tiny archive with 12 training and 5 test images."""
    source = tmp_path / "source.tar.gz"
    write_archive(source, {"train": contents(12, 0), "test": contents(5, 1)})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.content, server.behaviour, server.asked = source.read_bytes(), "", []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    digest = hashlib.sha256(server.content).hexdigest()
    url = f"http://127.0.0.1:{server.server_port}/{datasets.ARCHIVE.name}"
    archive = datasets.Archive(url, datasets.ARCHIVE.name, digest)
    monkeypatch.setattr(datasets, "ARCHIVE", archive)
    monkeypatch.setenv("no_proxy", "*")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def fetch(tmp_path):
    return partial(fetch_cifar100_hierarchy, data_home=tmp_path / "home", delay=0.0)


def test_images_and_labels_are_those_of_the_archive(site, fetch):
    cifar = fetch("train", level=20, finer=100)
    original = contents(12, 0)
    assert cifar.data.shape == (12, 3, 32, 32)
    assert cifar.data.dtype == np.uint8
    np.testing.assert_array_equal(cifar.data.reshape(12, -1), original[b"data"])
    assert cifar.target.tolist() == original[b"coarse_labels"]
    assert cifar.auxiliary_labels.tolist() == original[b"fine_labels"]
    assert set(cifar.labels) == {3, 10, 20, 100}
    assert len(cifar.target_names) == 20
    assert {level: len(names) for level, names in cifar.label_names.items()} == {
        level: level for level in (3, 10, 20, 100)
    }
    both = fetch("all")
    np.testing.assert_array_equal(both.data[:12], cifar.data)
    assert both.auxiliary_labels is None
    assert len(both.target) == 17
    X, y = fetch("test", level=3, return_X_y=True)
    np.testing.assert_array_equal(X, both.data[12:])
    assert set(y.tolist()) <= {0, 1, 2}


def test_the_second_time_nothing_is_downloaded(site, fetch):
    fetch()
    assert fetch("test").data.flags.writeable
    assert site.asked == [None]
    assert fetch(download_if_missing=False).data.shape == (12, 3, 32, 32)


def test_a_download_that_breaks_goes_on_where_it_stopped(site, fetch, caplog):
    site.behaviour = "breaks"
    with caplog.at_level(logging.WARNING, "sklearn_maxl"):
        assert len(fetch().target) == 12
    assert caplog.text.count("trying again") == 2
    half = len(site.content) // 2
    assert site.asked[:2] == [None, f"bytes={half}-"]
    assert len(site.asked) == 3


def test_a_later_call_goes_on_too(site, fetch):
    site.behaviour = "breaks"
    with pytest.raises(OSError, match="goes on where it stopped"):
        fetch(n_retries=0)
    assert len(fetch().target) == 12
    assert site.asked[1] == f"bytes={len(site.content) // 2}-"


def test_a_server_without_ranges_starts_anew(site, fetch, tmp_path):
    (tmp_path / "home").mkdir()
    part = tmp_path / "home" / (datasets.ARCHIVE.name + ".part")
    part.write_bytes(b"something else")
    site.behaviour = "no ranges"
    assert len(fetch().target) == 12
    assert not part.exists()


def test_a_part_that_is_already_whole_is_taken(site, fetch, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / (datasets.ARCHIVE.name + ".part")).write_bytes(site.content)
    assert len(fetch().target) == 12


def test_a_wrong_checksum_is_refused_and_nothing_stays(site, fetch, tmp_path):
    site.content = site.content[:-1] + b"x"
    with pytest.raises(OSError, match="another SHA-256"):
        fetch()
    assert list((tmp_path / "home").iterdir()) == []


def test_a_damaged_file_is_named(site, fetch, tmp_path):
    fetch()
    path = tmp_path / "home" / datasets.ARCHIVE.name
    path.write_bytes(b"cut")
    with pytest.raises(OSError, match=r"is damaged: .*Remove it and call again"):
        fetch()


def test_without_a_network_the_error_says_what_to_do(monkeypatch, fetch, tmp_path):
    nowhere = datasets.Archive("http://127.0.0.1:9/x.tar.gz", "x.tar.gz", "0")
    monkeypatch.setattr(datasets, "ARCHIVE", nowhere)
    with pytest.raises(
        OSError, match=r"can't be downloaded .*put the file at .*x\.tar\.gz by hand"
    ):
        fetch(n_retries=1)
    with pytest.raises(OSError, match="download_if_missing is False"):
        fetch(download_if_missing=False)


class Malicious:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code ran')",))


class Encoded:
    def __reduce__(self):
        return (codecs.encode, ("text", "rot13"))


@pytest.mark.parametrize(
    ("payload", "asked"),
    [
        (Malicious(), "__builtin__.exec"),
        (Encoded(), "_codecs.encode"),
        ([np.float64], "numpy.float64"),
        (KeyError, "exceptions.KeyError"),
        (getattr, "__builtin__.getattr"),
    ],
)
def test_a_pickle_that_asks_for_anything_else_is_refused(payload, asked):
    raw = pickle.dumps({"data": payload}, protocol=2)
    with pytest.raises(pickle.UnpicklingError, match=f"asks for {asked}.*was not read"):
        NumbersOnly(io.BytesIO(raw), encoding="bytes").load()


def test_arrays_of_another_type_than_uint8_are_refused():
    raw = b"\x80\x02" + python2(np.zeros(3, np.uint8)).replace(b"u1", b"O8") + b"."
    with pytest.raises(pickle.UnpicklingError, match="no arrays of type b'O8'"):
        NumbersOnly(io.BytesIO(raw), encoding="bytes").load()


def test_a_path_in_the_archive_writes_no_file(site, fetch, tmp_path, monkeypatch):
    path = tmp_path / "home" / datasets.ARCHIVE.name
    path.parent.mkdir()
    write_archive(path, {"../../outside": b"text", "train": contents(2, 0)})
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(datasets, "ARCHIVE", datasets.ARCHIVE._replace(sha256=digest))
    before = set(tmp_path.rglob("*"))
    assert len(fetch().target) == 2
    assert set(tmp_path.rglob("*")) == before


def test_an_archive_with_code_in_it_runs_none(site, fetch, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    path = home / datasets.ARCHIVE.name
    write_archive(path, {"train": pickle.dumps({"data": Malicious()}, protocol=2)})
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(datasets, "ARCHIVE", datasets.ARCHIVE._replace(sha256=digest))
    with pytest.raises(pickle.UnpicklingError, match="exec"):
        fetch()


@given(st.lists(st.integers(0, 99), min_size=1, max_size=50))
def test_every_level_refines_the_one_before(fine):
    levels = cifar100_levels(fine)
    for coarse, finer in ((3, 10), (10, 20), (20, 100)):
        pairs = set(zip(levels[finer].tolist(), levels[coarse].tolist(), strict=True))
        assert len(pairs) == len({a for a, _ in pairs})
        assert all(0 <= b < coarse for _, b in pairs)


def test_the_maps_are_the_authors():
    levels = cifar100_levels(np.arange(100))
    assert np.bincount(levels[20]).tolist() == [5] * 20
    assert [TO_TEN[i] for i in levels[20].tolist()] == levels[10].tolist()
    assert [TO_THREE[i] for i in levels[10].tolist()] == levels[3].tolist()
    fine, coarse = level_names(100), level_names(20)
    assert len(set(fine)) == 100
    assert fine == sorted(fine)
    for name, group in (("whale", "aquatic_mammals"), ("woman", "people"), ("tank", "vehicles_2")):
        assert coarse[levels[20][fine.index(name)]] == group
    assert sum(len(name.split(" + ")) for name in level_names(10)) == 20
    living, plants, things = (set(name.split(" + ")) for name in level_names(3))
    assert {"people", "fish", "insects"} < living
    assert plants == {"flowers", "fruit_and_vegetables", "trees"}
    assert {"vehicles_1", "household_furniture"} < things


@pytest.mark.parametrize("pair", CIFAR100_PAIRS)
def test_all_pairs_of_the_paper_fit_with_human_and_learned_labels(pair):
    rng = np.random.RandomState(0)
    level, finer = pair
    images = rng.randint(256, size=(100, 3, 32, 32)).astype(np.uint8)
    cifar = fetch_cifar100_hierarchy(arrays=(images, np.arange(100)), level=level, finer=finer)
    clf = MAXLClassifier("mlp", auxiliary="human", max_epochs=1, random_state=0)
    clf.fit(cifar.data, cifar.target, auxiliary_labels=cifar.auxiliary_labels)
    assert len(clf.psi_) == level
    assert clf.psi_.sum() == finer
    learned = MAXLClassifier("mlp", psi=clf.psi_, max_epochs=1, random_state=0)
    assert learned.fit(cifar.data, cifar.target).psi_.tolist() == clf.psi_.tolist()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"subset": "valid"}, r"subset='valid' must be one of 'train', 'test', 'all'"),
        ({"level": 5}, r"level=5 must be one of 3, 10, 20, 100"),
        ({"finer": 20}, r"finer=20 must be None or one of \[100\] with level=20"),
        ({"level": 100, "finer": 100}, r"finer=100 must be None or one of \[\] with level=100"),
        ({"finer": 100, "return_X_y": True}, r"return_X_y=True has no place for .*finer=100"),
        ({"n_retries": -1}, r"n_retries == -1, must be >= 0"),
        ({"arrays": np.zeros((3, 3, 32, 32), np.uint8)}, r"must be a pair .*got ndarray"),
        ({"arrays": (np.uint8(0), 0)}, r"images are uint8 of shape \(\)"),
        ({"arrays": (np.zeros((2, 32, 32, 3), np.uint8), [0, 1])}, r"channels come first"),
        ({"arrays": (np.zeros((2, 3, 32, 32)), [0, 1])}, r"images are float64"),
        ({"arrays": (np.zeros((2, 3, 32, 32), np.uint8), [0])}, r"of the same length"),
        ({"arrays": (np.zeros((1, 3, 32, 32), np.uint8), [100])}, r"integers from 0 to 99"),
        ({"arrays": (np.zeros((1, 3, 32, 32), np.uint8), [0.5])}, r"integers from 0 to 99"),
    ],
)
def test_wrong_use_is_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        fetch_cifar100_hierarchy(**parameters)
