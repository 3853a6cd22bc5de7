"""Changes of a saved file: of its bytes, its header and its tensors.

`raw` changes bytes and leaves the checksum as it was: what accidents do. The others make the
checksum right again, as a person would who means harm.
"""

import copy
import hashlib
import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

from benchmarks.package import HOLDERS, KEY, NO_CHECKSUM

Path = tuple[Any, ...]  # keys and indices, from the outside in


class Text(str):
    """What stands in JSON as it is, right or wrong."""


def dumped(value: object) -> str:
    """JSON of a value, in which every `Text` stands as it is."""
    texts: list[str] = []

    def marked(part: object) -> object:
        if isinstance(part, Text):
            texts.append(part)
            return f"\0{len(texts) - 1}\0"
        if isinstance(part, dict):
            return {key: marked(v) for key, v in part.items()}
        return [marked(v) for v in part] if isinstance(part, list) else part

    whole = json.dumps(marked(value))
    return re.sub(r'"\\u0000(\d+)\\u0000"', lambda found: texts[int(found[1])], whole)


def parts_of(data: bytes) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Our header, the entries of the tensors, and their bytes."""
    end = 8 + int.from_bytes(data[:8], "little")
    entries = json.loads(data[8:end])
    return json.loads(entries.pop("__metadata__")[KEY]), entries, data[end:]


def sealed(header: Any, entries: Any, rest: bytes) -> bytes:
    """A file of these parts, whose checksum is right if the header has a place for it."""
    if isinstance(header, dict) and isinstance(header.get("sha256"), str):
        header = {**header, "sha256": NO_CHECKSUM}
    outer = dumped({"__metadata__": {KEY: dumped(header)}, **entries}).encode()
    data = len(outer).to_bytes(8, "little") + outer + rest
    checksum = hashlib.sha256(data).hexdigest().encode()
    return data.replace(NO_CHECKSUM.encode(), checksum, 1)


# Bytes


def cut(data: bytearray, rng: Random) -> None:
    """Drop the end."""
    del data[rng.randrange(len(data)) :]


def flip(data: bytearray, rng: Random) -> None:
    """Flip some bits."""
    for _ in range(rng.choice([1, 1, 2, 30])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def insert(data: bytearray, rng: Random) -> None:
    """Put some bytes between."""
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.randbytes(rng.randrange(1, 30))


def remove(data: bytearray, rng: Random) -> None:
    """Take some bytes out."""
    at = rng.randrange(len(data))
    del data[at : at + rng.randrange(1, 30)]


def blank(data: bytearray, rng: Random) -> None:
    """Zeros in the place of a part, as a file system leaves them after a crash."""
    at, n = rng.randrange(len(data)), rng.randrange(1, 500)
    data[at : at + n] = bytes(len(data[at : at + n]))


def another_length(data: bytearray, rng: Random) -> None:
    """A wrong length of the header."""
    n = len(data)
    lengths = (0, 1, 7, 2**25 + 1, 2**63, 2**64 - 1, n, n - 8, n - 7)
    data[:8] = rng.choice(lengths).to_bytes(8, "little")


BYTES = (cut, flip, insert, remove, blank, another_length)


def raw(data: bytes, rng: Random) -> bytes:
    """A change of bytes."""
    changed = bytearray(data)
    rng.choice(BYTES)(changed, rng)
    return bytes(changed)


# The header


def nested(depth: int, start: str, end: str) -> Text:
    """Something in something, and so on."""
    return Text(start * depth + '""' + end * depth)


NUMBERS: list[Any] = [
    0, 1, -1, 2, 3, 7, 100, 1025, 10**6, 2**31 - 1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64, 10**30,
    0.0, -0.0, 0.5, 1.0, 3.0, 1e-300, 1e-45, 1e38, 1e300, *map(Text, ("NaN", "-Infinity", "1e999")),
    Text("9" * 5000), True, False, None,
]  # fmt: skip
TEXTS: list[Any] = [
    "", "x", "é" * 50, "\0", "\ud800", "a" * 5000, "auto", "cuda:0", "cpu", "meta", "maxl",
    "kmeans", "human", "mlp", "members", "convnet", "vgg16", "resnet50", "sgd", "cosine",
    "rotations", "inverse_lr", "balanced", "holdout", "epoch", "bfloat16", "os.system",
    "torch.nn:Linear", "MAXLClassifier", "MAXLRegressor", "Pipeline", "__class__",
]  # fmt: skip
CONTAINERS: list[Any] = [
    [], {}, [0], [1], [2, 2, 2], [[1]], [10**9], [2**40], [1] * 70, [10**6] * 5, {"a": 1},
    {"tuple": []}, {"tuple": [1, 2]}, {"dict": []}, {"dict": [[0, 1], [1, 2], [2, 3]]},
    {"dict": [[1, 2], [1, 3]]}, {"dict": [[[1], 2]]}, {"float": "nan"}, {"float": "inf"},
    {"float": "1e5"}, {"value": 1}, {"value": None}, {"value": {"float": "nan"}},
]  # fmt: skip
DTYPES = [
    "<i8",
    "<i4",
    "|i1",
    "<u8",
    "<f8",
    "<f4",
    "<f2",
    "|b1",
    "<U3",
    "<U40",
    "|O",
    "<c16",
    "<M8[s]",
]
HEAVY: list[Callable[[], Any]] = [
    lambda: [{"array": ["<U1000000", [16], [chr(97 + i) for i in range(16)]]}] * 100,
    lambda: {"array": ["<U9999999", [2], ["a", "b"]]},
    lambda: [{"dict": []}] * 200_000,
    lambda: {"dict": [[i, 1.0] for i in range(100_000)]},
    lambda: {"array": ["<i8", [200_000], list(range(200_000))]},
    lambda: ["a"] * 200_000,
    lambda: nested(100_000, "[", "]"),
    lambda: nested(900, '{"tuple":[', "]}"),
    lambda: nested(5000, '{"a":', "}"),
]


def an_array(rng: Random) -> Any:
    """An array or a NumPy scalar, of values that may be of its type."""
    dtype, n = rng.choice(DTYPES), rng.choice([0, 1, 2, 3, 4])
    values = [rng.choice([*NUMBERS[:22], 0.25, "a", "b", True]) for _ in range(n)]
    if rng.random() < 0.3:
        return {"scalar": [dtype, *values[:1]]}
    shapes = [[n], [n], [n], [1, n], [], [0, 10**18], [1] * 70, [2**62, 4]]
    return {"array": [dtype, rng.choice(shapes), values]}


def a_holder(rng: Random) -> Any:
    """A backbone, a source of labels or an optimizer, one of whose parameters is odd."""
    name = rng.choice(sorted(HOLDERS))
    known = sorted(HOLDERS[name]().get_params(deep=False))
    parameters = {key: {"value": default(HOLDERS[name], key)} for key in known}
    if known:
        parameters[rng.choice(known)] = rng.choice([an_odd(rng), {"value": an_odd(rng)}])
    return {"holder": name, "parameters": parameters}


def default(kind: Any, parameter: str) -> Any:
    """The default of a parameter, as a file has it."""
    value = getattr(kind(), parameter)
    return {"tuple": list(value)} if isinstance(value, tuple) else value


def an_odd(rng: Random) -> Any:
    """A value that nobody expects there."""
    draw = rng.random()
    if draw < 0.02:
        return rng.choice(HEAVY)()
    if draw < 0.12:
        return an_array(rng)
    if draw < 0.2:
        return a_holder(rng)
    return copy.deepcopy(rng.choice([*NUMBERS, *NUMBERS, *TEXTS, *CONTAINERS, *CONTAINERS]))


def a_near(value: Any, rng: Random) -> Any:
    """A value like another."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int):
        near = [value + 1, value - 1, -value, 2 * value, value * 10**6, float(value), str(value)]
        return rng.choice([*near, [value], {"scalar": ["<i8", value]}])
    if isinstance(value, float):
        return rng.choice(
            [-value, value * 1e300, value * 1e-300, 2 * value, int(value), str(value)]
        )
    if isinstance(value, str):
        return rng.choice([value + "x", value[:-1], value.upper(), value * 50, [value]])
    if isinstance(value, list):
        return rng.choice([value[::-1], value[:-1], value * 2, value * 500, {"tuple": value}])
    return {"dict": [list(pair) for pair in value.items()]}


