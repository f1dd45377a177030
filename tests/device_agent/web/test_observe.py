from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI
from h11 import LocalProtocolError
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from device_agent.web.metrics import Metrics
from device_agent.web.observe import Observe
from device_agent.web.stop import Stop
from tests.device_agent.web.test_metrics import read

BODY: dict[str, Any] = {"type": "http.request", "body": b"x" * 10, "more_body": False}


def observed(application: Any) -> tuple[Observe, Metrics, Stop]:
    metrics, stop = Metrics(), Stop(lambda: None)
    return Observe(application, metrics, stop), metrics, stop


def call(application: Any, headers: list[tuple[bytes, bytes]] | None = None) -> list[Message]:
    """What is sent for a request with a body of ten bytes."""
    sent: list[Message] = []

    async def receive() -> Message:
        return BODY

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "PUT", "path": "/x", "headers": headers or []}
    asyncio.run(application(scope, receive, send))
    return sent


def headers_of(sent: list[Message]) -> dict[bytes, bytes]:
    return dict(sent[0]["headers"])


def statuses(metrics: Metrics) -> dict[str, float]:
    found = read(metrics.to_text().decode())
    return {
        dict(labels)["status"]: n for (name, labels), n in found.items() if "requests_t" in name
    }


async def read_all(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await PlainTextResponse("read")(scope, receive, send)


async def read_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("not read")(scope, receive, send)


@pytest.mark.parametrize(
    ("application", "header", "expected"),
    [
        (read_nothing, (b"content-length", b"10"), b"close"),
        (read_nothing, (b"transfer-encoding", b"chunked"), b"close"),
        (read_nothing, (b"content-length", b"0"), None),
        (read_nothing, (b"host", b"x"), None),
        (read_all, (b"content-length", b"10"), None),
        (read_all, (b"transfer-encoding", b"chunked"), None),
    ],
)
def test_a_body_that_nobody_read_ends_the_connection(
    application: Any, header: tuple[bytes, bytes], expected: bytes | None
) -> None:
    sent = call(observed(application)[0], [header])
    assert headers_of(sent).get(b"connection") == expected


def test_every_answer_has_an_id_of_its_own() -> None:
    application = observed(read_all)[0]
    first, second = (headers_of(call(application))[b"x-request-id"] for _ in range(2))
    assert len(first) == len(second) == 16
    assert first != second


def test_bytes_are_counted_as_they_are_read() -> None:
    for application, size in ((read_all, 10), (read_nothing, 0)):
        observe, metrics, _ = observed(application)
        call(observe)
        assert read(metrics.to_text().decode())["received_bytes_total", ()] == size


def test_a_surprise_is_a_problem_with_an_id_and_a_traceback_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = FastAPI()

    @app.get("/broken")
    def broken() -> None:
        raise ZeroDivisionError("the secret of the universe")

    metrics = Metrics()
    app.add_middleware(Observe, metrics=metrics, stop=Stop(lambda: None))
    answer = TestClient(app).get("/broken")
    assert answer.status_code == 500
    assert answer.json()["status"] == 500
    assert "secret" not in answer.text
    assert len(answer.headers["x-request-id"]) == 16
    failure = next(r.msg for r in caplog.records if r.levelname == "ERROR")
    assert "ZeroDivisionError: the secret of the universe" in str(failure)
    assert answer.headers["x-request-id"] in str(failure)
    assert statuses(metrics) == {"500": 1}


def test_a_client_that_left_is_no_surprise(caplog: pytest.LogCaptureFixture) -> None:
    async def left(scope: Scope, receive: Receive, send: Send) -> None:
        raise ClientDisconnect

    observe, metrics, _ = observed(left)
    assert call(observe) == []
    assert statuses(metrics) == {"499": 1}
    assert [r for r in caplog.records if r.levelname == "ERROR"] == []


@pytest.mark.parametrize("error", [BrokenPipeError(), LocalProtocolError("closed")])
def test_an_answer_that_cannot_be_sent_is_no_surprise(
    caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    async def send(message: Message) -> None:
        raise error

    async def receive() -> Message:
        return BODY

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
    asyncio.run(observed(read_all)[0](scope, receive, send))
    assert [r for r in caplog.records if r.levelname == "ERROR"] == []


@pytest.mark.parametrize("stopping", [True, False])
def test_a_request_that_is_cut_off_while_stopping_gets_a_503(stopping: bool) -> None:
    async def cut(scope: Scope, receive: Receive, send: Send) -> None:
        stop.is_requested = stopping
        raise asyncio.CancelledError

    observe, metrics, stop = observed(cut)
    if stopping:
        assert call(observe)[0]["status"] == 503
        assert statuses(metrics) == {"503": 1}
    else:
        with pytest.raises(asyncio.CancelledError):
            call(observe)
