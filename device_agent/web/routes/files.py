"""Uploads by content."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request

from device_agent.schema import StoredFile
from device_agent.web.limits import UPLOAD_PREFIX
from device_agent.web.routes._agent import TheAgent
from device_agent.web.uploads import receive

router = APIRouter()
Digest = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
FILE_PATH = UPLOAD_PREFIX + "{digest}"


@router.put(FILE_PATH)
async def put_file(digest: Digest, request: Request, agent: TheAgent) -> StoredFile:
    """Keep the body, whose SHA-256 must be the name."""
    await receive(agent.files, digest, request.stream())
    agent.metrics.observe_upload()
    return StoredFile(sha256=digest, size_bytes=agent.files.path(digest).stat().st_size)


@router.get(FILE_PATH)
@router.head(FILE_PATH, include_in_schema=False)
def get_file(digest: Digest, agent: TheAgent) -> StoredFile:
    """Whether a file is there: 200 or 404."""
    agent.files.require(digest)
    return StoredFile(sha256=digest, size_bytes=agent.files.path(digest).stat().st_size)
