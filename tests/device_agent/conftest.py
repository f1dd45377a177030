from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from device_agent.service import create_app
from device_agent.settings import Settings
from quant.ncnn.build import dump
from quant.ncnn.format import NcnnLayer
from tests.device_agent.small_network import RANGES, SHAPE, small_layers

KEY = "correct horse battery staple"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(key=SecretStr(KEY), data_dir=tmp_path, job_timeout_s=120, max_policies=4)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    headers = {"Authorization": f"Bearer {KEY}"}
    with TestClient(create_app(settings), headers=headers) as found:
        yield found


def put(client: TestClient, data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    assert client.put(f"/v1/files/{digest}", content=data).status_code == 200
    return digest


def register(
    client: TestClient, layers: Sequence[NcnnLayer], shape: tuple[int, int, int] = SHAPE
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


@pytest.fixture
def network(client: TestClient) -> str:
    return register(client, small_layers())
