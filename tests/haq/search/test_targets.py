from __future__ import annotations

import pytest

from env.actions import tied_choices
from haq.cost import Budget, LatencyCost, parse_budget
from haq.cost.table import make_latency_cost
from haq.search.target import MeasuredLatency
from haq.search.targets import Targets
from quant.errors import BudgetError
from tests.env.toys import toy_graph
from tests.haq.search.test_request import REQUEST
from tests.haq.simulated_board import SimulatedBoard

GRAPH = toy_graph(6)
CHOICES = tied_choices(GRAPH.layer_names)


class Measuring:
    """Counts how often the board is asked."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> MeasuredLatency:
        self.count += 1
        board = SimulatedBoard()
        board.names = GRAPH.layer_names
        profile = board.profile(GRAPH.layer_names)
        return MeasuredLatency(make_latency_cost(GRAPH, CHOICES, profile), 2.0)


def make() -> tuple[Targets, Measuring]:
    measuring = Measuring()
    return Targets(REQUEST, GRAPH, CHOICES, measuring), measuring


def test_the_board_is_asked_once_for_all_bounds() -> None:
    targets, measuring = make()
    found = targets.find([[parse_budget("latency=0.95x")], [parse_budget("latency=1.98ms")], None])
    assert [one.bound for one in found[:2]] == [0.95, 0.99]
    assert found[2].bound < 1
    targets.find([None])
    assert measuring.count == 1
    assert all(isinstance(one.model, LatencyCost) for one in found)
    assert len({id(one.model) for one in found}) == 1


def test_the_board_is_asked_only_if_a_budget_needs_it() -> None:
    targets, measuring = make()
    kinds = [
        one.kind for one in targets.find([[Budget("size", 0.5, True)], [Budget("energy", 1, True)]])
    ]
    assert kinds == ["size", "energy"]
    assert measuring.count == 0


def test_what_needs_no_measuring_fails_first() -> None:
    targets, measuring = make()
    latency = parse_budget("latency=0.95x")
    searches = [[latency, parse_budget("size=0.5x")], [latency, parse_budget("size=0.1x")]]
    with pytest.raises(BudgetError, match="a size of"):
        targets.find(searches)
    assert measuring.count == 0


def test_budgets_of_one_search_are_kept_together() -> None:
    targets, _ = make()
    (found,) = targets.find([[parse_budget("latency=0.95x"), parse_budget("size=0.9x")]])
    assert [one.kind for one in found.budgets] == ["size", "latency"]
