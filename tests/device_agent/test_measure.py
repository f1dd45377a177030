import time
from typing import Any

import numpy as np
import pytest
from numpy.random import default_rng

from device_agent.measure import (
    Stopping,
    checksum,
    choose_clock,
    collect,
    measure,
    summarise_ratios,
)
from device_agent.networks import FloatNetwork
from device_agent.rounds import REFERENCES
from quant.errors import BoardError, PolicyError
from tests.device_agent.simulated import Machine
from tests.device_agent.small_network import RANGES, SHAPE, everywhere, small_layers


def quickly(network: FloatNetwork, policies: list[dict[str, int]]) -> dict[str, Any]:
    return measure(network, policies, 0.5, 4, 8, max_seconds=10.0, threads=1, seed=0)


@pytest.fixture
def float_network() -> FloatNetwork:
    return FloatNetwork(tuple(small_layers()), RANGES, SHAPE)


@pytest.mark.parametrize("seed", range(3))
def test_known_ratios_are_recovered_from_a_bimodal_clock(seed: int) -> None:
    machine = Machine(seed)
    costs = [2.0] * REFERENCES + [1.5, 2.0, 3.1]
    runs = [machine.network(cost) for cost in costs]
    stopping = Stopping(0.01, 20, 200, 1e9)
    samples = collect(runs, machine.clock, stopping, default_rng(seed), machine.seconds)
    found = [summary.median for summary in summarise_ratios(samples, default_rng(0))]
    assert found == pytest.approx([0.75, 1.0, 1.55], rel=0.02)


def test_a_steady_machine_stops_early_and_a_noisy_one_at_the_cap() -> None:
    steady, noisy = Machine(0, flip=0), Machine(0, flip=0.3)
    stopping = Stopping(0.05, 20, 60, 1e9)
    rounds = [
        len(collect([m.network(2.0)] * 5, m.clock, stopping, default_rng(0), m.seconds))
        for m in (steady, noisy)
    ]
    assert rounds == [20, 60]


def test_the_time_limit_leaves_the_least_rounds() -> None:
    machine = Machine(0)
    runs = [machine.network(50.0)] * 5
    stopping = Stopping(1e-6, 20, 60, 0.001)
    assert len(collect(runs, machine.clock, stopping, default_rng(0), machine.seconds)) == 4


def test_real_networks_are_measured_in_order(float_network: FloatNetwork) -> None:
    mixed = {**everywhere(32), "pointwise": 8, "stem": 16}
    policies = [everywhere(32), everywhere(8), mixed, everywhere(32)]
    answer = quickly(float_network, policies)
    checksums = [latency["checksum"] for latency in answer["latencies"]]
    assert checksums[0] == checksums[3]
    assert len(set(checksums)) == 3
    for latency in answer["latencies"]:
        assert latency["ratio_low"] <= latency["ratio"] <= latency["ratio_high"]
        assert latency["latency_ms"] == pytest.approx(latency["ratio"] * answer["reference_ms"])
        assert 4 <= latency["rounds"] <= 8
    assert answer["conditions"]["clock"] == "thread_cpu"
    assert 0.001 < answer["reference_ms"] < 100


def test_one_thread_is_timed_by_its_cpu_time_and_several_by_the_wall() -> None:
    assert choose_clock(1) == ("thread_cpu", time.thread_time_ns)
    assert choose_clock(2) == ("wall", time.perf_counter_ns)


def test_impossible_policies_are_refused(float_network: FloatNetwork) -> None:
    with pytest.raises(PolicyError, match="no layer ghost"):
        quickly(float_network, [{**everywhere(8), "ghost": 8}])
    unranged = FloatNetwork(float_network.layers, {}, SHAPE)
    with pytest.raises(PolicyError, match="no activation range"):
        quickly(unranged, [everywhere(8)])


def test_outputs_that_are_not_finite_are_refused() -> None:
    with pytest.raises(BoardError, match="not finite"):
        checksum(np.array([1.0, np.nan], np.float32))
