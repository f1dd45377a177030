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
from api.events.told import Batch, Place, Told
from api.jobs import Job
from quant.errors import HaqError

POLL_S = 0.5
CHUNK = 500
QUIET_S = 15.0
"""After so long a follower is told that there is nothing, and so whether it is still there."""
PLACES = 64
"""At so many places what comes next is kept; most followers are at one."""
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
class News:
    """A search as it was read, and its trials behind those that were known, as JSON."""

    job: Job
    trials: Sequence[str]


@dataclass
class Feed:
    """What is known of a search so far, and who waits for more.

    It changes in the event loop alone, and what is told to one follower is kept for the others who
    stand at the same place, until there is more.
    """

    read_job: ReadJob
    read_trials: ReadTrials
    job: Job | None = None
    trials: list[str] = field(default_factory=list)
    followers: int = 0
    _steps: int = 0
    _batches: dict[Place, Batch] = field(default_factory=dict)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def poll(self) -> None:
        """Look into the store again and again; a store that fails is asked again."""
        while True:
            with suppress(HaqError):
                self.take(await run_in_threadpool(self.read))
            await asyncio.sleep(POLL_S)

    def read(self) -> News:
        """What the store has. The state first: what has ended has all its trials."""
        job, texts = self.read_job(), list[str]()
        while records := self.read_trials(len(self.trials) + len(texts)):
            texts += [json.dumps(slim(record)) for record in records]
        return News(job, texts)

    def take(self, news: News) -> None:
        """Know it, and wake who waits where anything is new."""
        if news.job == self.job and not news.trials:
            return
        if self.job is None or news.job.progress != self.job.progress:
            self._steps += 1
        self.job = news.job
        self.trials += news.trials
        self._batches.clear()
        self._news.set()
        self._news = asyncio.Event()

    async def follow(self, since: Cursor) -> AsyncIterator[Batch]:
        """Every event behind a cursor, to the last, as many at once as there are by then.

        Now and then it is none, while there is nothing.
        """
        place = Place(since)
        while True:
            news, batch = self._news, self.batch(place)
            place = batch.place
            if batch.events:
                yield batch
            if batch.is_last:
                return
            if self.job is not None and not self.is_told(place.cursor, self.job):
                continue
            try:
                await asyncio.wait_for(news.wait(), QUIET_S)
            except asyncio.TimeoutError:
                yield Batch((), place)

    def batch(self, place: Place) -> Batch:
        """What comes next at a place."""
        if place not in self._batches:
            if len(self._batches) >= PLACES:
                self._batches.clear()
            self._batches[place] = self._make_batch(place)
        return self._batches[place]

    def _make_batch(self, place: Place) -> Batch:
        if self.job is None:
            return Batch((), place)
        found = self.behind(place.cursor, self.job)
        cursor = next((told.cursor for told in reversed(found) if told.cursor), place.cursor)
        is_last = self.job.has_ended and self.is_told(cursor, self.job)
        if is_last:
            found.append(Told("end", json.dumps({"state": self.job.state}), None))
        elif place.steps != self._steps:
            found.append(Told("progress", json.dumps(dict(self.job.progress)), None))
        return Batch(tuple(found), Place(cursor, self._steps), is_last)

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
