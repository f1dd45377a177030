from __future__ import annotations

import socket
import ssl
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
import stamina
import trustme

from haq.board.connection import Connection
from quant.errors import (
    BoardBusyError,
    BoardError,
    BoardInvalidError,
    BoardLostError,
    BoardRefusedError,
    InputError,
)
from tests.haq.board.wire import (
    OK,
    Answer,
    RawServer,
    answering,
    resetting,
    sending,
    serve,
    serving,
)
from tests.haq.board.wire import silent as silence

HALF = OK + b'Content-Length: 100\r\n\r\n{"half": '
CHUNK = OK + b'Transfer-Encoding: chunked\r\n\r\n9\r\n{"half": \r\n'


@contextmanager
def connected(*answers: Answer, key: str | None = None) -> Iterator[tuple[Connection, RawServer]]:
    with serving(*answers) as server:
        connection = Connection(server.url, key)
        yield connection, server
        connection.close()


def problem(status: int, kind: str, detail: str = "no") -> Answer:
    body = f'{{"type": "{kind}", "title": "", "status": {status}, "detail": "{detail}"}}'
    return answering(body.encode(), b"HTTP/1.1 %d Status\r\n" % status)


@pytest.mark.parametrize(
    "answer",
    [
        sending(b""),
        sending(b"HTTP/1.1 200 O"),
        sending(HALF),
        sending(CHUNK),
        sending(CHUNK + b"garbage\r\n"),
        resetting(b""),
        resetting(HALF),
        silence,
        answering(b"Bad Gateway", b"HTTP/1.1 502 Bad Gateway\r\n"),
        answering(b"", b"HTTP/1.1 500 Internal Server Error\r\n"),
    ],
    ids=[
        *("closed", "half-a-head", "half-a-body", "half-a-chunk", "broken-chunk", "reset"),
        *("reset-in-the-body", "silence", "a-proxy", "no-problem"),
    ],
)
def test_what_is_lost(answer: Answer) -> None:
    with connected(answer) as (connection, server), pytest.raises(BoardLostError) as raised:
        connection.ask("GET", "/v1/device", timeout_s=0.3)
    assert server.url in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(server.heads) == 1


@pytest.mark.parametrize(
    "answer",
    [
        sending(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
        sending(b"\x16\x03\x01\x00\x00garbage\r\n\r\n"),
        answering(b"<html>a router</html>"),
        answering(b"\xff\xfe"),
        answering(b'{"ratio": NaN}'),
        answering(b"not packed", OK + b"Content-Encoding: gzip\r\n"),
    ],
    ids=["ssh", "bytes", "html", "no-text", "nan", "false-gzip"],
)
def test_what_is_no_device_agent(answer: Answer) -> None:
    with (
        stamina.set_testing(True, attempts=3),
        connected(answer) as (connection, server),
        pytest.raises(BoardInvalidError, match="is not a haq device agent"),
    ):
        connection.ask("GET", "/v1/device")
    assert len(server.heads) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (problem(401, "about:blank"), BoardRefusedError, "refuses the key"),
        (problem(403, "about:blank"), BoardRefusedError, "answers 403: no"),
        (problem(404, "urn:haq:problem:unknown-network"), BoardInvalidError, "answers 404"),
        (problem(409, "urn:haq:problem:lease-lost"), BoardBusyError, "answers 409"),
        (problem(409, "about:blank"), BoardInvalidError, "answers 409"),
        (problem(422, "urn:haq:problem:invalid", "why"), BoardInvalidError, "answers 422: why$"),
        (problem(503, "urn:haq:problem:queue-full"), BoardBusyError, "answers 503"),
        (problem(503, "urn:haq:problem:stopping"), BoardBusyError, "answers 503"),
        (answering(b"", b"HTTP/1.1 418 Teapot\r\n"), BoardInvalidError, "418: I'm a teapot$"),
        (answering(b"[1]", b"HTTP/1.1 413 Large\r\n"), BoardInvalidError, "answers 413"),
    ],
)
def test_refusals_have_their_kinds(answer: Answer, kind: type[BoardError], said: str) -> None:
    with connected(answer) as (connection, _), pytest.raises(kind, match=said):
        connection.ask("GET", "/v1/device")


@pytest.mark.parametrize("kind", ["about:blank", "urn:haq:problem:disk-full"])
def test_a_failure_of_the_agent_is_no_loss(kind: str) -> None:
    with connected(problem(507, kind)) as (connection, _), pytest.raises(BoardError) as raised:
        connection.ask("GET", "/v1/device")
    assert type(raised.value) is BoardError


@pytest.mark.parametrize(
    "lost", [sending(b""), sending(HALF), problem(503, "urn:haq:problem:stopping")]
)
def test_a_loss_is_tried_again_a_few_times(lost: Answer) -> None:
    with stamina.set_testing(True, attempts=3):
        with connected(lost, lost, answering(b'{"a": 1}')) as (connection, server):
            assert connection.ask("GET", "/v1/device") == {"a": 1}
        assert len(server.heads) == 3
        with connected(lost) as (connection, server), pytest.raises(BoardError):
            connection.ask("GET", "/v1/device")
        assert len(server.heads) == 3
        with connected(lost) as (connection, server), pytest.raises(BoardError):
            connection.ask_once("GET", "/v1/device")
        assert len(server.heads) == 1


