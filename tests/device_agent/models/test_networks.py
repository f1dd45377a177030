from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from device_agent.models import networks as networks_module
from device_agent.models.files import DiskFullError, used_files
from device_agent.models.networks import Networks, UnknownNetworkError
from device_agent.models.wiring import numbered
from device_agent.settings import Settings
from quant.ncnn.build import dump, mixed_layers
from quant.ncnn.capabilities import Capabilities
from quant.ncnn.format import NcnnLayer, Payload
from tests.device_agent.conftest import put, register
from tests.device_agent.models.test_files import store_bytes
from tests.device_agent.small_network import RANGES, SHAPE, everywhere, small_layers

Change = Callable[[NcnnLayer], NcnnLayer]


def body(client: TestClient, layers: list[NcnnLayer]) -> dict[str, Any]:
    param, weights = dump(layers)
    files = {"param": put(client, param.encode()), "bin": put(client, weights)}
    return {**files, "ranges": RANGES, "input_shape": SHAPE}


def on(name: str, change: Change) -> list[NcnnLayer]:
    return [change(layer) if layer.name == name else layer for layer in small_layers()]


def with_nan(layer: NcnnLayer) -> NcnnLayer:
    assert layer.payload is not None
    assert layer.payload.weight is not None
    weight = np.full_like(layer.payload.weight, np.nan)
    return replace(layer, payload=Payload(weight, layer.payload.bias))


def with_infinite_bias(layer: NcnnLayer) -> NcnnLayer:
    assert layer.payload is not None
    assert layer.payload.bias is not None
    return replace(layer, payload=Payload(layer.payload.weight, layer.payload.bias + np.inf))


def test_equal_networks_have_equal_ids_and_load_again(
    client: TestClient, settings: Settings
) -> None:
    first, again = register(client, small_layers()), register(client, small_layers())
    assert first == again
    assert register(client, small_layers(), (3, 24, 24)) != first
    found = Networks(settings.data_dir).load(first)
    assert dump(found.layers) == dump(numbered(small_layers()))
    assert (found.ranges, found.input_shape) == (RANGES, SHAPE)


def test_unknown_ids_are_told_apart(settings: Settings) -> None:
    for ask in (Networks.load, Networks.require, Networks.find):
        with pytest.raises(UnknownNetworkError, match="register it first"):
            ask(Networks(settings.data_dir), "0" * 64)
    with pytest.raises(UnknownNetworkError), Networks(settings.data_dir).held("0" * 64):
        pass


def test_a_network_in_use_keeps_its_files(client: TestClient, settings: Settings) -> None:
    identity = register(client, small_layers())
    networks = Networks(settings.data_dir, max_store_bytes=1)
    record = networks.find(identity)
    with networks.held(identity), pytest.raises(DiskFullError):
        store_bytes(networks.files, b"more")
    assert networks.find(identity) == record
    store_bytes(networks.files, b"m")
    with pytest.raises(UnknownNetworkError, match="made room for others: upload it again"):
        networks.require(identity)


def test_only_so_many_networks_are_remembered(
    client: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks_module, "MAX_NETWORKS", 2)
    first, second, third = (register(client, small_layers(), (3, n, n)) for n in (16, 17, 18))
    folder = settings.data_dir / "networks"
    assert {file.path.name for file in used_files(folder)} == {second, third}
    assert register(client, small_layers()) == first
    assert {file.path.name for file in used_files(folder)} == {third, first}


def test_leftovers_of_a_killed_registration_go_at_the_next_start(settings: Settings) -> None:
    leftover = settings.data_dir / "networks" / ".partial-abc"
    leftover.parent.mkdir(parents=True)
    leftover.write_text("half")
    Networks(settings.data_dir).prepare()
    assert not leftover.exists()


@pytest.mark.parametrize(
    ("layers", "cause"),
    [
        (on("sum", lambda layer: replace(layer, type="Noop")), "type Noop"),
        (on("sum", lambda layer: replace(layer, name="stem")), "same name"),
        (on("stem", lambda layer: layer.with_params(p31=7)), "masks"),
        (on("input", lambda layer: replace(layer, outputs=("x",))), "exactly one Input"),
        (on("head", lambda layer: replace(layer, outputs=("x",))), "blob out0"),
        (on("stem", with_nan), "stem has weights that are not finite"),
        (on("head", with_infinite_bias), "head has weights that are not finite"),
        (on("stem", lambda layer: layer.with_params(p3=0)), "parameter 3 (stride) is 0"),
        (on("stem", lambda layer: layer.with_params(p7=2)), "no parameter 7"),
        (on("sum", lambda layer: replace(layer, inputs=("stem_copy0", "stem"))), "read before"),
        (mixed_layers(small_layers(), everywhere(8), RANGES, Capabilities()), "already int8"),
    ],
)
def test_networks_that_cannot_be_measured_are_refused(
    client: TestClient, layers: list[NcnnLayer], cause: str
) -> None:
    answer = client.post("/v1/networks", json=body(client, layers))
    assert answer.status_code == 422
    assert cause in answer.json()["detail"]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"ranges": {"ghost": 1.0}}, "range for ghost"),
        ({"ranges": {"sum": 1.0}}, "range for sum"),
        ({"ranges": {"stem": 0.0}}, "greater than 0"),
        ({"input_shape": [3, 16]}, "input_shape"),
        ({"input_shape": [3, 16, 0]}, "input_shape"),
        ({"input_shape": [1, 16, 16]}, "stem has 432 weights, but 16 outputs from 1 input"),
        ({"input_shape": [3, 8192, 8192]}, "numbers in its output"),
        ({"ranges": {"stem": 1e300}}, "range of stem"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_requests_that_make_no_sense_are_refused(
    client: TestClient, change: dict[str, Any], cause: str
) -> None:
    answer = client.post("/v1/networks", json={**body(client, small_layers()), **change})
    assert answer.status_code == 422
    assert cause in answer.json()["detail"]


@pytest.mark.parametrize("file", ["param", "bin"])
def test_files_that_are_not_here_have_to_be_uploaded_first(client: TestClient, file: str) -> None:
    answer = client.post("/v1/networks", json={**body(client, small_layers()), file: "0" * 64})
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:haq:problem:unknown-file"
    assert "upload it first" in answer.json()["detail"]


def test_ranges_that_are_not_finite_are_refused(client: TestClient) -> None:
    text = '{"ranges": {"stem": Infinity, "head": NaN}}'
    answer = client.post("/v1/networks", content=text, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert "ranges.stem" in answer.json()["detail"] or "finite" in answer.json()["detail"]


@pytest.mark.parametrize("param", [b"\xff\xfe", b"hello", b"7767517\n1 1\nInput\n"])
def test_files_that_are_no_network_are_refused(client: TestClient, param: bytes) -> None:
    request = {**body(client, small_layers()), "param": put(client, param)}
    assert client.post("/v1/networks", json=request).status_code == 422


def test_weights_of_another_length_are_refused(client: TestClient) -> None:
    request = body(client, small_layers())
    for weights in (dump(small_layers())[1] + b"\0\0\0\0", dump(small_layers())[1][:-4]):
        answer = client.post("/v1/networks", json={**request, "bin": put(client, weights)})
        assert answer.status_code == 422
        assert ".bin" in answer.json()["detail"]
