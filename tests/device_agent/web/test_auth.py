from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.routing import BaseRoute
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from device_agent.settings import Settings
from device_agent.web.auth import BearerAuth
from device_agent.web.keys import Keys
from device_agent.web.keys_file import add_key, revoke_key
from device_agent.web.service import create_app
from tests.device_agent.conftest import KEY

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND")
ABSENT = "/v1/files/" + "0" * 64
TRICKS = {
    *("/healthz/", "//healthz", "/healthz//", "/HEALTHZ", "/healthz\n", "/healthz;x", "/./healthz"),
    *("/healthz/../v1/device", "/v1/device/healthz", "http://x/healthz", "*", ""),
}
WRONG = [
    [],
    [b"Bearer wrong"],
    [b"Basic " + KEY.encode()],
    [b"Bearer "],
    [b"Bearer"],
    [KEY.encode()],
    [b""],
    [b"Bearer " + KEY.encode() + b"x"],
    [b"Bearer " + KEY.encode()[:-1]],
    [b"Bearer " + KEY.upper().encode()],
    ["Bearer é".encode()],
    [b"Bearer \xff\xfe\x80"],
    [b"Bearer " + KEY.encode(), b"Bearer " + KEY.encode()],
    [b"Bearer wrong", b"Bearer " + KEY.encode()],
    [b"Bearer " + b"x" * 10_000],
]


