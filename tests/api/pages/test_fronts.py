from __future__ import annotations

import pytest

from api.judge import Judge
from api.pages.fronts import Charted, Front, cost_kind, cost_name, front, joint_front
from tests.api.pages.made_up import summary, trial

TRIALS = [
    trial(1, kl=0.5, top1=0.80, cost=1000.0),
    trial(2, kl=0.1, top1=0.85, cost=1200.0),
    trial(3, kl=0.2, top1=0.90, cost=1300.0),
]


def kinds(found: Front) -> dict[str, str]:
    return {place.name: place.kind for place in found.places}


def test_the_front_of_divergences() -> None:
    found = front(Charted(TRIALS, None, ["size=0.5x"]), None)
    assert kinds(found) == {"trial 1": "front", "trial 2": "front", "trial 3": "trial"}
    assert found.cost == "size, bytes"


def test_the_front_of_accuracies_is_another_one() -> None:
    found = front(Charted(TRIALS, None, ["size=0.5x"]), Judge())
    assert kinds(found)["trial 3"] == "front"
    assert [point.top1 for point in found.points] == [0.80, 0.85, 0.90]


def test_the_front_of_another_metric() -> None:
    values = {"trial 1": 0.5, "trial 2": 0.4, "trial 3": 0.7}
    judged = [
        {**one, "metric": {"name": "miou", "value": value}}
        for one, value in zip(TRIALS, values.values(), strict=True)
    ]
    found = front(Charted(judged, None, ["size=0.5x"]), Judge("miou", "metric"))
    assert kinds(found) == {"trial 1": "front", "trial 2": "trial", "trial 3": "front"}
    assert {place.name: place.height for place in found.places} == values
    assert (found.height, "miou against size, bytes" in found.chart) == ("metric", True)


def test_a_result_adds_what_trials_are_held_against() -> None:
    found = front(Charted(TRIALS, summary(), ["size=0.5x"]), None)
    marks = {place.name: place.cost for place in found.places if not place.name.startswith("trial")}
    assert marks == {"found": 0.4, "uniform 8": 0.25, "uniform 16": 0.5, "float": 1.0}
    assert (found.bound, found.places[0].cost) == (0.5, 0.5)
    assert "size, ratio to float" in found.chart


def test_searches_within_several_bounds_have_one_front() -> None:
    tight = [trial(1, kl=0.3, cost=900.0), trial(2, kl=0.4, cost=1200.0)]
    one, other = (Charted(some, summary(), ["size=0.5x"]) for some in (TRIALS, tight))
    found = joint_front({"A": one, "B": other})
    assert found is not None
    assert {point.name for point in found.points} == {"B: trial 1", "A: trial 2"}
    marks = {place.name: place.kind for place in found.places[5:]}
    both = {"A: found": "found", "B: found": "found"}
    assert marks == {**both, "uniform 8": "uniform", "uniform 16": "uniform", "float": "float"}
    assert "A: found at cost 0.4" in found.chart


@pytest.mark.parametrize("budgets", [["bops=0.5x"], ["latency=0.9x"], ["size=0.5x", "bops=0.5x"]])
def test_costs_of_several_kinds_have_none(budgets: list[str]) -> None:
    one, other = Charted(TRIALS, None, ["size=0.5x"]), Charted(TRIALS, None, budgets)
    assert joint_front({"A": one, "B": other}) is None
    assert joint_front({"A": other, "B": one}) is None
    assert (joint_front({"A": other, "B": other}) is None) == (len(budgets) > 1)


@pytest.mark.parametrize(
    ("budgets", "kind"),
    [([], "latency"), (["size=1MB"], "size"), (["size=1MB", "latency=0.9x"], "several")],
)
def test_what_is_counted(budgets: list[str], kind: str) -> None:
    assert cost_kind(budgets) == kind


@pytest.mark.parametrize(
    ("budgets", "measured", "ended", "name"),
    [
        (["latency=12ms"], True, False, "latency, ratio to float"),
        (["bops=0.5x"], False, False, "bops, bit operations"),
        (["bops=0.5x"], False, True, "bops, ratio to float"),
        (["size=1MB", "bops=0.5x"], False, True, "excess over the budgets"),
    ],
)
def test_how_the_axis_is_called(budgets: list[str], measured: bool, ended: bool, name: str) -> None:
    assert cost_name(budgets, measured, ended) == name
