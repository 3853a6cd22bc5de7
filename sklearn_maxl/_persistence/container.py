"""The file of a saved estimator: safetensors, with one JSON header and a checksum over all of it.

Whoever reads one trusts nothing in it: sizes are bounded before anything is parsed,
and no byte can change unseen.
"""

import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from .json_values import MAX_AXES, Plain, field, parse, refuse_bomb, refuse_large_values
from .temporary import remove_left_behind, temporary_file

FORMAT = 2  # 1 was of versions before 0.1.0
KEY = "sklearn_maxl"  # in the metadata of safetensors, which is text by name
NO_CHECKSUM = "0" * 64

# In bytes. Parsed JSON takes up to twenty times as much.
MAX_HEADER = 2**25
MAX_SENTENCE = 400  # characters of an error

FilePath = str | os.PathLike[str]


def write(path: FilePath, header: Plain, tensors: dict[str, Tensor]) -> None:
    """Write a file, or leave the one that is there as it is."""
    text = json.dumps({"format": FORMAT, "sha256": NO_CHECKSUM, **header}, allow_nan=False)
    # Each lies on its own, in one piece, and on the CPU: what safetensors asks for.
    own = {name: t.detach().cpu().clone().contiguous() for name, t in tensors.items()}
    data = memoryview(safetensors.torch.save(own, {KEY: text}))
    length = int.from_bytes(data[:8], "little")
    if length > MAX_HEADER:
        raise ValueError(
            f"The header would have {length} bytes, but at most {MAX_HEADER} are read again; "
            "shorten history_."
        )
    _refuse_unreadable(text, header)
    # The checksum is taken with zeros in its place.
    at = 8 + bytes(data[8 : 8 + length]).index(NO_CHECKSUM.encode())
    checksum = hashlib.sha256(data).hexdigest().encode()
    replace_file(path, (data[:at], checksum, data[at + len(checksum) :]))


def _refuse_unreadable(text: str, header: Plain) -> None:
    """Write nothing that `read` would refuse."""
    try:
        refuse_bomb(text)
        refuse_large_values(header, len(text))
    except ValueError as error:
        raise ValueError(f"The file could not be read again: {error}.") from error


def replace_file(path: FilePath, parts: Iterable[bytes | memoryview]) -> None:
    """Put a file in the place of another at once: whatever happens, one of the two is whole.

    A file that is there passes its mode on, and its owner where that is permitted. What processes
    that were killed left in the folder is removed.
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {target.parent}; make it before you save.")
    before = _file_to_replace(path)
    with temporary_file(target.parent, private=before is not None) as (file, temporary):
        if before:
            _copy_access(before, file.fileno())
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
        if sys.platform == "win32":
            file.close()  # which renames no open file
        os.replace(temporary, target)
    _sync_folder(target.parent)
    remove_left_behind(target.parent)


def _file_to_replace(path: FilePath) -> os.stat_result | None:
    """What the system says of a file that is there; refuses what is no regular file."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(f"{path} is a folder; give the name of a file in it.")
    if not stat.S_ISREG(found.st_mode):
        raise FileExistsError(
            f"{path} is a device, a pipe or a socket, which save does not replace; give the name "
            "of a file."
        )
    return found


def _copy_access(found: os.stat_result, number: int) -> None:
    """Give an open file the group, owner and mode of another, each where that is permitted."""
    if sys.platform != "win32":
        with suppress(OSError):
            os.fchown(number, -1, found.st_gid)
        with suppress(OSError):
            os.fchown(number, found.st_uid, -1)
        with suppress(OSError):
            os.fchmod(number, stat.S_IMODE(found.st_mode))


def _sync_folder(folder: Path) -> None:
    """Make the new name last, too, where the system can."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def read(path: FilePath) -> tuple[Plain, dict[str, Tensor]]:
    """Header and tensors of a whole and unchanged file."""
    if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would be waited for
        raise ValueError("it is no regular file, but a folder, a device, a pipe or a socket")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > size - 8:
            raise ValueError("it is cut off, or no safetensors file")
        if length > MAX_HEADER:
            raise ValueError(f"its header has {length} bytes, more than {MAX_HEADER}")
        head = file.read(length)
        header = _our_header(head)
        rest = file.read(size - 8 - length)
    _verify(start, head, rest, str(header.pop("sha256")))
    try:
        tensors = safetensors.torch.load(start + head + rest)
    except safetensors.SafetensorError as error:
        raise ValueError(f"its tensors are damaged ({error})") from error
    for name, tensor in tensors.items():
        if tensor.ndim > MAX_AXES:
            raise ValueError(f"its tensor {name!r} has {tensor.ndim} axes, more than {MAX_AXES}")
    return header, tensors


def _our_header(head: bytes) -> Plain:
    refuse_bomb(head)
    metadata = parse(head).get("__metadata__")
    if type(metadata) is not dict or list(metadata) != [KEY] or type(metadata[KEY]) is not str:
        raise ValueError("it is no file that save wrote")
    text = metadata[KEY]
    refuse_bomb(text)
    header = parse(text)
    refuse_large_values(header, len(text))
    number = field(header, "format", int)
    if number > FORMAT:
        raise ValueError(
            f"it has format {number}, and this version of sklearn_maxl reads up to {FORMAT}; "
            "update sklearn_maxl"
        )
    if number != FORMAT:
        early = f"it has format {number}, of a version before 0.1.0; fit and save again"
        raise ValueError(early if number == 1 else f"there is no format {number}")
    del header["format"]
    field(header, "sha256", str)
    return header


def _verify(start: bytes, head: bytes, rest: bytes, checksum: str) -> None:
    """Compare the checksum with that of the bytes."""
    hash_ = hashlib.sha256(start)
    hash_.update(head.replace(checksum.encode(), NO_CHECKSUM.encode(), 1))
    hash_.update(rest)
    if hash_.hexdigest() != checksum:
        raise ValueError("it is cut off or was changed: its checksum is another")


@contextmanager
def read_aloud(path: FilePath) -> Iterator[None]:
    """Turn whatever a wrong file leads to into one sentence that names the file."""
    try:
        yield
    except ValueError as error:
        raise ValueError(_sentence(path, str(error))) from error
    except (
        ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError,
        RecursionError, RuntimeError, TypeError,
    ) as error:  # fmt: skip
        said = f"its content does not fit together ({type(error).__name__}: {error})"
        raise ValueError(_sentence(path, said)) from error


def _sentence(path: FilePath, said: str) -> str:
    """What is wrong with a file, which may quote a part of it."""
    # One line, of text that can be written anywhere.
    said = " ".join(said.encode("utf-8", "backslashreplace").decode().split()).rstrip(".")
    said = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in said)
    if len(said) > MAX_SENTENCE:
        said = said[:MAX_SENTENCE] + " ..."
    return f"{os.fspath(path)} can't be loaded: {said}."
