from __future__ import annotations

import pytest

from env.actions import free_choices
from env.walk_back import narrower, walk_back
from quant.errors import BudgetError
from quant.policy import Bits, Policy, uniform
from tests.env.toys import TableModel, bit_costs, toy_graph

NAMES = toy_graph(3).layer_names
CHOICES = free_choices(NAMES, ends=None)
MODEL = bit_costs(CHOICES, (1, 1, 1))


def bits_of(policy: Policy) -> list[tuple[int, int]]:
    return [(bits.weight, bits.activation) for bits in policy.layers.values()]


def test_last_layers_lose_first_and_activations_before_weights() -> None:
    wide = uniform(NAMES, 8, 8)
    steps = [bits_of(policy) for policy, _ in zip(narrower(wide, CHOICES), range(5), strict=False)]
    assert steps == [
        [(8, 8), (8, 8), (8, 8)],
        [(8, 8), (8, 8), (8, 7)],
        [(8, 8), (8, 8), (7, 7)],
        [(8, 8), (8, 7), (7, 7)],
        [(8, 8), (7, 7), (7, 7)],
    ]


def test_it_stops_as_soon_as_the_budget_is_kept() -> None:
    wide = uniform(NAMES, 8, 8)
    found = walk_back(wide, CHOICES, MODEL, MODEL.cost(wide) - 2 / 16)
    assert bits_of(found) == [(8, 8), (8, 8), (7, 7)]


def test_a_policy_within_the_budget_stays() -> None:
    narrow = uniform(NAMES, 2, 2)
    assert walk_back(narrow, CHOICES, MODEL, 3.0) == narrow


def test_where_fewer_bits_cost_more_it_ends_with_the_least() -> None:
    dear = TableModel({n: {b: 10.0 - b.weight for b in CHOICES.alternatives(n)} for n in NAMES})
    found = walk_back(uniform(NAMES, 4, 4), CHOICES, dear, 6.0)
    assert all(bits.weight == 8 for bits in found.layers.values())
    with pytest.raises(BudgetError, match="cannot be met"):
        walk_back(uniform(NAMES, 4, 4), CHOICES, dear, 5.0)


def test_narrower_ends_at_the_narrowest() -> None:
    *_, last = narrower(uniform(NAMES, 3, 3), CHOICES)
    assert set(last.layers.values()) == {Bits(2, 2)}
