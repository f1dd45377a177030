"""NSGA-II (Deb et al. 2002) by optuna, a width for each step as genes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from env.budget import walk
from haq.search._base import Trial
from haq.search.problem import Problem
from quant.errors import InputError
from quant.policy import Policy

if TYPE_CHECKING:
    from optuna.trial import Trial as Genes

POPULATION = 24


class Nsga2Searcher:
    """Proposes the offspring of a population, walked into the budget; it knows no harms.

    The one objective is the reward: that the walk keeps the budget takes the second one away. An
    offspring is rewarded as what the walk makes of it.
    """

    def __init__(self, problem: Problem) -> None:
        """Raises InputError where optuna is not installed."""
        try:
            import optuna
        except ImportError:
            raise InputError("--agent nsga2 needs optuna: pip install 'haq[nsga2]'") from None
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.NSGAIISampler(seed=problem.seed, population_size=POPULATION)
        self._study = optuna.create_study(direction="minimize", sampler=sampler)
        self._problem = problem
        self._bred: dict[str, list[Genes]] = {}

    def ask(self, n: int) -> list[Policy]:
        """n policies. Raises BudgetError if the budget cannot be met."""
        return [self._breed() for _ in range(n)]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Let those that were asked for into the population; others are left alone."""
        for trial in trials:
            for genes in self._bred.pop(trial.policy.key(), []):
                self._study.tell(genes, -trial.reward)

    def _breed(self) -> Policy:
        given, genes = self._problem, self._study.ask()
        widths = [
            genes.suggest_categorical(f"{index} {step.layer}", step.widths)
            for index, step in enumerate(given.choices.steps)
        ]
        bred = given.choices.policy(widths)
        policy = walk(bred, given.choices, given.model, given.bound)
        self._bred.setdefault(policy.key(), []).append(genes)
        return policy
