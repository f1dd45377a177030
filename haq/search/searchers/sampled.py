"""Policies drawn at random and fitted into the budget: what every other searcher has to beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from env.budget import walk
from haq.search._base import Trial
from haq.search.problem import Problem
from quant.policy import Policy


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

    def _draw(self) -> Policy:
        given = self._problem
        widths = [int(self._rng.choice(step.widths)) for step in given.choices.steps]
        policy = given.choices.policy(widths)
        return walk(policy, given.choices, given.model, given.bound)
