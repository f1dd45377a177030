from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from env.actions import tied_choices, weight_choices
from haq.board import Latency, Profile, profile_to_json, read_profile
from haq.cost import Budget, LatencyCost, codebook_cost, parse_budget
from haq.progress import Silent
from haq.search.target import (
    additive_target,
    default_bound,
    deviation,
    find_least,
    latency_target,
    load_or_measure_profile,
    make_latency_cost,
    measure_probes,
    merge_profiles,
    random_policy,
)
from haq.store import RunFolder
from quant.errors import BudgetError
from quant.policy import Policy, uniform
from tests.env.toys import toy_graph
from tests.haq.search.doubles import latency
from tests.haq.simulated_board import OVERHEAD_MS, SimulatedBoard

NAMES = tuple(f"layer{i}" for i in range(20))
CHOICES = tied_choices(NAMES)


class Meter:
    """Measures on a simulated board; notes the batches."""

    def __init__(self, board: SimulatedBoard) -> None:
        self.board = board
        self.batches: list[tuple[str, int]] = []

    def measure(self, policies: Sequence[Policy], purpose: str) -> list[Latency]:
        self.batches.append((purpose, len(policies)))
        return self.board.measure(policies)


def make() -> tuple[SimulatedBoard, LatencyCost, Meter]:
    board = SimulatedBoard()
    board.names = NAMES
    return board, make_latency_cost(CHOICES, board.profile(NAMES)), Meter(board)


def test_a_size_budget_is_a_bound_in_bytes() -> None:
    graph = toy_graph(6)
    choices = tied_choices(graph.layer_names)
    target = additive_target(parse_budget("size=0.5x"), graph, choices)
    floats = target.model.cost(uniform(graph.layer_names, 32, 32))
    assert target.float_cost == floats
    assert target.bound == floats / 2
    assert target.ratio == 0.5
    assert (target.kind, target.latency) == ("size", None)
    absolute = additive_target(Budget("size", floats, False), graph, choices)
    assert absolute.ratio == 1


def test_a_size_can_be_counted_in_another_way() -> None:
    graph = toy_graph(6)
    choices = weight_choices(graph.layer_names)
    target = additive_target(parse_budget("size=0.2x"), graph, choices, codebook_cost)
    floats = uniform(graph.layer_names, 32, 32)
    assert target.float_cost == codebook_cost(graph, choices).cost(floats)


@pytest.mark.parametrize("kind", ["size", "bops"])
def test_an_impossible_additive_budget_names_the_least(kind: str) -> None:
    graph = toy_graph(6)
    choices = tied_choices(graph.layer_names)
    loose = additive_target(parse_budget(f"{kind}=1x"), graph, choices)
    least = loose.model.cost(loose.model.least()) / loose.float_cost
    assert additive_target(Budget(loose.kind, least, True), graph, choices).ratio <= 1
    with pytest.raises(BudgetError, match=rf"cannot be met: the least reachable .*{least:.3f}x"):
        additive_target(Budget(loose.kind, 0.999 * least, True), graph, choices)


def test_a_relative_latency_is_the_bound() -> None:
    _, model, meter = make()
    target = latency_target(parse_budget("latency=0.9x"), model, meter, seed=0)
    assert (target.kind, target.bound, target.float_cost, target.ratio) == ("latency", 0.9, 1, 0.9)
    assert target.latency is model


def test_milliseconds_are_put_in_proportion_to_the_float_network() -> None:
    board, model, meter = make()
    floats = board.milliseconds(uniform(NAMES, 32, 32))
    target = latency_target(Budget("latency", 0.9 * floats, False), model, meter, seed=0)
    assert target.bound == pytest.approx(0.9)


def test_an_impossible_latency_names_the_least() -> None:
    _, model, meter = make()
    with pytest.raises(
        BudgetError, match=r"0\.200x .* ms\) cannot be met on this board: the least"
    ):
        latency_target(parse_budget("latency=0.2x"), model, meter, seed=0)


