from __future__ import annotations

import asyncio
import hashlib
import socket
import time
from collections.abc import Iterator

import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from device_agent.web.limits import Body, BodyLimit, announced_bytes
from tests.device_agent.conftest import KEY
from tests.device_agent.process_table import wait_for
from tests.device_agent.server import Server, in_thread, read_to_end, running, talk

UPLOAD_LIMIT = 200_000
REQUEST_LIMIT = 1_000
AUTH = f"Authorization: Bearer {KEY}\r\n".encode()
DATA = bytes(range(256)) * 700
PATH = "/v1/files/" + hashlib.sha256(DATA).hexdigest()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    limits = {"MAX_UPLOAD_BYTES": str(UPLOAD_LIMIT), "MAX_REQUEST_BYTES": str(REQUEST_LIMIT)}
    with running(tmp_path_factory.mktemp("agent"), **limits) as found:
        yield found


def head(method: str, path: str, *lines: bytes) -> bytes:
    first = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".encode()
    return first + b"".join(lines) + b"\r\n"


def chunked(data: bytes, size: int = 10_000) -> bytes:
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def stored(server: Server) -> list[str]:
    return [path.name for path in (server.log.parent / "data" / "files").iterdir()]


def length(number: int | bytes) -> bytes:
    text = number if isinstance(number, bytes) else str(number).encode()
    return b"Content-Length: " + text + b"\r\n"


CHUNKED = b"Transfer-Encoding: chunked\r\n"


def test_bodies_within_the_limit_pass_announced_or_not(server: Server) -> None:
    answer = server.talk(head("PUT", PATH, AUTH, length(len(DATA))) + DATA)
    assert status(answer) == 200
    assert status(server.talk(head("PUT", PATH, AUTH, CHUNKED) + chunked(DATA))) == 200
    assert stored(server) == [PATH.rpartition("/")[2]]


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        ("PUT", "/v1/files/" + "1" * 64, UPLOAD_LIMIT),
        ("POST", "/v1/files/" + "1" * 64, REQUEST_LIMIT),
        ("POST", "/v1/networks", REQUEST_LIMIT),
        ("POST", "/v1/measure", REQUEST_LIMIT),
        ("PUT", "/v1/networks", REQUEST_LIMIT),
    ],
)
def test_an_announced_body_over_the_limit_is_refused_unread(
    server: Server, method: str, path: str, limit: int
) -> None:
    expect = b"Expect: 100-continue\r\n"
    answer = server.talk(head(method, path, AUTH, expect, length(limit + 1)))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert f"larger than {limit} bytes".encode() in answer


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/v1/files/" + "1" * 64), ("POST", "/v1/measure")]
)
def test_a_chunked_body_is_cut_off_at_the_limit(server: Server, method: str, path: str) -> None:
    json = b"Content-Type: application/json\r\n"
    before = stored(server)
    with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
        connection.sendall(head(method, path, AUTH, json, CHUNKED))
        connection.sendall(chunked(b"[" * (UPLOAD_LIMIT + 1))[:-5])  # and no end of the body
        answer = read_to_end(connection)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert stored(server) == before


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("path", [PATH, "/v1/measure", "/healthz/", "/docs"])
def test_without_a_key_no_body_is_asked_for_or_kept(
    server: Server, path: str, announced: bool
) -> None:
    before = stored(server)
    size = length(len(DATA)) if announced else CHUNKED
    for auth in (b"", AUTH.replace(b"Bearer", b"Basic"), b"Authorization: Bearer wrong\r\n"):
        answer = server.talk(head("PUT", path, auth, b"Expect: 100-continue\r\n", size))
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert status(server.talk(head("PUT", path, auth, size), DATA[:100])) == 401
    assert stored(server) == before