def routes_of(routes: list[BaseRoute]) -> Iterator[str]:
    """Paths of all routes, those of included routers too."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from routes_of(inner.routes)
        else:
            yield route.path  # type: ignore[attr-defined]


def every_path(app: FastAPI) -> set[str]:
    found = {*routes_of(app.routes), *app.openapi()["paths"]}
    return {re.sub(r"\{.*?\}", "0" * 64, path) for path in found}


def refused_scopes(app: FastAPI) -> Iterator[dict[str, Any]]:
    paths = every_path(app) - {"/healthz"}
    tricks = {
        "/healthz/",
        "//healthz",
        "/healthz//",
        "/HEALTHZ",
        "/healthz\n",
        "/healthz;x",
        "*",
        "",
    }
    tricks |= {"/healthz/../v1/device", "/v1/device/healthz", "http://x/healthz", "/./healthz"}
    for path in sorted(paths | tricks | {"/unknown"}):
        for method in METHODS:
            yield {"method": method, "path": path}


def answer_to(application: Any, **scope: Any) -> list[Message]:
    """What is sent for a request of which no byte of a body may be read."""
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def send(message: Message) -> None:
        sent.append(message)

    full = {
        **{"type": "http", "headers": [], "query_string": b"", "http_version": "1.1"},
        **{"scheme": "http", "root_path": "", "client": ("127.0.0.1", 5), "method": "GET"},
        **{"server": ("127.0.0.1", 80), "raw_path": b"", **scope},
    }
    asyncio.run(application(full, receive, send))
    return sent


async def unreachable(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("the application was reached")


@pytest.mark.parametrize("values", WRONG)
def test_every_route_and_method_needs_the_key(settings: Settings, values: list[bytes]) -> None:
    headers = [(b"authorization", value) for value in values] + [(b"content-length", b"5")]
    app = create_app(settings)
    walked = list(refused_scopes(app))
    assert len(walked) > 150
    for scope in walked:
        head, *_ = answer_to(app, headers=headers, **scope)
        assert head["status"] == 401, scope
        assert dict(head["headers"])[b"www-authenticate"] == b"Bearer"


def test_the_walk_finds_the_routes(settings: Settings) -> None:
    paths = every_path(create_app(settings))
    assert paths > {"/healthz", "/metrics", "/v1/device", ABSENT, "/v1/measure", "/docs"}
    assert "/openapi.json" in paths
    assert not any("{" in path for path in paths)


def test_a_refusal_is_a_problem(client: TestClient) -> None:
    answer = client.get("/v1/device", headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 401
    assert answer.json()["title"] == "Unauthorized"
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_key_opens_and_health_is_open_to_all(client: TestClient) -> None:
    assert client.get(ABSENT).status_code == 404
    assert client.get(ABSENT, headers={"Authorization": f"bEARER  {KEY} "}).status_code == 404
    del client.headers["Authorization"]
    for path in ("/healthz", "/%68ealthz", "/healthz?key=x"):
        assert client.get(path).json() == {"status": "ok"}


@pytest.mark.parametrize("root_path", ["/board", "/healthz", "/v1", "/v1/device", "/"])
def test_what_is_open_below_a_root_path_is_health_alone(settings: Settings, root_path: str) -> None:
    """A server that runs with a root path puts it before every path that comes in."""
    app = create_app(settings)
    for path in every_path(app) - {"/healthz"}:
        for full in (root_path + path, path):
            assert answer_to(app, path=full, root_path=root_path)[0]["status"] == 401, full
    (_, body) = answer_to(app, path=root_path.rstrip("/") + "/healthz", root_path=root_path)
    assert body["body"] == b'{"status":"ok"}'


def test_keys_have_names_and_can_be_revoked(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    laptop = add_key(path, "laptop")
    seen: list[Any] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["state"]["key_name"])

    auth = BearerAuth(application, Keys(SecretStr(KEY), path))
    for key in (laptop, KEY):
        answer_to(auth, path="/v1/device", headers=[(b"authorization", f"Bearer {key}".encode())])
    assert seen == ["laptop", "default"]
    revoke_key(path, "laptop")
    headers = [(b"authorization", f"Bearer {laptop}".encode())]
    assert answer_to(auth, path="/v1/device", headers=headers)[0]["status"] == 401


def test_an_empty_keys_file_lets_nobody_in(tmp_path: Path) -> None:
    (tmp_path / "keys").touch()
    auth = BearerAuth(unreachable, Keys(None, tmp_path / "keys"))
    for headers in ([], [(b"authorization", b"Bearer ")], [(b"authorization", b"Bearer x")]):
        assert answer_to(auth, path="/v1/device", headers=headers)[0]["status"] == 401


@pytest.mark.parametrize(
    ("client", "server", "status"),
    [
        ("127.0.0.1", "127.0.0.1", 404),
        ("::1", "::1", 404),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", 404),
        ("192.168.1.7", "127.0.0.1", 403),
        ("::ffff:192.168.1.7", "127.0.0.1", 403),
        ("127.0.0.1", "192.168.1.8", 403),
        ("testclient", "127.0.0.1", 403),
        ("127.0.0.1", "/run/agent.sock", 403),
        (None, "127.0.0.1", 403),
        ("127.0.0.1", None, 403),
    ],
)
def test_without_a_key_only_this_machine_is_served(
    tmp_path: Path, client: str | None, server: str | None, status: int
) -> None:
    app = create_app(Settings(key=None, data_dir=tmp_path))
    ends = {"client": client and (client, 5000), "server": server and (server, 80)}
    assert answer_to(app, path="/v1/nothing", **ends)[0]["status"] == status
    assert answer_to(app, path="/healthz", **ends)[0]["status"] == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (b"localhost", 404),
        (b"LOCALHOST:8100", 404),
        (b"127.0.0.1:8100", 404),
        (b"[::1]:8100", 404),
        (b"evil.example", 403),
        (b"evil.example:8100", 403),
        (b"127.0.0.1.evil.example", 403),
        (b"localhost@evil.example", 403),
        (b"[::1", 403),
        (b"", 403),
    ],
)
def test_without_a_key_a_web_page_cannot_call_it_by_another_name(
    tmp_path: Path, host: bytes, status: int
) -> None:
    app = create_app(Settings(key=None, data_dir=tmp_path))
    assert answer_to(app, path="/v1/nothing", headers=[(b"host", host)])[0]["status"] == status


def test_websockets_are_turned_away_with_and_without_a_key(client: TestClient) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        for path in ("/healthz", "/v1/measure"):
            with pytest.raises(WebSocketDisconnect) as caught:
                client.websocket_connect(path, headers=headers).__enter__()
            assert caught.value.code == 1008
    sent = answer_to(BearerAuth(unreachable, Keys(None, None)), type="websocket", path="/v1/x")
    assert sent == [{"type": "websocket.close", "code": 1008}]