def test_the_model_is_corrected_before_the_bound_is_judged() -> None:
    board, model, meter = make()
    rng = np.random.default_rng(5)
    others = [random_policy(CHOICES, rng) for _ in range(20)]
    before = [abs(model.cost(p) - board.latency(p).ratio) for p in others]
    measure_probes(model, meter, seed=0)
    after = [abs(model.cost(p) - board.latency(p).ratio) for p in others]
    assert np.mean(after) < np.mean(before) / 2
    least = find_least(model, meter)
    assert model.cost(least) == pytest.approx(board.latency(least).ratio, abs=0.01)
    assert meter.batches == [("search", 15), ("search", 1), ("search", 1), ("search", 1)]


def test_equal_seeds_ask_equal_questions() -> None:
    asked = []
    for _ in range(2):
        board, model, meter = make()
        latency_target(None, model, meter, seed=3)
        asked.append(board.calls)
    assert asked[0] == asked[1]


def test_without_a_budget_the_bound_can_be_met_and_is_of_use() -> None:
    board, model, meter = make()
    target = latency_target(None, model, meter, seed=0)
    assert model.cost(model.least()) < target.bound < 1
    assert target.bound < model.cost(uniform(NAMES, 8, 8))
    assert board.latency(model.least()).ratio < target.bound


@given(st.floats(0.1, 1), st.floats(0.1, 3))
def test_the_default_bound_lies_between_the_least_and_float(least: float, uniform8: float) -> None:
    bound = default_bound(least, uniform8)
    assert least <= bound <= 1
    if 0.98 * uniform8 > least:
        assert bound < uniform8


def test_known_default_bounds() -> None:
    assert default_bound(0.8, 1.1) == pytest.approx(0.9)
    assert default_bound(0.5, 0.6) == pytest.approx(0.588)
    assert default_bound(0.6, 0.6) == pytest.approx(0.8)


def test_random_policies_have_random_shares_of_bits() -> None:
    rng = np.random.default_rng(0)
    drawn = [random_policy(CHOICES, rng) for _ in range(200)]
    shares = [sum(p[n].weight == 8 for n in NAMES) / len(NAMES) for p in drawn]
    assert all(CHOICES.widths(policy) for policy in drawn)
    assert min(shares) < 0.1
    assert max(shares) > 0.8
    assert np.mean(shares) == pytest.approx(1 / 3, abs=0.06)


def test_deviation_of_an_interval() -> None:
    """Of 4 blocks the half width is 3.18 x 1.2 standard errors (Student's t, 3 degrees)."""
    found = latency(1.0, ratio_low=0.98, ratio_high=1.02)
    assert found.rounds == 20
    assert deviation(found) == pytest.approx(0.02 / (3.18 * 1.2), rel=0.03)


def test_a_profile_survives_its_file(tmp_path: Path) -> None:
    board, _, _ = make()
    profile = board.profile(NAMES)
    assert read_profile(json.loads(json.dumps(profile_to_json(profile)))) == profile


def test_the_board_is_profiled_once(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "mbv2")
    board, _, _ = make()
    board.profiled.clear()
    first = load_or_measure_profile(board, NAMES, folder, Silent())
    assert board.profiled == list(NAMES)
    assert set(first.layers) == set(NAMES)
    assert len(first.pairs) == len(NAMES) - 1
    again = load_or_measure_profile(SimulatedBoard(lost_at=1), NAMES, folder, Silent())
    assert again == first


def test_parts_of_a_profile_are_put_in_proportion() -> None:
    slow = Profile({"a": {8: 2.0, 32: 4.0}}, {}, 20.0, OVERHEAD_MS)
    fast = Profile({"b": {8: 1.0, 32: 2.0}}, {("a", "b"): {(8, 8): 3.0}}, 10.0, OVERHEAD_MS)
    merged = merge_profiles([slow, fast])
    assert merged.reference_ms == 15
    assert merged.layers == {
        "a": {8: pytest.approx(1.5), 32: pytest.approx(3.0)},
        "b": {8: pytest.approx(1.5), 32: pytest.approx(3.0)},
    }
    assert merged.pairs == {("a", "b"): {(8, 8): pytest.approx(4.5)}}
