"""Searches whose service is killed again and again: `python -m bench.api.chaos [KILLS]`.

Each must come to the same end as one that nobody disturbed, and who follows it must be told each
trial once. For a while no file can grow, as on a full disk.
"""

from __future__ import annotations

import hashlib
import json
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2

from bench.api.follower import Follower
from bench.api.server import Server, kill_one, wait_until
from haq.store.database import Database
from haq.store.run_folder import read_json
from haq.store.trials import count_trials, read_trials

AGENTS = ("random", "ddpg", "greedy")
EPISODES = 100
KILLS = 20
FULL_S = 6.0
PATIENCE_S = 1200.0
SETTINGS = {"LEASE_S": "2", "WORKERS": "2"}
Run = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """A small network and images for it, as files."""

    weights: Path
    images: Path
    input_size: int


def begin(server: Server, subject: Subject, agents: Sequence[str], episodes: int) -> list[str]:
    """Upload, register, and put a search for each agent into the queue; their ids."""
    with server.client() as client:
        asked = {"name": "small", "input_size": str(subject.input_size)}
        answer = client.post(
            "/v1/models", params=asked, content=subject.weights.read_bytes()
        ).raise_for_status()
        answer = client.post(
            "/v1/datasets", json={"name": "small", "path": str(subject.images)}
        ).raise_for_status()
        found = []
        for agent in agents:
            answer = client.post("/v1/searches", json=spec(agent, episodes)).raise_for_status()
            found.append(answer.json()["id"])
    return found


def spec(agent: str, episodes: int) -> dict[str, Any]:
    """A search for 4 or 8 bits."""
    return {
        "model": "small",
        "data": "small",
        "bits": "4,8",
        "budgets": ["size=0.2x"],
        "quantizer": "naive",
        "observer": "absmax",
        "agent": agent,
        "episodes": episodes,
        "parallel": 2,
    }


def serving(folder: Path, subject: Subject) -> Server:
    """A service that may read the images."""
    return Server(folder, {**SETTINGS, "DATA_ROOTS": json.dumps([str(subject.images.parent)])})


def states(database: Database, ids: Sequence[str]) -> list[str]:
    """What searches are, as the store says it."""
    from api.jobs import Jobs

    jobs = Jobs(database)
    return [jobs.get(search_id).state for search_id in ids]


def results(server: Server, database: Database, ids: Sequence[str]) -> list[Run]:
    """What searches came to, without seconds and names."""
    return [
        {
            "trials": read_trials(database, search_id),
            "best": read_json(server.data / "runs" / search_id / "summary.json")["best"],
            "policy": read_json(server.data / "runs" / search_id / "policy.json"),
        }
        for search_id in ids
    ]


@contextmanager
def opened(server: Server) -> Iterator[Database]:
    """The store, beside the service."""
    from api.store import open_database

    database = open_database(f"sqlite:///{server.data / 'haq.sqlite'}")
    try:
        yield database
    finally:
        database.close()


def undisturbed(folder: Path, subject: Subject, agents: Sequence[str], episodes: int) -> list[Run]:
    """What searches come to that are left alone."""
    server = serving(folder, subject)
    server.start()
    try:
        ids = begin(server, subject, agents, episodes)
        with opened(server) as database:
            wait_until(lambda: ended(states(database, ids)), PATIENCE_S)
            assert states(database, ids) == ["done"] * len(ids), server.log
            return results(server, database, ids)
    finally:
        server.kill()


def ended(found: Sequence[str]) -> bool:
    """Whether nothing more will come."""
    return not set(found) & {"queued", "running"}


