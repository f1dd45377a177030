from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.events.cursor import Cursor, parse_cursor
from api.events.feed import SLIM, Feed
from api.events.told import Place, Told
from api.jobs.job import Job, State, entered
from quant.errors import InputError, StorageError
from tests.api.runs import made_up_trial

STATES: tuple[State, ...] = ("queued", "running", "paused")


@dataclass
class Source:
    """A search that goes on when it is told to; `chunk` trials are read at once."""

    job: Job = field(default_factory=lambda: entered(Job("1" * 32, {}, "anna", 1.0), "queued", 1.0))
    trials: list[dict[str, Any]] = field(default_factory=list)
    chunk: int = 3

    def feed(self) -> Feed:
        return Feed(lambda: self.job, self.read)

    def read(self, after: int) -> list[dict[str, Any]]:
        return self.trials[after : after + self.chunk]

    def go(self, step: str) -> None:
        if step == "trial":
            self.trials.append(made_up_trial(len(self.trials) + 1))
        elif step == "progress":
            self.job = replace(self.job, progress={"done": len(self.trials)})
        else:
            state = STATES[len(self.job.history) % len(STATES)]
            self.job = entered(self.job, "done" if step == "end" else state, 2.0)


async def told(feed: Feed, since: Cursor, at_most: int) -> list[Told]:
    """What is told until there is no more, or so much was."""
    found: list[Told] = []
    stream = feed.follow(since)
    try:
        while len(found) < at_most:
            found += (await asyncio.wait_for(anext(stream), 0.01)).events
    except (StopAsyncIteration, asyncio.TimeoutError):
        pass
    await stream.aclose()  # type: ignore[attr-defined]
    return found[:at_most]


def numbers(events: Sequence[Told], kind: str) -> list[int]:
    """Of trials their episodes, of states how many there were by then."""
    return [
        json.loads(event.data)["episode"] if kind == "trial" else event.cursor.states
        for event in events
        if event.kind == kind and event.cursor is not None
    ]


STEPS = st.lists(st.sampled_from(["trial", "trial", "state", "progress"]), max_size=12)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(0, 14), st.integers(0, 14))
def test_behind_any_cursor_each_event_comes_once(
    steps: list[str], states: int, trials: int
) -> None:
    source = Source()
    for step in (*steps, "end"):
        source.go(step)
    feed = source.feed()
    feed.take(feed.read())
    found = asyncio.run(told(feed, Cursor(states, trials), 100))
    assert numbers(found, "trial") == list(range(trials + 1, len(source.trials) + 1))
    assert numbers(found, "state") == list(range(states + 1, len(source.job.history) + 1))
    assert [event.kind for event in found].count("end") == 1
    assert found[-1].kind == "end"


@settings(max_examples=60, deadline=None)
@given(STEPS, st.lists(st.tuples(st.integers(1, 4), st.integers(1, 5)), max_size=12))
def test_with_any_reconnects_each_event_comes_once(
    steps: list[str], lives: list[tuple[int, int]]
) -> None:
    """The search goes on between; some connections are to a server that has just started."""
    source = Source()
    found = asyncio.run(followed(source, [*steps, "end"], lives))
    assert numbers(found, "trial") == list(range(1, len(source.trials) + 1))
    assert numbers(found, "state") == list(range(1, len(source.job.history) + 1))


async def followed(source: Source, left: list[str], lives: list[tuple[int, int]]) -> list[Told]:
    """What a client is told that reconnects after so many steps, and so many events."""
    found, cursor, feed = list[Told](), Cursor(), source.feed()
    for count, at_most in (*lives, (len(left), 1000)):
        for step in left[:count]:
            source.go(step)
        left = left[count:]
        if at_most % 2:
            feed = source.feed()
        feed.take(feed.read())
        for event in await told(feed, cursor, at_most):
            found.append(event)
            # A client keeps the text of the last id that it saw.
            cursor = parse_cursor(str(event.cursor)) if event.cursor else cursor
    return found


