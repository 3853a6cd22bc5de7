"""Files that are written beside the one that they will replace.

Who writes one holds a lock on it, which the system takes away when the process ends, however it
ends. So a file that nobody has locked was left behind, and may go.
"""

import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

if sys.platform != "win32":  # where what is left behind stays
    import fcntl

NAME = re.compile(r"\.sklearn_maxl-[0-9a-f]{16}\.tmp")


@contextmanager
def temporary_file(folder: Path, private: bool) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file, open for writing; it is gone after the block unless it was renamed.

    Nobody else may read one that is `private`.
    """
    file, path = _locked_file(folder, _open_private if private else None)
    try:
        yield file, path
    except BaseException:
        file.close()  # Windows removes no open file
        path.unlink(missing_ok=True)
        raise
    finally:
        file.close()


def _locked_file(folder: Path, opener: object) -> tuple[BinaryIO, Path]:
    """A new file that is locked, so that nobody takes it for one that was left behind."""
    while True:
        path = folder / f".sklearn_maxl-{secrets.token_hex(8)}.tmp"
        file = open(path, "xb", opener=opener)  # type: ignore[call-overload]  # noqa: SIM115
        if not _lost_before_it_was_locked(file.fileno()):
            return file, path
        file.close()


def _lost_before_it_was_locked(number: int) -> bool:
    """Lock an open file; whether another process that cleans up was quicker."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks: nobody cleans up there
        return False
    return os.fstat(number).st_nlink == 0


def _open_private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def remove_left_behind(folder: Path) -> None:
    """Remove the temporary files of processes that were killed; leave all that is in doubt."""
    with suppress(OSError):
        for entry in os.scandir(folder):
            if NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with suppress(OSError):
                    _remove_unlocked(entry.path)


def _remove_unlocked(path: str) -> None:
    if sys.platform == "win32":
        return
    # No link and no pipe, which the name may stand for by now.
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if stat.S_ISREG(os.fstat(number).st_mode):
            os.unlink(path)
    finally:
        os.close(number)
