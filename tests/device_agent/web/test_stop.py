from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from device_agent.web.stop import Stop
from tests.device_agent.conftest import KEY, register
from tests.device_agent.process_table import is_running, stat, wait_for
from tests.device_agent.server import AGENT, UVICORN, Server, read_to_end, running
from tests.device_agent.small_network import everywhere, small_layers

LONG = {"rel_ci": 1e-9, "min_rounds": 10_000, "max_rounds": 10_000, "max_seconds": 300}
QUICK = {"rel_ci": 0.5, "min_rounds": 4, "max_rounds": 4}
STOPPING = "urn:haq:problem:stopping"


def children_of(server: Server) -> set[int]:
    """Processes that the agent started and that still run."""
    pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    found = {pid: stat(pid) for pid in pids}
    parent = str(server.process.pid)
    return {pid for pid, s in found.items() if s and s[0] != "Z" and s[1] == parent}


def leftovers(server: Server) -> list[str]:
    data = server.log.parent / "data"
    return [str(path) for path in (*data.glob("*/.partial-*"), *data.glob("jobs/*"))]


def start_measuring(
    pool: ThreadPoolExecutor, server: Server, network: str
) -> Future[httpx2.Response]:
    def measure() -> httpx2.Response:
        with server.client() as client:
            request = {"network": network, "policies": [everywhere(8)], **LONG}
            return client.post("/v1/measure", json=request)

    return pool.submit(measure)


def line(client: httpx2.Client) -> tuple[bool, int]:
    """Whether a job runs, and how many wait."""
    found = client.get("/v1/status").json()
    return found["running"], found["waiting"]


@contextmanager
def half_an_upload(server: Server) -> Iterator[socket.socket]:
    head = "PUT /v1/files/{} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n"
    with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
        connection.sendall(head.format("0" * 64, KEY).encode())
        connection.sendall(b"Content-Length: 100\r\n\r\nhalf")
        wait_for(lambda: any("partial" in path for path in leftovers(server)))
        yield connection


@pytest.mark.parametrize("command", [AGENT, UVICORN], ids=["haq-agent", "uvicorn"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything_at_once_and_well(
    tmp_path: Path, command: Sequence[str], number: signal.Signals
) -> None:
    with (
        ThreadPoolExecutor(2) as pool,
        running(tmp_path, command) as server,
        server.client() as client,
        half_an_upload(server) as upload,
    ):
        network = register(client, small_layers())
        running_job = start_measuring(pool, server, network)
        wait_for(lambda: line(client) == (True, 0))
        waiting_job = start_measuring(pool, server, network)
        wait_for(lambda: line(client) == (True, 1))
        children = children_of(server)
        assert children
        start = time.monotonic()
        server.process.send_signal(number)
        for job in (running_job, waiting_job):
            answer = job.result(20)
            assert (answer.status_code, answer.json()["type"]) == (503, STOPPING)
        assert read_to_end(upload).startswith(b"HTTP/1.1 503 ")
        assert server.process.wait(20) == 0
        assert time.monotonic() - start < 15
        assert not any(map(is_running, children))
        assert leftovers(server) == []
        assert "Traceback" not in server.log.read_text()


def test_the_process_that_waits_for_a_job_ends_too(tmp_path: Path) -> None:
    with running(tmp_path, UVICORN) as server, server.client() as client:
        assert client.get("/v1/device").status_code == 200
        wait_for(lambda: children_of(server))
        children = children_of(server)
        server.process.terminate()
        assert server.process.wait(20) == 0
        assert not any(map(is_running, children))
        assert leftovers(server) == []


def test_a_killed_agent_leaves_no_process_and_the_next_one_works(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool, running(tmp_path) as server, server.client() as client:
        network = register(client, small_layers())
        lease = client.post("/v1/leases", json={"client": "a", "ttl_s": 600}).json()
        assert client.delete(f"/v1/leases/{lease['id']}").status_code == 204
        job = start_measuring(pool, server, network)
        wait_for(lambda: line(client) == (True, 0))
        children = children_of(server)
        assert children
        with half_an_upload(server):
            server.process.kill()
            server.process.wait()
        with pytest.raises(httpx2.TransportError):
            job.result(20)
        wait_for(lambda: not any(map(is_running, children)))
        assert leftovers(server)
    with running(tmp_path) as server, server.client() as client:
        assert leftovers(server) == []
        assert client.get("/v1/status").json()["lease"] is None
        assert line(client) == (False, 0)
        request = {"network": network, "policies": [everywhere(8)], **QUICK}
        assert client.post("/v1/measure", json=request).status_code == 200
        again = client.post("/v1/leases", json={"client": "a"}).json()
        assert again["token"] > lease["token"]


def test_a_signal_before_the_start_is_over_is_an_end_too(tmp_path: Path) -> None:
    """At whatever moment it comes, no traceback is printed."""
    for delay_s in (0.7, 1.0):
        env = {**os.environ, "HAQ_AGENT_KEY": KEY, "HAQ_AGENT_DATA_DIR": str(tmp_path)}
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "env": env}
        with subprocess.Popen([*UVICORN], **options) as process:  # type: ignore[call-overload]
            time.sleep(delay_s)
            process.terminate()
            text = process.communicate(timeout=20)[0].decode()
        assert process.returncode in {0, -signal.SIGTERM}
        assert "Traceback" not in text


def test_the_jobs_are_closed_once_and_slow_requests_cut_off() -> None:
    closed = []

    async def scene() -> str:
        stop = Stop(lambda: closed.append(1), grace_s=0.1)

        async def request() -> None:
            with stop.cutting_off():
                await asyncio.sleep(60)

        task = asyncio.create_task(request())
        await asyncio.sleep(0)
        stop.begin()
        stop.begin()
        assert stop.is_requested
        try:
            await task
        except asyncio.CancelledError:
            return "cut off"
        return "ended"

    assert asyncio.run(scene()) == "cut off"
    assert closed == [1]


def test_the_handlers_of_the_server_come_back() -> None:
    seen: list[int] = []

    async def scene() -> None:
        stop = Stop(lambda: None, grace_s=60)
        with stop.on_signals():
            signal.raise_signal(signal.SIGTERM)
            await asyncio.sleep(0.01)
            assert stop.is_requested
        assert seen == [signal.SIGTERM]

    def handle(number: int, frame: object) -> None:
        seen.append(number)

    before = signal.signal(signal.SIGTERM, handle)
    try:
        asyncio.run(scene())
        assert signal.getsignal(signal.SIGTERM) is handle
    finally:
        signal.signal(signal.SIGTERM, before)
