import time
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from env.actions import free_choices, tied_choices
from env.budget import CostModel, Harm, harm_added, walk
from quant.errors import BudgetError
from quant.policy import Bits, Policy, uniform
from tests.env.toys import CoupledModel, TableModel, bit_costs, quantization_noise

NAMES = ("a", "b", "c", "d")
TIED = tied_choices(NAMES)
B8, B16, B32 = TIED.alternatives("a")
KL: Harm = {name: {B8: 0.4, B16: 0.1, B32: 0.0} for name in NAMES}
COSTS = st.fixed_dictionaries(
    {name: st.fixed_dictionaries({b: st.integers(0, 50) for b in (B8, B16, B32)}) for name in NAMES}
)
HARMS = st.fixed_dictionaries(
    {name: st.fixed_dictionaries({b: st.floats(0, 1) for b in (B8, B16, B32)}) for name in NAMES}
)
START = st.fixed_dictionaries({name: st.sampled_from((B8, B16, B32)) for name in NAMES}).map(Policy)


def same_for_all(row: dict[Bits, float]) -> dict[str, dict[Bits, float]]:
    return dict.fromkeys(NAMES, row)


def total(harm: Harm, policy: Policy) -> float:
    return sum(harm[name][bits] for name, bits in policy.layers.items())


def plain_walk(policy: Policy, model: CostModel, budget: float, harm: Harm) -> Policy | None:
    """Phase two without anything clever: look at every switch, take the cheapest, start over."""
    while model.cost(policy) > budget:
        cost = model.cost(policy)
        switches = [
            (
                (harm[name][bits] - harm[name][policy[name]]) / (cost - model.cost(other)),
                -bits.weight,
                index,
                other,
            )
            for index, name in enumerate(NAMES)
            for bits in TIED.alternatives(name)
            for other in [policy.replace(name, bits)]
            if model.cost(other) < cost
        ]
        if not switches:
            return None
        policy = min(switches, key=lambda switch: switch[:3])[3]
    return policy


@given(COSTS, START, st.floats(0, 1), st.integers(0, 30))
def test_walk_meets_the_budget_or_names_the_least_cost(
    table: dict[str, dict[Bits, float]], start: Policy, share: float, cast: int
) -> None:
    model = CoupledModel(TableModel(table), cast)
    budget = share * model.cost(start)
    floor = model.cost(model.least())
    try:
        walked = walk(start, TIED, model, budget, KL)
    except BudgetError as error:
        assert floor > budget
        assert f"{floor:.6g} ms" in str(error)
    else:
        assert model.cost(walked) <= budget
        assert TIED.widths(walked)


@given(COSTS, HARMS, START, st.floats(0, 1), st.sampled_from((0, 7)))
def test_walk_is_the_plain_greedy_walk(
    table: dict[str, dict[Bits, float]], harm: Harm, start: Policy, share: float, cast: int
) -> None:
    model = CoupledModel(TableModel(table), cast)
    budget = model.cost(model.least()) + share * model.cost(start)
    freed = walk(start, TIED, model, float("inf"), harm)
    expected = plain_walk(freed, model, budget, harm) or model.least()
    assert walk(start, TIED, model, budget, harm) == expected


@given(COSTS, HARMS, START)
def test_without_pressure_neither_cost_nor_harm_rises(
    table: dict[str, dict[Bits, float]], harm: Harm, start: Policy
) -> None:
    model = TableModel(table)
    walked = walk(start, TIED, model, float("inf"), harm)
    assert model.cost(walked) <= model.cost(start)
    assert total(harm, walked) <= total(harm, start) + 1e-12


def test_int8_that_is_slower_and_worse_is_left() -> None:
    table = same_for_all({B8: 3.0, B16: 1.0, B32: 4.0})
    walked = walk(uniform(NAMES, 8, 8), TIED, TableModel(table), 100, KL)
    assert walked == uniform(NAMES, 16, 16)


def test_a_free_switch_can_open_up_another() -> None:
    flat = {B8: 1.0, B16: 5.0, B32: 1.5}
    table = {**dict.fromkeys(NAMES, flat), "d": {B8: 9.0, B16: 5.0, B32: 1.0}}
    model = CoupledModel(TableModel(table), 0.8)
    no_harm: Harm = {name: dict.fromkeys((B8, B16, B32), 0.0) for name in NAMES}
    start = uniform(NAMES, 32, 32).replace("c", B8)
    walked = walk(start, TIED, model, 100, no_harm)
    assert model.cost(walked) < model.cost(start)
    assert walk(walked, TIED, model, 100, no_harm) == walked