@pytest.mark.parametrize("route", ["wrong key", "too large"])
def test_a_client_that_goes_on_sending_gets_the_answer_and_is_cut_off(
    server: Server, route: str
) -> None:
    """It need not read the whole of what it refused, and does not wait for it either."""
    auth = AUTH if route == "too large" else b""
    request = b"PUT /v1/files/%b HTTP/1.1\r\nHost: x\r\n" % (b"2" * 64) + auth + length(2**40)
    answer = b""
    with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
        connection.sendall(request + b"\r\n")
        try:
            for _ in range(200):
                connection.sendall(b"x" * 2**20)
        except ConnectionError:
            answer = read_to_end(connection)
        else:
            pytest.fail("200 MiB were taken in")
    assert status(answer) == (401 if route == "wrong key" else 413)


@pytest.mark.parametrize(
    "lines",
    [
        length(b"-1"),
        length(b"+5"),
        length(b"5 5"),
        length(b"5, 6"),
        length(b"0x5"),
        length(b"five"),
        length(b"9" * 30),
        length(5) + length(6),
        b"Content-Length : 5\r\n",
    ],
)
def test_lengths_that_are_none_are_bad_requests(server: Server, lines: bytes) -> None:
    assert status(server.talk(head("PUT", PATH, AUTH, lines) + b"hallo")) == 400


def test_the_agent_lives_after_all_that(server: Server) -> None:
    with server.client() as client:
        assert client.get("/healthz").status_code == 200
        assert client.head(PATH).status_code == 200
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], 0),
        ([b"0"], 0),
        ([b"12"], 12),
        ([b"12", b"12"], 12),
        ([b"12", b"13"], None),
        ([b"-1"], None),
        ([b" 1"], None),
        ([b""], None),
        ([b"\xb2"], None),
        ([b"1" * 5000], None),
    ],
)
def test_announced_bytes(values: list[bytes], expected: int | None) -> None:
    headers = [(b"Content-Length", value) for value in values]
    assert announced_bytes({"headers": headers}) == expected


async def echo_size(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body and tell its size; what is raised while reading becomes the status."""
    size, code, more = 0, 200, True
    try:
        while more:
            message = await receive()
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
    except HTTPException as error:
        code = error.status_code
    headers = [(b"connection", b"close")]
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": str(size).encode()})


def test_a_client_that_stops_sending_is_given_up() -> None:
    app = BodyLimit(echo_size, 1000, 1000, patience_s=0.3)
    with in_thread(app) as port:
        start = time.monotonic()
        answer = talk(port, head("PUT", "/v1/files/x", length(10)), b"12345")
        assert status(answer) == 408
        assert time.monotonic() - start > 0.25
        assert status(talk(port, head("PUT", "/v1/files/x", length(5)), b"12345")) == 200


def test_a_client_that_sends_in_drops_is_given_up() -> None:
    """Each drop comes within the patience, all of them together do not."""
    app = BodyLimit(echo_size, 1000, 1000, patience_s=0.5)
    with in_thread(app) as port, socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(head("PUT", "/v1/files/x", length(1000)))
        with pytest.raises(ConnectionError):
            for _ in range(1000):
                connection.sendall(b"x")
                time.sleep(0.05)


def test_waiting_for_the_client_to_leave_has_no_limit() -> None:
    """An application listens on for the end of the connection while it computes."""

    async def listen() -> str:
        messages: asyncio.Queue[Message] = asyncio.Queue()
        await messages.put({"type": "http.request", "body": b"x", "more_body": False})
        body = Body(messages.get, 10, patience_s=0.05)
        await body.receive()
        asyncio.get_running_loop().call_later(0.2, messages.put_nowait, {"type": "http.disconnect"})
        return str((await body.receive())["type"])

    assert asyncio.run(listen()) == "http.disconnect"


def test_an_upload_whose_client_leaves_is_forgotten(server: Server) -> None:
    before = stored(server)
    with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
        connection.sendall(head("PUT", "/v1/files/" + "3" * 64, AUTH, length(100)) + b"half")
        wait_for(lambda: stored(server) != before)
    wait_for(lambda: stored(server) == before)
    wait_for(lambda: '"status": 499' in server.log.read_text())