def somewhere(header: Any, rng: Random) -> Path:
    """A place in a header: a step inwards after another, most of them not many."""
    path, value = [], header
    while isinstance(value, dict | list) and value and (not path or rng.random() < 0.7):
        path.append(rng.choice(list(value) if isinstance(value, dict) else range(len(value))))
        value = value[path[-1]]
    return tuple(path)


def at(header: Any, path: Path) -> Any:
    """What stands in a place."""
    for key in path:
        header = header[key]
    return header


def change(header: dict[str, Any], rng: Random) -> None:
    """Change something in a header."""
    # Most of a checkpoint is in one entry, and so is an estimator in that of a pipeline.
    inner = [part for name in ("training", "network") if (part := header.get(name))]
    header = rng.choice([header, *inner, *inner])
    *above, last = somewhere(header, rng)
    parent = at(header, tuple(above))
    draw = rng.random()
    if draw < 0.2 and "parameters" in header:
        change_parameter(header, rng)
    elif draw < 0.45:
        parent[last] = an_odd(rng)
    elif draw < 0.65:
        parent[last] = a_near(parent[last], rng)
    elif draw < 0.75:
        del parent[last]
    elif draw < 0.85 and isinstance(parent, dict):
        parent[rng.choice(["x", "__class__", "callbacks", "backbone", "psi_"])] = an_odd(rng)
    elif draw < 0.9 and isinstance(parent, dict):  # a key twice
        twice = f"{json.dumps(parent[last])}, {json.dumps(last)}: {dumped(an_odd(rng))}"
        parent[last] = Text(twice)
    else:
        parent[last] = copy.deepcopy(at(header, somewhere(header, rng)))