@pytest.mark.parametrize("final", [401, 403, 404, 409, 422, 307])
def test_nothing_else_is_tried_again(final: int) -> None:
    with (
        stamina.set_testing(True, attempts=3),
        connected(problem(final, "about:blank")) as (connection, server),
        pytest.raises(BoardError),
    ):
        connection.ask("GET", "/v1/device")
    assert len(server.heads) == 1


def test_an_endless_answer_is_cut() -> None:
    with (
        connected(answering(b'"' + b"x" * 5000 + b'"')) as (connection, _),
        pytest.raises(BoardInvalidError, match="over 4000 bytes"),
    ):
        connection.ask("GET", "/v1/device", limit_bytes=4000)


def test_a_packed_answer_counts_as_long_as_it_is() -> None:
    body = zlib.compress(b'"' + b"x" * 10**6 + b'"')
    head = OK + b"Content-Encoding: deflate\r\n"
    with (
        connected(answering(body, head)) as (connection, server),
        pytest.raises(BoardInvalidError, match="over 100000 bytes"),
    ):
        connection.ask("GET", "/v1/device", limit_bytes=100_000)
    assert b"accept-encoding: identity" in server.heads[0].lower()


def test_redirects_lead_nowhere() -> None:
    with serving(answering(b"{}")) as elsewhere:
        head = b"HTTP/1.1 307 Moved\r\nLocation: %s/\r\n" % elsewhere.url.encode()
        with (
            connected(answering(b"", head), key="secret") as (connection, _),
            pytest.raises(BoardInvalidError, match="answers 307"),
        ):
            connection.ask("GET", "/v1/device")
    assert elsewhere.heads == []


def test_the_key_goes_to_the_agent_past_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(answering(b"{}")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        with connected(answering(b"{}"), key="secret") as (connection, server):
            connection.ask("GET", "/v1/device")
        assert b"Authorization: Bearer secret" in server.heads[0]
    assert proxy.heads == []


@pytest.mark.parametrize("key", ["two\nlines", "schlüssel", "bell\a"])
def test_a_key_that_cannot_be_sent(key: str) -> None:
    with pytest.raises(InputError, match="printable ASCII") as raised:
        Connection("http://board", key)
    assert key not in str(raised.value)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@contextmanager
def serving_tls(authority: trustme.CA, name: str) -> Iterator[RawServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as plain:
        listener = context.wrap_socket(plain, server_side=True)
        server = RawServer(listener.getsockname()[1])
        answers = (answering(b'{"a": 1}'),)
        threading.Thread(target=serve, args=(listener, server, answers), daemon=True).start()
        yield server
        listener.close()


def pem(authority: trustme.CA, folder: Path) -> Path:
    file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return file


def test_tls_with_an_authority_of_ones_own(authority: trustme.CA, tmp_path: Path) -> None:
    """The name is checked although the connection goes to an address."""
    ca = pem(authority, tmp_path)
    with serving_tls(authority, "board.test") as server:
        url = f"https://board.test:{server.port}"
        connection = Connection(url, ca=ca, address="127.0.0.1")
        assert connection.ask("GET", "/v1/device") == {"a": 1}
        assert f"Host: board.test:{server.port}".encode() in server.heads[0]
        connection.close()


@pytest.mark.parametrize("name", ["other.test", "board.test"])
def test_a_certificate_of_another_name_or_authority_is_refused(
    name: str, authority: trustme.CA, tmp_path: Path
) -> None:
    signer = trustme.CA() if name == "board.test" else authority
    with serving_tls(signer, name) as server:
        url = f"https://board.test:{server.port}"
        connection = Connection(url, "secret", ca=pem(authority, tmp_path), address="127.0.0.1")
        with pytest.raises(BoardRefusedError, match=r"certificate of https://board\.test:\d+ is"):
            connection.ask("GET", "/v1/device")
        connection.close()
    assert server.heads == []


def test_without_an_authority_only_public_ones_are_trusted(authority: trustme.CA) -> None:
    with serving_tls(authority, "127.0.0.1") as server:
        connection = Connection(f"https://127.0.0.1:{server.port}")
        with pytest.raises(BoardRefusedError, match="--board-ca"):
            connection.ask("GET", "/v1/device")
        connection.close()


def test_https_to_an_agent_without_tls() -> None:
    def refuse(listener: socket.socket) -> None:
        with listener.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=refuse, args=(listener,), daemon=True).start()
        connection = Connection(f"https://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(BoardInvalidError, match="does not understand https: try http"):
            connection.ask("GET", "/v1/device")
        connection.close()


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_without_certificates(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=r"ca\.pem holds no certificates") as raised:
        Connection("https://board", ca=file)
    assert "\n" not in str(raised.value)


def test_mocked_losses_are_one_clear_line() -> None:
    def respond(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ReadError("")

    connection = Connection("http://board", transport=httpx2.MockTransport(respond))
    with pytest.raises(BoardLostError, match=r"agent at http://board was lost: ReadError$"):
        connection.ask("GET", "/v1/device")
