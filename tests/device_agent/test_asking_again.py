"""Requests that are sent again, over HTTP."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from device_agent.processes.jobs import JobError
from device_agent.settings import Settings
from device_agent.web.service import create_app
from tests.device_agent.conftest import AUTH, KEY, infer_body
from tests.device_agent.fake_clock import FakeClock
from tests.device_agent.quick_jobs import (
    QuickJobs,
    acquire,
    assert_problem,
    measurement,
    under,
)
from tests.device_agent.small_network import everywhere


@pytest.mark.parametrize(
    "headers",
    [
        {"Haq-Lease": "mine"},
        {"Haq-Lease": "0"},
        {"Idempotency-Key": ""},
        {"Idempotency-Key": "k" * 201},
        {"Idempotency-Key": "tab\there"},
    ],
)
def test_headers_that_are_none_are_refused(
    client: TestClient, asked: dict[str, Any], jobs: QuickJobs, headers: dict[str, str]
) -> None:
    assert_problem(client.post("/v1/infer", json=asked, headers=headers), 422, "invalid")
    assert jobs.ran == []


def test_the_same_request_again_is_answered_from_memory(
    client: TestClient, asked: dict[str, Any], jobs: QuickJobs
) -> None:
    first, again = (
        client.post("/v1/infer", json=asked, headers={"Idempotency-Key": "key 1"}) for _ in range(2)
    )
    assert first.status_code == 200 and first.content == again.content
    assert len(jobs.ran) == 1
    other = {**asked, "policies": [everywhere(32)]}
    answer = client.post("/v1/infer", json=other, headers={"Idempotency-Key": "key 1"})
    assert_problem(answer, 422, "idempotency-mismatch")
    answer = client.post(
        "/v1/measure", json=measurement(asked), headers={"Idempotency-Key": "key 1"}
    )
    assert_problem(answer, 422, "idempotency-mismatch")
    client.post("/v1/infer", json=asked, headers={"Idempotency-Key": "key 2"})
    assert len(jobs.ran) == 2


def test_a_job_that_failed_is_told_again_but_one_that_did_not_run_is_run(
    client: TestClient, asked: dict[str, Any], jobs: QuickJobs, clock: FakeClock
) -> None:
    jobs.error = JobError("ncnn died")
    for _ in range(2):
        answer = client.post("/v1/infer", json=asked, headers={"Idempotency-Key": "1"})
        assert_problem(answer, 422, "job-failed")
    assert len(jobs.ran) == 1
    jobs.error = None
    key = {"Idempotency-Key": "2"}
    lost = acquire(client)
    clock.now_s = 60
    assert_problem(
        client.post("/v1/infer", json=asked, headers={**key, **under(lost)}),
        409,
        "lease-lost",
    )
    answer = client.post("/v1/infer", json=asked, headers={**key, **under(acquire(client))})
    assert answer.status_code == 200


def test_an_answer_is_there_though_the_lease_is_lost(
    client: TestClient, asked: dict[str, Any], jobs: QuickJobs, clock: FakeClock
) -> None:
    headers = {"Idempotency-Key": "1", **under(acquire(client))}
    first = client.post("/v1/infer", json=asked, headers=headers)
    clock.now_s = 60
    assert client.post("/v1/infer", json=asked, headers=headers).content == first.content


def test_nobody_gets_the_answer_to_the_key_of_another(settings: Settings, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"ben {hashlib.sha256(b'secret').hexdigest()}\n")
    app = create_app(settings.model_copy(update={"keys_file": keys}))
    app.state.agent.jobs = jobs = QuickJobs(tmp_path / "quick")
    with TestClient(app, headers=AUTH) as client:
        asked = infer_body(client)
        for number, key in enumerate((KEY, "secret", KEY, "secret")):
            headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "1"}
            answer = client.post("/v1/infer", json=asked, headers=headers)
            assert answer.json()["seconds"] == number % 2 + 1
    assert len(jobs.ran) == 2
