"""A cost as a sum over layers and pairs of neighbours, read off a model by its deltas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from env.actions import Choices
from env.budget import CostModel
from quant.policy import Bits, Policy

Own = Mapping[tuple[str, Bits], float]
Joint = Mapping[tuple[str, str, Bits, Bits], float]


@dataclass(frozen=True)
class LinearCost:
    """`constant`, `own` of every layer, and `joint` of every pair, added up; in the model's unit.

    A pair is named by producer and consumer.
    """

    constant: float
    own: Own
    joint: Joint

    def cost(self, policy: Policy) -> float:
        """Cost of a policy."""
        own = sum(self.own[name, bits] for name, bits in policy.layers.items())
        pairs = {(a, b) for a, b, _, _ in self.joint}
        joint = sum(self.joint[a, b, policy[a], policy[b]] for a, b in pairs)
        return self.constant + own + joint


def linear_cost(
    model: CostModel, choices: Choices, pairs: Sequence[tuple[str, str]] = ()
) -> LinearCost:
    """Terms relative to the model's least policy, exact where the model has no others."""
    base = model.least()
    own = {
        (name, bits): delta
        for name in choices.names
        for bits, delta in deltas(model, choices, base, name).items()
    }
    joint = {
        (a, b, bits_a, bits_b): delta - own[b, bits_b]
        for a, b in pairs
        for bits_a in choices.alternatives(a)
        for bits_b, delta in deltas(model, choices, base.replace(a, bits_a), b).items()
    }
    return LinearCost(model.cost(base), own, joint)


def deltas(model: CostModel, choices: Choices, policy: Policy, layer: str) -> dict[Bits, float]:
    """Change of cost by each alternative of a layer."""
    options = choices.alternatives(layer)
    return dict(zip(options, model.deltas(policy, layer, options), strict=True))
