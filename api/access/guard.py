"""Who is let in, decided before any byte of a body is read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from starlette._utils import get_route_path
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.access.keys import LOCAL, Key, Keys
from api.access.rate import Rates
from api.access.roles import READING, may, needed_role
from api.access.sessions import COOKIE, Sessions
from device_agent.web.auth import presented_key, stays_here
from device_agent.web.problems import problem

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/login"})
OPEN_FOLDER = "/static/"
NO_KEY = (
    "no key is set (HAQ_SERVICE_ADMIN_KEY, or `haq keys add`): only this machine is served, as "
    "localhost or 127.0.0.1"
)
WRONG_KEY = "the key is missing or wrong: send it as `Authorization: Bearer KEY`"


@dataclass(frozen=True)
class Gate:
    """All that decides who is let in."""

    keys: Keys
    sessions: Sessions
    rates: Rates
    per_minute: int


class Guard:
    """ASGI middleware: a bearer key, or the cookie of a browser that has shown one.

    The key goes to `scope["state"]["key"]`, its name to `["key_name"]`.
    """

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app, self.gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        refusal = None
        if scope["type"] == "http" and not is_open(get_route_path(scope)):
            refusal = await run_in_threadpool(self.refusal, scope)
        await (refusal or self.app)(scope, receive, send)

    def refusal(self, scope: Scope) -> Response | None:
        """The answer to who may not pass, else None."""
        key = self.key_of(scope)
        if isinstance(key, Response):
            return key
        needed = needed_role(scope["method"], get_route_path(scope))
        if not may(key.role, needed):
            return problem(403, f"this takes a key with the role {needed}, yours has {key.role}")
        if "authorization" not in Headers(scope=scope) and is_foreign(scope):
            return problem(403, "a page of another site may not change anything here")
        wait_s = self.gate.rates.wait_s(key.name, key.per_minute or self.gate.per_minute)
        if wait_s:
            after = {"Retry-After": str(math.ceil(wait_s))}
            return problem(429, "too many requests for this key: wait a little", headers=after)
        scope.setdefault("state", {}).update(key=key, key_name=key.name)
        return None

    def key_of(self, scope: Scope) -> Key | Response:
        """Who asks, or what to answer to nobody."""
        headers = Headers(scope=scope)
        if "authorization" in headers:
            return self.gate.keys.find(presented_key(scope)) or unknown()
        name = self.gate.sessions.name_in(HTTPConnection(scope).cookies.get(COOKIE, ""))
        if name is not None and (found := self.gate.keys.named(name)) is not None:
            return found
        if not self.gate.keys.are_required:
            return LOCAL if stays_here(scope) else problem(403, NO_KEY)
        return sign_in(scope) if is_page(scope) else unknown()


def unknown() -> Response:
    """401."""
    return problem(401, WRONG_KEY, headers={"WWW-Authenticate": "Bearer"})


def sign_in(scope: Scope) -> Response:
    """To the form that asks a person for a key, and back; a form that was sent is not repeated."""
    query = scope["query_string"].decode("latin-1")
    there = get_route_path(scope) + (f"?{query}" if query else "")
    there = there if scope["method"] in READING else "/"
    return RedirectResponse(f"/login?next={quote(there, safe='')}", 303)


def is_open(path: str) -> bool:
    """Whether a path needs no key."""
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDER)


def is_page(scope: Scope) -> bool:
    """Whether a browser asks for a page to show."""
    accepts = "text/html" in Headers(scope=scope).get("accept", "")
    return accepts and not get_route_path(scope).startswith("/v1/")


def is_foreign(scope: Scope) -> bool:
    """Whether another site's page has a browser change something."""
    headers = Headers(scope=scope)
    origin = headers.get("origin")
    if scope["method"] in READING or origin is None:
        return False
    return urlsplit(origin).netloc != headers.get("host", "")
