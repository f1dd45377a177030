from __future__ import annotations

import os
import platform
import re
import signal
from threading import Thread
from typing import Any

import pytest
from starlette.testclient import TestClient

from device_agent.service import create_app
from device_agent.settings import Settings
from quant.ncnn.format import NcnnLayer
from quant.ncnn.runtime import capabilities
from tests.device_agent.conftest import KEY, register
from tests.device_agent.small_network import everywhere, small_layers
from tests.device_agent.test_jobs import children, wait_for

QUICK = {"rel_ci": 0.5, "min_rounds": 4, "max_rounds": 10}


def without_padding(layer: NcnnLayer) -> NcnnLayer:
    return layer.with_params(p4=0, p14=0, p15=0, p16=0) if layer.name == "stem" else layer


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
    assert first["latency_ms"] == pytest.approx(first["ratio"] * answer["reference_ms"])
    assert answer["conditions"]["affinity"] == sorted(os.sched_getaffinity(0))
    again = client.post("/v1/measure", json=request).json()
    assert again["latencies"][0]["checksum"] == first["checksum"]


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


@pytest.mark.parametrize("memory_bytes", [2**32, 2**46])
def test_a_network_that_breaks_ncnn_fails_alone(settings: Settings, memory_bytes: int) -> None:
    """A 3x3 kernel on a 1x1 image asks ncnn for a negative size: refused where memory is limited,
    else, as a rule, a signal."""
    app = create_app(settings.model_copy(update={"job_memory_bytes": memory_bytes}))
    with TestClient(app, headers={"Authorization": f"Bearer {KEY}"}) as client:
        sound = register(client, small_layers())
        broken = register(client, [without_padding(layer) for layer in small_layers()], (3, 1, 1))
        request = {"policies": [everywhere(32)], **QUICK}
        answer = client.post("/v1/measure", json={**request, "network": broken})
        assert answer.status_code == 500
        assert re.search("died of SIG|ncnn failed to compute", answer.json()["detail"])
        assert client.get("/healthz").status_code == 200
        answer = client.post("/v1/measure", json={**request, "network": sound})
        assert answer.status_code == 200


def test_a_child_killed_in_mid_measurement_fails_alone(client: TestClient, network: str) -> None:
    before, answers = children(), []
    long = {"rel_ci": 1e-9, "max_rounds": 10_000, "max_seconds": 50}
    request = {"network": network, "policies": [everywhere(8)]}

    def run() -> None:
        answers.append(client.post("/v1/measure", json={**request, **long}))

    thread = Thread(target=run)
    thread.start()
    wait_for(lambda: set(children()) - set(before))
    assert client.get("/healthz").status_code == 200
    (child,) = set(children()) - set(before)
    os.kill(child, signal.SIGKILL)
    thread.join()
    assert_problem(answers[0], 500, "died of SIGKILL")
    assert client.post("/v1/measure", json={**request, **QUICK}).status_code == 200
