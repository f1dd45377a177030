from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import httpx2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from haq.board import Board, Fleet
from haq.board.address import Pinned, check_address, check_url, leads_here, resolve
from haq.board.connection import Connection
from haq.search.pause import PatientBoard
from quant.errors import BoardLostError, InputError
from tests.haq.board.wire import answering, serving

PINNED = "192.0.2.7"
METADATA = "169.254.169.254"
HOSTS = st.one_of(
    st.sampled_from(
        [
            *(METADATA, "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "localhost", "127.1"),
            *("[::1]", f"[::ffff:{METADATA}]", "[::ffff:a9fe:a9fe]", "[fe80::1%25eth0]", "board"),
            *("bücher.example", "169。254。169。254", "①②⑦.0.0.1", "a.b.", "%31%32%37.0.0.1"),
        ]
    ),
    st.text(min_size=1, max_size=12),
)
URLS = st.builds(
    "{}://{}{}{}{}".format,
    st.sampled_from(["http", "https", "HTTP", "ftp", "file", "gopher", "unix", "javascript", ""]),
    st.sampled_from(["", "user@", "user:pw@", f"{METADATA}@", f"{METADATA}#@", "a\\@", "\t"]),
    HOSTS,
    st.sampled_from(["", ":80", ":0", ":99999", ":", ":8100", f"@{METADATA}", f"#@{METADATA}"]),
    st.sampled_from(["", "/", "/v1", "/../..", f"//{METADATA}/", f"?x=http://{METADATA}", "#x"]),
)


@contextmanager
def watched() -> Iterator[list[Any]]:
    """Where connections are asked for; none is made, and no name is looked up."""
    asked: list[Any] = []

    def refuse(where: Any, *_: object, **__: object) -> socket.socket:
        asked.append(where[0])
        raise ConnectionRefusedError

    with (
        patch("socket.create_connection", refuse),
        patch("socket.getaddrinfo", side_effect=AssertionError("a name was looked up")),
    ):
        yield asked


@given(URLS)
@example(f"http://{METADATA}")
@example("http://2852039166")
@example(f"http://[::ffff:{METADATA}]")
@example(f"http://{METADATA}\\@board/")
@example(f"http://board\\.{METADATA}/")
@example(f"http://board\n.{METADATA}/")
def test_no_url_leads_past_the_pinned_address(url: str) -> None:
    with watched() as asked:
        try:
            connection = Connection(url, "key", address=PINNED)
        except InputError as error:
            assert "\n" not in str(error).replace(url, "")
            return
        with pytest.raises(BoardLostError):
            connection.ask("GET", "/v1/device")
        connection.close()
    assert asked == [PINNED]


@given(st.text(max_size=20) | HOSTS | st.ip_addresses().map(str))
def test_only_addresses_can_be_pinned(address: str) -> None:
    """What is accepted is an address to the system, too, and means the same to it."""
    try:
        checked = check_address(address)
    except InputError as error:
        assert "is not an IP address" in str(error)
    else:
        family = socket.AF_INET6 if ":" in checked else socket.AF_INET
        assert socket.inet_pton(family, checked) == socket.inet_pton(family, address)


def test_a_redirect_does_not_leave_the_pinned_address() -> None:
    head = f"HTTP/1.1 302 Found\r\nLocation: http://{METADATA}/latest\r\n".encode()
    with serving(answering(b"", head)) as server:
        connection = Connection(f"http://board.test:{server.port}", address="127.0.0.1")
        with pytest.raises(Exception, match="answers 302"):
            connection.ask("GET", "/v1/device")
        connection.close()
        assert len(server.heads) == 1


def test_a_name_that_means_something_else_by_now_changes_nothing() -> None:
    elsewhere = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (METADATA, 80))]
    with serving(answering(b"{}")) as server, patch("socket.getaddrinfo", return_value=elsewhere):
        connection = Connection(f"http://board.test:{server.port}", address="127.0.0.1")
        with patch("socket.create_connection", side_effect=plain_connection):
            assert connection.ask("GET", "/v1/device") == {}
        connection.close()
    assert f"Host: board.test:{server.port}".encode() in server.heads[0]


def plain_connection(where: tuple[str, int], *_: object, **__: object) -> socket.socket:
    found = socket.socket()
    found.connect(where)
    return found


def test_the_host_of_a_request_is_kept_for_tls() -> None:
    seen: list[httpx2.Request] = []

    def respond(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200)

    transport = Pinned(httpx2.MockTransport(respond), "2001:db8:0::1")
    with httpx2.Client(transport=transport) as client:
        client.get("https://board.test:8100/healthz")
    assert seen[0].url.host == "2001:db8::1"
    assert seen[0].url.port == 8100
    assert seen[0].extensions["sni_hostname"] == "board.test"
    assert seen[0].headers["host"] == "board.test:8100"


@pytest.mark.parametrize(
    "url",
    [
        *("", "board:8000", "ftp://board", "http://", "file:///etc/passwd", "http://board:0"),
        *("http://user:pw@board", "http://@board", "http://board:99999", "http://[::1"),
        *("http://board?x=1", "http://board?", "http://board#x", "http://board#", "http://a b"),
        *("http://a\\b", "http://a\tb", "http://board\n", " http://board", "http://a\x00b"),
    ],
)
def test_urls_must_be_plain_http(url: str) -> None:
    with pytest.raises(InputError, match="http://HOST:PORT"):
        check_url(url)


@pytest.mark.parametrize(
    "url",
    ["http://board", "https://board.local:8100", "http://192.168.1.20:1", "http://[::1]:8100/"],
)
def test_usual_urls_are_kept(url: str) -> None:
    assert check_url(url) == url.rstrip("/")


def test_names_are_resolved_to_addresses_each_once() -> None:
    assert resolve("http://127.0.0.1:8100") == ["127.0.0.1"]
    assert resolve("http://[::1]:8100") == ["::1"]
    assert resolve("http://2130706433:8100") == ["127.0.0.1"]
    assert set(resolve("http://localhost")) <= {"127.0.0.1", "::1"}


def test_addresses_that_need_an_interface_are_left_out() -> None:
    found = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1", 80, 0, 2)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.168.1.20", 80)),
    ]
    with patch("socket.getaddrinfo", return_value=found):
        assert resolve("http://board.local") == ["192.168.1.20"]


@pytest.mark.parametrize("host", ["no-such-board.invalid", "x" * 70])
def test_a_name_that_nobody_has(host: str) -> None:
    with pytest.raises(InputError, match=f"'{host}' is not the name of any machine"):
        resolve(f"http://{host}:8100")


@pytest.mark.parametrize(
    ("url", "address", "here"),
    [
        ("http://127.0.0.1:8100", None, True),
        ("http://127.9.9.9", None, True),
        ("http://[::1]:8100", None, True),
        ("http://localhost", None, True),
        ("http://board:8100", "127.0.0.1", True),
        ("http://board:8100", None, False),
        ("http://192.168.0.2", None, False),
        ("http://localhost:8100", "192.168.0.2", False),
    ],
)
def test_a_loopback_leads_to_this_machine(url: str, address: str | None, here: bool) -> None:
    assert leads_here(url, address) == here
    assert Board(url, address=address).is_here == here
    boards = [Board("http://192.168.0.3"), Board(url, address=address)]
    assert Fleet(boards).is_here == here
    assert PatientBoard(boards[1], 0, lambda _: None).is_here == here
