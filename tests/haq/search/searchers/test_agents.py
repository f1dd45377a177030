"""The contract that every searcher keeps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from haq.search._base import Trial
from haq.search.names import AGENTS, AgentName
from haq.search.searchers.agents import make_searcher, shares
from quant.errors import BudgetError
from tests.haq.search.searchers.problems import KINDS, problem, search, total

EPISODES = 12
LEARNING: tuple[AgentName, ...] = ("ddpg", "haq", "td3", "sac", "nsga2")
"""Agents whose proposals depend on the rewards."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("agent", AGENTS)
def test_all_that_is_proposed_is_allowed(agent: AgentName, kind: str) -> None:
    given = problem(kind)
    for trial in search(make_searcher(agent, given, EPISODES), given, EPISODES):
        given.choices.widths(trial.policy)
        assert given.model.cost(trial.policy) <= given.bound


@pytest.mark.parametrize("agent", AGENTS)
def test_equal_seeds_propose_the_same(agent: AgentName) -> None:
    given = problem("free")
    runs = [search(make_searcher(agent, given, EPISODES), given, EPISODES) for _ in range(2)]
    assert [t.policy for t in runs[0]] == [t.policy for t in runs[1]]
    assert runs[0]


@pytest.mark.parametrize("agent", sorted(set(AGENTS) - {"uniform", "greedy", "ilp"}))
def test_other_seeds_propose_others(agent: AgentName) -> None:
    runs = []
    for seed in (0, 1):
        given = problem("free", seed=seed)
        runs.append(search(make_searcher(agent, given, EPISODES), given, EPISODES))
    assert [t.policy for t in runs[0]] != [t.policy for t in runs[1]]


@pytest.mark.parametrize("agent", AGENTS)
def test_a_budget_that_cannot_be_met_is_an_error(agent: AgentName) -> None:
    given = problem("free", share=0.01)
    with pytest.raises(BudgetError, match="budget"):
        make_searcher(agent, given, EPISODES).ask(1)


@pytest.mark.parametrize("agent", AGENTS)
def test_foreign_trials_are_welcome(agent: AgentName) -> None:
    given = problem("free")
    searcher = make_searcher(agent, given, EPISODES)
    foreign = given.model.least()
    searcher.tell([Trial(foreign, -1.0, {"kl": total(foreign, given.harm)})])
    assert len(searcher.ask(2)) <= 2


@pytest.mark.parametrize("agent", ["uniform", "greedy", "ilp", "ddpg"])
def test_nothing_is_proposed_twice(agent: AgentName) -> None:
    given = problem("free")
    trials = search(make_searcher(agent, given, EPISODES), given, EPISODES)
    keys = [trial.policy.key() for trial in trials]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("agent", sorted(LEARNING))
def test_what_is_told_matters(agent: AgentName) -> None:
    given = problem("free")
    mirrored = replace(given, harm={n: dict.fromkeys(r, 1.0) for n, r in given.harm.items()})
    first = search(make_searcher(agent, given, 40), given, 40)
    searcher = make_searcher(agent, given, 40)
    other = search(searcher, mirrored, 40)
    assert [t.policy for t in first] != [t.policy for t in other]


def test_ours_beats_chance_and_haq() -> None:
    given = problem("free", share=0.55)
    best = {
        agent: min(t.score["kl"] for t in search(make_searcher(agent, given, 30), given, 30))
        for agent in ("ddpg", "haq", "random")
    }
    assert best["ddpg"] < best["random"]
    assert best["ddpg"] < best["haq"]


def test_shares_are_of_the_largest() -> None:
    found = shares(problem("free"))
    assert found.shape == (6, 2) and found.dtype == np.float32
    # The ends have 8 bits only: nothing to harm or save.
    assert found[0].tolist() == [0, 0] and found[5].tolist() == [0, 0]
    assert found[1, 0] == 1 and found[3].tolist() == [1, 1]
    assert found[1, 1] == pytest.approx(0.5)
