from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from env.actions import free_choices, tied_choices, weight_choices
from env.budget import walk
from haq.board import Latency, Profile, profile_to_json, read_profile
from haq.cost import Budget, LatencyCost, codebook_cost, parse_budget, read_table
from haq.cost.budget import Kind
from haq.cost.table import make_latency_cost
from haq.progress import Silent
from haq.search.target import (
    LEAST_DRAWS,
    LEAST_ROUNDS,
    RANDOM_PROBES,
    Target,
    additive_target,
    correct,
    default_bound,
    deviation,
    exact_target,
    find_least,
    joined,
    latency_target,
    load_or_measure_profile,
    measure_probes,
    merge_profiles,
    random_policy,
)
from quant.errors import BudgetError
from quant.policy import Bits, Policy, uniform
from tests.env.toys import TableModel, toy_graph
from tests.haq.cost.tables import write_profile, write_table
from tests.haq.search.doubles import latency
from tests.haq.simulated_board import OVERHEAD_MS, SimulatedBoard
from tests.haq.store.stores import entries_at

GRAPH = toy_graph(20)
NAMES = GRAPH.layer_names
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
    return board, make_latency_cost(GRAPH, CHOICES, board.profile(NAMES)), Meter(board)


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
def test_an_impossible_additive_budget_names_the_least(kind: Kind) -> None:
    graph = toy_graph(6)
    choices = tied_choices(graph.layer_names)
    loose = additive_target(parse_budget(f"{kind}=1x"), graph, choices)
    least = loose.model.cost(loose.model.least()) / loose.float_cost
    assert additive_target(Budget(kind, least, True), graph, choices).ratio <= 1
    with pytest.raises(BudgetError, match=rf"cannot be met: the least reachable .*{least:.3f}x"):
        additive_target(Budget(kind, 0.999 * least, True), graph, choices)


def test_a_relative_latency_is_the_bound() -> None:
    _, model, meter = make()
    target = latency_target(parse_budget("latency=0.9x"), correct(model, meter, seed=0))
    assert (target.kind, target.bound, target.float_cost, target.ratio) == ("latency", 0.9, 1, 0.9)
    assert target.latency is model


def test_milliseconds_are_put_in_proportion_to_the_float_network() -> None:
    board, model, meter = make()
    floats = board.milliseconds(uniform(NAMES, 32, 32))
    target = latency_target(Budget("latency", 0.9 * floats, False), correct(model, meter, seed=0))
    assert target.bound == pytest.approx(0.9)


def test_an_impossible_latency_names_the_least() -> None:
    _, model, meter = make()
    with pytest.raises(
        BudgetError, match=r"0\.200x .* ms\) cannot be met on this board: the least"
    ):
        latency_target(parse_budget("latency=0.2x"), correct(model, meter, seed=0))


def test_probes_are_measured_in_batches_that_fit_the_board() -> None:
    (_, model, meter), (_, other, whole) = make(), make()
    found = measure_probes(model, meter, seed=0, together=16)
    assert meter.batches == [("search", 16), ("search", 16), ("search", 11)]
    assert found.keys() == measure_probes(other, whole, seed=0).keys()
    assert whole.batches == [("search", 43)]


def test_the_model_is_corrected_before_the_bound_is_judged() -> None:
    board, model, meter = make()
    rng = np.random.default_rng(5)
    others = [random_policy(CHOICES, rng) for _ in range(20)]
    before = [abs(model.cost(p) - board.latency(p).ratio) for p in others]
    measure_probes(model, meter, seed=0)
    after = [abs(model.cost(p) - board.latency(p).ratio) for p in others]
    assert np.mean(after) < np.mean(before) / 2
    least = find_least(model, meter, rng)
    assert model.cost(least) == pytest.approx(board.latency(least).ratio, abs=0.01)
    assert board.latency(least).ratio < min(board.latency(p).ratio for p in others)
    assert meter.batches[0] == ("search", 3 + RANDOM_PROBES)
    assert len(meter.batches[1:]) <= LEAST_ROUNDS
    assert all(count <= 1 + LEAST_DRAWS for _, count in meter.batches[1:])
    asked = [key for call in board.calls for key in call]
    assert len(asked) == len(set(asked))


def test_equal_seeds_ask_equal_questions() -> None:
    asked = []
    for _ in range(2):
        board, model, meter = make()
        latency_target(None, correct(model, meter, seed=3))
        asked.append(board.calls)
    assert asked[0] == asked[1]


