from __future__ import annotations

import pytest

from bench.search.published import STRATEGY, summarise, uniform_of, uniform_pairs
from haq.store.run_folder import read_json
from quant.policy import Bits, Policy

NAMES = tuple(f"layer{index}" for index in range(53))


def score(policy: Policy) -> dict[str, float]:
    """KL and cost by the bits of a layer in the middle."""
    bits = policy["layer20"].activation
    return {"cost_ratio": bits / 8, "top1": 0.1 * bits, "kl": 1 / bits}


def test_what_was_found_stands_beside_uniform_bits() -> None:
    entry = {"bound": "latency=0.669x", "cost_ratio": 0.668, "top1": 0.79, "kl": 0.03, "run": "x"}
    uniform = {"w6a6": {"cost_ratio": 0.683, "top1": 0.78, "kl": 0.05}, "w4a4": {}}
    run = {"front": [entry], "details": {"uniform": uniform, "images": 450}}
    found = summarise(run, NAMES, score, float_top1=0.8)
    row = found["rows"]["latency=0.669x"]
    assert found["images"] == 450
    assert row["found"] == {"cost_ratio": 0.668, "top1_loss_points": pytest.approx(1), "kl": 0.03}
    assert row["uniform_ends_8"]["top1_loss_points"] == pytest.approx(2.0)
    assert row["kl_saved_to_ends_8"] == pytest.approx(0.4)
    assert row["uniform"] == {
        "bits": 6,
        "cost_ratio": 0.75,
        "top1_loss_points": pytest.approx(20.0),
        "kl": pytest.approx(1 / 6),
    }
    assert row["kl_saved"] == pytest.approx(1 - 0.03 * 6)
    assert found["haq_strategy"]["kl"] == pytest.approx(1 / 7)


@pytest.mark.parametrize(
    ("bound", "bits"), [("latency=0.392x", 4), ("latency=0.417x", 4), ("latency=0.5432x", 5)]
)
def test_bounds_stand_beside_uniform_bits_of_about_their_cost(bound: str, bits: int) -> None:
    assert uniform_of(bound) == bits


def test_uniform_bits_leave_the_image_alone() -> None:
    assert uniform_pairs(4, 3) == [[4, -1], [4, 4], [4, 4]]


def test_the_published_strategy_has_a_pair_for_every_layer() -> None:
    pairs = read_json(STRATEGY)
    assert len(pairs) == 53
    assert all(Bits(w, 8 if a == -1 else a) for w, a in pairs)
