"""The feeds of all searches that anybody follows; each is polled as long as somebody does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from api.events.feed import CHUNK, Feed
from api.jobs import Jobs
from haq.store.database import Database
from haq.store.trials import read_trials


class Hub:
    """Belongs to the event loop."""

    def __init__(self, jobs: Jobs, database: Database) -> None:
        self._jobs, self._database = jobs, database
        self._feeds: dict[str, tuple[Feed, asyncio.Task[None]]] = {}

    @property
    def followers(self) -> int:
        """Streams that are open."""
        return sum(feed.followers for feed, _ in self._feeds.values())

    @asynccontextmanager
    async def feed(self, job_id: str) -> AsyncIterator[Feed]:
        """The feed of a search."""
        if job_id not in self._feeds:
            feed = Feed(partial(self._jobs.get, job_id), partial(self._read, job_id))
            self._feeds[job_id] = feed, asyncio.create_task(feed.poll())
        feed, task = self._feeds[job_id]
        feed.followers += 1
        try:
            yield feed
        finally:
            feed.followers -= 1
            if feed.followers == 0:
                del self._feeds[job_id]
                task.cancel()

    def _read(self, job_id: str, after: int) -> list[dict[str, Any]]:
        return read_trials(self._database, job_id, after, CHUNK)
