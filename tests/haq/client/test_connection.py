from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import stamina

from haq.client.connection import Connection
from haq.client.failures import (
    ServerBusyError,
    ServerError,
    ServerInvalidError,
    ServerLostError,
    ServerRefusedError,
    ServerUnknownError,
)
from quant.errors import InputError
from tests.haq.board.wire import Answer, RawServer, answering, resetting, sending, serving, silent

HALF = b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"half": '


def as_it_is(answer: Any) -> Any:
    return answer


@contextmanager
def connected(*answers: Answer, **options: Any) -> Iterator[tuple[Connection, RawServer]]:
    with serving(*answers) as server:
        connection = Connection(server.url, **options)
        yield connection, server
        connection.close()


def problem(status: int, kind: str = "about:blank", head: bytes = b"") -> Answer:
    body = f'{{"type": "{kind}", "title": "", "status": {status}, "detail": "no"}}'
    return answering(body.encode(), b"HTTP/1.1 %d Status\r\n" % status + head)


def header(name: bytes, head: bytes) -> bytes:
    (found,) = [
        line.partition(b":")[2].strip()
        for line in head.split(b"\r\n")
        if line.lower().startswith(name + b":")
    ]
    return found


@pytest.mark.parametrize(
    "answer",
    [
        sending(b""),
        sending(HALF),
        resetting(HALF),
        silent,
        answering(b"Bad Gateway", b"HTTP/1.1 502 Bad Gateway\r\n"),
    ],
    ids=["closed", "half-a-body", "reset", "silence", "a-proxy"],
)
def test_what_is_lost_is_one_line(answer: Answer) -> None:
    with (
        connected(answer, timeout_s=0.3) as (connection, server),
        pytest.raises(ServerLostError) as raised,
    ):
        connection.get("/v1/searches", as_it_is)
    assert server.url in str(raised.value)
    assert "\n" not in str(raised.value)


def test_nobody_there() -> None:
    with serving(sending(b"")) as server:
        url = server.url
    connection = Connection(url)
    with pytest.raises(ServerLostError, match=r"start it with `haq serve`$"):
        connection.get("/v1/searches", as_it_is)
    connection.close()


def test_what_is_lost_is_asked_again_as_the_same_request() -> None:
    with (
        stamina.set_testing(True, attempts=3),
        connected(sending(b""), sending(HALF), answering(b"[1]")) as (connection, server),
    ):
        assert connection.post("/v1/searches", as_it_is, {}) == [1]
        first = {header(b"idempotency-key", head) for head in server.heads}
        connection.post("/v1/searches", as_it_is, {})
        second = header(b"idempotency-key", server.heads[-1])
    assert len(first) == 1
    assert second not in first


@pytest.mark.parametrize(
    "busy",
    [
        problem(429, head=b"Retry-After: 1\r\n"),
        problem(503, "urn:haq:problem:storage"),
        problem(409, "urn:haq:problem:underway"),
    ],
    ids=["rate", "store", "underway"],
)
def test_a_busy_server_is_asked_again(busy: Answer) -> None:
    with (
        stamina.set_testing(True, attempts=2),
        connected(busy, answering(b"{}")) as (connection, server),
    ):
        assert connection.get("/v1/searches", as_it_is) == {}
    assert len(server.heads) == 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (problem(429, "urn:haq:problem:limit"), ServerBusyError),
        (problem(429, head=b"Retry-After: 3600\r\n"), ServerBusyError),
        (problem(401), ServerRefusedError),
        (problem(403), ServerRefusedError),
        (problem(404), ServerUnknownError),
        (problem(409, "urn:haq:problem:conflict"), ServerInvalidError),
        (problem(413), ServerInvalidError),
        (problem(422), ServerInvalidError),
        (problem(500), ServerError),
        (answering(b"<html>"), ServerInvalidError),
        (sending(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), ServerInvalidError),
    ],
)
def test_nothing_else_is_asked_twice(answer: Answer, kind: type[ServerError]) -> None:
    with (
        stamina.set_testing(True, attempts=3),
        connected(answer, key="secret") as (connection, server),
        pytest.raises(ServerError) as raised,
    ):
        connection.get("/v1/searches", as_it_is)
    assert type(raised.value) is kind
    assert "\n" not in str(raised.value)
    assert "secret" not in str(raised.value)
    assert len(server.heads) == 1


def test_gone_already_is_removed_where_an_answer_was_lost() -> None:
    with (
        stamina.set_testing(True, attempts=2),
        connected(sending(b""), problem(404)) as (connection, server),
    ):
        connection.delete("/v1/keys/anna")
        with pytest.raises(ServerUnknownError):
            connection.delete("/v1/keys/anna")
    assert len(server.heads) == 3


def test_an_answer_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("haq.client.connection.ANSWER_BYTES", 4000)
    with (
        connected(answering(b'"' + b"x" * 5000 + b'"')) as (connection, _),
        pytest.raises(ServerInvalidError, match="over 4000 bytes"),
    ):
        connection.get("/v1/searches", as_it_is)


def test_redirects_lead_nowhere() -> None:
    with serving(answering(b"{}")) as elsewhere:
        head = b"HTTP/1.1 307 Moved\r\nLocation: %s/\r\n" % elsewhere.url.encode()
        with (
            connected(answering(b"", head), key="secret") as (connection, _),
            pytest.raises(ServerInvalidError, match="answers 307"),
        ):
            connection.get("/v1/searches", as_it_is)
    assert elsewhere.heads == []


def test_the_key_goes_past_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(answering(b"{}")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        with connected(answering(b"{}"), key="secret") as (connection, server):
            connection.get("/v1/searches", as_it_is)
        assert b"Authorization: Bearer secret" in server.heads[0]
    assert proxy.heads == []


@pytest.mark.parametrize("key", ["two\nlines", "schlüssel"])
def test_a_key_that_cannot_be_sent_is_not_repeated(key: str) -> None:
    with pytest.raises(InputError, match="printable ASCII") as raised:
        Connection("http://server", key)
    assert key not in str(raised.value)


@pytest.mark.parametrize("url", ["", "localhost", "ftp://a", "http://anna:secret@host:1"])
def test_what_is_no_address_is_not_repeated(url: str) -> None:
    with pytest.raises(InputError, match="expected as http://HOST:PORT") as raised:
        Connection(url)
    assert "secret" not in str(raised.value)


def test_a_file_without_certificates(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no certificates"):
        Connection("https://server", ca=tmp_path / "ca.pem")
