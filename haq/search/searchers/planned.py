"""Searchers that plan from the harm of every layer alone, and learn nothing from trials."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from env.budget import Harm, walk
from haq.names import StartName
from haq.search._base import Trial
from haq.search.loop import Start
from haq.search.problem import Problem
from haq.search.searchers.ilp import solve
from haq.search.state import State
from quant.policy import Policy

Plan = Callable[[Harm], Policy]
DOUBT = 0.2
"""Standard deviation of the logarithm by which a layer's harm is moved to plan anew."""
TRIES = 60
"""Plans that may come out as a known one before there are no more."""


class PlannedSearcher:
    """Proposes its plan, then plans in which each layer's harm is moved at random.

    The harms add up to the KL of a policy only about, so that among plans for nearby harms there
    are better ones than the first.
    """

    def __init__(self, plan: Plan, harm: Harm, seed: int = 0, kind: str = "planned") -> None:
        """`kind` tells the states of one plan from those of another."""
        self._plan, self._harm, self._kind = plan, harm, kind
        self._rng = np.random.default_rng(seed)
        self._known: set[str] = set()
        self._doubt = 0.0

    def ask(self, n: int) -> list[Policy]:
        """New plans; fewer where `TRIES` more plans were all known."""
        found: list[Policy] = []
        tries = 0
        while len(found) < n and tries < TRIES:
            policy = self._plan(doubted(self._harm, self._doubt, self._rng))
            self._doubt = DOUBT
            tries += 1
            if policy.key() not in self._known:
                self._known.add(policy.key())
                found.append(policy)
                tries = 0
        return found

    def tell(self, trials: Sequence[Trial]) -> None:
        """Note what was tried, so that it is not planned again."""
        self._known |= {trial.policy.key() for trial in trials}

    def state(self) -> State:
        """Its generator, what is known, and by how much harms are moved."""
        known = sorted(self._known)
        rng = self._rng.bit_generator.state
        return State({}, {"kind": self._kind, "rng": rng, "doubt": self._doubt, "known": known})

    def restore(self, state: State) -> None:
        """Inverse of `state`. Raises StateError."""
        state.check_kind(self._kind)
        self._rng.bit_generator.state = state.values["rng"]
        self._doubt = state.values["doubt"]
        self._known = set(state.values["known"])


def doubted(harm: Harm, doubt: float, rng: np.random.Generator) -> Harm:
    """Harms, each layer's times a log-normal factor."""
    factors = np.exp(rng.normal(0.0, 1.0, len(harm)) * doubt).tolist()
    return {
        name: {bits: kl * factor for bits, kl in row.items()}
        for (name, row), factor in zip(harm.items(), factors, strict=True)
    }


def walk_from_widest(problem: Problem, harm: Harm) -> Policy:
    """Gives up the least harm for each unit of cost saved, from the widest bits on."""
    choices = problem.choices
    return walk(choices.widest, choices, problem.model, problem.bound, harm)


def greedy_searcher(problem: Problem) -> PlannedSearcher:
    """Plans by `walk_from_widest`."""
    plan = partial(walk_from_widest, problem)
    return PlannedSearcher(plan, problem.harm, problem.seed, "greedy")


def ilp_searcher(problem: Problem) -> PlannedSearcher:
    """Plans the least total harm within the bounds, by integer linear programming."""
    return PlannedSearcher(partial(solve, problem), problem.harm, problem.seed, "ilp")


def make_start(name: StartName, problem: Problem) -> Start | None:
    """The policy that an agent begins with, None for a cold start. Raises BudgetError."""
    if name == "cold":
        return None
    make = solve if name == "ilp" else walk_from_widest
    return Start(name, make(problem, problem.harm))
