"""An agent that only keeps a queue and answers jobs as it is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import httpx2

Reply = Callable[[httpx2.Request], httpx2.Response]


class QueueAgent:
    """Answers `/v1/leases` and, at any other path, the next of the replies.

    `places` are the positions that each new lease has before it is held, one for each look.
    `asked` are methods and paths in order; `jobs` the requests of jobs.
    """

    def __init__(self, replies: Sequence[Reply], places: Sequence[Sequence[int]] = ()) -> None:
        self.asked: list[str] = []
        self.jobs: list[httpx2.Request] = []
        self.lost_on_heartbeat = 0
        self._replies = iter(replies)
        self._places: Iterator[Sequence[int]] = iter(places)
        self._numbers = count(1)
        self._waiting: dict[str, list[int]] = {}

    @property
    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self.respond)

    def respond(self, request: httpx2.Request) -> httpx2.Response:
        method, path = request.method, request.url.path
        self.asked.append(f"{method} {path}")
        if path == "/v1/leases":
            identity = f"lease-{next(self._numbers)}"
            self._waiting[identity] = list(next(self._places, ()))
            return self.state(identity, 201)
        if path.startswith("/v1/leases/"):
            return self.known(path.rpartition("/")[2], method)
        self.jobs.append(request)
        return next(self._replies)(request)

    def known(self, identity: str, method: str) -> httpx2.Response:
        if method == "DELETE":
            return httpx2.Response(204)
        if self.lost_on_heartbeat:
            self.lost_on_heartbeat -= 1
            return lease_lost()
        return self.state(identity, 200)

    def state(self, identity: str, status: int) -> httpx2.Response:
        places = self._waiting[identity]
        place = places.pop(0) if places else 0
        number = int(identity.rpartition("-")[2])
        body = {
            "id": identity,
            "state": "waiting" if place else "held",
            "position": place,
            "token": None if place else 100 + number,
            "ttl_s": 60,
            "expires_in_s": 60,
        }
        return httpx2.Response(status, json=body)


def problem(status: int, kind: str) -> httpx2.Response:
    body = {"type": f"urn:haq:problem:{kind}", "title": "", "status": status, "detail": kind}
    return httpx2.Response(status, json=body)


def lease_lost(request: httpx2.Request | None = None) -> httpx2.Response:
    return problem(409, "lease-lost")


def stopping(request: httpx2.Request) -> httpx2.Response:
    return problem(503, "stopping")


def lost(request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ReadError("connection reset")


def done(request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, json={"done": json.loads(request.content)})


def header(requests: Sequence[Any], name: str) -> list[str]:
    return [request.headers[name] for request in requests]
