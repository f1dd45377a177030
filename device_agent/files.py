"""Uploaded files, named by the SHA-256 of their content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterable
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from starlette.concurrency import run_in_threadpool

from quant.errors import InputError

PARTIAL_PREFIX = ".partial-"


class Files:
    """A folder of files that are complete, or not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self) -> None:
        """Make the folder, and remove what an agent killed during an upload left behind."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for leftover in self.folder.glob(f"{PARTIAL_PREFIX}*"):
            leftover.unlink(missing_ok=True)

    def path(self, digest: str) -> Path:
        """Where a file is or would be; `digest` must be 64 hexadecimal digits."""
        return self.folder / digest

    def has(self, digest: str) -> bool:
        """Whether a file is there."""
        return self.path(digest).is_file()

    def read(self, digest: str) -> bytes:
        """Content of a file. Raises InputError where it is not there."""
        if not self.has(digest):
            raise InputError(f"no file {digest} here: upload it first")
        return self.path(digest).read_bytes()

    async def receive(self, digest: str, chunks: AsyncIterable[bytes]) -> None:
        """Keep a body under its digest. Raises InputError, and keeps nothing, if they differ."""
        sha = hashlib.sha256()
        with NamedTemporaryFile(dir=self.folder, prefix=PARTIAL_PREFIX, delete=False) as partial:
            try:
                async for chunk in chunks:
                    sha.update(chunk)
                    partial.write(chunk)
                if sha.hexdigest() != digest:
                    raise InputError(f"the body's SHA-256 is {sha.hexdigest()}, not {digest}")
                await run_in_threadpool(settle, partial, self.path(digest))
            finally:
                Path(partial.name).unlink(missing_ok=True)


def settle(partial: IO[bytes], path: Path) -> None:
    """Give a written temporary file its name once its bytes are on the disk."""
    partial.flush()
    os.fsync(partial.fileno())
    Path(partial.name).replace(path)
