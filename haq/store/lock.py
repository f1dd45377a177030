"""One process a run: a second one would write between the lines of the first."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from haq.store.durable import writing
from quant.errors import InUseError

LOCK = "lock"


@contextmanager
def sole_use(folder: Path) -> Iterator[None]:
    """Have an existing folder for the time of the block.

    The system lets go of it when the process ends in whatever way; only the file then stays, and
    keeps nobody out. Raises InUseError where another process has the folder, naming it, and
    StorageError where the folder cannot be written.
    """
    path = folder / LOCK
    with hold(path) as file:
        try:
            with writing(path):
                file.truncate(0)
                file.write(str(os.getpid()))
                file.flush()
            yield
        finally:
            path.unlink(missing_ok=True)


def check_free(folder: Path) -> None:
    """Raise InUseError where another process has the folder, if there is one."""
    if (folder / LOCK).is_file():
        with sole_use(folder):
            pass


def hold(path: Path) -> TextIO:
    """The lock's file, open and locked. Raises InUseError or StorageError."""
    while True:
        with writing(path):
            file = path.open("a+", encoding="ascii")
            try:
                lock(file, path)
                # Who had the lock before may have removed the file since it was opened here.
                if is_at(file, path):
                    return file
            except BaseException:
                file.close()
                raise
        file.close()


def lock(file: TextIO, path: Path) -> None:
    """Lock an open file. Raises InUseError where another process has done so."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "that has just begun"
        raise InUseError(
            f"{path.parent} is in use by process {holder}: wait until it ends, or stop it"
        ) from None


def is_at(file: TextIO, path: Path) -> bool:
    """Whether an open file is the one of this name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
