"""Writes that are on disk when they return, and what is said where they cannot be made."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quant.errors import StorageError

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


def append(path: Path, data: bytes) -> None:
    """Write to the end of a file, which is made where it is missing. Raises StorageError.

    A write that is stopped leaves a part of `data` behind. Whether a new file has its name on disk
    is for `sync_folder`.
    """
    with writing(path), path.open("ab") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def replace(path: Path, data: bytes) -> None:
    """Replace a file, whole or not at all. Raises StorageError."""
    partial = partial_of(path)
    with writing(path):
        try:
            partial.unlink(missing_ok=True)
            append(partial, data)
            partial.replace(path)
        except (OSError, StorageError):
            partial.unlink(missing_ok=True)
            raise
    sync_folder(path.parent)


def partial_of(path: Path) -> Path:
    """Where a file's new content is written before it takes the file's place."""
    return path.with_name(path.name + ".partial")


def sync_folder(folder: Path) -> None:
    """Have the names of a folder's files on disk. Raises StorageError."""
    with writing(folder):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise StorageError for whatever keeps a file from being written in the block."""
    try:
        with room(path):
            yield
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from None


@contextmanager
def room(path: Path) -> Iterator[None]:
    """Raise StorageError where the block finds a disk full, or a quota used up."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise StorageError(f"no space left on the disk for {path}: make room") from None
