from __future__ import annotations

import pytest

from bench.search.published import summarise


def test_what_was_found_stands_beside_uniform_bits() -> None:
    entry = {"bound": "latency=0.669x", "cost_ratio": 0.668, "top1": 0.79, "kl": 0.03, "run": "x"}
    uniform = {"w6a6": {"cost_ratio": 0.683, "top1": 0.78, "kl": 0.05}, "w4a4": {}}
    run = {"front": [entry], "details": {"uniform": uniform, "images": 450}}
    found = summarise(run, float_top1=0.8)
    row = found["rows"]["latency=0.669x"]
    assert found["images"] == 450
    assert row["found"] == {
        "cost_ratio": 0.668,
        "top1_loss_points": pytest.approx(1.0),
        "kl": 0.03,
    }
    assert row["uniform"]["bits"] == "w6a6"
    assert row["uniform"]["top1_loss_points"] == pytest.approx(2.0)
    assert row["kl_saved"] == pytest.approx(0.4)
