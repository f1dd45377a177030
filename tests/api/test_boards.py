from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import stamina
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from api.boards import add_board, check_host, look_at_all
from api.errors import ConflictError, ForbiddenError
from api.schema import NewBoard
from api.settings import Settings
from haq import boards
from quant.errors import InputError
from tests.device_agent.server import in_thread, running

ALLOWED = ("pi5.lan:8100", "nas.lan", "127.0.0.1:8100")


@pytest.fixture(autouse=True)
def one_attempt() -> Iterator[None]:
    with stamina.set_testing(True, attempts=1):
        yield


def board(url: str, name: str = "pi") -> NewBoard:
    return NewBoard(name=name, url=url, key_env=None)


def allowing(settings: Settings, *hosts: str) -> Settings:
    return settings.model_copy(update={"board_hosts": hosts})


@pytest.mark.parametrize(
    "url",
    [
        "http://pi5.lan:8100",
        "http://PI5.lan:8100/",
        "https://nas.lan",
        "http://nas.lan:9000/agent",
        "http://127.0.0.1:8100",
    ],
)
def test_hosts_that_the_operator_allows(url: str) -> None:
    check_host(url, ALLOWED)


@pytest.mark.parametrize(
    "url",
    [
        "http://pi5.lan",
        "http://pi5.lan:81000",
        "http://pi5.lan:8101",
        "https://pi5.lan",
        "http://elsewhere:8100",
        "http://pi5.lan.elsewhere:8100",
        "http://pi5.lan.:8100",
        "http://pi5.lan:8100@elsewhere",
        "http://pi5.lan@elsewhere:8100",
        "http://elsewhere:8100#@pi5.lan:8100",
        "http://elsewhere:8100?pi5.lan:8100",
        "http://elsewhere\\@pi5.lan:8100.x",
        "http://2130706433:8100",
        "http://0x7f000001:8100",
        "http://127.1:8100",
        "http://0177.0.0.1:8100",
        "http://[::ffff:127.0.0.1]:8100",
        "http://[::1]:8100",
        "http://0.0.0.0:8100",
        "http://localhost:8100",
        "http://169.254.169.254",
        "http:///pi5.lan:8100",
        "file:///etc/passwd",
        "gopher://nas.lan",
        "//nas.lan",
        "nas.lan",
        "http://",
        "http://[",
        "",
    ],
)
@pytest.mark.parametrize("allowed", [ALLOWED, ()])
def test_others_are_refused(url: str, allowed: tuple[str, ...]) -> None:
    with pytest.raises((ForbiddenError, InputError)):
        check_host(url, allowed)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:pw@127.0.0.1:{port}",
        "http://user@127.0.0.1:{port}",
        "http://elsewhere\\@127.0.0.1:{port}",
        "http://127.0.0.1:{port}/\n",
        "http://127.0.0.1:{port}/?x",
        "http://127.0.0.1:{port}#x",
    ],
)
def test_addresses_that_parsers_disagree_about_are_refused(settings: Settings, url: str) -> None:
    with pytest.raises((ForbiddenError, InputError)):
        add_board(allowing(settings, "127.0.0.1"), board(url.format(port=8100)))
    assert not settings.boards_file.exists()


@pytest.mark.parametrize("variable", ["PATH", "HAQ_SERVICE_ADMIN_KEY", "HAQ_BOARD_KEY_", "x"])
def test_no_other_secret_is_sent_to_a_board(client: TestClient, variable: str) -> None:
    body = {"name": "pi", "url": "http://pi5.lan:8100", "key_env": variable}
    assert client.post("/v1/boards", json=body).status_code == 422


class Counting:
    """Counts requests, and answers them by a redirect."""

    def __init__(self, to: str | None = None) -> None:
        self.count, self.to = 0, to

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.count += 1
        await Request(scope, receive).body()
        answer: ASGIApp = RedirectResponse(self.to, 307) if self.to else Response("{}")
        await answer(scope, receive, send)


def test_a_redirect_leads_nowhere(settings: Settings) -> None:
    secret = Counting()
    with in_thread(secret) as target:
        leading = Counting(f"http://127.0.0.1:{target}/v1/status")
        with in_thread(leading) as port:
            url = f"http://127.0.0.1:{port}"
            made = add_board(allowing(settings, f"127.0.0.1:{port}"), board(url))
    assert not made.reachable and made.problem
    assert (leading.count > 0, secret.count) == (True, 0)


def test_a_name_leads_to_the_address_that_it_had(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = socket.getaddrinfo
    asked: list[str] = []

    def lead(host: Any, *args: Any, **options: Any) -> Any:
        if host == "pi5.lan":
            asked.append(host)
            return known("127.0.0.1" if len(asked) == 1 else "127.0.0.2", *args, **options)
        return known(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", lead)
    seen = Counting()
    with in_thread(seen) as port:
        body = board(f"http://pi5.lan:{port}")
        add_board(allowing(settings, "pi5.lan"), body)
        count = seen.count
        look_at_all(settings.boards_file)
    assert boards.load(settings.boards_file)["pi"].address == "127.0.0.1"
    assert seen.count > count > 0
    assert len(asked) == 1


def test_a_name_is_one_boards(settings: Settings) -> None:
    allowed = allowing(settings, "127.0.0.1")
    one = board("http://127.0.0.1:1")
    for _ in range(2):
        assert not add_board(allowed, one).reachable
    with pytest.raises(ConflictError):
        add_board(allowed, board("http://127.0.0.1:2"))


def test_boards_that_are_added_at_the_same_time_are_all_kept(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed, start = allowing(settings, "127.0.0.1"), threading.Barrier(8)
    monkeypatch.setattr("api.boards.look_at", lambda name, listed: None)

    def add(number: int) -> None:
        start.wait()
        add_board(allowed, board(f"http://127.0.0.1:{number + 1}", f"pi{number}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
    assert len(boards.load(settings.boards_file)) == 8


def test_a_board_says_what_it_is(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path) as agent:
        from tests.device_agent.conftest import KEY

        monkeypatch.setenv("HAQ_BOARD_KEY_PI", KEY)
        body = NewBoard(name="pi", url=agent.url, key_env="HAQ_BOARD_KEY_PI")
        made = add_board(allowing(settings, "127.0.0.1"), body)
        assert made.reachable and made.device is not None and made.device["ncnn_version"]
        assert look_at_all(settings.boards_file)[0].reachable
    (gone,) = look_at_all(settings.boards_file)
    assert not gone.reachable and gone.problem
    json.dumps(made.model_dump())
