"""One agent a data folder: a second one would clear away what the first is working on."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quant.errors import InputError

LOCK_NAME = "lock"


@contextmanager
def sole_use(folder: Path) -> Iterator[None]:
    """Have a folder, made where it is missing, for the time of the block; the system lets go of it
    when the process ends in whatever way.

    Raises InputError where another process has it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK_NAME).open("a")
    except OSError as error:
        raise InputError(f"the data folder {folder} cannot be used: {error.strerror}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"another agent uses the data folder {folder}: stop it, or set HAQ_AGENT_DATA_DIR"
            ) from None
        yield