def change_parameter(header: dict[str, Any], rng: Random) -> None:
    """Another value of a parameter, of the estimator or of its labels."""
    places = [header["parameters"]]
    if header["labels"] is not None and header["labels"]["kind"] is not None:
        places.append(header["labels"]["kind"]["parameters"])
    found = rng.choice([place for place in places if place])
    found[rng.choice(sorted(found))] = rng.choice([a_holder(rng), *[{"value": an_odd(rng)}] * 3])


def header(data: bytes, rng: Random) -> bytes:
    """One to three changes of the header."""
    ours, entries, rest = parts_of(data)
    for _ in range(rng.choice([1, 1, 2, 3])):
        try:
            change(ours, rng)
        except (LookupError, TypeError, ValueError, OverflowError, AttributeError):
            continue  # what stood there is gone
    return sealed(ours, entries, rest)


# Tensors

SHAPES: list[Any] = [
    [], [0], [1], [-1], [1.5], "4", None, [1] * 100, [10**9], [2**31, 2**31], [2**63], [2**64],
    [2**62, 4], [0, 2**62],
]  # fmt: skip
SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "U8": 1, "BOOL": 1}
VALUES = (0.0, -0.0, -1.0, 1e-45, 1e38, -1e38, 3e38, np.nan, np.inf, 5e-324, 1e300)


def other_values(entries: dict[str, Any], rest: bytearray, name: str, rng: Random) -> None:
    """Values that are numbers of the right type, but odd ones."""
    start, end = entries[name]["data_offsets"]
    dtype = {"F32": "<f4", "F64": "<f8"}.get(entries[name]["dtype"])
    if dtype is None:
        rest[start:end] = rng.randbytes(end - start)
        return
    values = np.frombuffer(bytes(rest[start:end]), dtype).copy()
    with np.errstate(over="ignore"):
        values[rng.randrange(len(values)) if rng.random() < 0.5 else slice(None)] = rng.choice(
            VALUES
        )
    rest[start:end] = values.tobytes()


def other_shape(entries: dict[str, Any], rest: bytearray, name: str, rng: Random) -> None:
    """A shape that is none, or another one of as many values."""
    shape = entries[name]["shape"]
    n = int(np.prod(shape))
    same = [[n], [1, n], [n, 1], shape[::-1], [*shape, 1], [1, *shape]]
    entries[name]["shape"] = rng.choice([*same, *same, *SHAPES])