@dataclass
class Chaos:
    """Kills a service and its workers at moments that the seed decides."""

    server: Server
    database: Database
    ids: Sequence[str]
    rng: random.Random
    kills: int = 0

    def kill(self) -> None:
        """After some more trials, or before any where the luck is bad."""
        before, wanted = self.trials(), self.rng.randint(0, 5)
        with suppress(TimeoutError):
            wait_until(lambda: self.over() or self.trials() >= before + wanted, 60)
        time.sleep(self.rng.uniform(0, 1.5))
        if self.over():
            return
        if self.rng.random() < 0.5:
            self.server.kill()
            self.server.start()
        else:
            kill_one(self.rng.sample(self.server.workers(), 1))
        self.kills += 1

    def fill(self) -> None:
        """For a while no file of the service can grow; what is asked of it meanwhile is refused."""
        limit(self.server.processes, 0)
        time.sleep(FULL_S)
        with self.server.client() as client:
            answer = client.post("/v1/keys", json={"name": "late", "role": "read"})
            assert answer.status_code in {503, 507}, answer.text
        # Twice: a process may have been started meanwhile.
        for _ in range(2):
            limit(self.server.processes, resource.RLIM_INFINITY)

    def trials(self) -> int:
        """How many there are by now."""
        return sum(count_trials(self.database, self.ids).values())

    def over(self) -> bool:
        """Whether all searches have ended."""
        return ended(states(self.database, self.ids))


def limit(processes: Callable[[], Sequence[int]], size_bytes: int) -> None:
    """How large files may become that processes write; theirs that they start, too."""
    for pid in processes():
        # A confined child of the local board's agent has limits of its own, and no store.
        with suppress(ProcessLookupError, PermissionError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))


def disturbed(
    folder: Path, subject: Subject, agents: Sequence[str], episodes: int, kills: int, seed: int = 0
) -> tuple[list[Run], dict[str, Any]]:
    """What searches come to whose service is killed so often; and what happened to them.

    Raises AssertionError where a follower was told a trial twice, or not at all.
    """
    server = serving(folder, subject)
    server.start()
    try:
        ids = begin(server, subject, agents, episodes)
        followers = [Follower(server.url, search_id) for search_id in ids]
        threads = [follower.start() for follower in followers]
        with opened(server) as database:
            chaos = Chaos(server, database, ids, random.Random(seed))
            for number in range(kills):
                if number == kills // 2:
                    chaos.fill()
                chaos.kill()
            wait_until(chaos.over, PATIENCE_S)
            assert states(database, ids) == ["done"] * len(ids), server.log
            for thread in threads:
                thread.join(60)
            found = results(server, database, ids)
            check_told(followers, found)
            with server.client() as client:
                shown = [client.get(f"/v1/searches/{i}").raise_for_status().json() for i in ids]
                for search_id in ids:
                    check_shown(client, search_id)
        return found, {
            "kills": chaos.kills,
            "attempts": [search["attempts"] for search in shown],
            "connections": [follower.connections for follower in followers],
        }
    finally:
        server.kill()


def check_told(followers: Sequence[Follower], runs: Sequence[Run]) -> None:
    """Each trial was told once and in order, and so was every state."""
    for follower, run in zip(followers, runs, strict=True):
        told = [trial["episode"] for trial in follower.told("trial")]
        assert told == [trial["episode"] for trial in run["trials"]], told
        assert [end["state"] for end in follower.told("end")] == ["done"]


def check_shown(client: httpx2.Client, search_id: str) -> None:
    """What a search left is shown, and each file is what its digest says."""
    place = f"/v1/searches/{search_id}"
    assert client.get(f"{place}/pareto").raise_for_status().json()["marks"]
    files = client.get(f"{place}/artifacts").raise_for_status().json()["artifacts"]
    assert {"summary.json", "policy.json", "report.html"} <= {file["name"] for file in files}
    for file in files:
        data = client.get(f"{place}/artifacts/{file['name']}").raise_for_status().content
        assert hashlib.sha256(data).hexdigest() == file["sha256"], file


def main() -> None:
    """Run both, and compare."""
    from tests.haq.subjects import cropped, write_images, write_small_weights

    kills = int(sys.argv[1]) if len(sys.argv) > 1 else KILLS
    with TemporaryDirectory() as made:
        folder = Path(made)
        subject = Subject(
            write_small_weights(folder / "weights.safetensors"),
            write_images(folder / "roots" / "images", cropped("test", 20)),
            16,
        )
        start = time.monotonic()
        wanted = undisturbed(folder / "undisturbed", subject, AGENTS, EPISODES)
        alone_s = time.monotonic() - start
        found, seen = disturbed(folder / "disturbed", subject, AGENTS, EPISODES, kills)
        assert found == wanted
        seconds = round(time.monotonic() - start - alone_s)
    print(json.dumps({**seen, "seconds_alone": round(alone_s), "seconds": seconds, "equal": True}))


if __name__ == "__main__":
    main()
