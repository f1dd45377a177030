"""One file on its way here: continued where a connection is lost, and here whole or not at all."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

import httpx2

from haq.client.connection import Connection, persistent
from haq.client.failures import ServerInvalidError, ServerLostError, foreign
from haq.digest import from_header
from haq.store.durable import partial_of, sync_folder, writing


def download(connection: Connection, path: str, target: Path) -> None:
    """Write what the server has at a path into a file, which it replaces.

    Raises ServerError, StorageError.
    """
    partial = partial_of(target)
    with writing(target):
        try:
            with partial.open("wb") as stream:
                Download(connection, path, stream).run()
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    sync_folder(target.parent)


class Download:
    """What has come of a file so far."""

    def __init__(self, connection: Connection, path: str, stream: BinaryIO) -> None:
        self._connection, self._path, self._stream = connection, path, stream
        self._sha, self._received = hashlib.sha256(), 0
        self._etag, self._expected = "", ""

    def run(self) -> None:
        """Receive all of it. Raises ServerInvalidError where it is not what the server has."""
        while not persistent(self._receive):
            pass
        if self._sha.hexdigest() != self._expected:
            url = self._connection.url
            raise ServerInvalidError(f"what came from {url} is not what the server has: try again")

    def _receive(self) -> bool:
        """Whether the rest has come; a loss counts only where nothing has come before it."""
        before = self._received
        try:
            with self._connection.open("GET", self._path, headers=self._rest()) as response:
                self._begin(response)
                for chunk in response.iter_bytes():
                    self._keep(chunk)
        except ServerLostError:
            if self._received <= before:
                raise
            return False
        return True

    def _rest(self) -> dict[str, str]:
        """Headers that ask for what has not come, or for all of it if that has changed."""
        if not self._received:
            return {}
        return {"Range": f"bytes={self._received}-", "If-Range": self._etag}

    def _begin(self, response: httpx2.Response) -> None:
        """Begin anew, unless this is the rest. Raises ServerInvalidError for something else."""
        digest = from_header(response.headers.get("repr-digest", ""))
        if digest is None or "etag" not in response.headers:
            raise foreign(self._connection.url)
        if response.status_code != httpx2.codes.PARTIAL_CONTENT:
            self._stream.seek(0)
            self._stream.truncate()
            self._sha, self._received = hashlib.sha256(), 0
        self._etag, self._expected = response.headers["etag"], digest

    def _keep(self, chunk: bytes) -> None:
        self._stream.write(chunk)
        self._sha.update(chunk)
        self._received += len(chunk)
