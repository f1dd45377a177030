from __future__ import annotations

import json
from dataclasses import replace

from haq.board import Latency
from haq.search.final import Winner
from haq.search.loop import Outcome
from haq.search.rated import Rated
from haq.search.summary import agents_best_kl, budgets_json, details, summarise, trial_record
from haq.search.target import Target
from quant.evaluate import Score
from quant.policy import Bits
from tests.env.toys import TableModel
from tests.haq.search.doubles import latency, tied
from tests.haq.simulated_board import SimulatedBoard

SCORE = Score(top1=0.9, kl=0.01, agreement=0.98, images=400)
POLICY = tied(8, 16)
TARGET = Target("size", TableModel({}), bound=500.0, float_cost=1000.0)
OUTCOME = Outcome(3, "ddpg", POLICY, SCORE, 450.0, -0.5, latency(0.8))
NUMBERS = {"top1", "kl", "latency_ratio", "latency_ms", "size_bytes"}


def rated(measured: Latency | None) -> Rated:
    simulated = replace(SCORE, kl=0.02)
    return Rated(POLICY, {"executed": SCORE, "simulated": simulated}, measured, 12345)


def test_keys_and_numbers_of_the_summary() -> None:
    uniforms = {bits: rated(latency(1.0)) for bits in ("8", "16", "32")}
    found = summarise(
        "runs/x", "mbv2", rated(latency(0.8)), uniforms, {"onnx": "a.onnx"}, 120, 61.26
    )
    assert list(found) == ["run", "model", "best", "uniform", "exports", "episodes", "seconds"]
    assert found["best"] == {
        "policy": POLICY.to_json(),
        "top1": 0.9,
        "kl": 0.01,
        "latency_ratio": 0.8,
        "latency_ms": 1.6,
        "size_bytes": 12345,
    }
    assert {name: set(row) for name, row in found["uniform"].items()} == dict.fromkeys(
        ("8", "16", "32"), NUMBERS
    )
    assert (found["episodes"], found["seconds"]) == (120, 61.3)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_details_are_json_and_leave_out_what_was_not_measured() -> None:
    both = {"best": rated(None), "8": rated(latency(1.0))}
    device = SimulatedBoard().describe()
    found = details(TARGET, True, Winner(OUTCOME, None), [OUTCOME], both, device, "ddpg")
    assert found["budget"] == {
        **{"kind": "size", "ratio": 0.5, "float_cost": 1000.0},
        "given": True,
    }
    assert list(found["latency"]) == ["8"]
    assert found["agreement"] == {"best": 0.98, "8": 0.98}
    assert found["scores"]["8"] == {
        "executed": {"top1": 0.9, "kl": 0.01, "agreement": 0.98, "images": 400},
        "simulated": {"top1": 0.9, "kl": 0.02, "agreement": 0.98, "images": 400},
    }
    assert (found["episode"], found["origin"], found["images"]) == (3, "ddpg", 400)
    assert found["device"]["types16"] == sorted(device.types16)
    json.dumps(found, allow_nan=False)


def test_the_agents_best_is_its_own_and_within_the_bound() -> None:
    outcomes = [
        replace(OUTCOME, origin="walk", score=replace(SCORE, kl=0.001)),
        replace(OUTCOME, cost=501.0, score=replace(SCORE, kl=0.002)),
        replace(OUTCOME, score=replace(SCORE, kl=0.004)),
        replace(OUTCOME, score=replace(SCORE, kl=0.003)),
    ]
    assert agents_best_kl(outcomes, TARGET, "ddpg") == 0.003
    assert agents_best_kl(outcomes[:2], TARGET, "ddpg") is None
    estimate = replace(OUTCOME, score=replace(SCORE, kl=0.001, images=60))
    assert agents_best_kl([*outcomes, estimate], TARGET, "ddpg") == 0.003


def test_a_trial_is_one_flat_record() -> None:
    assert trial_record(OUTCOME) == {
        "episode": 3,
        "origin": "ddpg",
        "top1": 0.9,
        "kl": 0.01,
        "agreement": 0.98,
        "images": 400,
        "reward": -0.5,
        "cost": 450.0,
        "latency_ratio": 0.8,
        "latency_ms": 1.6,
        "policy": POLICY.to_json(),
    }
    assert trial_record(replace(OUTCOME, latency=None))["latency_ratio"] is None


def test_each_budget_is_shown_with_what_was_reached() -> None:
    one = {"l0": {Bits(8, 8): 100.0}, "l1": {Bits(16, 16): 350.0}}
    parts = (
        Target("table", TableModel(one), 500.0, 1000.0, reference="W8A8"),
        Target("latency", TableModel(one), 0.9, 1.0),
    )
    target = Target("several", TableModel(one), 0.0, 1.0, parts=parts)
    assert budgets_json(target, Winner(OUTCOME, latency(0.85))) == [
        {"kind": "table", "ratio": 0.5, "reference": "W8A8", "reached": 0.45},
        {"kind": "latency", "ratio": 0.9, "reference": "float", "reached": 0.85},
    ]
    assert budgets_json(TARGET, Winner(OUTCOME, latency(0.85))) == [
        {"kind": "size", "ratio": 0.5, "reference": "float", "reached": 0.45}
    ]
    assert trial_record(OUTCOME, target.ratios(POLICY))["ratios"] == {
        "table": 0.45,
        "latency": 450.0,
    }
