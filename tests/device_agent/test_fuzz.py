"""Thousands of spoilt requests: each is refused with a cause, or is measured with finite results.

Nothing that passes the checks may crash the measuring process, and nothing at all the service.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from device_agent.settings import Settings
from device_agent.web.service import create_app
from quant.ncnn.build import dump
from tests.device_agent import gated_network, pooled_network, small_network
from tests.device_agent.conftest import KEY
from tests.device_agent.mutations import MUTATIONS, Case

JSON = {"Content-Type": "application/json"}
QUICK = {"rel_ci": 0.9, "min_rounds": 4, "max_rounds": 4, "max_seconds": 0.05}
NOT_FINITE = "the network's output is not finite"
SEEDS = {
    "small": (small_network.small_layers, small_network.RANGES, small_network.SHAPE),
    "pooled": (pooled_network.pooled_layers, pooled_network.RANGES, pooled_network.SHAPE),
    "gated": (gated_network.gated_layers, gated_network.RANGES, gated_network.SHAPE),
}
SHARES = {"small": 1, "pooled": 1, "gated": 4}
"""A network of many layers is measured slowly: one of so many cases is tried."""


def sound_case(seed: str) -> Case:
    make, ranges, shape = SEEDS[seed]
    param, weights = dump(make())
    names = list(ranges)
    mixed = {name: (8, 16, 32)[index % 3] for index, name in enumerate(names)}
    policies = [*(dict.fromkeys(names, bits) for bits in (8, 16, 32)), mixed]
    return Case(param.encode(), weights, ranges, list(shape), policies)


def cases(seed: str) -> Iterator[tuple[str, Case]]:
    """Spoilt requests, each with its name; the same ones every time."""
    sound = sound_case(seed)
    for mutate, count in MUTATIONS.items():
        for index in range(0, count, SHARES[seed]):
            name = f"{seed} {mutate.__name__} {index}"
            yield name, mutate(Random(name), sound)


class Fuzzer:
    """Sends cases and counts their ends. What was sent before is not sent again."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.uploaded: set[str] = set()
        self.measured: set[str] = set()
        self.ends: Counter[str] = Counter()

    def send(self, name: str, case: Case) -> None:
        body = {
            "param": self.upload(case.param),
            "bin": self.upload(case.weights),
            "ranges": case.ranges,
            "input_shape": case.shape,
        }
        answer = self.post("/v1/networks", body)
        if answer.status_code != 200:
            self.check_refusal(name, answer)
            self.ends["refused"] += 1
            return
        self.measure(name, answer.json()["id"], case)

    def measure(self, name: str, identity: str, case: Case) -> None:
        request = {"network": identity, "policies": case.policies, **QUICK}
        text = json.dumps(request)
        if text in self.measured:
            self.ends["measured before"] += 1
            return
        self.measured.add(text)
        answer = self.post("/v1/measure", request)
        if answer.status_code == 200:
            self.check_latencies(name, answer.json(), len(case.policies))
            self.ends["measured"] += 1
        else:
            self.check_refusal(name, answer)
            self.ends[self.end_of(name, answer.json())] += 1

    def end_of(self, name: str, problem: dict[str, Any]) -> str:
        if problem["type"] == "urn:haq:problem:job-failed":
            assert problem["detail"] == NOT_FINITE, (name, problem)
            return "not finite"
        return "policy refused"

    def check_refusal(self, name: str, answer: Any) -> None:
        assert 400 <= answer.status_code < 500, (name, answer.text)
        assert answer.headers["content-type"] == "application/problem+json", name
        detail = answer.json()["detail"]
        assert len(detail) > 10 and len(detail.splitlines()) == 1, (name, detail)

    def check_latencies(self, name: str, answer: dict[str, Any], count: int) -> None:
        assert len(answer["latencies"]) == count, name
        for latency in answer["latencies"]:
            assert all(0 < latency[key] < math.inf for key in ("ratio", "latency_ms")), name
            assert len(latency["checksum"]) == 64, name

    def upload(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self.uploaded:
            answer = self.client.put(f"/v1/files/{digest}", content=data)
            assert answer.status_code == 200, answer.text
            self.uploaded.add(digest)
        return digest

    def post(self, route: str, body: Any) -> Any:
        return self.client.post(route, content=json.dumps(body).encode(), headers=JSON)


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzer]:
    folder: Path = tmp_path_factory.mktemp("fuzz")
    settings = Settings(key=SecretStr(KEY), data_dir=folder, job_timeout_s=60, max_policies=4)
    headers = {"Authorization": f"Bearer {KEY}"}
    with TestClient(create_app(settings), headers=headers) as client:
        yield Fuzzer(client)


@pytest.mark.parametrize("seed", SEEDS)
def test_sound_requests_are_measured(fuzzer: Fuzzer, seed: str) -> None:
    before = fuzzer.ends["measured"]
    fuzzer.send(seed, sound_case(seed))
    assert fuzzer.ends["measured"] == before + 1


@pytest.mark.parametrize("seed", SEEDS)
def test_spoilt_requests_are_refused_or_measured(fuzzer: Fuzzer, seed: str) -> None:
    fuzzer.ends.clear()
    for name, case in cases(seed):
        fuzzer.send(name, case)
    print(seed, dict(fuzzer.ends))
    share = SHARES[seed]
    assert fuzzer.ends.total() >= 1000 / share
    assert fuzzer.ends["refused"] >= 700 / share
    assert fuzzer.ends["measured"] >= 20 / share
    assert fuzzer.ends["policy refused"] >= 5 / share
    assert fuzzer.client.get("/healthz").status_code == 200
    before, width = fuzzer.ends["measured"], 7 if seed == "gated" else 15
    sound = replace(sound_case(seed), shape=[*sound_case(seed).shape[:2], width])
    fuzzer.send("last", sound)
    assert fuzzer.ends["measured"] + fuzzer.ends["measured before"] > before
