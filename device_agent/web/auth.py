"""Who may talk to the agent. Checked before any byte of a body is read."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi.responses import JSONResponse
from starlette._utils import get_route_path
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from device_agent.web.keys import Keys
from device_agent.web.loopback import is_loopback
from device_agent.web.problems import problem

OPEN_PATHS = frozenset({"/healthz"})
NO_KEY = (
    "no key is set (HAQ_AGENT_KEY or HAQ_AGENT_KEYS_FILE): only this machine is served, "
    "as localhost or 127.0.0.1"
)
WRONG_KEY = "the key is missing or wrong: send it as `Authorization: Bearer KEY`"


class BearerAuth:
    """ASGI middleware: `Authorization: Bearer KEY`, or only this machine where no key is set.

    A dependency of FastAPI would come too late: it runs after the body has been parsed. The name of
    the key goes to `scope["state"]["key_name"]`. WebSockets are turned away: the agent has none.
    """

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self.app = app
        self.keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through to the application, or refuse it."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        refusal = self.refusal(scope) if scope["type"] == "http" else None
        await (refusal or self.app)(scope, receive, send)

    def refusal(self, scope: Scope) -> JSONResponse | None:
        """The answer to a client that may not pass, else None."""
        # The path that the router goes by, so that what is open is that route and nothing else.
        if get_route_path(scope) in OPEN_PATHS:
            return None
        if not self.keys.is_required:
            return None if stays_here(scope) else problem(403, NO_KEY)
        name = self.keys.name_of(presented_key(scope))
        if name is None:
            return problem(401, WRONG_KEY, headers={"WWW-Authenticate": "Bearer"})
        scope.setdefault("state", {})["key_name"] = name
        return None


def presented_key(scope: Scope) -> bytes:
    """The bearer token of the request; empty where there is none, or more than one header."""
    found = [value for name, value in scope["headers"] if name.lower() == b"authorization"]
    if len(found) != 1:
        return b""
    scheme, _, key = found[0].strip().partition(b" ")
    return key.strip() if scheme.lower() == b"bearer" else b""


def stays_here(scope: Scope) -> bool:
    """Whether both ends of the connection are on this machine; unknown addresses are not.

    A proxy, or a client that a server was told to believe, can set the client's address, but not
    the server's. A page in a browser of this machine can call the agent by a name of its own that
    leads here, but then the Host header has that name.
    """
    ends = (scope.get("client"), scope.get("server"))
    near = all(end is not None and is_loopback(end[0]) for end in ends)
    return near and names_this_machine(Headers(scope=scope).get("host", "localhost"))


def names_this_machine(host: str) -> bool:
    """Whether a Host header, with or without a port, is a loopback address or localhost."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name == "localhost" or is_loopback(name)
