"""How large a body may be, announced by Content-Length or not."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from device_agent.problems import problem

UPLOAD_PREFIX = "/v1/files/"


class BodyLimit:
    """ASGI middleware that answers 413 to bodies over the limit of their route."""

    def __init__(self, app: ASGIApp, max_upload_bytes: int, max_request_bytes: int) -> None:
        self.app = app
        self.max_upload_bytes = max_upload_bytes
        self.max_request_bytes = max_request_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the body on its way to the application."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        upload = scope["path"].startswith(UPLOAD_PREFIX)
        limit = self.max_upload_bytes if upload else self.max_request_bytes
        if announced_bytes(scope) > limit:
            await problem(413, too_large(limit))(scope, receive, send)
            return
        await self.app(scope, limited(receive, limit), send)


def announced_bytes(scope: Scope) -> int:
    """Content-Length, or 0 where the length is not announced."""
    text = Headers(scope=scope).get("content-length", "")
    return int(text) if text.isdecimal() else 0


def limited(receive: Receive, limit: int) -> Receive:
    """Pass messages on until more than `limit` bytes came, then raise a 413."""
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise HTTPException(413, too_large(limit))
        return message

    return counted


def too_large(limit: int) -> str:
    """The detail of a 413."""
    return f"the body is larger than {limit} bytes"
