from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from env.actions import Choices, free_choices, tied_choices
from env.budget import walk
from haq.cost import ComposedCost, bops_cost, size_cost
from haq.cost.composed import Part
from quant.policy import Bits, Policy, uniform
from tests.env.toys import CoupledModel, TableModel, toy_graph
from tests.haq.cost.contract import check_cost_model, policies

GRAPH = toy_graph(5)
NAMES = GRAPH.layer_names
FREE, TIED = free_choices(NAMES), tied_choices(NAMES)
WIDE = uniform(NAMES, 8, 8)


def random_model(choices: Choices, rng: np.random.Generator, cast: float) -> CoupledModel:
    """Costs that follow no order of bits, and depend on neighbours."""
    table = {
        name: {bits: float(rng.uniform(0.1, 1)) for bits in choices.alternatives(name)}
        for name in choices.names
    }
    return CoupledModel(TableModel(table), cast)


def composed(size: float, bops: float) -> ComposedCost:
    """Bounds as shares of what uniform W8A8 costs."""
    models = {"size": (size_cost(GRAPH, FREE), size), "bops": (bops_cost(GRAPH, FREE), bops)}
    parts = (Part(name, m, share * m.cost(WIDE)) for name, (m, share) in models.items())
    return ComposedCost(FREE, tuple(parts))


@settings(max_examples=25)
@given(st.floats(0.3, 1.1), st.floats(0.1, 1.1), st.lists(policies(FREE), min_size=1, max_size=3))
def test_contract(size: float, bops: float, some: list[Policy]) -> None:
    """Both fall with the bits, so that each one's least policy is the other's, too."""
    check_cost_model(composed(size, bops), FREE, some)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.lists(policies(TIED), min_size=1, max_size=3))
def test_contract_of_parts_that_disagree(seed: int, some: list[Policy]) -> None:
    rng = np.random.default_rng(seed)
    parts = tuple(
        Part(name, random_model(TIED, rng, cast), bound=2.0)
        for name, cast in (("one", 0.0), ("other", 0.1))
    )
    check_cost_model(ComposedCost(TIED, parts), TIED, some, finds_least=False)


def test_the_cost_is_what_is_exceeded_in_shares_of_the_bounds() -> None:
    model = composed(0.5, 2.0)
    assert model.cost(WIDE) == pytest.approx(1.0)
    assert [part.name for part in model.exceeded(WIDE)] == ["size"]
    both = composed(0.5, 0.25)
    assert both.cost(WIDE) == pytest.approx(1.0 + 3.0)
    assert [part.name for part in both.exceeded(WIDE)] == ["size", "bops"]
    assert composed(1.0, 1.0).cost(WIDE) == 0
    assert both.unit == "x beyond the budgets of size and bops"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1.0, 3.0), st.floats(1.0, 3.0))
def test_what_is_called_least_is_at_least_a_local_one(seed: int, one: float, other: float) -> None:
    rng = np.random.default_rng(seed)
    bounds = (("one", one), ("other", other))
    parts = tuple(Part(name, random_model(TIED, rng, 0.0), bound) for name, bound in bounds)
    model = ComposedCost(TIED, parts)
    least = model.least()
    floor = model.cost(least)
    assert all(floor <= model.cost(part.model.least()) + 1e-12 for part in parts)
    for name in NAMES:
        deltas = model.deltas(least, name, TIED.alternatives(name))
        assert floor == 0 or min(deltas) >= -1e-12


def test_mostly_the_least_is_the_least_of_all() -> None:
    rng = np.random.default_rng(0)
    everything = [TIED.policy(widths) for widths in product((8, 16, 32), repeat=len(NAMES))]
    found = 0
    for _ in range(30):
        one, other = random_model(TIED, rng, 0.0), random_model(TIED, rng, 0.0)
        model = ComposedCost(TIED, (Part("one", one, 1.5), Part("other", other, 1.5)))
        found += model.cost(model.least()) <= min(map(model.cost, everything)) + 1e-12
    assert found >= 24


@settings(max_examples=20, deadline=None)
@given(st.floats(0.4, 1.0), st.floats(0.1, 1.0), policies(FREE))
def test_a_walk_keeps_every_bound(size: float, bops: float, start: Policy) -> None:
    model = composed(size, bops)
    if model.cost(model.least()) > 0:
        return
    policy = walk(start, FREE, model, 0.0)
    assert model.exceeded(policy) == []
    for part in model.parts:
        assert part.model.cost(policy) <= part.bound


def test_parts_that_are_corrected_count_as_corrected() -> None:
    table = {name: {Bits(8, 8): 1.0, Bits(16, 16): 2.0, Bits(32, 32): 3.0} for name in NAMES}
    model = ComposedCost(TIED, (Part("latency", TableModel(table), 10.0),))
    policy = uniform(NAMES, 16, 16)
    assert model.cost(policy) == 0
    table[NAMES[0]][Bits(16, 16)] = 12.0
    assert model.cost(policy) == pytest.approx(1.0)
