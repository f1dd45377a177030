"""Searches whose finalists prove too slow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from haq.board import Latency
from haq.cost import parse_budget
from haq.progress import Silent
from haq.report.page import write_report
from haq.search.request import SearchRequest
from haq.search.run import run_search
from haq.store import RunFolder
from haq.store.run_folder import read_json
from quant.errors import BudgetError
from quant.policy import Policy
from tests.haq.search.runs import small_request
from tests.haq.simulated_board import SimulatedBoard


@pytest.fixture(scope="module")
def request_(tmp_path_factory: pytest.TempPathFactory) -> SearchRequest:
    """The small network, bits 8 and 32."""
    return small_request(tmp_path_factory.mktemp("inputs"), episodes=2)


def search(request: SearchRequest, path: Path, board: SimulatedBoard) -> Any:
    return run_search(request, RunFolder(path, "mbv2"), board, Silent())


class SlowInTheEnd(SimulatedBoard):
    """Everything takes 3 % longer beside the float network when measured for the final ranking."""

    slower = 1.03

    def measure(self, policies: Sequence[Policy], **limits: Any) -> list[Latency]:
        found = super().measure(policies, **limits)
        slower = self.slower if limits.get("fresh") else 1.0
        return [replace(one, ratio=one.ratio * slower) for one in found]


def test_finalists_that_prove_too_slow_are_lowered(request_: SearchRequest, tmp_path: Path) -> None:
    request = replace(request_, budget=(parse_budget("latency=0.93x"),))
    summary = search(request, tmp_path / "run", SlowInTheEnd())
    details = read_json(tmp_path / "run" / "summary.json")["details"]
    assert (details["origin"], details["episode"]) == ("lowered", 0)
    assert summary["best"]["latency_ratio"] <= 0.93
    assert "was made after the episodes" in write_report(tmp_path / "run").read_text()


class MuchSlowerInTheEnd(SlowInTheEnd):
    """Everything takes half longer."""

    slower = 1.5


def test_a_bound_that_haq_chose_and_nothing_kept_ends_with_the_fastest(
    request_: SearchRequest, tmp_path: Path
) -> None:
    request = replace(request_, budget=None)
    summary = search(request, tmp_path / "run", MuchSlowerInTheEnd())
    budget = read_json(tmp_path / "run" / "summary.json")["details"]["budget"]
    assert summary["best"]["latency_ratio"] > budget["ratio"]
    assert "not when measured again" in write_report(tmp_path / "run").read_text()
    given = replace(request, budget=(parse_budget("latency=0.95x"),))
    with pytest.raises(BudgetError, match=r"kept 0\.950x when measured again"):
        search(given, tmp_path / "given", MuchSlowerInTheEnd())
