"""A search as everybody sees who follows it: read from the store once, however many they are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool

from api.events.cursor import Cursor
from api.jobs import Job
from quant.errors import HaqError

POLL_S = 0.5
CHUNK = 500
QUIET_S = 15.0
"""After so long a follower is told that there is nothing, and so whether it is still there."""
SLIM = (
    "episode",
    "origin",
    "top1",
    "kl",
    "reward",
    "cost",
    "latency_ratio",
    "latency_ms",
    "metric",
)
"""What an event tells of a trial; its policy is a question of its own."""

ReadJob = Callable[[], Job]
ReadTrials = Callable[[int], list[dict[str, Any]]]
"""Records behind the one of a number, a chunk at most."""


@dataclass(frozen=True)
class Told:
    """One event: its kind, its data as JSON, and the id from which to go on; None is no place."""

    kind: str
    data: str
    cursor: Cursor | None


@dataclass
class Feed:
    """What is known of a search so far, and who waits for more."""

    read_job: ReadJob
    read_trials: ReadTrials
    job: Job | None = None
    trials: list[str] = field(default_factory=list)
    followers: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def poll(self) -> None:
        """Look into the store again and again; a store that fails is asked again."""
        while True:
            with suppress(HaqError):
                if await run_in_threadpool(self.read):
                    self._news.set()
                    self._news = asyncio.Event()
            await asyncio.sleep(POLL_S)

    def read(self) -> bool:
        """Whether anything is new. The state first: what has ended has all its trials."""
        before, count = self.job, len(self.trials)
        job = self.read_job()
        while records := self.read_trials(len(self.trials)):
            self.trials += [json.dumps(slim(record)) for record in records]
        self.job = job
        return job != before or len(self.trials) > count

    async def follow(self, since: Cursor) -> AsyncIterator[Sequence[Told]]:
        """Every event behind a cursor, to the last, as many at once as there are by then.

        Now and then it is none, while there is nothing.
        """
        cursor, progress = since, None
        while True:
            news, job = self._news, self.job
            found = [] if job is None else self.behind(cursor, job)
            cursor = next((told.cursor for told in reversed(found) if told.cursor), cursor)
            if job is not None and job.has_ended and self.is_told(cursor, job):
                yield [*found, Told("end", json.dumps({"state": job.state}), None)]
                return
            if job is not None and job.progress != progress:
                progress = job.progress
                found.append(Told("progress", json.dumps(dict(progress)), None))
            if found:
                yield found
            if job is not None and not self.is_told(cursor, job):
                continue
            try:
                await asyncio.wait_for(news.wait(), QUIET_S)
            except asyncio.TimeoutError:
                yield []

    def behind(self, cursor: Cursor, job: Job) -> list[Told]:
        """States and trials that are known, a chunk at most; the state that ends it comes last."""
        last = len(job.history) - job.has_ended
        found = []
        for number in range(cursor.states, last):
            cursor = Cursor(number + 1, cursor.trials)
            found.append(Told("state", json.dumps(job.history[number]), cursor))
        for number in range(cursor.trials, min(len(self.trials), cursor.trials + CHUNK)):
            cursor = Cursor(cursor.states, number + 1)
            found.append(Told("trial", self.trials[number], cursor))
        if cursor.trials < len(self.trials):
            return found
        for number in range(max(last, cursor.states), len(job.history)):
            cursor = Cursor(number + 1, cursor.trials)
            found.append(Told("state", json.dumps(job.history[number]), cursor))
        return found

    def is_told(self, cursor: Cursor, job: Job) -> bool:
        """Whether a cursor is at the end of what is known."""
        return cursor.states >= len(job.history) and cursor.trials >= len(self.trials)


def slim(record: Mapping[str, Any]) -> dict[str, Any]:
    """A trial without its policy, and without a metric where top-1 is all that there is."""
    return {name: record[name] for name in SLIM if name in record}
