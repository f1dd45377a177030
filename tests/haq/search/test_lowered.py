from __future__ import annotations

import pytest

from env.actions import tied_choices
from env.budget import Harm
from haq.cost import LatencyCost
from haq.cost.table import make_latency_cost
from haq.search.lowered import lower
from haq.search.target import Target
from quant.policy import Bits, uniform
from tests.env.toys import TableModel, toy_graph
from tests.haq.search.doubles import latency
from tests.haq.simulated_board import SimulatedBoard

GRAPH = toy_graph(20)
NAMES = GRAPH.layer_names
CHOICES = tied_choices(NAMES)
FLOATS = uniform(NAMES, 32, 32)
HARM: Harm = {
    name: {Bits(8, 8): 1.0 + i, Bits(16, 16): 0.1, Bits(32, 32): 0.0}
    for i, name in enumerate(NAMES)
}


def make_target() -> Target:
    board = SimulatedBoard()
    board.names = NAMES
    model = make_latency_cost(GRAPH, CHOICES, board.profile(NAMES))
    assert isinstance(model, LatencyCost)
    start, end = model.cost(FLOATS), model.cost(model.least())
    return Target("latency", model, (start + end) / 2, 1.0, model)


@pytest.mark.parametrize("excess", [1.02, 1.1])
def test_it_becomes_as_much_faster_as_it_was_too_slow(excess: float) -> None:
    target = make_target()
    cost = target.model.cost(FLOATS)
    faster = lower(FLOATS, latency(target.bound * excess), target, HARM)
    assert faster is not None
    assert target.model.cost(faster) <= cost / excess
    changed = [name for name in NAMES if faster[name] != FLOATS[name]]
    assert 0 < len(changed) < len(NAMES)


def test_a_larger_excess_changes_more() -> None:
    target = make_target()
    little, much = (
        lower(FLOATS, latency(target.bound * excess), target, HARM) for excess in (1.02, 1.1)
    )
    assert little is not None
    assert much is not None
    assert target.model.cost(much) < target.model.cost(little)


def test_nothing_is_faster_than_the_least() -> None:
    target = make_target()
    assert lower(target.model.least(), latency(target.bound * 1.1), target, HARM) is None


def test_of_several_budgets_the_latency_is_lowered() -> None:
    one = make_target()
    size = Target("size", TableModel({}), 1.0, 1.0)
    both = Target("several", one.model, 0.0, 1.0, one.latency, parts=(size, one))
    measured = latency(one.bound * 1.05)
    assert lower(FLOATS, measured, both, HARM) == lower(FLOATS, measured, one, HARM)


def test_without_a_bound_of_latency_there_is_nothing_to_lower() -> None:
    size = Target("size", TableModel({}), 1.0, 1.0)
    assert lower(FLOATS, latency(1.0), size, HARM) is None
