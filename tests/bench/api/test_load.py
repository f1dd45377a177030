from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.api import http
from bench.api.load import Load, Pace, Reads, Stream, paths_of, quantiles_ms, resident_mib
from tests.device_agent.server import in_thread


def test_quantiles() -> None:
    assert quantiles_ms([n / 1000 for n in range(1, 102)]) == {"p50_ms": 51.0, "p99_ms": 100.0}


def test_trials_that_did_not_come_once_and_in_their_place_are_lost() -> None:
    assert Stream([1, 2, 3]).lost(3) == 0
    assert Stream([1, 2, 3, 4]).lost(3) == 0
    assert Stream([1, 3]).lost(3) == 2
    assert Stream([1, 1, 2]).lost(3) == 2
    assert Stream().lost(2) == 2


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """A stream of two trials in three parts, or a short body."""

    async def parts() -> object:
        for part in ('event: trial\ndata: {"episode": 1}\n\n', ":\n\n", 'event: trial\ndata: {"ep'):
            yield part
        yield 'isode": 2}\n\nevent: trial\ndata: {"episode": 3}\n\n'

    found: ASGIApp = Response(b"x" * 10)
    if scope["path"].endswith("/events"):
        found = StreamingResponse(parts())  # type: ignore[arg-type]
    await found(scope, receive, send)


def test_a_stream_is_followed() -> None:
    stream = Stream()

    async def follow(port: int) -> None:
        with suppress(asyncio.IncompleteReadError):
            await stream.follow(port, "1")

    with in_thread(answer) as port:
        asyncio.run(follow(port))
    assert stream.episodes == [1, 2, 3]
    assert stream.is_open.is_set()


def test_reads_are_made_at_their_pace() -> None:
    reads = Reads()
    with in_thread(answer) as port:
        asyncio.run(reads.make(port, paths_of("1"), Load(0, 40.0, 0.5)))
    found = reads.to_json()
    assert (found["reads"], found["failed"]) == (20, 0)
    assert set(found["by_kind"]) == {"list", "get", "trials", "pareto"}


def test_a_connection_is_used_again() -> None:
    async def twice(port: int) -> list[tuple[int, bytes]]:
        connection = http.Connection(*await http.connect(port))
        return [await connection.get("/"), await connection.get("/")]

    with in_thread(answer) as port:
        assert asyncio.run(twice(port)) == [(200, b"x" * 10)] * 2


def test_the_pace_of_trials(tmp_path: Path) -> None:
    file = tmp_path / "store.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE trials (run_id, number)")
        rows = [("1", 1), ("1", 2), ("2", 1)]
        connection.executemany("INSERT INTO trials VALUES (?, ?)", rows)
        connection.commit()
    pace = Pace(file, "1", [0.0, 1.0, 3.0, 5.0])
    assert pace.count() == 2
    assert Pace(file, "3").count() == 0
    assert pace.between(1.0, 9.0) == {"trials": 3, "median_s": 2.0}


def test_memory_is_that_of_a_process() -> None:
    assert resident_mib(1) >= 0
