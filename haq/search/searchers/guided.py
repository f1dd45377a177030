"""Ours: an agent whose episodes are screened by what the trials have taught of every layer's harm.

Between two scores there is time for many looks at a belief about the KL (`learned_harm`). What is
proposed is the best of some candidates under one belief drawn from what may be true (Thompson
sampling), so that doubtful policies get their chance: the agent's episodes, changes of the best
trials, and what is planned by the belief itself, by the budget walk or, once for every batch, by
the integer program, which takes longer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from env.budget import walk
from haq.search._base import Searcher, Trial
from haq.search.problem import Problem
from haq.search.searchers.ilp import solve
from haq.search.searchers.learned_harm import Belief, LearnedHarm
from haq.search.searchers.planned import walk_from_widest
from haq.search.searchers.rows import to_policies, to_rows
from haq.search.state import State
from quant.policy import Policy

KIND = "guided"
EPISODES = 2
"""The agent's candidates for each proposal."""
CHANGES = 6
"""Candidates for each proposal that are changes of the best trials."""
PARENTS = 6
MOST_CHANGED = 4
"""Layers that a change gives other bits, before the walk."""


class GuidedSearcher:
    """Screens what an agent proposes; the agent learns from every trial all the same."""

    def __init__(self, agent: Searcher, problem: Problem) -> None:
        self._agent, self._problem = agent, problem
        self._rng = np.random.default_rng([problem.seed, 1])
        self._forget()

    def ask(self, n: int) -> list[Policy]:
        """n policies, new ones where any candidate is. Raises BudgetError as `walk`."""
        found: list[Policy] = []
        known = set(self._tried)
        parents = self._parents()
        for index in range(n):
            plan = walk_from_widest if index else solve
            belief = self._learned.draw(self._rng)
            agents = self._agent.ask(EPISODES)
            candidates = [
                *agents,
                *(self._change(parent, belief) for parent in self._pick(parents)),
                plan(self._problem, belief.harm),
            ]
            new = [candidate for candidate in candidates if candidate.key() not in known]
            found.append(best_of(new or agents, belief))
            known.add(found[-1].key())
        return found

    def tell(self, trials: Sequence[Trial]) -> None:
        """Teach the belief and the agent; trials without a "kl" in their score count by reward."""
        for trial in trials:
            self._learn(trial.policy, trial.score.get("kl", -trial.reward))
        self._agent.tell(trials)

    def state(self) -> State:
        """The agent's, the generator, and all that was tried: the belief follows from it."""
        kls = np.array([kl for kl, _ in self._tried.values()], dtype=np.float64)
        tried = to_rows([policy for _, policy in self._tried.values()], self._problem.choices)
        values = {"kind": KIND, "rng": self._rng.bit_generator.state}
        return State({"tried": tried, "kl": kls}, values).with_part("agent", self._agent.state())

    def restore(self, state: State) -> None:
        """Inverse of `state`. Raises StateError."""
        state.check_kind(KIND)
        self._agent.restore(state.part("agent"))
        self._rng.bit_generator.state = state.values["rng"]
        self._forget()
        tried = to_policies(state.tensors["tried"], self._problem.choices)
        for policy, kl in zip(tried, state.tensors["kl"].tolist(), strict=True):
            self._learn(policy, kl)

    def _forget(self) -> None:
        self._learned = LearnedHarm(self._problem.choices, self._problem.harm)
        self._tried: dict[str, tuple[float, Policy]] = {}

    def _learn(self, policy: Policy, kl: float) -> None:
        self._learned.observe(policy, kl)
        self._tried[policy.key()] = (kl, policy)

    def _parents(self) -> list[Policy]:
        """The best trials that keep the budget by the model as it is now."""
        given = self._problem
        ordered = sorted(self._tried.values(), key=lambda entry: entry[0])
        fitting = (policy for _, policy in ordered if given.model.cost(policy) <= given.bound)
        return list(islice(fitting, PARENTS))

    def _pick(self, parents: Sequence[Policy]) -> Iterator[Policy]:
        for _ in range(CHANGES if parents else 0):
            yield parents[int(self._rng.integers(len(parents)))]

    def _change(self, policy: Policy, belief: Belief) -> Policy:
        """Other bits for some layers, then a walk by the belief into the budget."""
        given = self._problem
        count = int(self._rng.integers(1, MOST_CHANGED + 1))
        for name in self._rng.choice(given.choices.names, count).tolist():
            options = given.choices.alternatives(name)
            policy = policy.replace(name, options[int(self._rng.integers(len(options)))])
        return walk(policy, given.choices, given.model, given.bound, belief.harm)


def best_of(policies: Sequence[Policy], belief: Belief) -> Policy:
    """The least KL by a belief."""
    return policies[int(belief.log_kl(policies).argmin())]
