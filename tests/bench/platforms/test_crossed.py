from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.platforms import crossed
from bench.platforms.crossed import at_home, cross


@dataclass(frozen=True)
class Priced:
    """Costs by the number of a run."""

    name: str
    prices: tuple[float, ...]

    def options(self) -> Sequence[str]:
        return ()

    def costs(self, policies: Sequence[Path]) -> list[float]:
        return [self.prices[int(policy.parent.name)] for policy in policies]


def test_every_policy_costs_what_it_does_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def haq(*options: Any) -> None:
        run = options[-1]
        run.mkdir()
        best = {"kl": 0.1 + int(run.name), "policy": {}}
        found = {"best": best, "details": {"budgets": [{"ratio": 0.8}]}}
        (run / "summary.json").write_text(json.dumps(found))

    monkeypatch.setattr(crossed, "haq", haq)
    found = cross([Priced("a", (0.8, 0.9)), Priced("b", (0.7, 0.75))], 3, tmp_path)
    assert {home: one["cost"] for home, one in found["policies"].items()} == {
        "a": {"a": 0.8, "b": 0.7},
        "b": {"a": 0.9, "b": 0.75},
    }
    assert found["bounds"] == {"a": 0.8, "b": 0.8}
    assert found["best_at_home"] == {"a": True, "b": False}


@pytest.mark.parametrize(
    ("cost", "kl", "best"), [(0.9, 0.1, True), (0.7, 0.3, True), (0.7, 0.1, False)]
)
def test_a_guest_beats_the_host_only_within_the_bound_and_nearer_to_float(
    cost: float, kl: float, best: bool
) -> None:
    policies = {
        "home": {"kl": 0.2, "cost": {"home": 0.8}},
        "guest": {"kl": kl, "cost": {"home": cost}},
    }
    assert at_home("home", policies, 0.8) == best


def test_who_breaks_its_bound_is_not_the_best_at_home() -> None:
    alone = {"home": {"kl": 0.2, "cost": {"home": 0.9}}}
    assert not at_home("home", alone, 0.8)
    assert at_home("home", alone, 0.9)
