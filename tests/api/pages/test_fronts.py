from __future__ import annotations

import pytest

from api.pages.fronts import Front, cost_kind, cost_name, front
from tests.api.pages.made_up import summary, trial

TRIALS = [
    trial(1, kl=0.5, top1=0.80, cost=1000.0),
    trial(2, kl=0.1, top1=0.85, cost=1200.0),
    trial(3, kl=0.2, top1=0.90, cost=1300.0),
]


def kinds(found: Front) -> dict[str, str]:
    return {place.name: place.kind for place in found.places}


def test_the_front_of_divergences() -> None:
    found = front(TRIALS, None, ["size=0.5x"], "kl")
    assert kinds(found) == {"trial 1": "front", "trial 2": "front", "trial 3": "trial"}
    assert found.cost == "size, bytes"


def test_the_front_of_accuracies_is_another_one() -> None:
    found = front(TRIALS, None, ["size=0.5x"], "top1")
    assert kinds(found)["trial 3"] == "front"
    assert [point.top1 for point in found.points] == [0.80, 0.85, 0.90]


def test_a_result_adds_what_trials_are_held_against() -> None:
    found = front(TRIALS, summary(), ["size=0.5x"], "kl")
    marks = {place.name: place.cost for place in found.places if not place.name.startswith("trial")}
    assert marks == {"found": 0.4, "uniform 8": 0.25, "uniform 16": 0.5, "float": 1.0}
    assert (found.bound, found.places[0].cost) == (0.5, 0.5)
    assert "size, ratio to float" in found.chart


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