def test_without_a_budget_the_bound_can_be_met_and_is_of_use() -> None:
    board, model, meter = make()
    target = latency_target(None, correct(model, meter, seed=0))
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
    entries = entries_at(tmp_path / "store.sqlite")
    board, _, _ = make()
    board.profiled.clear()
    first = load_or_measure_profile(board, NAMES, entries, Silent())
    assert board.profiled == list(NAMES)
    assert set(first.layers) == set(NAMES)
    assert len(first.pairs) == len(NAMES) - 1
    again = load_or_measure_profile(SimulatedBoard(lost_at=1), NAMES, entries, Silent())
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


def test_a_table_is_exact_and_relative_to_its_own_reference(tmp_path: Path) -> None:
    graph = toy_graph(6)
    choices = free_choices(graph.layer_names)
    costs = read_table(write_table(tmp_path / "table.npy", 6)).relative(graph, choices)
    target = exact_target("table", Budget("latency", 0.6, True), costs)
    w8a8 = costs.model.cost(uniform(graph.layer_names, 8, 8))
    assert (target.kind, target.reference, target.latency) == ("table", "W8A8", None)
    assert (target.float_cost, target.bound) == (w8a8, 0.6 * w8a8)
    with pytest.raises(
        BudgetError, match=r"a latency by the table of .* \(0\.010x\) cannot be met"
    ):
        exact_target("table", Budget("latency", 0.01, True), costs)


def test_milliseconds_of_a_profile_are_put_in_proportion(tmp_path: Path) -> None:
    graph = toy_graph(6)
    choices = tied_choices(graph.layer_names)
    costs = read_table(write_profile(tmp_path / "t.json", graph.layer_names))
    relative = costs.relative(graph, choices)
    target = exact_target("table", Budget("latency", relative.scale, False), relative)
    assert (target.reference, target.bound, target.ratio) == ("float", 1, 1)


def joint(size: float, bops: float) -> Target:
    graph = toy_graph(6)
    choices = free_choices(graph.layer_names)
    budgets = Budget("size", size, True), Budget("bops", bops, True)
    return joined([additive_target(one, graph, choices) for one in budgets], choices)


def test_one_budget_stays_as_it_is() -> None:
    graph = toy_graph(6)
    target = additive_target(parse_budget("size=0.5x"), graph, tied_choices(graph.layer_names))
    assert joined([target], tied_choices(graph.layer_names)) is target
    assert target.budgets == (target,)
    assert target.ratios(uniform(graph.layer_names, 8, 8)) == {}


def test_several_budgets_are_kept_together() -> None:
    target = joint(0.25, 0.05)
    assert (target.kind, target.bound, target.latency) == ("several", 0, None)
    assert [(one.kind, one.ratio) for one in target.budgets] == [("size", 0.25), ("bops", 0.05)]
    names = toy_graph(6).layer_names
    policy = walk(uniform(names, 8, 8), free_choices(names), target.model, target.bound)
    assert set(target.ratios(policy)) == {"size", "bops"}
    assert all(one.model.cost(policy) <= one.bound for one in target.budgets)


def test_budgets_that_exclude_each_other_are_named() -> None:
    """Where fewer bits cost more, the one's least is the other's most."""
    names = ("a", "b")
    choices = tied_choices(names, (8, 16))
    rising = {name: {Bits(8, 8): 1.0, Bits(16, 16): 2.0} for name in names}
    falling = {name: {Bits(8, 8): 2.0, Bits(16, 16): 1.0} for name in names}
    targets = [
        Target("size", TableModel(rising), bound=2.0, float_cost=4.0),
        Target("table", TableModel(falling), bound=2.0, float_cost=4.0),
    ]
    with pytest.raises(BudgetError, match=r"together: .* found has \w+ 1\.000x of 0\.500x$"):
        joined(targets, choices)


def test_a_measured_latency_among_several_is_corrected() -> None:
    _, model, meter = make()
    latencies = latency_target(parse_budget("latency=0.9x"), correct(model, meter, seed=0))
    target = joined([Target("size", latencies.model, 2.0, 1.0), latencies], CHOICES)
    assert target.latency is model
    policy = model.least()
    before = target.model.cost(policy)
    model.observe(policy, 1.5, 0.001)
    assert before == 0
    assert target.model.cost(policy) > 0.1
