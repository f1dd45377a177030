"""Bodies that become files."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable

from starlette.concurrency import run_in_threadpool

from device_agent.models.files import Files
from quant.errors import InputError


async def receive(files: Files, digest: str, chunks: AsyncIterable[bytes]) -> None:
    """Keep a body under its digest.

    Raises InputError if they differ and DiskFullError where there is no room, and keeps nothing
    then.
    """
    sha = hashlib.sha256()
    with files.partial() as partial:
        async for chunk in chunks:
            sha.update(chunk)
            partial.write(chunk)
        if sha.hexdigest() != digest:
            raise InputError(f"the body's SHA-256 is {sha.hexdigest()}, not {digest}")
        await run_in_threadpool(files.keep, partial, digest)
