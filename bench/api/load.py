"""Many who follow a search and many who read, beside one search that runs."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any

from bench.api import http
from bench.api.server import Server

CONNECTIONS = 8
LOOK_S = 0.01
"""Between two looks at the store: a fifteenth of what a trial takes."""
EPISODE = re.compile(rb'event: trial\ndata: {"episode": (\d+)')
CATCH_UP_S = 20.0


@dataclass(frozen=True)
class Load:
    """So many streams, and so many reads a second."""

    streams: int
    reads_per_s: float
    seconds: float


@dataclass
class Stream:
    """Who follows the search from its beginning: the numbers of the trials, as they came."""

    episodes: list[int] = field(default_factory=list)
    is_open: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow(self, port: int, search_id: str) -> None:
        """Until it is cancelled."""
        reader, writer = await http.connect(port)
        try:
            writer.write(http.request(f"/v1/searches/{search_id}/events"))
            status, _ = await http.read_head(reader)
            assert status == 200, status
            rest = b""
            async for chunk in http.chunks(reader):
                whole, _, rest = (rest + chunk).rpartition(b"\n\n")
                if found := EPISODE.findall(whole):
                    self.is_open.set()
                    self.episodes += map(int, found)
        finally:
            await http.close(writer)

    def lost(self, count: int) -> int:
        """Of the first so many trials, those that did not come once and in their place."""
        wanted = range(1, count + 1)
        padded = [*self.episodes, *[0] * count]
        return sum(told != number for told, number in zip(padded, wanted, strict=False))


@dataclass
class Reads:
    """How long reads took, by what was read, from the moment at which each was due."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    failed: int = 0

    async def make(self, port: int, paths: dict[str, str], load: Load) -> None:
        """Make reads at an even pace, late or not."""
        free: asyncio.Queue[http.Connection] = asyncio.Queue()
        for _ in range(CONNECTIONS):
            free.put_nowait(http.Connection(*await http.connect(port)))
        start, tasks = time.perf_counter(), set[asyncio.Task[None]]()
        for number, name in zip(range(int(load.seconds * load.reads_per_s)), cycle(paths)):
            due = start + number / load.reads_per_s
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            task = asyncio.create_task(self._one(free, name, paths[name], due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        while not free.empty():
            await http.close(free.get_nowait().writer)

    async def _one(
        self, free: asyncio.Queue[http.Connection], name: str, path: str, due: float
    ) -> None:
        connection = await free.get()
        status, _ = await connection.get(path)
        free.put_nowait(connection)
        self.failed += status != 200
        self.seconds.setdefault(name, []).append(time.perf_counter() - due)

    def to_json(self) -> dict[str, Any]:
        """Quantiles in milliseconds, of all and of each kind."""
        every = [s for found in self.seconds.values() for s in found]
        kinds = {name: quantiles_ms(found) for name, found in self.seconds.items()}
        return {**quantiles_ms(every), "reads": len(every), "failed": self.failed, "by_kind": kinds}


def quantiles_ms(seconds: Sequence[float]) -> dict[str, float]:
    """Median and the 99th percentile."""
    ordered = sorted(seconds)
    return {
        "p50_ms": round(statistics.median(ordered) * 1e3, 2),
        "p99_ms": round(ordered[int(0.99 * (len(ordered) - 1))] * 1e3, 2),
    }


@dataclass
class Pace:
    """When trials were seen in the store."""

    database: Path
    search_id: str
    seen: list[float] = field(default_factory=list)

    async def watch(self) -> None:
        """Until it is cancelled."""
        while True:
            self.seen += [time.perf_counter()] * (self.count() - len(self.seen))
            await asyncio.sleep(LOOK_S)

    def count(self) -> int:
        """Trials by now; those before the first look count as seen then."""
        asked = "SELECT max(number) FROM trials WHERE run_id = ?"
        return int(self._store.execute(asked, [self.search_id]).fetchone()[0] or 0)

    @cached_property
    def _store(self) -> sqlite3.Connection:
        # Kept open: to open it for every look would take a tenth of a core from what is measured.
        return sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)

    def between(self, start: float, end: float) -> dict[str, float]:
        """How many came in a time, and the median of the seconds between them."""
        found = [at for at in self.seen if start <= at <= end]
        gaps = [later - earlier for earlier, later in pairwise(found)]
        median = statistics.median(gaps) if gaps else float("nan")
        return {"trials": len(found), "median_s": round(median, 4)}


def resident_mib(pid: int) -> float:
    """Memory of a process."""
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    assert found is not None
    return round(int(found[1]) / 1024, 1)


def cpu_s(pid: int) -> float:
    """What a process has used of all cores."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class Usage:
    """What the service and this client use from now on."""

    server_pid: int
    began: float = field(default_factory=time.perf_counter)
    cpu_s: dict[str, float] = field(default_factory=dict)
    resident_mib: float = 0.0

    def __post_init__(self) -> None:
        self.cpu_s, self.resident_mib = self._cpu_s(), resident_mib(self.server_pid)

    def to_json(self) -> dict[str, Any]:
        """Cores, and memory of the service at begin and end."""
        seconds = time.perf_counter() - self.began
        return {
            "cores": {n: round((s - self.cpu_s[n]) / seconds, 3) for n, s in self._cpu_s().items()},
            "resident_mib": {"begin": self.resident_mib, "end": resident_mib(self.server_pid)},
        }

    def _cpu_s(self) -> dict[str, float]:
        return {"server": cpu_s(self.server_pid), "client": cpu_s(os.getpid())}


@dataclass
class Audience:
    """Many streams of one search."""

    streams: list[Stream]
    tasks: list[asyncio.Task[None]]

    @classmethod
    async def gather(cls, port: int, search_id: str, count: int) -> Audience:
        """All of them, when each has been told something."""
        streams = [Stream() for _ in range(count)]
        tasks = [asyncio.create_task(stream.follow(port, search_id)) for stream in streams]
        for stream in streams:
            await stream.is_open.wait()
        return cls(streams, tasks)

    async def leave(self, count: int) -> dict[str, int]:
        """What they missed of so many trials; a little time is left to hear of the last."""
        await caught_up(self.streams, count)
        lost = sum(stream.lost(count) for stream in self.streams)
        for task in self.tasks:
            task.cancel()
        ends = await asyncio.gather(*self.tasks, return_exceptions=True)
        broken = sum(not isinstance(end, asyncio.CancelledError) for end in ends)
        return {"events_lost": lost, "broken": broken, "trials_told_to_each": count}


async def measure(server: Server, search_id: str, load: Load) -> dict[str, Any]:
    """The search alone, under the load, and alone again."""
    pace, reads = Pace(server.data / "haq.sqlite", search_id), Reads()
    watching = asyncio.create_task(pace.watch())
    alone = [await look(pace, load.seconds / 2)]
    usage = Usage(server.pid)
    audience = await Audience.gather(server.port, search_id, load.streams)
    loaded_from = time.perf_counter()
    await reads.make(server.port, paths_of(search_id), load)
    used, loaded = usage.to_json(), pace.between(loaded_from, time.perf_counter())
    told = await audience.leave(pace.count())
    alone.append(await look(pace, load.seconds / 2))
    watching.cancel()
    calm_s = statistics.mean(found["median_s"] for found in alone)
    slowed_percent = round(100 * (loaded["median_s"] / calm_s - 1), 1)
    search = {"alone": alone, "loaded": loaded, "slowed_percent": slowed_percent}
    return {
        "load": vars(load),
        "reads": reads.to_json(),
        "streams": told,
        "search": search,
        "used": used,
    }


async def look(pace: Pace, seconds: float) -> dict[str, float]:
    """How a search gets on for a while."""
    start = time.perf_counter()
    await asyncio.sleep(seconds)
    return pace.between(start + 2 * LOOK_S, time.perf_counter())


def paths_of(search_id: str) -> dict[str, str]:
    """What is read in turn."""
    place = f"/v1/searches/{search_id}"
    return {
        "list": "/v1/searches?limit=50",
        "get": place,
        "trials": f"{place}/trials?sort=kl&limit=100",
        "pareto": f"{place}/pareto",
    }


async def caught_up(streams: Sequence[Stream], count: int) -> None:
    """Wait until each stream has been told so many trials, or time is up."""
    deadline = time.perf_counter() + CATCH_UP_S
    while any(len(s.episodes) < count for s in streams) and time.perf_counter() < deadline:
        await asyncio.sleep(LOOK_S)
