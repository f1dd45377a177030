import math
from typing import Any

import numpy as np
import pytest

from device_agent.measuring import measure as measure_module
from device_agent.measuring.blocks import MOST_VOIDED, Stopping
from device_agent.measuring.measure import measure
from device_agent.measuring.timing import Timing
from device_agent.models.networks import FloatNetwork
from quant.errors import BoardError, InputError, PolicyError
from quant.graph import Floats
from tests.device_agent.pixel_network import pixel_layers
from tests.device_agent.small_network import RANGES, SHAPE, everywhere, small_layers

QUICK = Stopping(rel_ci=0.5, min_rounds=4, max_rounds=8, max_seconds=10.0)


def quickly(
    network: FloatNetwork, policies: list[dict[str, int]], timing: Timing | None = None
) -> list[dict[str, Any]]:
    answer = measure(network, policies, QUICK, timing or Timing())
    assert answer["timed_s"] > 0
    return list(answer["latencies"])


@pytest.fixture
def float_network() -> FloatNetwork:
    return FloatNetwork(tuple(small_layers()), RANGES, SHAPE)


def test_real_networks_are_measured_in_order(float_network: FloatNetwork) -> None:
    mixed = {**everywhere(32), "pointwise": 8, "stem": 16}
    latencies = quickly(float_network, [everywhere(32), everywhere(8), mixed, everywhere(32)])
    checksums = [latency["checksum"] for latency in latencies]
    assert checksums[0] == checksums[3]
    assert len(set(checksums)) == 3
    for latency in latencies:
        assert latency["ratio_low"] <= latency["ratio"] <= latency["ratio_high"]
        assert latency["latency_ms"] == pytest.approx(latency["ratio"] * latency["reference_ms"])
        # Blocks that were unsteady at first may count once more is known.
        assert 4 <= latency["rounds"] <= MOST_VOIDED * QUICK.max_rounds
        assert latency["audit"] is None
        assert 0.001 < latency["reference_ms"] < 100
        assert latency["conditions"]["clock"] == "thread_cpu"
        assert latency["conditions_before"]["threads"] == 1


def test_a_network_with_logits_of_every_pixel_is_measured() -> None:
    network = FloatNetwork(tuple(pixel_layers()), RANGES, SHAPE)
    latencies = quickly(network, [everywhere(8), everywhere(32)])
    assert latencies[0]["checksum"] != latencies[1]["checksum"]


def test_two_threads_are_timed_by_the_wall(float_network: FloatNetwork) -> None:
    one = quickly(float_network, [everywhere(8)])
    two = quickly(float_network, [everywhere(8)], Timing(threads=2))
    assert two[0]["conditions"]["clock"] == "wall"
    assert two[0]["conditions"]["threads"] == 2
    assert two[0]["checksum"] == one[0]["checksum"]


def test_an_audit_comes_with_each_latency(
    float_network: FloatNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device_agent.measuring.audit.STOPPING", QUICK)
    answer = measure(float_network, [everywhere(8), everywhere(32)], QUICK, Timing(), audited=True)
    for latency in answer["latencies"]:
        assert latency["audit"]["outputs_equal"]
        assert latency["audit"]["outputs_checked"] == latency["rounds"] + latency["voided"]


def test_impossible_requests_are_refused(float_network: FloatNetwork) -> None:
    with pytest.raises(PolicyError, match="no layer ghost"):
        quickly(float_network, [{**everywhere(8), "ghost": 8}])
    with pytest.raises(InputError, match="core 1023"):
        quickly(float_network, [everywhere(8)], Timing(cores=[1023]))
    unranged = FloatNetwork(float_network.layers, {}, SHAPE)
    with pytest.raises(PolicyError, match="no activation range"):
        quickly(unranged, [everywhere(8)])


def test_outputs_that_are_not_finite_are_refused() -> None:
    layers = small_layers()
    last = max(index for index, layer in enumerate(layers) if layer.payload is not None)
    payload = layers[last].payload
    assert payload is not None
    assert payload.weight is not None
    payload.weight[:] = math.inf
    with pytest.raises(BoardError, match="not finite"):
        quickly(FloatNetwork(tuple(layers), RANGES, SHAPE), [everywhere(32)])


def test_what_is_timed_must_be_what_was_evaluated(
    float_network: FloatNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def evaluate(candidate: object, images: Floats) -> Floats:
        return np.zeros((1, 10), np.float32)

    monkeypatch.setattr(measure_module, "run_images", evaluate)
    with pytest.raises(BoardError, match="another output than in evaluation"):
        quickly(float_network, [everywhere(32)])
