"""The networks, the report and everything else that a search leaves."""

from __future__ import annotations

from http.client import BAD_REQUEST
from pathlib import Path
from typing import Annotated

import fastapi
from fastapi import APIRouter
from fastapi.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from api.files.artifacts import artifacts_of, find_artifact, media_type
from api.files.digest import sha256_of
from api.routes._common import SearchId, TheService
from api.schema import Artifact, Artifacts
from api.views import folder_of
from device_agent.web.problems import problem
from haq.digest import to_header

router = APIRouter(prefix="/v1/searches/{search_id}/artifacts", tags=["artifacts"])
ArtifactName = Annotated[
    str, fastapi.Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", examples=["policy.json"])
]
INERT = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""A report is looked at, and runs nothing."""


class FilePart(FileResponse):
    """A file, or a part of it; a part that it does not have is a problem as any other."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        is_refused = False

        async def watch(message: Message) -> None:
            nonlocal is_refused
            if message["type"] == "http.response.start" and message["status"] >= BAD_REQUEST:
                is_refused = True
                size = {"Content-Range": f"bytes */{Path(self.path).stat().st_size}"}
                refusal = problem(message["status"], "the file has no such part", headers=size)
                await refusal(scope, receive, send)
            elif not is_refused:
                await send(message)

        await super().__call__(scope, receive, watch)


@router.get("")
def list_artifacts(search_id: SearchId, service: TheService) -> Artifacts:
    """Those there are by now, with their digests."""
    files = artifacts_of(folder_of(service, service.jobs.get(search_id)))
    return Artifacts(
        artifacts=[
            Artifact(name=name, size_bytes=path.stat().st_size, sha256=sha256_of(path))
            for name, path in files.items()
        ]
    )


@router.get(
    "/{name}",
    response_class=FileResponse,
    responses={
        200: {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}},
        206: {"description": "The part that `Range` asked for"},
    },
)
@router.head("/{name}", include_in_schema=False)
def get_artifact(search_id: SearchId, name: ArtifactName, service: TheService) -> FilePart:
    """A file, or a part of it by `Range`; `Repr-Digest` is the SHA-256 of all of it."""
    path = find_artifact(folder_of(service, service.jobs.get(search_id)), name)
    sha256 = sha256_of(path)
    headers = {
        "Repr-Digest": to_header(sha256),
        "ETag": f'"{sha256}"',
        "Content-Security-Policy": INERT,
        "X-Content-Type-Options": "nosniff",
    }
    inline = path.suffix == ".html"
    return FilePart(
        path,
        headers=headers,
        media_type=media_type(path),
        filename=name,
        content_disposition_type="inline" if inline else "attachment",
    )
