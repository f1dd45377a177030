"""Exclusive use of the board, over HTTP."""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from starlette.testclient import TestClient

from device_agent.agent import Agent
from device_agent.settings import Settings
from device_agent.turns.fencing import BLOCK
from device_agent.web.service import create_app
from tests.device_agent.conftest import AUTH
from tests.device_agent.fake_clock import FakeClock
from tests.device_agent.process_table import wait_for
from tests.device_agent.quick_jobs import (
    Posted,
    QuickJobs,
    acquire,
    assert_problem,
    measurement,
    under,
)
from tests.device_agent.small_network import everywhere


def test_two_clients_measure_at_once_and_their_jobs_do_not_overlap(
    client: TestClient, agent: Agent, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real thing: children that time networks. Ben has no lease; what Anna does under hers is
    not interrupted."""
    spans: list[tuple[float, float, int]] = []
    run = agent.jobs.run

    def recorded(job: Mapping[str, Any]) -> dict[str, Any]:
        start = time.monotonic()
        try:
            return run(job)
        finally:
            spans.append((start, time.monotonic(), job["arguments"]["seed"]))

    monkeypatch.setattr(agent.jobs, "run", recorded)
    quick = {"rel_ci": 0.5, "min_rounds": 4, "max_rounds": 10, "max_seconds": 5, "fresh": True}
    request = {"network": network, "policies": [everywhere(8)], **quick}
    lease = acquire(client)
    ben = [Posted(client, "/v1/measure", {**request, "seed": seed}) for seed in (10, 11)]
    wait_for(lambda: agent.leases.occupation().waiting == 2)
    for seed in (0, 1):
        headers = under(lease)
        answer = client.post("/v1/measure", json={**request, "seed": seed}, headers=headers)
        assert answer.status_code == 200, answer.text
    client.delete(f"/v1/leases/{lease['id']}")
    assert [posted.result().status_code for posted in ben] == [200, 200]
    assert [seed for _, _, seed in spans[:2]] == [0, 1]
    assert len(spans) == 4
    assert all(before[1] <= after[0] for before, after in pairwise(sorted(spans)))


def test_a_lease_is_held_or_waits_and_follows_when_the_board_is_free(client: TestClient) -> None:
    first, second = acquire(client, "anna"), acquire(client, "ben", 30)
    assert (first["state"], first["position"], first["ttl_s"]) == ("held", 0, 60)
    assert second == {**second, "state": "waiting", "position": 1, "token": None, "ttl_s": 30}
    assert client.delete(f"/v1/leases/{first['id']}").status_code == 204
    after = client.put(f"/v1/leases/{second['id']}").json()
    assert (after["state"], after["position"]) == ("held", 0)
    assert after["token"] > first["token"]
    assert 29 < after["expires_in_s"] <= 30


def test_a_client_that_comes_back_too_late_is_told_so(
    client: TestClient, asked: dict[str, Any], jobs: QuickJobs, clock: FakeClock
) -> None:
    stopped = acquire(client, "anna")
    waiting = acquire(client, "ben", 600)
    clock.now_s = 60
    assert client.put(f"/v1/leases/{waiting['id']}").json()["state"] == "held"
    for answer in (
        client.post("/v1/infer", json=asked, headers=under(stopped)),
        client.post("/v1/measure", json=measurement(asked), headers=under(stopped)),
        client.put(f"/v1/leases/{stopped['id']}"),
        client.delete(f"/v1/leases/{stopped['id']}"),
        client.delete("/v1/leases/unknown"),
    ):
        assert_problem(answer, 409, "lease-lost")
    assert jobs.ran == []


def test_a_request_without_a_lease_waits_for_the_holder(
    client: TestClient, agent: Agent, asked: dict[str, Any], jobs: QuickJobs
) -> None:
    lease = acquire(client)
    posted = Posted(client, "/v1/infer", asked)
    wait_for(lambda: agent.leases.occupation().waiting == 1)
    assert client.post("/v1/infer", json=asked, headers=under(lease)).json()["seconds"] == 1
    assert client.delete(f"/v1/leases/{lease['id']}").status_code == 204
    assert posted.result().json()["seconds"] == 2
    assert agent.leases.occupation().holder is None


def test_a_full_queue_says_when_to_come_again(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"max_waiting": 1}))
    with TestClient(app, headers=AUTH) as client:
        acquire(client)
        acquire(client, "ben")
        answer = client.post("/v1/leases", json={"client": "cleo"})
        assert_problem(answer, 503, "queue-full")
        assert int(answer.headers["retry-after"]) > 0


def test_after_a_restart_nobody_holds_the_board_and_tokens_go_on(settings: Settings) -> None:
    tokens = []
    for _ in range(2):
        with TestClient(create_app(settings), headers=AUTH) as client:
            assert client.get("/v1/status").json()["lease"] is None
            lease = acquire(client)
            tokens.append(lease["token"])
            client.delete(f"/v1/leases/{lease['id']}")
            tokens.append(acquire(client)["token"])
    assert tokens == [1, 2, BLOCK + 1, BLOCK + 2]
    with TestClient(create_app(settings), headers=AUTH) as client:
        assert_problem(client.put(f"/v1/leases/{lease['id']}"), 409, "lease-lost")


def test_status_tells_who_has_the_board(
    client: TestClient, agent: Agent, asked: dict[str, Any], jobs: QuickJobs
) -> None:
    idle = client.get("/v1/status").json()
    assert idle == {**idle, "lease": None, "waiting": 0, "running": False}
    assert idle["conditions"]["load_average"] >= 0
    lease = acquire(client, "anna")
    acquire(client, "ben")
    held = client.get("/v1/status").json()
    assert (held["lease"]["client"], held["waiting"], held["running"]) == ("anna", 1, False)
    assert 55 < held["lease"]["expires_in_s"] < 60
    jobs.go.clear()
    posted = Posted(client, "/v1/infer", asked, **under(lease))
    wait_for(lambda: client.get("/v1/status").json()["running"])
    assert client.get("/v1/status").json()["lease"] == {"client": "anna", "expires_in_s": 60}
    jobs.go.set()
    assert posted.result().status_code == 200


def test_a_single_request_may_have_the_board_as_long_as_a_job_may_take(
    client: TestClient, agent: Agent, asked: dict[str, Any], jobs: QuickJobs
) -> None:
    jobs.go.clear()
    posted = Posted(client, "/v1/infer", asked)
    wait_for(lambda: agent.leases.occupation().running)
    assert client.get("/v1/status").json()["lease"]["expires_in_s"] == agent.settings.job_timeout_s
    jobs.go.set()
    assert posted.result().status_code == 200


@pytest.mark.parametrize("change", [{"client": ""}, {"ttl_s": 0.5}, {"ttl_s": 601}, {"more": 1}])
def test_leases_that_are_none_are_refused(client: TestClient, change: dict[str, Any]) -> None:
    answer = client.post("/v1/leases", json={"client": "anna", **change})
    assert_problem(answer, 422, "invalid")
