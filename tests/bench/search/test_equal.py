from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.search import equal
from bench.search.equal import CONTENDERS, Contender, Run, read_runs, run_all
from haq.search.problem import Problem
from quant.evaluate import Score
from quant.policy import Policy
from tests.haq.search.searchers.problems import problem, total


@dataclass(frozen=True)
class HarmSetting:
    """Scores by adding harms up."""

    problem: Problem
    probes: float = 4.0
    float_top1 = 0.9

    @property
    def evaluator(self) -> HarmSetting:
        return self

    def score(self, policy: Policy) -> Score:
        kl = total(policy, self.problem.harm)
        return Score(0.9 - 0.01 * kl, kl, 1.0, 10)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    setting = HarmSetting(problem("free"))
    few = [c for c in CONTENDERS if c.name in {"random", "haq", "ilp", "ddpg, cold"}]
    monkeypatch.setattr(equal, "SETTINGS", ("size",))
    monkeypatch.setattr(equal, "CONTENDERS", few)
    monkeypatch.setattr(equal, "RUNS", tmp_path / "runs.jsonl")
    monkeypatch.setattr(equal, "kept_setting", lambda name, table: setting)


def runs(seeds: Sequence[int]) -> list[Run]:
    return list(run_all(12, 16, seeds, None))


def test_probes_count_and_haq_is_given_more() -> None:
    found = {(run.setting, run.contender): run for run in runs([0])}
    assert len(found) == 4
    assert len(found["size", "random"].kls) == 12
    assert 0 < len(found["size", "ilp"].kls) <= 12 - 4
    assert len(found["size", "ddpg, cold"].kls) == 12 - 4
    assert len(found["size", "haq"].kls) == 16


def test_known_runs_are_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = runs([0])
    assert read_runs() == first

    def refuse(name: str, contender: Contender, seed: int, evaluations: int, table: object) -> Run:
        raise AssertionError(name)

    monkeypatch.setattr(equal, "run_one", refuse)
    assert runs([0]) == first
    with pytest.raises(AssertionError):
        runs([0, 1])


def test_best_within_counts_the_probes() -> None:
    run = Run("size", "ilp", 0, 4.0, [3.0, 2.0, 1.0], 1.0)
    assert [run.best_within(n) for n in (4, 5, 6, 100)] == [float("inf"), 3.0, 2.0, 1.0]
    assert run.evaluations_to(2.5) == 6
    assert run.evaluations_to(0.5) == float("inf")
