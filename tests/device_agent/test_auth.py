from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from device_agent.auth import BearerAuth
from device_agent.service import create_app
from device_agent.settings import Settings
from tests.device_agent.conftest import KEY

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")


def paths(settings: Settings) -> list[str]:
    documented = create_app(settings).openapi()["paths"]
    return [*documented, "/docs", "/redoc", "/openapi.json", "/unknown", "/healthz/", "//healthz"]


def closed_routes() -> Iterator[tuple[str, str]]:
    for path in paths(Settings()):
        if path != "/healthz":
            for method in METHODS:
                yield method, path.replace("{digest}", "0" * 64)


@pytest.mark.parametrize("header", [None, "Bearer wrong", f"Basic {KEY}", "Bearer ", "Bearer é"])
def test_every_route_and_method_needs_the_key(client: TestClient, header: str | None) -> None:
    del client.headers["Authorization"]
    headers = {} if header is None else {"Authorization": header.encode()}
    walked = list(closed_routes())
    assert len(walked) > 60
    for method, path in walked:
        answer = client.request(method, path, headers=headers)  # type: ignore[arg-type]
        assert answer.status_code == 401, (method, path)
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        if method != "HEAD":
            assert answer.json()["title"] == "Unauthorized"
            assert answer.headers["content-type"] == "application/problem+json"


def test_the_key_opens_and_health_is_open_to_all(client: TestClient) -> None:
    assert client.get("/v1/files/" + "0" * 64).status_code == 404
    del client.headers["Authorization"]
    assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 404),
        ("::1", 404),
        ("::ffff:127.0.0.1", 404),
        ("192.168.1.7", 403),
        ("::ffff:192.168.1.7", 403),
        ("testclient", 403),
    ],
)
def test_without_a_key_only_this_machine_is_served(tmp_path: Path, host: str, status: int) -> None:
    app = create_app(Settings(key=None, data_dir=tmp_path))
    with TestClient(app, client=(host, 5000)) as client:
        assert client.get("/v1/files/" + "0" * 64).status_code == status
        assert client.get("/healthz").status_code == 200


def test_refusal_reads_no_byte_of_the_body() -> None:
    sent: list[Message] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("the application was reached")

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "PUT", "path": "/v1/files/x", "headers": []}
    asyncio.run(BearerAuth(application, SecretStr(KEY))(scope, receive, send))
    assert sent[0]["status"] == 401
