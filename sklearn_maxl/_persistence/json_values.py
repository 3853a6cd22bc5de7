"""Python values as plain JSON and back, exactly, and nothing that could run code.

JSON has no tuples, no keys but text, no NumPy types and no infinity. Those become an
object with one key, the name of the kind: ``(1, 2)`` is ``{"tuple": [1, 2]}``.
"""

import json
import math
import re
import reprlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

Plain = dict[str, object]  # a JSON object

DTYPES = re.compile(r"[<>|](b1|i[1248]|u[1248]|f[248]|U[0-9]{1,7}|O)")
ELEMENTS: dict[str, type] = {"b": bool, "i": int, "u": int, "f": float, "U": str}

MAX_AXES = 32  # of an array
MAX_SIDE = 2**48  # also where another side is 0

# Of a header; a few characters could ask for any amount of memory and of time. An array of text
# takes as much for every value as for the longest one.
MAX_CONTAINERS = 2**19  # lists and objects
MAX_DEPTH = 100
BYTES_OF_ARRAYS = 64  # for each character of the header, and so many besides:
MORE_BYTES_OF_ARRAYS = 2**20


class NotPlainError(ValueError):
    """A value that a file can't hold, such as a function."""


def encode(value: Any) -> object:
    """A value as JSON; `NotPlainError` for what is not made of numbers, text and containers."""
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if kind is list:
        return [encode(v) for v in value]
    if kind is tuple:
        return {"tuple": [encode(v) for v in value]}
    if kind is dict:
        return {"dict": [[encode(k), encode(v)] for k, v in value.items()]}
    if kind is np.ndarray:
        flat = [encode(v) for v in value.ravel().tolist()]
        return {"array": [_dtype_name(value), list(value.shape), flat]}
    if isinstance(value, np.generic):
        return {"scalar": [_dtype_name(value), encode(value.item())]}
    raise NotPlainError(f"a {kind.__name__} is neither number nor text")


def _dtype_name(array: np.ndarray | np.generic) -> str:
    name = array.dtype.str
    if not DTYPES.fullmatch(name) or (array.dtype.hasobject and type(array) is not np.ndarray):
        raise NotPlainError(f"values of dtype {array.dtype} are neither numbers nor text")
    return str(name)


def decode(stored: object) -> Any:
    """What `encode` made into JSON; ValueError for anything else."""
    if stored is None or type(stored) in (bool, int, str):
        return stored
    if type(stored) is float and math.isfinite(stored):
        return stored
    if type(stored) is list:
        return [decode(v) for v in stored]
    if type(stored) is dict and len(stored) == 1:
        (kind, content), *_ = stored.items()
        if kind == "float" and content in ("nan", "inf", "-inf"):
            return float(content)
        if kind in CONTAINERS and type(content) is list:
            return CONTAINERS[kind](content)
    raise ValueError(f"its header holds {short(stored)}, which no value is stored as")


def _dict(content: list[object]) -> dict[object, object]:
    pairs = [decode(pair) for pair in content]
    if any(type(pair) is not list or len(pair) != 2 for pair in pairs):
        raise ValueError(f"its header holds {short(content)}, which is no dictionary")
    try:
        found = dict(pairs)
    except TypeError as error:
        raise ValueError(f"a dictionary in its header has no keys ({error})") from error
    if len(found) != len(pairs):
        raise ValueError("a dictionary in its header has a key twice")
    return found


def _array(content: list[Any]) -> np.ndarray:
    if len(content) != 3 or type(content[1]) is not list or type(content[2]) is not list:
        raise _no_array(content)
    name, shape, values = content[0], content[1], decode(content[2])
    if len(shape) > MAX_AXES or any(type(n) is not int or n < 0 for n in shape):
        raise _no_array(content)
    dtype = _dtype(name)
    right_type = dtype.kind == "O" or set(map(type, values)) <= {ELEMENTS[dtype.kind]}
    if math.prod(shape) != len(values) or max(shape, default=0) > MAX_SIDE or not right_type:
        raise _no_array(content)
    array = np.empty(len(values), dtype)
    try:
        with np.errstate(over="ignore"):  # what becomes infinite is not what was stored
            for i in range(len(values)) if dtype.kind == "O" else ():
                array[i] = values[i]  # one by one: a value may be a tuple
            if dtype.kind != "O":
                array[:] = values
    except (OverflowError, ValueError) as error:
        raise _no_array(content) from error
    if [encode(v) for v in array.tolist()] != content[2]:
        raise _no_array(content)
    return array.reshape(shape)


