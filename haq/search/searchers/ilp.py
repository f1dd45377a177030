"""The policy of least added harm within the bounds, as an integer linear program.

A multiple-choice knapsack: one alternative for each layer (0/1 variables), costs and harms added up
over the layers. What a pair of neighbours costs together is linear in the share of each pair of
alternatives, and these shares have the choices of both layers as their margins, so that they are
0 or 1 by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from env.actions import Choices
from env.budget import Harm, least, walk
from haq.search.problem import Problem
from haq.search.searchers.hushed import no_stdout
from haq.search.searchers.linear import LinearCost, linear_cost
from quant.policy import Bits, Policy

Column = tuple[str, Bits] | tuple[str, str, Bits, Bits]
Row = dict[Column, float]
NODES = 500
"""Of the solver's tree, after which the best policy found so far will do: seconds would make it
depend on the machine."""
GAP = 1e-4
"""Relative distance from the optimum at which the solver stops."""


def solve(problem: Problem, harm: Harm) -> Policy:
    """The policy of least total harm. Raises BudgetError where the bounds cannot be kept."""
    costs = [linear_cost(lim.model, problem.choices, lim.pairs) for lim in problem.limits]
    bounds = [limit.bound for limit in problem.limits]
    program = Program(problem.choices, harm, costs, bounds)
    chosen = program.solve()
    if chosen is None:
        return least(problem.model, problem.bound)
    # Sums in another order may exceed a bound by a rounding error.
    return walk(chosen, problem.choices, problem.model, problem.bound, harm)


@dataclass(frozen=True)
class Program:
    """Least `harm` among the choices whose `costs` are within `bounds`."""

    choices: Choices
    harm: Harm
    costs: Sequence[LinearCost]
    bounds: Sequence[float]

    @cached_property
    def columns(self) -> dict[Column, int]:
        """Index of every variable: the alternatives of layers, then those of pairs."""
        own: list[Column] = [
            (n, b) for n in self.choices.names for b in self.choices.alternatives(n)
        ]
        joint: dict[Column, None] = dict.fromkeys(key for cost in self.costs for key in cost.joint)
        return {column: index for index, column in enumerate([*own, *joint])}

    def solve(self) -> Policy | None:
        """The best policy, None where there is none."""
        objective = np.zeros(len(self.columns))
        for name, by_bits in self.harm.items():
            for bits in self.choices.alternatives(name):
                objective[self.columns[name, bits]] = by_bits[bits]
        whole = np.array([len(column) == 2 for column in self.columns], dtype=np.int64)
        with no_stdout():
            found = milp(
                objective / max(float(np.abs(objective).max()), 1e-300),
                integrality=whole,
                bounds=Bounds(0, 1),
                constraints=self.constraints(),
                options={"node_limit": NODES, "mip_rel_gap": GAP},
            )
        return None if found.x is None else self.policy(found.x)

    def policy(self, x: NDArray[np.float64]) -> Policy:
        """The alternatives whose variables are 1."""
        return Policy(
            {
                name: max(self.choices.alternatives(name), key=lambda b: x[self.columns[name, b]])
                for name in self.choices.names
            }
        )

    def constraints(self) -> list[LinearConstraint]:
        """One alternative a layer, pairs that agree with their layers, costs within bounds."""
        one = list(self.one_each())
        margins = list(self.margins())
        spent = [row_of(cost) for cost in self.costs]
        left = [b - cost.constant for b, cost in zip(self.bounds, self.costs, strict=True)]
        parts = [(one, 1.0, 1.0), (margins, 0.0, 0.0)]
        made = [LinearConstraint(self.matrix(rows), low, high) for rows, low, high in parts if rows]
        return [*made, LinearConstraint(self.matrix(spent), -np.inf, left)]

    def one_each(self) -> Iterator[Row]:
        """The alternatives of each layer, to add up to 1."""
        for name in self.choices.names:
            yield {(name, bits): 1.0 for bits in self.choices.alternatives(name)}

    def margins(self) -> Iterator[Row]:
        """The shares of a pair less the alternative that they share, to add up to 0."""
        joint = [column for column in self.columns if len(column) == 4]
        for a, b in dict.fromkeys((column[0], column[1]) for column in joint):
            for mine in self.choices.alternatives(a):
                row: Row = {(a, b, mine, other): 1.0 for other in self.choices.alternatives(b)}
                yield row | {(a, mine): -1.0}
            for mine in self.choices.alternatives(b):
                row = {(a, b, other, mine): 1.0 for other in self.choices.alternatives(a)}
                yield row | {(b, mine): -1.0}

    def matrix(self, rows: Sequence[Row]) -> csr_array:
        """Rows over all columns."""
        entries = [(i, self.columns[c], v) for i, row in enumerate(rows) for c, v in row.items()]
        at_row, at_column, values = zip(*entries, strict=True)
        return csr_array((values, (at_row, at_column)), shape=(len(rows), len(self.columns)))


def row_of(cost: LinearCost) -> Row:
    """What every variable costs."""
    row: Row = {}
    row.update(cost.own.items())
    row.update(cost.joint.items())
    return row