def other_size(entries: dict[str, Any], rest: bytearray, name: str, rng: Random) -> None:
    """More or fewer values, wherever that leaves the others."""
    found = entries[name]
    width = SIZES.get(found["dtype"], 4)
    shape = rng.choice([[1], [3], [4, 1], [150, 1], [2, 1, 4], [], [10_000], [0], [1, 4]])
    data = (np.ones(int(np.prod(shape)), f"<f{width}") if width > 2 else np.ones(3, "u1")).tobytes()
    data = data[: int(np.prod(shape)) * width]
    found["shape"] = shape
    put(entries, rest, name, data)


def put(entries: dict[str, Any], rest: bytearray, name: str, data: bytes) -> None:
    """Give a tensor other bytes; those behind it move."""
    start, end = entries[name]["data_offsets"]
    moved = len(data) - (end - start)
    rest[start:end] = data
    for key, entry in entries.items():
        a, b = entry["data_offsets"]
        if key == name:
            entry["data_offsets"] = [a, b + moved]
        elif a >= end:
            entry["data_offsets"] = [a + moved, b + moved]


def other_dtype(entries: dict[str, Any], rest: bytearray, name: str, rng: Random) -> None:
    """The same bytes as values of another type, or of none."""
    found = entries[name]
    n = found["data_offsets"][1] - found["data_offsets"][0]
    dtype = rng.choice([*SIZES, "F8_E4M3", "C64", "X", "", None, 3])
    found["dtype"] = dtype
    if dtype in SIZES and rng.random() < 0.8:
        found["shape"] = [n // SIZES[dtype]]


def other_place(entries: dict[str, Any], rest: bytearray, name: str, rng: Random) -> None:
    """Another place in the file."""
    a, b = entries[name]["data_offsets"]
    other = rng.choice(list(entries.values()))["data_offsets"]
    places = [[0, 0], [-1, 4], [b, a], [a + 1, b + 1], [0, 2**63], [0, len(rest)], other, None, [0]]
    entries[name]["data_offsets"] = rng.choice([*places, [2**64, 2**64], [0.5, 1.5], "0"])


def other_name(entries: dict[str, Any], rest: bytearray, name: str, rng: Random) -> None:
    """Another name."""
    names = ("x", "", name + "x", "module.mask", "module.trunk.9.weight", "labels.x", "a" * 10_000)
    entries[rng.choice(names)] = entries.pop(name)


def drop(entries: dict[str, Any], rest: bytearray, name: str, rng: Random) -> None:
    """One tensor fewer."""
    put(entries, rest, name, b"")
    del entries[name]


def add(entries: dict[str, Any], rest: bytearray, name: str, rng: Random) -> None:
    """One tensor more."""
    names = (
        "x",
        "module.x",
        "generator.mask",
        "labels.centres.1",
        "module.primary_share",
        "labels.x_",
    )
    n = rng.choice([0, 1, 8, 400])
    place = [len(rest), len(rest) + 4 * n]
    entries[rng.choice(names)] = {"dtype": "F32", "shape": [n], "data_offsets": place}
    rest += np.ones(n, "<f4").tobytes()


TENSORS = (
    other_values, other_values, other_shape, other_size, other_size, other_dtype, other_place,
    other_name, drop, add,
)  # fmt: skip


def tensors(data: bytes, rng: Random) -> bytes:
    """One or two changes of the tensors."""
    ours, entries, tail = parts_of(data)
    rest = bytearray(tail)
    for _ in range(rng.choice([1, 1, 2])):
        try:
            rng.choice(TENSORS)(entries, rest, rng.choice(list(entries)), rng)
        except (LookupError, TypeError, ValueError, OverflowError):
            continue  # a change before left nothing to change here
    return sealed(ours, entries, bytes(rest))


KINDS: dict[str, Callable[[bytes, Random], bytes]] = {
    "bytes": raw,
    "header": header,
    "tensors": tensors,
}
SHARES = (1, 4, 2)


def mutant(data: bytes, rng: Random) -> tuple[str, bytes]:
    """The kind of a change, and the changed file."""
    (kind,) = rng.choices(list(KINDS), SHARES)
    return kind, KINDS[kind](data, rng)