def _no_array(content: object) -> ValueError:
    return ValueError(f"its header holds {short(content)}, which is no array")


def _scalar(content: list[object]) -> object:
    if len(content) != 2:
        raise ValueError(f"its header holds {short(content)}, which is no number")
    return _array([content[0], [], content[1:]])[()]


def _dtype(name: object) -> np.dtype:
    if type(name) is not str or not DTYPES.fullmatch(name):
        raise ValueError(f"its header names a dtype {short(name)}")
    return np.dtype(name)


CONTAINERS = {
    "tuple": lambda content: tuple(map(decode, content)),
    "dict": _dict,
    "array": _array,
    "scalar": _scalar,
}


def refuse_bomb(text: str | bytes) -> None:
    """Refuse JSON that would become very many objects, before it is read."""
    marks = ("[", "{") if isinstance(text, str) else (b"[", b"{")
    if sum(map(text.count, marks)) > MAX_CONTAINERS:  # type: ignore[arg-type]
        raise ValueError(f"its header holds more than {MAX_CONTAINERS} lists and objects")


def refuse_large_values(header: Plain, length: int) -> None:
    """Refuse a header of so many characters that is nested deeply, or whose arrays are huge."""
    n_bytes, most = 0, BYTES_OF_ARRAYS * length + MORE_BYTES_OF_ARRAYS
    for depth, value in _containers(header):
        if depth > MAX_DEPTH:
            raise ValueError("its header is nested too deeply")
        if type(value) is dict and "array" in value:
            n_bytes += _bytes_of(value["array"])
    if n_bytes > most:
        raise ValueError(
            f"the arrays in its header would take {n_bytes} bytes, more than {most}; one very long "
            "text among many short ones may be why"
        )


def _containers(header: Plain) -> Iterator[tuple[int, object]]:
    """All lists and objects with their depth; not by recursion, because anybody may have nested."""
    waiting: list[tuple[int, object]] = [(0, header)]
    while waiting:
        depth, value = waiting.pop()
        yield depth, value
        parts = value.values() if type(value) is dict else value
        waiting += [(depth + 1, part) for part in parts if type(part) in (list, dict)]  # type: ignore[attr-defined]


def _bytes_of(content: object) -> int:
    """What an array takes; 0 for what is refused anyway."""
    if type(content) is not list or len(content) != 3 or type(content[2]) is not list:
        return 0
    name = content[0]
    known = type(name) is str and DTYPES.fullmatch(name)
    return np.dtype(name).itemsize * len(content[2]) if known else 0


def parse(text: str | bytes) -> Plain:
    """A JSON object, with every key once and without the names of numbers that are none."""
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("its header is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"its header is not JSON ({error})") from error
    except UnicodeDecodeError as error:
        raise ValueError("its header is not text") from error
    if type(found) is not dict:
        raise ValueError("its header is no JSON object")
    return found


def _once(pairs: list[tuple[str, object]]) -> Plain:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("its header has a key twice")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"its header holds the number {name}")


def field(stored: Mapping[str, object], name: str, *kinds: type | None) -> Any:
    """An entry of a JSON object, of one of some types; None stands for a null."""
    if name not in stored:
        raise ValueError(f"its header lacks {name!r}")
    value = stored[name]
    if type(value) not in kinds and not (value is None and None in kinds):
        raise ValueError(f"{name!r} in its header is {short(value)}")
    return value


SHORT = reprlib.Repr()
SHORT.maxlevel = SHORT.maxdict = 3
SHORT.maxstring = SHORT.maxother = 57


def short(value: object) -> str:
    """The start of a value, whatever its size."""
    text = SHORT.repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
