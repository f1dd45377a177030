from dataclasses import replace

import pytest

from bench.agent.aa import summarise
from haq.board import Latency

LATENCY = Latency(
    ratio=1.0,
    ratio_low=0.99,
    ratio_high=1.01,
    latency_ms=2.0,
    mad_ms=0.1,
    rounds=40,
    noise=0.0,
    checksum="",
    reference_ms=2.0,
    conditions={"load_average": 1.5},
)


def test_shares_of_ratios_and_intervals() -> None:
    off = replace(LATENCY, ratio=1.02, ratio_low=1.005, ratio_high=1.035, voided=5)
    wide = replace(LATENCY, ratio=0.98, ratio_low=0.9, ratio_high=1.06)
    found = summarise([LATENCY, LATENCY, off, wide])
    assert found["within_1_percent"] == 0.5
    assert found["intervals_covering_one"] == 0.75
    assert found["largest_error"] == pytest.approx(0.02)
    assert found["voided_rounds"] == 5
    assert found["runs"] == 4
