"""Ours: an agent whose episodes are screened by what the trials have taught of every layer's harm.

Between two scores there is time for many looks at a belief about the KL (`learned_harm`). There are
two ways to a proposal. Screening takes the best of some candidates under one belief drawn from what
may be true (Thompson sampling), so that doubtful policies get their chance: the agent's episodes,
changes of the best trials, and what is planned by that belief, by the budget walk or, once for each
batch, by the integer program, which takes longer. Planning moves the harms of the likeliest belief
at random and solves the integer program, as the `ilp` searcher does with those of single layers:
where these tell nearly all, nothing is better. Whichever way has found less KL of late is taken
more often.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from itertools import islice

import numpy as np

from env.budget import Harm, walk
from haq.search._base import Searcher, Trial
from haq.search.problem import Problem
from haq.search.searchers.ilp import solve
from haq.search.searchers.learned_harm import Belief, LearnedHarm
from haq.search.searchers.planned import DOUBT, doubted, walk_from_widest
from haq.search.searchers.rows import to_policies, to_rows
from haq.search.state import State
from quant.policy import Policy

Plan = Callable[[Problem, Harm], Policy]
KIND = "guided, in two ways"
EPISODES = 2
"""The agent's candidates for each proposal."""
CHANGES = 6
"""Candidates for each proposal that are changes of the best trials."""
PARENTS = 6
MOST_CHANGED = 4
"""Layers that a change gives other bits, before the walk."""
RECENT = 8
"""Trials of each way that are held against each other."""
MOSTLY = 0.75
"""Share of the proposals by the way that has found less KL."""


class GuidedSearcher:
    """Screens what an agent proposes; the agent learns from every trial all the same."""

    def __init__(self, agent: Searcher, problem: Problem) -> None:
        self._agent, self._problem = agent, problem
        self._rng = np.random.default_rng([problem.seed, 1])
        self._forget()

    def ask(self, n: int) -> list[Policy]:
        """n policies, new ones where any candidate is. Raises BudgetError as `walk`."""
        found = self._plan(int(self._rng.binomial(n, self._planned_share())))
        known = {*self._tried, *(policy.key() for policy in found)}
        parents = self._parents()
        for index in range(n - len(found)):
            plan = walk_from_widest if index else solve
            found.append(self._screen(plan, parents, known))
            known.add(found[-1].key())
        return found

    def tell(self, trials: Sequence[Trial]) -> None:
        """Teach the belief and the agent; trials without a "kl" in their score count by reward."""
        for trial in trials:
            self._learn(trial.policy, trial.score.get("kl", -trial.reward))
        self._agent.tell(trials)

    def state(self) -> State:
        """The agent's, the generator, what was planned, and all trials: the belief follows."""
        kls = np.array([kl for kl, _ in self._tried.values()], dtype=np.float64)
        tried = to_rows([policy for _, policy in self._tried.values()], self._problem.choices)
        planned = sorted(self._planned)
        values = {"kind": KIND, "rng": self._rng.bit_generator.state, "planned": planned}
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
        self._planned.update(state.values["planned"])

    def _forget(self) -> None:
        self._learned = LearnedHarm(self._problem.choices, self._problem.harm)
        self._tried: dict[str, tuple[float, Policy]] = {}
        self._planned: set[str] = set()

    def _learn(self, policy: Policy, kl: float) -> None:
        self._learned.observe(policy, kl)
        self._tried[policy.key()] = (kl, policy)

    def _planned_share(self) -> float:
        """Half of the proposals, until both ways were tried."""
        ways: dict[bool, list[float]] = {True: [], False: []}
        for key, (kl, _) in self._tried.items():
            ways[key in self._planned].append(kl)
        planned, screened = (min(ways[way][-RECENT:], default=None) for way in (True, False))
        if planned is None or screened is None:
            return 0.5
        return MOSTLY if planned < screened else 1 - MOSTLY

    def _plan(self, count: int) -> list[Policy]:
        """At most `count` new policies; fewer where a plan is a known one, as others would be."""
        harm = self._learned.draw().harm
        found: list[Policy] = []
        for _ in range(count):
            policy = solve(self._problem, doubted(harm, DOUBT, self._rng))
            if policy.key() in self._tried or policy in found:
                break
            found.append(policy)
        self._planned.update(policy.key() for policy in found)
        return found

    def _screen(self, plan: Plan, parents: Sequence[Policy], known: Set[str]) -> Policy:
        """The best of some candidates by a belief that is drawn, a new one where there is any."""
        belief = self._learned.draw(self._rng)
        agents = self._agent.ask(EPISODES)
        candidates = [
            *agents,
            *(self._change(parent, belief) for parent in self._pick(parents)),
            plan(self._problem, belief.harm),
        ]
        new = [candidate for candidate in candidates if candidate.key() not in known]
        return best_of(new or agents, belief)

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
