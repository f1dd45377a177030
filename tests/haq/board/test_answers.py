from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from haq.board import Latency, profile_to_json, read_latencies, read_profile
from haq.board.answers import read_device, read_status

DEVICE = {
    **{"cpu": "Cortex-A72", "machine": "aarch64", "instruction_sets": ["asimd"], "cores": 4},
    **{"memory_bytes": 2**31, "ncnn_version": "1.0", "arch": "arm", "bits16": "fp16"},
    **{"types16": ["Convolution"], "max_policies": 64},
}
LATENCY: dict[str, Any] = {
    **{"ratio": 0.8, "ratio_low": 0.7, "ratio_high": 0.9, "latency_ms": 1.6, "mad_ms": 0.1},
    **{"rounds": 20, "voided": 3, "noise": 0.01, "checksum": "ab", "reference_ms": 2.0},
    **{"conditions_before": {"governor": "powersave"}, "conditions": {"governor": None}},
    **{"cached": True, "measured_at": "2026-01-02T03:04:05Z", "audit": {"passed": True}},
}
PROFILE: dict[str, Any] = {
    **{"reference_ms": 2.0, "overhead_ms": 0.1, "layers": {"a": {"8": 1.0, "32": 2.0}}},
    "pairs": [{"producer": "a", "consumer": "b", "ms": {"8,32": 3.0}}],
}


def test_a_latency_has_all_that_was_measured() -> None:
    (found,) = read_latencies({"latencies": [LATENCY], "timed_s": 1.0})
    assert asdict(found) == LATENCY
    assert Latency(**asdict(found)) == found


def test_fields_of_a_later_agent_are_passed_over() -> None:
    answer = {"latencies": [{**LATENCY, "energy_mj": 5}], "sensor": "usb"}
    assert read_latencies(answer) == read_latencies({"latencies": [LATENCY]})
    assert read_device({**DEVICE, "gpu": "none"}) == read_device(DEVICE)


@pytest.mark.parametrize(
    "change",
    [{"ratio": None}, {"ratio": "fast"}, {"rounds": 2.5}, {"conditions": []}, {"cached": "maybe"}],
)
def test_wrong_kinds_of_values_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        read_latencies({"latencies": [{**LATENCY, **change}]})


@pytest.mark.parametrize("missing", ["cpu", "types16", "bits16"])
def test_half_a_device_is_refused(missing: str) -> None:
    with pytest.raises(ValueError, match=missing):
        read_device({name: value for name, value in DEVICE.items() if name != missing})


def test_a_profile_with_its_check() -> None:
    check = {"predicted": [0.9], "measured": [1.0], "mape": 0.1, "spearman": 1.0}
    more = {"check": check, "conditions": {"threads": 1}, "cached": True, "measured_at": "now"}
    found = read_profile({**PROFILE, **more})
    assert found.layers == {"a": {8: 1.0, 32: 2.0}}
    assert found.pairs == {("a", "b"): {(8, 32): 3.0}}
    assert found.check is not None
    assert (found.check.predicted, found.check.mape) == ((0.9,), 0.1)
    assert (found.conditions, found.cached, found.measured_at) == ({"threads": 1}, True, "now")


def test_a_profile_as_a_run_keeps_it() -> None:
    found = read_profile(PROFILE)
    assert (found.check, found.conditions) == (None, {})
    assert read_profile(profile_to_json(found)) == found


@pytest.mark.parametrize("lease", [None, {"client": "pc", "expires_in_s": 9.5}])
def test_a_status(lease: dict[str, Any] | None) -> None:
    answer = {"lease": lease, "waiting": 2, "running": True, "conditions": {"load_average": 0.5}}
    assert asdict(read_status(answer)) == answer
