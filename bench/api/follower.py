"""Somebody who follows a search whatever becomes of the connection."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2

from bench.api.server import HEADERS

AGAIN_S = 0.2


@dataclass
class Follower:
    """Keeps what it is told, in order."""

    url: str
    search_id: str
    events: list[tuple[str, Any]] = field(default_factory=list)
    connections: int = 0
    _last: str | None = None

    def start(self) -> threading.Thread:
        """Follow in a thread, until the search has ended."""
        thread = threading.Thread(target=self.follow, daemon=True)
        thread.start()
        return thread

    def follow(self) -> None:
        """To the end, with as many connections as it takes."""
        while not (self.events and self.events[-1][0] == "end"):
            try:
                self._connect()
            except httpx2.HTTPError:
                time.sleep(AGAIN_S)

    def told(self, kind: str) -> list[Any]:
        """The data of all events of a kind."""
        return [data for name, data in self.events if name == kind]

    def _connect(self) -> None:
        place = {} if self._last is None else {"Last-Event-ID": self._last}
        address = f"{self.url}/v1/searches/{self.search_id}/events"
        with (
            httpx2.Client(verify=False, trust_env=False, timeout=60) as client,
            client.stream("GET", address, headers={**HEADERS, **place}) as answer,
        ):
            answer.raise_for_status()
            self.connections += 1
            for place_id, kind, data in read(answer.iter_lines()):
                self._last = place_id or self._last
                self.events.append((kind, json.loads(data)))


def read(lines: Iterator[str]) -> Iterator[tuple[str | None, str, str]]:
    """Id, kind and data of each event that is whole."""
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line:
            found[name] = value
        elif "data" in found:
            yield found.get("id"), found["event"], found["data"]
            found = {}
