from __future__ import annotations

import os
import platform
from typing import Any

import pytest
from starlette.testclient import TestClient

from quant.ncnn.runtime import capabilities
from tests.device_agent.small_network import everywhere

QUICK = {"rel_ci": 0.5, "min_rounds": 4, "max_rounds": 10}


def assert_problem(answer: Any, status: int, detail: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) == {"type", "title", "status", "detail"}
    assert answer.json()["status"] == status
    assert detail in answer.json()["detail"]


def test_device_tells_what_ncnn_does_here(client: TestClient) -> None:
    answer = client.get("/v1/device").json()
    able = capabilities()
    assert answer["machine"] == platform.machine()
    assert answer["cores"] == os.cpu_count()
    assert (answer["arch"], answer["bits16"]) == (able.arch, able.bits16)
    assert set(answer["types16"]) == able.types16
    assert answer["memory_bytes"] > 2**26
    assert answer["max_policies"] == 4


def test_measure_through_the_service(client: TestClient, network: str) -> None:
    policies = [everywhere(8), everywhere(32), everywhere(16)]
    request = {"network": network, "policies": policies, **QUICK}
    answer = client.post("/v1/measure", json=request).json()
    first, same, _ = answer["latencies"]
    assert len({latency["checksum"] for latency in answer["latencies"]}) == 3
    assert 0.4 < same["ratio"] < 2.5
    assert first["latency_ms"] == pytest.approx(first["ratio"] * first["reference_ms"])
    assert first["conditions"]["affinity"] == sorted(os.sched_getaffinity(0))
    assert not any(latency["cached"] for latency in answer["latencies"])


def test_the_same_measurement_is_answered_from_before(client: TestClient, network: str) -> None:
    request = {"network": network, "policies": [everywhere(8)], **QUICK}
    (first,) = client.post("/v1/measure", json=request).json()["latencies"]
    both = {**request, "policies": [everywhere(32), everywhere(8)]}
    new, known = client.post("/v1/measure", json=both).json()["latencies"]
    assert (new["cached"], known["cached"]) == (False, True)
    assert {**known, "cached": False} == first
    for change in ({"fresh": True}, {"threads": 2}, {"rel_ci": 0.4}, {"seed": 1}):
        (again,) = client.post("/v1/measure", json={**request, **change}).json()["latencies"]
        assert not again["cached"], change


def test_a_profile_is_answered_from_before(client: TestClient, network: str) -> None:
    request = {"network": network, "layers": ["stem"], "bits": [32], "rounds": 2}
    first = client.post("/v1/profile", json=request).json()
    again = client.post("/v1/profile", json=request).json()
    assert (first["cached"], again["cached"]) == (False, True)
    assert again == {**first, "cached": True}


def test_profile_through_the_service(client: TestClient, network: str) -> None:
    request = {"network": network, "layers": ["depthwise"], "bits": [8, 32], "rounds": 2}
    answer = client.post("/v1/profile", json=request).json()
    assert set(answer["layers"]["depthwise"]) == {"8", "32"}
    assert set(answer["pairs"][0]["ms"]) == {"8,8", "8,32", "32,8", "32,32"}


@pytest.mark.parametrize(
    ("change", "status", "detail"),
    [
        ({"policies": [{**everywhere(8), "ghost": 8}]}, 422, "no layer ghost"),
        ({"policies": [{"stem": 8}]}, 422, "no bits for layer"),
        ({"policies": [everywhere(4)]}, 422, "policies.0.stem"),
        ({"policies": []}, 422, "policies"),
        ({"policies": [everywhere(8)] * 5}, 422, "at most 4 policies"),
        ({"max_seconds": 1e6}, 422, "over the limit"),
        ({"min_rounds": 30, "max_rounds": 20}, 422, "max_rounds is less"),
        ({"network": "0" * 64}, 404, "no network"),
        ({"network": "../../etc/passwd"}, 422, "network"),
        ({"rel_ci": 0}, 422, "rel_ci"),
    ],
)
def test_bad_measurements_are_problems(
    client: TestClient, network: str, change: dict[str, Any], status: int, detail: str
) -> None:
    request = {"network": network, "policies": [everywhere(8)], **QUICK, **change}
    assert_problem(client.post("/v1/measure", json=request), status, detail)


def test_unknown_routes_and_methods_are_problems(client: TestClient) -> None:
    assert_problem(client.get("/v1/nothing"), 404, "Not Found")
    assert_problem(client.delete("/v1/device"), 405, "Method Not Allowed")
