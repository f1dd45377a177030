"""Uploaded files, named by the SHA-256 of their content."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from quant.errors import BoardError, InputError

PARTIAL_PREFIX = ".partial-"
MAX_FILES = 10_000
"""Files that are kept, so that small ones cannot use up the names of a disk."""
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class UnknownFileError(InputError):
    """No file with this digest is here."""


class DiskFullError(BoardError):
    """There is no room for a file."""


def is_disk_full(error: Exception) -> bool:
    """Whether an error says that a file cannot grow: the disk, the quota or a limit is full."""
    return isinstance(error, OSError) and error.errno in DISK_FULL


@dataclass(frozen=True, order=True)
class UsedFile:
    """A file of the store: when it was last used, in nanoseconds, and its size."""

    used_ns: int
    size_bytes: int
    path: Path

    @property
    def is_partial(self) -> bool:
        """Whether it is still being received."""
        return self.path.name.startswith(PARTIAL_PREFIX)


class Files:
    """A folder of files that are complete, or not there; the ones used longest ago make room."""

    def __init__(self, folder: Path, max_bytes: int = sys.maxsize) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()

    def prepare(self) -> None:
        """Make the folder, and remove what an agent killed during an upload left behind."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for leftover in self.folder.glob(f"{PARTIAL_PREFIX}*"):
            leftover.unlink(missing_ok=True)

    def path(self, digest: str) -> Path:
        """Where a file is or would be; `digest` must be 64 hexadecimal digits."""
        return self.folder / digest

    def has(self, digest: str) -> bool:
        """Whether a file is there; to ask for it is to use it."""
        with suppress(FileNotFoundError):
            os.utime(self.path(digest))
            return True
        return False

    def require(self, digest: str) -> None:
        """Raise UnknownFileError unless a file is there."""
        if not self.has(digest):
            raise UnknownFileError(f"no file {digest} here: upload it first")

    def read(self, digest: str) -> bytes:
        """Content of a file. Raises UnknownFileError where it is not there."""
        self.require(digest)
        return self.path(digest).read_bytes()

    @contextmanager
    def held(self, *digests: str) -> Iterator[None]:
        """Keep files from making room for others. They need not be there."""
        with self._lock:
            self._held.update(digests)
        try:
            yield
        finally:
            with self._lock:
                self._held -= Counter(digests)

    @contextmanager
    def partial(self) -> Iterator[IO[bytes]]:
        """A file to write into that is gone afterwards, unless it was kept."""
        with NamedTemporaryFile(dir=self.folder, prefix=PARTIAL_PREFIX, delete=False) as partial:
            try:
                yield partial
            finally:
                Path(partial.name).unlink(missing_ok=True)

    def keep(self, partial: IO[bytes], digest: str) -> None:
        """Give a written file its name, and others' room to it. Raises DiskFullError."""
        with self.held(digest):
            partial.flush()
            self._make_room()
            settle(partial, self.path(digest))

    def _make_room(self) -> None:
        """Remove the files used longest ago until all others, partial ones too, fit the limits."""
        with self._lock:
            found = used_files(self.folder)
            excess = sum(file.size_bytes for file in found) - self.max_bytes
            surplus = len(found) - MAX_FILES
            for file in found:
                is_free = not file.is_partial and not self._held[file.path.name]
                if is_free and (excess > 0 or surplus > 0):
                    file.path.unlink(missing_ok=True)
                    excess, surplus = excess - file.size_bytes, surplus - 1
        if excess > 0:
            raise DiskFullError(f"files in use leave no room within {self.max_bytes} bytes")


def used_files(folder: Path) -> list[UsedFile]:
    """The files of a folder, the one used longest ago first."""
    found = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            state = path.stat()
            found.append(UsedFile(state.st_mtime_ns, state.st_size, path))
    return sorted(found)


def settle(partial: IO[bytes], path: Path) -> None:
    """Give a written temporary file its name once its bytes are on the disk."""
    partial.flush()
    os.fsync(partial.fileno())
    Path(partial.name).replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
