"""The folder of one fit: its newest checkpoint, and the one before it.

As long as a fit uses a folder, it holds a lock on it, which the system takes away from a process
that is killed. Whoever holds the lock is alone.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from torch import Tensor

from .._environment.ranks import Ranks
from . import container
from .json_values import Plain

Parts = tuple[Plain, dict[str, Tensor]]


@contextmanager
def own_folder(parent: Path, name: str) -> Iterator["KeptFiles"]:
    """A folder that no other fit uses, for the time of the block.

    Parameters
    ----------
    parent : Path
        Where it lies; made if it is not there.
    name : str
        Its name, with a number where fits with the same name run already.
    """
    import filelock  # takes as long to import as a small fit, and few fits need it

    try:
        for number in count(1):
            folder = parent / (name if number == 1 else f"{name}-{number}")
            folder.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(folder / "lock")
            try:
                lock.acquire(timeout=0)
                break
            except filelock.Timeout:
                continue
    except OSError as error:
        raise OSError(
            f"Checkpoint can't use the folder {parent} ({error}); make it one that can be written "
            "to, or choose another."
        ) from error
    try:
        yield KeptFiles(folder)
    finally:
        lock.release()


@contextmanager
def own_folder_of(ranks: Ranks, parent: Path, name: str) -> Iterator["KeptFiles"]:
    """The same for all ranks: rank 0 has the folder, reads for all and writes alone."""
    if not ranks.several:
        with own_folder(parent, name) as files:
            yield files
        return
    with ExitStack() as folder:

        def read() -> tuple[KeptFiles, Parts | None]:
            files = folder.enter_context(own_folder(parent, name))
            return files, files.read()

        yield FilesOfFirst(*ranks.of_first(read), writes=ranks.number == 0)


class KeptFiles:
    """The files in a folder whose lock is held.

    Parameters
    ----------
    folder : Path
    """

    writes = True
    """Whether this process is to write."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.newest = folder / "newest.safetensors"
        self.previous = folder / "previous.safetensors"
        self._any_written = False

    def read(self) -> Parts | None:
        """The newest checkpoint that is whole, None where there is none.

        Raises
        ------
        ValueError
            If there are checkpoints, but all are broken.
        """
        broken = []
        for path in (self.newest, self.previous):
            try:
                with container.read_aloud(path):
                    parts = container.read(path)
            except FileNotFoundError:
                continue
            except ValueError as error:
                broken.append(str(error))
                continue
            except OSError as error:
                raise OSError(
                    f"Checkpoint can't read {path} ({error.strerror}); make it readable, or delete "
                    f"the folder {self.folder} to train anew."
                ) from error
            if broken:
                self.newest.unlink()  # else it would take the place of the one before
                warnings.warn(
                    f"{broken[0]} The fit goes on from the checkpoint before it, {path}.",
                    stacklevel=2,
                )
            return parts
        if broken:
            raise ValueError(f"{broken[0]} Delete the folder {self.folder} to train anew.")
        return None

    def write(self, header: Plain, tensors: dict[str, Tensor]) -> None:
        """Write a checkpoint; the newest one becomes the one before it.

        Where this fails, training goes on, unless it has not begun.
        """
        try:
            if self.newest.exists():
                os.replace(self.newest, self.previous)
            container.write(self.newest, header, tensors)
        except (OSError, ValueError) as error:
            told = getattr(error, "strerror", None) or error
            reason = f"Checkpoint can't write {self.newest} ({told})"
            if not self._any_written:
                raise OSError(
                    f"{reason}; free some space, make the folder writable, or choose another one."
                ) from error
            warnings.warn(
                f"{reason}; training goes on. Until there is room for a file again, a fit that is "
                "cut off loses more than it would.",
                stacklevel=2,
            )
        self._any_written = True

    def keep_newest(self) -> None:
        """Remove the checkpoint before the newest one, which a full disk may have prevented."""
        if self.newest.exists():
            self.previous.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove both; the older one first, from which nobody is to go on."""
        self.previous.unlink(missing_ok=True)
        self.newest.unlink(missing_ok=True)


class FilesOfFirst(KeptFiles):
    """The files of rank 0, as one of the ranks has them; what was `found` in them is known to all.

    Parameters
    ----------
    files : KeptFiles
    found : tuple or None
    writes : bool
    """

    def __init__(self, files: KeptFiles, found: Parts | None, writes: bool):
        vars(self).update(vars(files))
        self.found, self.writes = found, writes

    def read(self) -> Parts | None:
        return self.found
