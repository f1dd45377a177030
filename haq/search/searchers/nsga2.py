"""NSGA-II (Deb et al. 2002) by optuna, a width for each step as genes."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from env.budget import walk
from haq.search._base import Trial
from haq.search.problem import Problem
from haq.search.state import State
from quant.errors import InputError
from quant.policy import Policy

KIND = "nsga2"
POPULATION = 24


class Nsga2Searcher:
    """Proposes the offspring of a population, walked into the budget; it knows no harms.

    The one objective is the reward: that the walk keeps the budget takes the second one away. An
    offspring is rewarded as what the walk makes of it.
    """

    def __init__(self, problem: Problem) -> None:
        """Raises InputError where optuna is not installed."""
        if find_spec("optuna") is None:
            raise InputError("--agent nsga2 needs optuna: pip install 'haq[nsga2]'")
        from haq.search.searchers.genetic_study import GeneticStudy

        self._study = GeneticStudy(problem.choices.steps, POPULATION, problem.seed)
        self._problem = problem
        self._bred: dict[str, list[int]] = {}

    def ask(self, n: int) -> list[Policy]:
        """n policies. Raises BudgetError if the budget cannot be met."""
        return [self._breed() for _ in range(n)]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Let those that were asked for into the population; others are left alone."""
        for trial in trials:
            for number in self._bred.pop(trial.policy.key(), []):
                self._study.tell(number, -trial.reward)

    def state(self) -> State:
        """The study's, and which of its trials each policy stands for that was not told yet."""
        values = {"kind": KIND, "bred": {key: list(found) for key, found in self._bred.items()}}
        return State({}, values).with_part("study", self._study.state())

    def restore(self, state: State) -> None:
        """Inverse of `state`. Raises StateError."""
        state.check_kind(KIND)
        self._study.restore(state.part("study"))
        self._bred = {key: list(found) for key, found in state.values["bred"].items()}

    def _breed(self) -> Policy:
        given = self._problem
        number, widths = self._study.breed()
        bred = given.choices.policy(widths)
        policy = walk(bred, given.choices, given.model, given.bound)
        self._bred.setdefault(policy.key(), []).append(number)
        return policy
