"""Fencing tokens: numbers that only grow, whatever becomes of the agent."""

from __future__ import annotations

import os
from pathlib import Path

from quant.errors import InputError

BLOCK = 1000
"""Tokens set aside by one write, so that few jobs cause one; a restart skips what is left."""


class Tokens:
    """Strictly increasing numbers, also over restarts. Not for several threads.

    The file holds a number that no token so far is above; it is on the disk before any of them is
    given.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last = self._reserved = -1

    def prepare(self) -> None:
        """Go on from the file. Raises InputError where it holds no number.

        To be called once no other process can give tokens from the same file.
        """
        self._last = self._reserved = read_number(self.path)

    def next(self) -> int:
        """A token larger than all before. Raises OSError where it cannot be made sure of."""
        assert self._last >= 0, "prepare was not called"
        if self._last == self._reserved:
            write_durably(self.path, str(self._last + BLOCK))
            self._reserved = self._last + BLOCK
        self._last += 1
        return self._last


def read_number(path: Path) -> int:
    """Number in a file, 0 where there is none. Raises InputError."""
    try:
        return max(0, int(path.read_text()))
    except FileNotFoundError:
        return 0
    except ValueError:
        raise InputError(
            f"{path} holds no number: write one there that is above every lease token given so far"
        ) from None


def write_durably(path: Path, text: str) -> None:
    """Replace a file; after a power cut it holds either the old or the whole text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial-{path.name}")
    with partial.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
