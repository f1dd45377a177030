from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from bench.api.follower import Follower, read
from tests.device_agent.server import in_thread


def test_events_that_are_whole() -> None:
    first, second = 'id: 1-0\nevent: a\ndata: {"x": 1}', "event: b\ndata: 2"
    text = f": \n\nretry: 1\n\n{first}\n\n{second}\n\nevent: c\ndata: 3"
    assert list(read(iter(text.split("\n")))) == [("1-0", "a", '{"x": 1}'), (None, "b", "2")]


class Fragile:
    """Tells one event a connection, and then breaks it."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(Request(scope).headers.get("last-event-id"))
        place = len(self.asked)

        def parts() -> Iterator[str]:
            yield f'id: {place}-0\nevent: state\ndata: {{"n": {place}}}\n\n'
            if place == 3:
                yield 'event: end\ndata: {"state": "done"}\n\n'

        await StreamingResponse(parts())(scope, receive, send)


def test_a_follower_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.api.follower.AGAIN_S", 0.0)
    fragile = Fragile()
    with in_thread(fragile) as port:
        follower = Follower(f"http://127.0.0.1:{port}", "1")
        follower.follow()
    assert fragile.asked == [None, "1-0", "2-0"]
    assert [event["n"] for event in follower.told("state")] == [1, 2, 3]
    assert follower.connections == 3
