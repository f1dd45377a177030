from __future__ import annotations

from env.actions import tied_choices
from haq.cost import bops_cost
from haq.cost.relative import Relative, relative
from quant.policy import uniform
from tests.env.toys import toy_graph

GRAPH = toy_graph(4)
NAMES = GRAPH.layer_names
MODEL = bops_cost(GRAPH, tied_choices(NAMES))


def test_ratios_are_to_float_or_to_w8a8() -> None:
    policy = uniform(NAMES, 16, 16)
    assert relative(MODEL, NAMES).ratio(policy) == 1 / 4
    assert relative(MODEL, NAMES, "W8A8").ratio(policy) == 4
    assert relative(MODEL, NAMES).unit == "bit operations"
    assert relative(MODEL, NAMES).cost(policy) == MODEL.cost(policy)


def test_costs_are_read_in_another_unit() -> None:
    found = Relative(MODEL, "float", MODEL.cost(uniform(NAMES, 32, 32)), "G", 1e-9)
    assert found.cost(uniform(NAMES, 32, 32)) == found.reference_cost * 1e-9
    assert found.ratio(uniform(NAMES, 32, 32)) == 1
