"""A cost model beside the network that its costs are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from env.budget import CostModel
from quant.policy import FLOAT_BITS, Policy, uniform

Reference = Literal["float", "W8A8"]
"""The float network, or all layers at 8 bits where a cost of float is not known."""


@dataclass(frozen=True)
class Relative:
    """A cost model; `x` in a budget is `reference_cost`, the cost of the network `reference`.

    People read costs in `unit`: the model's cost times `scale`.
    """

    model: CostModel
    reference: Reference
    reference_cost: float
    unit: str
    scale: float = 1.0

    def cost(self, policy: Policy) -> float:
        """Cost in `unit`."""
        return self.model.cost(policy) * self.scale

    def ratio(self, policy: Policy) -> float:
        """Cost as a multiple of that of the reference."""
        return self.model.cost(policy) / self.reference_cost


def relative(model: CostModel, names: Sequence[str], reference: Reference = "float") -> Relative:
    """A cost model in its own unit, beside a network of these layers."""
    bits = FLOAT_BITS if reference == "float" else 8
    return Relative(model, reference, model.cost(uniform(names, bits, bits)), model.unit)
