"""How large a body may be, announced by Content-Length or not, and how slowly it may come."""

from __future__ import annotations

import asyncio
import re
import time

from starlette._utils import get_route_path
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from device_agent.web.problems import problem

UPLOAD_PREFIX = "/v1/files/"
PATIENCE_S = 30.0
"""Time for a body's next bytes to come."""
SLOWEST_BYTES_PER_S = 1024
"""A body that comes in smaller drops than this, after the first patience, is given up too."""
LENGTH = re.compile(rb"[0-9]{1,18}")


class BodyLimit:
    """ASGI middleware that answers 413 to bodies over the limit of their route, 408 to slow ones,
    and 400 to lengths that are none."""

    def __init__(
        self,
        app: ASGIApp,
        max_upload_bytes: int,
        max_request_bytes: int,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.app = app
        self.max_upload_bytes = max_upload_bytes
        self.max_request_bytes = max_request_bytes
        self.patience_s = patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Meter the body on its way to the application."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced, limit = announced_bytes(scope), self.limit(scope)
        if announced is None:
            refusal = problem(400, "Content-Length must be one whole number")
            await refusal(scope, receive, send)
        elif announced > limit:
            await problem(413, too_large(limit))(scope, receive, send)
        else:
            await self.app(scope, Body(receive, limit, self.patience_s).receive, send)

    def limit(self, scope: Scope) -> int:
        """The most bytes that the route takes."""
        upload = scope["method"] == "PUT" and get_route_path(scope).startswith(UPLOAD_PREFIX)
        return self.max_upload_bytes if upload else self.max_request_bytes


class Body:
    """A body that must not grow over `limit` bytes, nor keep the agent waiting."""

    def __init__(self, receive: Receive, limit: int, patience_s: float) -> None:
        self._receive = receive
        self._limit = limit
        self._patience_s = patience_s
        self._start = time.monotonic()
        self._received = 0
        self._is_over = False

    async def receive(self) -> Message:
        """The next message. Raises HTTPException, 413 or 408."""
        if self._is_over:  # what comes now is that the client left, whenever that is
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), self._time_left_s())
        except asyncio.TimeoutError:
            raise HTTPException(408, "the body comes too slowly: send it again") from None
        self._received += len(message.get("body", b""))
        self._is_over = not message.get("more_body", False)
        if self._received > self._limit:
            raise HTTPException(413, too_large(self._limit))
        return message

    def _time_left_s(self) -> float:
        allowed = self._patience_s + self._received / SLOWEST_BYTES_PER_S
        return min(self._patience_s, self._start + allowed - time.monotonic())


def announced_bytes(scope: Scope) -> int | None:
    """Content-Length; 0 where no length is announced, None where it is not a number."""
    found = {value for name, value in scope["headers"] if name.lower() == b"content-length"}
    if not found:
        return 0
    text = found.pop()
    return int(text) if not found and LENGTH.fullmatch(text) else None


def too_large(limit: int) -> str:
    """The detail of a 413."""
    return f"the body is larger than {limit} bytes"
