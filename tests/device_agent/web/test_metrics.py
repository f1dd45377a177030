from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from device_agent.processes.jobs import JobError, JobTimeoutError, StoppingError
from device_agent.web.metrics import Metrics
from quant.errors import InputError
from tests.device_agent.conftest import put
from tests.device_agent.small_network import everywhere

Labels = tuple[tuple[str, str], ...]


def read(text: str) -> dict[tuple[str, Labels], float]:
    """Samples by name and labels."""
    return {
        (sample.name.removeprefix("haq_agent_"), tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped(client: TestClient) -> dict[tuple[str, Labels], float]:
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return read(answer.text)


def test_requests_are_counted_by_template_method_and_status(client: TestClient) -> None:
    for digit in "123":
        client.get("/v1/files/" + digit * 64)
    client.post("/v1/device")
    client.get("/v1/device", headers={"Authorization": "Bearer wrong"})
    client.request("BREW", "/v1/device")
    for index in range(5):
        client.get(f"/nothing/{index}")
    found = scraped(client)

    def count(route: str, method: str, status: str) -> float:
        labels = (("method", method), ("route", route), ("status", status))
        return found["requests_total", labels]

    assert count("/v1/files/{digest}", "GET", "404") == 3
    assert count("/v1/device", "POST", "405") == 1
    assert count("/v1/device", "other", "405") == 1
    assert count("other", "GET", "401") == 1
    assert count("other", "GET", "404") == 5
    labels = (("method", "GET"), ("route", "/v1/files/{digest}"))
    assert found["request_seconds_count", labels] == 3
    assert not any("nothing" in str(key) or "BREW" in str(key) for key in found)


def test_bytes_and_uploads_are_counted(client: TestClient) -> None:
    put(client, b"x" * 1000)
    client.put("/v1/files/" + "0" * 64, content=b"y" * 500)
    found = scraped(client)
    assert found["received_bytes_total", ()] == 1500
    assert found["uploads_total", ()] == 1


def test_jobs_are_counted_by_task_and_outcome(client: TestClient, network: str) -> None:
    quick = {"rel_ci": 0.5, "min_rounds": 4, "max_rounds": 4}
    request = {"network": network, "policies": [everywhere(8)], **quick}
    assert client.post("/v1/measure", json=request).status_code == 200
    refused = {**request, "policies": [{"stem": 8}]}
    assert client.post("/v1/measure", json=refused).status_code == 422
    found = scraped(client)
    assert found["jobs_total", (("outcome", "done"), ("task", "measure"))] == 1
    assert found["jobs_total", (("outcome", "refused"), ("task", "measure"))] == 1
    assert found["job_seconds_count", (("task", "measure"),)] == 2
    assert found["job_seconds_sum", (("task", "measure"),)] > 0
    assert found["running_jobs", ()] == 0
    assert found["waiting_clients", ()] == 0
    assert found["ratio_noise", ()] > 0


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (InputError("x"), "refused"),
        (JobTimeoutError("x"), "late"),
        (StoppingError("x"), "stopped"),
        (JobError("x"), "failed"),
        (ValueError("x"), "failed"),
    ],
)
def test_a_job_that_fails_is_counted_by_its_error(error: Exception, outcome: str) -> None:
    metrics = Metrics()
    with pytest.raises(type(error)), metrics.timed_job("profile"):
        raise error
    found = read(metrics.to_text().decode())
    assert found["jobs_total", (("outcome", outcome), ("task", "profile"))] == 1


def test_the_process_is_there_and_two_applications_do_not_mix(client: TestClient) -> None:
    client.get("/v1/nothing")
    assert scraped(client)["process_open_fds", ()] > 0
    assert "/v1" not in Metrics().to_text().decode()


def test_the_numbers_need_a_key(client: TestClient) -> None:
    del client.headers["Authorization"]
    assert client.get("/metrics").status_code == 401