def test_the_least_harm_for_each_unit_saved_goes_first() -> None:
    table = {
        "a": {B8: 1.0, B16: 9.0, B32: 10.0},
        "b": {B8: 8.0, B16: 9.0, B32: 10.0},
        "c": {B8: 10.0, B16: 10.0, B32: 10.0},
        "d": {B8: 10.0, B16: 10.0, B32: 10.0},
    }
    start = uniform(NAMES, 32, 32)
    walked = walk(start, TIED, TableModel(table), 35, KL)
    assert walked == start.replace("a", B8)


def test_a_policy_within_the_budget_is_kept() -> None:
    choices = free_choices(NAMES)
    start = uniform(NAMES, 5, 7, ends=8)
    model = bit_costs(choices, (1, 2, 3, 4))
    harm = quantization_noise(choices, (1, 1, 1, 1))
    assert walk(start, choices, model, model.cost(start), harm) == start


def test_stuck_above_the_budget_the_least_policy_is_taken() -> None:
    """Every single switch away from all-float costs a cast on each side, all four save."""
    table = same_for_all({B8: 1.0, B16: 9.0, B32: 2.0})
    model = CoupledModel(TableModel(table), 5.0)
    walked = walk(uniform(NAMES, 32, 32), TIED, model, 5, KL)
    assert walked == uniform(NAMES, 8, 8)


def test_a_budget_out_of_reach_raises_with_the_least_cost_and_unit() -> None:
    table = same_for_all({B8: 1.0, B16: 2.0, B32: 3.0})
    with pytest.raises(BudgetError, match=r"the budget of 3\.5 ms .* reachable is 4 ms"):
        walk(uniform(NAMES, 32, 32), TIED, TableModel(table), 3.5, KL)


def test_a_switch_that_a_neighbour_opened_up_is_found() -> None:
    """Moving c to 8 bits saves nothing until d is there and the cast between them falls away."""
    ends = {B8: 20.0, B16: 20.0, B32: 10.0}
    table = {
        **dict.fromkeys(NAMES, ends),
        "c": {B8: 9.0, B16: 8.5, B32: 10.0},
        "d": {B8: 1.0, B16: 8.0, B32: 10.0},
    }
    model = CoupledModel(TableModel(table), 3.0)
    assert model.cost(model.least()) > 33
    start = uniform(NAMES, 32, 32)
    walked = walk(start, TIED, model, 33, KL)
    assert walked == start.replace("c", B8).replace("d", B8)


@dataclass(frozen=True)
class Liar:
    """Promises savings that never come."""

    unit: str = "ms"

    def cost(self, policy: Policy) -> float:
        return 2.0 if policy == self.least() else 3.0

    def least(self) -> Policy:
        return uniform(NAMES, 16, 16)

    def deltas(self, policy: Policy, layer: str, alternatives: Sequence[Bits]) -> Sequence[float]:
        return [-1.0 if bits != policy[layer] else 0.0 for bits in alternatives]


def test_walk_ends_though_the_deltas_contradict_the_cost() -> None:
    assert walk(uniform(NAMES, 32, 32), TIED, Liar(), 2.5, KL) == Liar().least()


def test_without_estimates_harm_is_noise_and_bits_gained_do_not_make_up_for_it() -> None:
    options = (Bits(8, 4), Bits(4, 8), Bits(6, 6), Bits(8, 8))
    added = 4.0**-4 - 4.0**-6
    assert harm_added(Bits(6, 6), options, None) == [added, added, 0, 0]


def test_equal_prices_are_shared_out_among_the_layers() -> None:
    choices = free_choices(NAMES, ends=None)
    model = bit_costs(choices, (1, 1, 1, 1))
    walked = walk(uniform(NAMES, 8, 8), choices, model, 2.5)
    left = [bits.weight + bits.activation for bits in walked.layers.values()]
    assert left == [10] * 4


def test_walk_of_mobilenet_size_takes_no_seconds() -> None:
    """53 layers of 49 choices from all-8 down to 40 % of the cost: hundreds of switches."""
    choices = free_choices([f"layer{i}" for i in range(53)])
    sizes = [1 + (7 * i) % 5 for i in range(53)]
    model, harm = bit_costs(choices, sizes), quantization_noise(choices, sizes[::-1])
    start = uniform(choices.names, 8, 8)
    budget = 0.4 * model.cost(start)
    before_s = time.process_time()
    walked = walk(start, choices, model, budget, harm)
    assert time.process_time() - before_s < 2
    assert model.cost(walked) <= budget