def test_the_last_state_comes_behind_all_trials() -> None:
    source = Source()
    for step in ("state", "trial", "trial", "end"):
        source.go(step)
    feed = source.feed()
    feed.take(feed.read())
    kinds = [event.kind for event in asyncio.run(told(feed, Cursor(), 100))]
    assert kinds == ["state", "state", "trial", "trial", "state", "end"]


def test_what_is_new_is_told_to_who_waits() -> None:
    async def check() -> None:
        source = Source()
        feed = source.feed()
        polling = asyncio.create_task(feed.poll())
        stream = feed.follow(Cursor())
        first = await asyncio.wait_for(anext(stream), 5)
        assert [event.kind for event in first.events] == ["state", "progress"]
        source.go("trial")
        (event,) = (await asyncio.wait_for(anext(stream), 5)).events
        assert (event.kind, event.cursor) == ("trial", Cursor(1, 1))
        polling.cancel()

    asyncio.run(check())


@pytest.mark.parametrize("error", [StorageError("no room"), InputError("damaged")])
def test_a_store_that_fails_is_asked_again(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.events.feed.POLL_S", 0.01)

    async def check() -> None:
        source, failures = Source(), [error, error]

        def read_job() -> Job:
            if failures:
                raise failures.pop()
            return source.job

        feed = Feed(read_job, source.read)
        polling = asyncio.create_task(feed.poll())
        batch = await asyncio.wait_for(anext(feed.follow(Cursor())), 5)
        assert batch.events[0].kind == "state"
        polling.cancel()

    asyncio.run(check())


def test_progress_is_told_as_it_changes_and_is_no_place() -> None:
    source = Source()
    source.go("progress")
    feed = source.feed()
    feed.take(feed.read())
    events = asyncio.run(told(feed, Cursor(1, 0), 10))
    assert [(event.kind, event.cursor) for event in events] == [("progress", None)]


def test_a_trial_is_told_without_its_policy() -> None:
    metric = {"name": "f1", "value": 0.5}
    source = Source(trials=[made_up_trial(1), made_up_trial(2, metric=metric)])
    feed = source.feed()
    feed.take(feed.read())
    events = asyncio.run(told(feed, Cursor(), 10))
    plain, judged = [json.loads(e.data) for e in events if e.kind == "trial"]
    assert set(judged) == set(SLIM) == {*plain, "metric"}
    assert judged["metric"] == metric


def test_who_comes_late_is_told_much_at_once_and_not_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.events.feed.CHUNK", 4)
    source = Source()
    for step in [*["trial"] * 10, "end"]:
        source.go(step)
    feed = source.feed()
    feed.take(feed.read())

    async def batches() -> list[list[str]]:
        return [[event.kind for event in some.events] async for some in feed.follow(Cursor())]

    assert asyncio.run(batches()) == [
        ["state", *["trial"] * 4, "progress"],
        ["trial"] * 4,
        ["trial", "trial", "state", "end"],
    ]


def test_followers_at_one_place_share_what_they_are_told_until_there_is_more() -> None:
    source = Source()
    source.go("trial")
    feed = source.feed()
    feed.take(feed.read())
    here = Place(Cursor(1, 0), steps=1)
    before = feed.batch(here)
    assert feed.batch(here) is before
    feed.take(feed.read())
    assert feed.batch(here) is before
    source.go("trial")
    feed.take(feed.read())
    assert [len(before.events), len(feed.batch(here).events)] == [1, 2]


def test_places_that_anybody_asks_for_are_not_all_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.events.feed.PLACES", 3)
    feed = Source().feed()
    feed.take(feed.read())
    for states in range(100):
        feed.batch(Place(Cursor(states, 0)))
        assert len(feed._batches) <= 3


def test_who_waits_in_vain_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.events.feed.QUIET_S", 0.01)
    feed = Source().feed()
    feed.take(feed.read())

    async def first_two() -> list[int]:
        stream = feed.follow(Cursor(1, 0))
        return [len((await anext(stream)).events) for _ in range(3)]

    assert asyncio.run(first_two()) == [1, 0, 0]
