"""A search on a server, with the progress that it would show here."""

from __future__ import annotations

from haq.client import Client, Event, Search
from haq.client.answers import Facts
from haq.progress import Progress

UNDER_WAY = frozenset({"queued", "running", "paused"})
"""States that are told as they come; how it ends is told in the end."""


def follow(client: Client, search_id: str, progress: Progress) -> Search:
    """The search when it has ended. Raises ServerError."""
    relay = Relay(progress)
    for event in client.events(search_id):
        relay.tell(event)
    return client.search(search_id)


class Relay:
    """Shows the events of a search."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._stage, self._done, self._note = ("", 0), 0, ""

    def tell(self, event: Event) -> None:
        """States as lines, progress as steps."""
        if event.kind == "state" and event.data["state"] in UNDER_WAY:
            self._progress.note(": ".join(filter(None, (event.data["state"], event.data["note"]))))
        elif event.kind == "progress":
            self._step(event.data)

    def _step(self, now: Facts) -> None:
        """However many steps were done since; stages that came and went meanwhile are not told."""
        stage, done = (now.get("stage", ""), now.get("total", 0)), now.get("done", 0)
        note = now.get("note", "")
        if stage[0] and (stage != self._stage or done < self._done):
            self._progress.start(*stage)
            self._stage, self._done, self._note = stage, 0, ""
        for _ in range(done - self._done):
            self._progress.advance(note)
        if note and done == self._done and note != self._note:
            self._progress.note(note)
        self._done, self._note = done, note
