"""An error as a page, for people; programs get it as JSON."""

from __future__ import annotations

import json
from typing import Any

from starlette._utils import get_route_path
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.pages.render import page
from device_agent.web.problems import MEDIA_TYPE

OF_THE_BODY = frozenset({"content-type", "content-length"})


class ProblemPages:
    """ASGI middleware: has a browser see a page where the answer would be a problem object."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back."""
        if scope["type"] == "http" and is_for_people(scope):
            await Translated(scope, receive, send).answer(self.app)
        else:
            await self.app(scope, receive, send)


class Translated:
    """One request; what is said of a problem is held back until all of it is there."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._start: Message | None = None
        self._body = b""

    async def answer(self, app: ASGIApp) -> None:
        """Let the application answer."""
        await app(self._scope, self._receive, self._pass)

    async def _pass(self, message: Message) -> None:
        if message["type"] == "http.response.start" and is_problem(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._show(self._start, json.loads(self._body))

    async def _show(self, start: Message, problem: dict[str, Any]) -> None:
        response = page(Request(self._scope), "problem.html", start["status"], problem=problem)
        said = Headers(raw=start["headers"])
        kept = {name: value for name, value in said.items() if name not in OF_THE_BODY}
        response.headers.update(kept)
        await response(self._scope, self._receive, self._send)


def is_for_people(scope: Scope) -> bool:
    """Whether a browser asks for something to show."""
    accepts = "text/html" in Headers(scope=scope).get("accept", "")
    return accepts and not get_route_path(scope).startswith("/v1/")


def is_problem(start: Message) -> bool:
    """Whether the head of an answer announces a problem."""
    return Headers(raw=start["headers"]).get("content-type", "").startswith(MEDIA_TYPE)
