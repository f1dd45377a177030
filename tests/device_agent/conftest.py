from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from device_agent.agent import Agent
from device_agent.settings import Settings
from device_agent.turns.leases import Leases
from device_agent.web.service import create_app
from quant.ncnn.build import dump
from quant.ncnn.format import NcnnLayer
from tests.device_agent.fake_clock import FakeClock
from tests.device_agent.quick_jobs import QuickJobs
from tests.device_agent.small_network import RANGES, SHAPE, everywhere, small_layers

KEY = "correct horse battery staple"
AUTH = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(key=SecretStr(KEY), data_dir=tmp_path, job_timeout_s=120, max_policies=4)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    headers = {"Authorization": f"Bearer {KEY}"}
    with TestClient(create_app(settings), headers=headers) as found:
        yield found


def put(client: httpx2.Client, data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    assert client.put(f"/v1/files/{digest}", content=data).status_code == 200
    return digest


def register(
    client: httpx2.Client, layers: Sequence[NcnnLayer], shape: tuple[int, int, int] = SHAPE
) -> str:
    param, weights = dump(layers)
    body = {
        "param": put(client, param.encode()),
        "bin": put(client, weights),
        "ranges": RANGES,
        "input_shape": shape,
    }
    answer = client.post("/v1/networks", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def infer_body(client: httpx2.Client) -> dict[str, Any]:
    """A request for logits."""
    network = register(client, small_layers())
    images = put(client, bytes(12))
    return {"network": network, "images": images, "policies": [everywhere(8)]}


@pytest.fixture
def network(client: TestClient) -> str:
    return register(client, small_layers())


@pytest.fixture
def agent(client: TestClient) -> Agent:
    found: Agent = client.app.state.agent  # type: ignore[attr-defined]
    return found


@pytest.fixture
def jobs(agent: Agent, tmp_path: Path) -> QuickJobs:
    agent.jobs = found = QuickJobs(tmp_path / "quick")
    return found


@pytest.fixture
def clock(agent: Agent) -> FakeClock:
    """Moves the time of leases."""
    clock = FakeClock()
    agent.leases = Leases(count(1).__next__, agent.settings.max_waiting, clock)
    return clock


@pytest.fixture
def asked(client: TestClient) -> dict[str, Any]:
    return infer_body(client)
