"""Each request as it is seen from outside: one log line, its numbers, and an id in its answer."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from secrets import token_hex
from urllib.parse import quote

from fastapi import Request
from h11 import LocalProtocolError
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from device_agent.processes.jobs import StoppingError
from device_agent.web.logs import log
from device_agent.web.problems import from_purpose, from_surprise
from device_agent.web.requests import RequestMetrics
from device_agent.web.stop import Stop

CLIENT_LEFT = 499
"""Status in the log and the numbers of a request whose client went away before the answer."""
MAX_PATH = 200


class Exchange:
    """A request and its answer on their way through the application."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.request_id = token_hex(8)
        self.status: int | None = None
        self.received_bytes = 0
        self._receive = receive
        self._send = send
        self._more_body = has_body(scope)

    async def receive(self) -> Message:
        """The next part of the body, counted."""
        message = await self._receive()
        self.received_bytes += len(message.get("body", b""))
        self._more_body = message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """A part of the answer; its head gets the id.

        The rest of a body that nobody read is not waited for: the connection ends with the answer.
        Raises ClientDisconnect where the connection has ended already.
        """
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.request_id
            if self._more_body:
                headers["Connection"] = "close"
        try:
            await self._send(message)
        except (OSError, LocalProtocolError) as error:
            raise ClientDisconnect from error

    async def fail(self, error: Exception) -> None:
        """Answer with an error, unless another answer has already begun."""
        if self.status is None:
            request = Request(self.scope)
            expected = isinstance(error, StoppingError)
            answer = from_purpose(request, error) if expected else from_surprise(request, error)
            with suppress(ClientDisconnect):
                await answer(self.scope, self.receive, self.send)


class Observe:
    """ASGI middleware, the outermost one: what it does not see, no client saw.

    An error that nothing else caught is logged with its traceback and answered by 500. When the
    agent stops and a request does not come to its end, it is cut off with 503.
    """

    def __init__(self, app: ASGIApp, metrics: RequestMetrics, stop: Stop) -> None:
        self.app = app
        self.metrics = metrics
        self.stop = stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and tell how it went."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        exchange = Exchange(scope, receive, send)
        with bound_contextvars(request_id=exchange.request_id), self.stop.cutting_off():
            try:
                await self.answer(exchange)
            finally:
                self.tell(exchange, time.perf_counter() - start)

    async def answer(self, exchange: Exchange) -> None:
        """Let the application answer, or answer in its place."""
        try:
            await self.app(exchange.scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            pass
        except asyncio.CancelledError:
            if not self.stop.is_requested:
                raise
            await exchange.fail(StoppingError("the agent is stopping"))
        except Exception as error:
            log.exception("request failed")
            await exchange.fail(error)

    def tell(self, exchange: Exchange, seconds: float) -> None:
        """Write the line and count."""
        scope, status = exchange.scope, exchange.status or CLIENT_LEFT
        log.info(
            "request",
            method=scope["method"],
            path=quote(scope["path"])[:MAX_PATH],
            status=status,
            ms=round(seconds * 1000, 1),
            key=scope.get("state", {}).get("key_name"),
            client=(scope.get("client") or (None,))[0],
        )
        self.metrics.observe_request(
            route_of(scope), scope["method"], status, seconds, exchange.received_bytes
        )


def has_body(scope: Scope) -> bool:
    """Whether the head of a request announces a body."""
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def route_of(scope: Scope) -> str:
    """Template of the route that answered, such as `/v1/files/{digest}`; "other" for the rest."""
    return getattr(scope.get("route"), "path", "other")
