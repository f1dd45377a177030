"""The targets of a run's budgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from env.actions import Choices
from haq.cost import Budget, codebook_cost, energy_cost, read_energy, size_cost
from haq.cost.relative import relative
from haq.search.request import SearchRequest
from haq.search.target import (
    MeasuredLatency,
    Target,
    additive_target,
    exact_target,
    joined,
    latency_target,
)
from quant.graph import Graph

Budgets = Sequence[Budget] | None
"""Those of one search, which are kept together; None leaves the choice to haq."""


class Targets:
    """Cost models and bounds; the board is asked at most once, and only if a budget needs it."""

    def __init__(
        self,
        request: SearchRequest,
        graph: Graph,
        choices: Choices,
        measure: Callable[[], MeasuredLatency],
    ) -> None:
        """`request` says how costs are counted; its own budgets do not matter."""
        self._request, self._graph, self._choices = request, graph, choices
        self._measure = measure

    def find(self, searches: Sequence[Budgets]) -> list[Target]:
        """The target of each search. Raises BudgetError if a bound cannot be met."""
        each = [sorted(budgets or (None,), key=is_latency) for budgets in searches]
        # What needs no measuring first: it may fail.
        wanted = sorted(dict.fromkeys(one for some in each for one in some), key=is_latency)
        found = {budget: self._target(budget) for budget in wanted}
        return [joined([found[budget] for budget in some], self._choices) for some in each]

    def _target(self, budget: Budget | None) -> Target:
        if budget is None:
            return latency_target(None, self._measured)
        if budget.kind == "latency":
            return self._latency(budget)
        if budget.kind == "energy":
            prices = self._request.energy or read_energy()
            model = energy_cost(self._graph, self._choices, prices)
            costs = relative(model, self._choices.names, prices.reference)
            return exact_target("energy", budget, costs)
        size = codebook_cost if self._request.shares_weights else size_cost
        return additive_target(budget, self._graph, self._choices, size)

    def _latency(self, budget: Budget) -> Target:
        table = self._request.table
        if table is None:
            return latency_target(budget, self._measured)
        return exact_target("table", budget, table.relative(self._graph, self._choices))

    @cached_property
    def _measured(self) -> MeasuredLatency:
        return self._measure()


def is_latency(budget: Budget | None) -> bool:
    """Whether a budget is one of latency, as the one is that haq chooses."""
    return budget is None or budget.kind == "latency"
