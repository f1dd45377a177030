"""What happens in a search, as it happens: followed through lost connections."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator

import stamina

from haq.client._base import Part, path_of
from haq.client.answers import Event, Search, read_search
from haq.client.connection import Connection
from haq.client.failures import ServerError, ServerLostError, is_passing

SILENCE_S = 60.0
"""The server says something every 15 s, if only that it is there."""
PATIENCE_S = 300.0

patient = stamina.RetryingCaller(
    attempts=None, timeout=PATIENCE_S, wait_initial=0.5, wait_max=10.0, wait_jitter=1.0
).on(is_passing)
"""Calls a function again until a server that is started anew is there again."""


class Events(Part):
    """The client's methods about them."""

    def events(self, search_id: str, since: str | None = None) -> Iterator[Event]:
        """Every event from the beginning, or behind the one with the id `since`, to `end`.

        Each comes once, although connections are lost; a server that is lost for minutes is a
        ServerLostError.
        """
        stream = Stream(self._connection, path_of("searches", search_id, "events"), since)
        try:
            yield from stream.follow()
        finally:
            stream.close()

    def wait(self, search_id: str) -> Search:
        """The search when it has ended, however it did."""
        for _ in self.events(search_id):
            pass
        return self._connection.get(path_of("searches", search_id), read_search)


class Stream:
    """One search's events, on one connection after another."""

    def __init__(self, connection: Connection, path: str, since: str | None) -> None:
        self._connection, self._path, self._cursor = connection, path, since
        self._heard: Generator[Event, None, None] | None = None
        self._progress: Event | None = None

    def follow(self) -> Iterator[Event]:
        """To the end. Raises ServerError."""
        while True:
            event = patient(self._next)
            # A new connection begins with the progress, which may be no other than before.
            if event == self._progress:
                continue
            if event.kind == "progress":
                self._progress = event
            yield event
            if event.kind == "end":
                return

    def close(self) -> None:
        """Close the connection."""
        if self._heard is not None:
            self._heard.close()

    def _next(self) -> Event:
        if self._heard is None:
            self._heard = self._listen()
        try:
            event = next(self._heard)
        except (ServerError, StopIteration) as error:
            self._heard = None
            if isinstance(error, ServerError):
                raise
            url = self._connection.url
            raise ServerLostError(f"the server at {url} stopped to tell of the search") from None
        self._cursor = event.id or self._cursor
        return event

    def _listen(self) -> Generator[Event, None, None]:
        headers = {} if self._cursor is None else {"Last-Event-ID": self._cursor}
        with self._connection.open("GET", self._path, SILENCE_S, headers=headers) as response:
            for fields in parse(response.iter_lines()):
                yield self._connection.understand(to_event, fields)


def parse(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """Fields of server-sent events, each on one line; an event that is cut off does not count."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if not line:
            if "data" in fields:
                yield fields
            fields = {}
        elif name:  # without one it is a comment
            fields[name] = value.removeprefix(" ")


def to_event(fields: dict[str, str]) -> Event:
    """An event of its fields. Raises ValueError."""
    data = json.loads(fields["data"])
    if not isinstance(data, dict):
        raise ValueError("the data of an event is an object")
    return Event(fields.get("event", "message"), data, fields.get("id"))
