"""Networks that crash, stall or exhaust ncnn fail alone: the service lives, the next job runs.

All of them are refused at registration, so the checks are switched off here.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from device_agent.agent import Agent
from device_agent.models import networks
from device_agent.models.validate import read_network
from device_agent.settings import Settings
from device_agent.web.service import create_app
from quant.errors import FormatError
from quant.ncnn.build import dump
from quant.ncnn.format import NcnnLayer, Payload, Value
from tests.device_agent.conftest import KEY, put, register
from tests.device_agent.process_table import children, cpu_ticks, wait_for
from tests.device_agent.small_network import SHAPE, everywhere, small_layers
from tests.device_agent.unguarded import COMMAND, read_unchecked
from tests.device_agent.web.test_problems import assert_problem

QUICK = {"rel_ci": 0.5, "min_rounds": 4, "max_rounds": 4, "max_seconds": 0.2}
TIMEOUT_S = 6.0


def conv(name: str, source: str, target: str, c_in: int, c_out: int, kernel: int) -> NcnnLayer:
    count = c_out * c_in * kernel * kernel
    params: dict[int, Value] = {0: c_out, 1: kernel, 4: kernel // 2, 5: 0, 6: count}
    weight = np.full(count, 1e-3, np.float32)
    return NcnnLayer("Convolution", name, (source,), (target,), params, Payload(weight, None))


def network(*layers: NcnnLayer) -> list[NcnnLayer]:
    """The layers between an Input and a global pooling of blob x."""
    pool = NcnnLayer("Pooling", "pool", ("x",), ("out0",), {0: 1, 4: 1})
    return [NcnnLayer("Input", "input", (), ("in0",)), *layers, pool]


# An activation on the image itself writes into memory that is not ncnn's.
CRASHES = network(
    NcnnLayer("ReLU", "relu", ("in0",), ("a",)), conv("c", "a", "x", c_in=3, c_out=8, kernel=3)
)
# 200 Gi multiplications.
HANGS = network(
    conv("first", "in0", "b0", c_in=3, c_out=512, kernel=1),
    *(conv(f"c{i}", f"b{i}", f"b{i + 1}", c_in=512, c_out=512, kernel=1) for i in range(11)),
    conv("last", "b11", "x", c_in=512, c_out=512, kernel=1),
)
# 8 GiB in one blob.
EATS_MEMORY = network(conv("c", "in0", "x", c_in=3, c_out=2048, kernel=1))

FAULTS = pytest.mark.parametrize(
    ("layers", "shape", "kind", "cause"),
    [
        (CRASHES, SHAPE, "job-failed", "died of SIG"),
        (HANGS, (3, 256, 256), "job-timeout", f"longer than {TIMEOUT_S:g} s"),
        (EATS_MEMORY, (3, 1024, 1024), "job-failed", ""),
    ],
    ids=["crashes", "hangs", "eats memory"],
)


@pytest.fixture
def unguarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(networks, "read_network", read_unchecked)
    settings = Settings(
        key=SecretStr(KEY),
        data_dir=tmp_path,
        job_timeout_s=TIMEOUT_S,
        job_memory_bytes=2 * 2**30,
    )
    app = create_app(settings)
    agent: Agent = app.state.agent
    agent.jobs.command = COMMAND
    with TestClient(app, headers={"Authorization": f"Bearer {KEY}"}) as client:
        yield client


def register_any(client: TestClient, layers: list[NcnnLayer], shape: tuple[int, int, int]) -> str:
    param, weights = dump(layers)
    files = {"param": put(client, param.encode()), "bin": put(client, weights)}
    answer = client.post("/v1/networks", json={**files, "ranges": {}, "input_shape": shape})
    return str(answer.json()["id"])


def measure(client: TestClient, identity: str, policy: dict[str, int], **limits: Any) -> Any:
    request = {"network": identity, "policies": [policy], **QUICK, **limits}
    return client.post("/v1/measure", json=request)


@FAULTS
def test_a_network_that_harms_ncnn_fails_alone(
    unguarded: TestClient,
    layers: list[NcnnLayer],
    shape: tuple[int, int, int],
    kind: str,
    cause: str,
) -> None:
    sound = register(unguarded, small_layers())
    harmful = register_any(unguarded, layers, shape)
    policy = {layer.name: 32 for layer in layers if layer.is_weighted}
    assert_problem(measure(unguarded, harmful, policy), 422, kind, cause)
    assert unguarded.get("/healthz").status_code == 200
    assert measure(unguarded, sound, everywhere(32)).status_code == 200
    assert len(list((unguarded.app.state.agent.jobs.scratch).iterdir())) <= 1  # type: ignore[attr-defined]


@FAULTS
def test_such_a_network_is_refused_at_registration(
    layers: list[NcnnLayer], shape: tuple[int, int, int], kind: str, cause: str
) -> None:
    param, weights = dump(layers)
    with pytest.raises(FormatError, match=r"limit is|image itself"):
        read_network(param.encode(), weights, {}, shape)


def test_a_child_killed_in_mid_measurement_fails_alone(client: TestClient, network: str) -> None:
    before = children()
    assert client.get("/v1/device").status_code == 200
    (child,) = set(children()) - set(before)
    long = {"rel_ci": 1e-9, "max_rounds": 10_000, "max_seconds": 50}
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(measure, client, network, everywhere(8), **long)
        wait_for(lambda: cpu_ticks(child) > 200)
        assert client.get("/healthz").status_code == 200
        os.kill(child, signal.SIGKILL)
        assert_problem(running.result(), 422, "job-failed", "died of SIGKILL")
    assert measure(client, network, everywhere(8)).status_code == 200
