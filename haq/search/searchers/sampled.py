"""Policies drawn at random and fitted into the budget: what every other searcher has to beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from env.budget import walk
from haq.search._base import Trial
from haq.search.problem import Problem
from haq.search.state import State
from quant.policy import Policy

KIND = "random"


class RandomSearcher:
    """Draws every width uniformly, then walks into the budget; it knows no harms."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._rng = np.random.default_rng(problem.seed)

    def ask(self, n: int) -> list[Policy]:
        """n policies. Raises BudgetError if the budget cannot be met."""
        return [self._draw() for _ in range(n)]

    def tell(self, trials: Sequence[Trial]) -> None:
        """There is nothing to learn."""

    def state(self) -> State:
        """Its generator."""
        return State({}, {"kind": KIND, "rng": self._rng.bit_generator.state})

    def restore(self, state: State) -> None:
        """Inverse of `state`. Raises StateError."""
        state.check_kind(KIND)
        self._rng.bit_generator.state = state.values["rng"]

    def _draw(self) -> Policy:
        given = self._problem
        widths = [int(self._rng.choice(step.widths)) for step in given.choices.steps]
        policy = given.choices.policy(widths)
        return walk(policy, given.choices, given.model, given.bound)
