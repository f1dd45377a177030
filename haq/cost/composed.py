"""Several budgets at once, as one cost: how far each is exceeded, added up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from env.actions import Choices
from env.budget import CostModel
from quant.policy import Bits, Policy


@dataclass(frozen=True)
class Part:
    """A cost model under a bound above 0 in its unit; `name` is for people."""

    name: str
    model: CostModel
    bound: float

    def excess(self, cost: float) -> float:
        """How far a cost exceeds the bound, as a share of it; 0 where it is kept."""
        return max(0.0, cost / self.bound - 1.0)


@dataclass(frozen=True)
class ComposedCost:
    """The sum of the excesses: 0 if and only if every bound is kept."""

    choices: Choices
    parts: tuple[Part, ...]

    @property
    def unit(self) -> str:
        """Names the budgets."""
        return "x beyond the budgets of " + " and ".join(part.name for part in self.parts)

    def cost(self, policy: Policy) -> float:
        """Sum of the excesses."""
        return sum(part.excess(part.model.cost(policy)) for part in self.parts)

    def deltas(self, policy: Policy, layer: str, alternatives: Sequence[Bits]) -> list[float]:
        """Change of the sum by switching one layer to each of the alternatives."""
        totals = [0.0] * len(alternatives)
        for part in self.parts:
            now = part.model.cost(policy)
            before = part.excess(now)
            changes = part.model.deltas(policy, layer, alternatives)
            for index, change in enumerate(changes):
                totals[index] += part.excess(now + change) - before
        return totals

    def least(self) -> Policy:
        """The best policy reached from any part's least one by switching layers one at a time.

        Where parts pull in different directions a better one may exist.
        """
        starts = [part.model.least() for part in self.parts]
        return min((self._descend(start) for start in starts), key=self.cost)

    def exceeded(self, policy: Policy) -> list[Part]:
        """Parts whose bounds a policy does not keep."""
        return [part for part in self.parts if part.excess(part.model.cost(policy)) > 0]

    def _descend(self, policy: Policy) -> Policy:
        """Give layer after layer its best bits until a round over all layers saves nothing."""
        cost = self.cost(policy)
        while cost > 0:
            swept = policy
            for layer in self.choices.names:
                swept = self._best_switch(swept, layer)
            # Only a falling cost ends the loop for sure, whatever the deltas promised.
            before, cost = cost, self.cost(swept)
            if cost >= before:
                break
            policy = swept
        return policy

    def _best_switch(self, policy: Policy, layer: str) -> Policy:
        options = self.choices.alternatives(layer)
        deltas = self.deltas(policy, layer, options)
        best = min(range(len(options)), key=deltas.__getitem__)
        return policy.replace(layer, options[best]) if deltas[best] < 0 else policy
