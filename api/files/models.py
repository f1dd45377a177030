"""Uploaded networks, kept by digest: weights of a named architecture, or ONNX and `.pt2` files."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from uuid import uuid4

from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from api.errors import ConflictError, UnknownError
from api.schema import Model
from api.store.schema import MODELS
from haq.names import MODEL_FILES, NETWORKS
from haq.store.database import Database
from haq.store.durable import sync_folder
from quant.errors import InputError

PARTIAL = ".partial"
WEIGHTS = "safetensors"
ABANDONED_S = 24 * 3600.0
"""An upload to which nothing was added for so long will not be ended."""
T = TypeVar("T")


class Models:
    """Keeps and finds them."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database, self._folder = database, folder
        self._clear()

    async def receive(
        self,
        chunks: AsyncIterator[bytes],
        architecture: str,
        expected: str | None,
        check: Callable[[Path], T],
    ) -> tuple[Path, T]:
        """A body, streamed to the disk under its digest, and what `check` finds of the file.

        Raises InputError where the digest is another one than expected, and what `check` raises;
        nothing is kept then.
        """
        sha = hashlib.sha256()
        with self._partial(ending(architecture)) as (partial, stream):
            async for chunk in chunks:
                sha.update(chunk)
                await run_in_threadpool(stream.write, chunk)
            if expected is not None and sha.hexdigest() != expected:
                raise InputError(f"the body's SHA-256 is {sha.hexdigest()}, not {expected}")
            await run_in_threadpool(settle, stream)
            found = await run_in_threadpool(check, partial)
            path = self.path(sha.hexdigest(), architecture)
            partial.replace(path)
            sync_folder(path.parent)
        return path, found

    def path(self, sha256: str, architecture: str) -> Path:
        """Where the file of a digest lies."""
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise UnknownError("a digest has 64 hexadecimal digits")
        return self._folder / f"{sha256}.{ending(architecture)}"

    def add(self, declared: Mapping[str, Any], path: Path, created_by: str) -> Model:
        """Note what was received and checked; the same once more changes nothing.

        Raises ConflictError where the name is another one's.
        """
        if declared["name"] in NETWORKS:
            raise ConflictError(f"the name {declared['name']} belongs to a network of haq's own")
        row = {
            **declared,
            "id": hashlib.sha256(
                repr(sorted({**declared, "f": path.stem}.items())).encode()
            ).hexdigest(),
            "sha256": path.stem,
            "size_bytes": path.stat().st_size,
            "created_by": created_by,
            "created_at": time.time(),
        }
        self._database.write((self._database.insertion(MODELS), [row]))
        found = self.get(declared["name"])
        if found.id != row["id"]:
            raise ConflictError(f"the model {found.name} is another one: take another name")
        return found

    def get(self, name: str) -> Model:
        """Raises UnknownError."""
        rows = self._database.read(select(MODELS).where(MODELS.columns.name == name))
        if not rows:
            raise UnknownError(f"no model is called {name}: upload it, or take one of haq's own")
        return Model.model_validate(dict(rows[0]._mapping))

    def all(self) -> list[Model]:
        """By name."""
        rows = self._database.read(select(MODELS).order_by(MODELS.columns.name))
        return [Model.model_validate(dict(row._mapping)) for row in rows]

    @contextmanager
    def _partial(self, suffix: str) -> Iterator[tuple[Path, BinaryIO]]:
        """A file that is gone at the end unless it has got its name."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{uuid4().hex}{PARTIAL}.{suffix}"
        try:
            with path.open("wb") as stream:
                yield path, stream
        finally:
            path.unlink(missing_ok=True)

    def _clear(self) -> None:
        """Remove what uploads left whose server was killed; others may be on their way."""
        for path in self._folder.glob(f"*{PARTIAL}.*"):
            if time.time() - path.stat().st_mtime > ABANDONED_S:
                path.unlink(missing_ok=True)


def ending(architecture: str) -> str:
    """Of the file that holds a network, or the weights of one."""
    return architecture if architecture in MODEL_FILES else WEIGHTS


def settle(stream: BinaryIO) -> None:
    """Have all of it on the disk."""
    stream.flush()
    os.fsync(stream.fileno())
