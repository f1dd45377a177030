"""The contract that every searcher keeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from haq.names import AGENTS, AgentName
from haq.search._base import Searcher, Trial
from haq.search.problem import Problem
from haq.search.searchers.agents import make_searcher, shares
from haq.search.state import State
from quant.errors import BudgetError, StateError
from quant.policy import Policy
from tests.env.toys import bit_costs
from tests.haq.search.searchers.problems import (
    KINDS,
    SIZES,
    CorrectedModel,
    problem,
    search,
    total,
)

EPISODES = 12
LONG = 40
"""Episodes of which the first ten are the warm-up."""
LEARNING: tuple[AgentName, ...] = ("ddpg", "haq", "td3", "sac", "nsga2")
"""Agents whose proposals depend on the rewards."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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


def saved(searcher: Searcher) -> State:
    return State.from_bytes(searcher.state().to_bytes())


def tell(searcher: Searcher, policies: list[Policy], given: Problem) -> None:
    kls = [total(policy, given.harm) for policy in policies]
    searcher.tell([Trial(p, -kl, {"kl": kl}) for p, kl in zip(policies, kls, strict=True)])


@pytest.mark.parametrize("told", [0, 4, 16])
@pytest.mark.parametrize("agent", AGENTS)
def test_a_restored_searcher_goes_on_exactly(agent: AgentName, told: int) -> None:
    """Before, in and after the warm-up, with policies that wait for a score."""
    given = problem("tied")
    searcher, restored = (make_searcher(agent, given, LONG) for _ in range(2))
    search(searcher, given, told)
    waiting = searcher.ask(3)
    restored.restore(saved(searcher))
    for one in (searcher, restored):
        tell(one, waiting, given)
    assert search(restored, given, 12) == search(searcher, given, 12)
    assert restored.state().to_bytes() == searcher.state().to_bytes()


@pytest.mark.parametrize("agent", AGENTS)
def test_what_came_before_a_restore_is_forgotten(agent: AgentName) -> None:
    given = problem("tied")
    searcher, used = (make_searcher(agent, given, LONG) for _ in range(2))
    search(searcher, given, 4)
    search(used, given, 16)
    used.restore(saved(searcher))
    assert search(used, given, 8) == search(searcher, given, 8)
    assert used.state().to_bytes() == searcher.state().to_bytes()


@pytest.mark.parametrize("agent", AGENTS)
def test_a_restored_searcher_may_be_made_with_a_model_that_was_corrected(agent: AgentName) -> None:
    model = CorrectedModel(bit_costs(problem("tied").choices, SIZES))
    given = replace(problem("tied"), model=model)
    given = replace(given, limits=[replace(given.limits[0], model=model)])
    searcher = make_searcher(agent, given, LONG)
    search(searcher, given, 12)
    model.now = bit_costs(given.choices, SIZES[::-1])
    restored = make_searcher(agent, given, LONG)
    restored.restore(saved(searcher))
    assert search(restored, given, 12) == search(searcher, given, 12)
    assert restored.state().to_bytes() == searcher.state().to_bytes()


@pytest.mark.parametrize("agent", AGENTS)
def test_a_state_stays_as_it_was(agent: AgentName) -> None:
    given = problem("tied")
    searcher = make_searcher(agent, given, LONG)
    search(searcher, given, 16)
    state = searcher.state()
    before = state.to_bytes()
    search(searcher, given, 4)
    assert state.to_bytes() == before
    restored = make_searcher(agent, given, LONG)
    restored.restore(state)
    search(restored, given, 4)
    assert state.to_bytes() == before


@pytest.mark.parametrize("agent", AGENTS)
def test_the_state_of_another_agent_is_refused(agent: AgentName) -> None:
    given = problem("free")
    state = saved(make_searcher(agent, given, LONG))
    for other in sorted(set(AGENTS) - {agent}):
        with pytest.raises(StateError, match="go on with the agent"):
            make_searcher(other, given, LONG).restore(state)


@pytest.mark.parametrize("agent", sorted({*LEARNING, "uniform"}))
def test_the_state_of_other_layers_is_refused(agent: AgentName) -> None:
    given = problem("free")
    state = saved(make_searcher(agent, given, LONG))
    with pytest.raises(StateError, match="other"):
        make_searcher(agent, problem("free", layers=5), LONG).restore(state)


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
