"""Requests that wait for the board, over HTTP."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient
from starlette.testclient import TestClient

from device_agent.agent import Agent
from device_agent.settings import Settings
from device_agent.web.service import create_app
from tests.device_agent.conftest import AUTH, infer_body
from tests.device_agent.process_table import wait_for
from tests.device_agent.quick_jobs import (
    Posted,
    QuickJobs,
    acquire,
    assert_problem,
    under,
)


class Connection:
    """A client that can leave before its answer comes, at the application itself."""

    def __init__(self, body: object, headers: Mapping[str, str]) -> None:
        self.gone = asyncio.Event()
        self.status = 0
        self.messages: Iterator[dict[str, Any]] = iter(
            [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]
        )
        pairs = {**AUTH, "content-type": "application/json", **headers}.items()
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/v1/infer",
            "raw_path": b"/v1/infer",
            "query_string": b"",
            "root_path": "",
            "headers": [(k.lower().encode(), v.encode()) for k, v in pairs],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }

    async def call(self, app: Any) -> None:
        await app(self.scope, self.receive, self.send)

    async def receive(self) -> dict[str, Any]:
        for message in self.messages:
            return message
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.status = message.get("status", self.status)


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("headers", "waiting"), [({}, 0), ({"Idempotency-Key": "1"}, 1)], ids=["alone", "comes again"]
)
def test_who_hangs_up_leaves_the_line_unless_it_may_come_again(
    client: TestClient,
    agent: Agent,
    asked: dict[str, Any],
    jobs: QuickJobs,
    headers: dict[str, str],
    waiting: int,
) -> None:
    lease = agent.leases.acquire("anna", 60).lease

    async def hang_up() -> None:
        connection = Connection(asked, headers)
        task = asyncio.create_task(connection.call(client.app))
        await until(lambda: agent.leases.occupation().waiting == 1)
        connection.gone.set()
        if not waiting:
            await until(lambda: agent.leases.occupation().waiting == 0)
        agent.leases.release(lease.id)
        await task

    asyncio.run(hang_up())
    assert len(jobs.ran) == waiting
    again = client.post("/v1/infer", json=asked, headers=headers)
    assert again.status_code == 200
    assert len(jobs.ran) == 1


def test_many_waiting_requests_hold_up_neither_heartbeats_nor_the_holder(
    settings: Settings, tmp_path: Path
) -> None:
    """Four times as many as the framework has threads, half of them asking again."""
    app = create_app(settings.model_copy(update={"max_waiting": 80}))
    agent: Agent = app.state.agent
    agent.jobs = QuickJobs(tmp_path / "quick")
    agent.prepare()
    transport = ASGITransport(app, client=("127.0.0.1", 1))

    async def crowd() -> None:
        async with AsyncClient(transport=transport, base_url="http://a", headers=AUTH) as client:
            lease = (await client.post("/v1/leases", json={"client": "anna"})).json()
            path = f"/v1/leases/{lease['id']}"
            tasks = [
                asyncio.create_task(
                    client.post("/v1/infer", json=asked, headers={"Idempotency-Key": str(n % 80)})
                )
                for n in range(160)
            ]
            await until(lambda: agent.leases.occupation().waiting == 80)
            assert_problem(await client.post("/v1/infer", json=asked), 503, "queue-full")
            assert (await client.put(path)).json()["state"] == "held"
            answer = await client.post("/v1/infer", json=asked, headers=under(lease))
            assert answer.status_code == 200
            assert (await client.delete(path)).status_code == 204
            assert {(await task).status_code for task in tasks} == {200}

    asked = infer_body(TestClient(app, headers=AUTH))
    asyncio.run(asyncio.wait_for(crowd(), 20))


def test_requests_that_wait_are_told_when_the_agent_stops(
    client: TestClient, agent: Agent, asked: dict[str, Any], jobs: QuickJobs
) -> None:
    acquire(client)
    posted = Posted(client, "/v1/infer", asked)
    wait_for(lambda: agent.leases.occupation().waiting == 1)
    agent.close()
    assert_problem(posted.result(), 503, "stopping")
    assert jobs.ran == []
