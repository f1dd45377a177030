from __future__ import annotations

import asyncio
import socket
import time

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from device_agent.web.connection import ImpatientProtocol
from tests.device_agent.server import in_thread, read_to_end

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Quick(ImpatientProtocol):
    head_timeout_s = 0.4


async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer later than heads may take."""
    await asyncio.sleep(0.6)
    await PlainTextResponse("done")(scope, receive, send)


@pytest.mark.parametrize("first", [b"", b"GET / HT", REQUEST, REQUEST + b"GET / HT", b"\r\n"])
def test_a_head_that_does_not_come_ends_the_connection(first: bytes) -> None:
    with (
        in_thread(PlainTextResponse("done"), http=Quick, timeout_keep_alive=1) as port,
        socket.create_connection(("127.0.0.1", port), 20) as connection,
    ):
        connection.sendall(first)
        answer = read_to_end(connection)
    assert answer.count(b"done") == first.count(REQUEST)


def test_drops_of_a_head_gain_no_time() -> None:
    with (
        in_thread(PlainTextResponse("done"), http=Quick) as port,
        socket.create_connection(("127.0.0.1", port), 20) as connection,
        pytest.raises(ConnectionError),
    ):
        for byte in b"GET / HTTP/1.1\r\nX: " + b"x" * 1000:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)


def test_an_answer_may_take_longer_than_a_head() -> None:
    with (
        in_thread(slow, http=Quick, timeout_keep_alive=10) as port,
        socket.create_connection(("127.0.0.1", port), 20) as connection,
    ):
        for _ in range(2):
            connection.sendall(REQUEST)
            answer = b""
            while not answer.endswith(b"done"):
                part = connection.recv(10_000)
                assert part
                answer += part
