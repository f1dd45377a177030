"""Who may talk to the agent. Checked before any byte of a body is read."""

from __future__ import annotations

import hmac
import ipaddress

from fastapi.responses import JSONResponse
from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from device_agent.problems import problem

OPEN_PATHS = frozenset({"/healthz"})


class BearerAuth:
    """ASGI middleware: `Authorization: Bearer KEY`, or only this machine where no key is set.

    A dependency of FastAPI would come too late: it runs after the body has been parsed.
    """

    def __init__(self, app: ASGIApp, key: SecretStr | None) -> None:
        self.app = app
        self.key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through to the application, or refuse it."""
        refusal = self.refusal(scope) if scope["type"] == "http" else None
        await (refusal or self.app)(scope, receive, send)

    def refusal(self, scope: Scope) -> JSONResponse | None:
        """The answer to a client that may not pass, else None."""
        if scope["path"] in OPEN_PATHS:
            return None
        if self.key is None:
            if is_loopback(scope):
                return None
            return problem(403, "no key is set (HAQ_AGENT_KEY): only this machine is served")
        if has_key(scope, self.key):
            return None
        return problem(
            401,
            "the key is missing or wrong: send HAQ_AGENT_KEY's value as a bearer token",
            {"WWW-Authenticate": "Bearer"},
        )


def has_key(scope: Scope, key: SecretStr) -> bool:
    """Whether the request carries the key; takes the same time for every wrong one."""
    scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
    same = hmac.compare_digest(given.strip().encode(), key.get_secret_value().encode())
    return same and scheme.lower() == "bearer"


def is_loopback(scope: Scope) -> bool:
    """Whether the client is on this machine; unknown addresses are not."""
    host = (scope.get("client") or ("",))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
