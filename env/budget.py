"""Fit a policy into a budget: give up the least accuracy for each unit of cost saved.

HAQ lowers bits from the last layer to the first until the budget is met. That always hits the late
layers, takes for granted that fewer bits are never slower, and never ends if the budget cannot be
met. This walk asks the cost model instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Protocol

from env.actions import Choices
from quant.errors import BudgetError
from quant.policy import Bits, Policy

Harm = Mapping[str, Mapping[Bits, float]]
"""Layer name -> bits -> estimated KL divergence with all other layers in float."""

ROUNDING = 1e-12
"""A saving below this share of the cost is a rounding error."""


class CostModel(Protocol):
    """What a policy costs, in `unit`. The cost need not fall with the bits."""

    @property
    def unit(self) -> str:
        """Unit of every cost, as in "ms" or "MB"."""

    def cost(self, policy: Policy) -> float:
        """Cost of a policy."""

    def least(self) -> Policy:
        """The policy of least cost that the model knows among its choices."""

    def deltas(self, policy: Policy, layer: str, alternatives: Sequence[Bits]) -> Sequence[float]:
        """Change of cost by switching this layer alone to each of the alternatives."""


def walk(
    policy: Policy, choices: Choices, model: CostModel, budget: float, harm: Harm | None = None
) -> Policy:
    """The policy, switched layer by layer until it costs at most `budget` (in the model's unit).

    First every switch that saves cost and adds no harm is made. Then, while the budget is
    exceeded, the one that adds the least harm for each unit of cost saved. Where no switch saves
    anything the model's least policy is returned. Without `harm` the harm of a switch is the
    rounding noise that it adds (`noise`); bits gained do not make up for it. Raises BudgetError if
    the least policy exceeds the budget.
    """
    switches = Switches(choices, model, harm, ROUNDING * abs(model.cost(policy)))
    policy = take_free(policy, switches)
    cost = model.cost(policy)
    best: dict[str, Switch] = {}
    while cost > budget:
        best = switches.refresh(policy, best)
        switch = min(best.values(), key=Switch.rank)
        policy = policy.replace(switch.layer, switch.bits)
        before, cost = cost, model.cost(policy)
        # Only a falling cost ends the loop for sure, whatever the deltas promised.
        if switch.price == inf or cost >= before:
            return least(model, budget)
    return policy


@dataclass(frozen=True)
class Switch:
    """Other bits for one layer, and the harm added for each unit of cost saved (its price).

    The price is infinite where the switch saves nothing. `deltas` are those of all alternatives of
    the layer when the switch was found to be the best of them.
    """

    layer: str
    bits: Bits
    price: float
    deltas: Sequence[float]

    def rank(self) -> tuple[float, int]:
        """Smaller is better: the price, and among equals the one that leaves the most bits."""
        return self.price, -self.bits.weight - self.bits.activation


@dataclass(frozen=True)
class Switches:
    """The switches open to a policy; one that saves no more than `rounding` saves nothing."""

    choices: Choices
    model: CostModel
    harm: Harm | None
    rounding: float

    def free(self, policy: Policy, layer: str) -> Bits | None:
        """Bits that save the most cost among those that save some and add no harm."""
        options = zip(self.deltas(policy, layer), self.added(policy, layer), strict=True)
        found = [
            (delta, index)
            for index, (delta, added) in enumerate(options)
            if delta < -self.rounding and added <= 0
        ]
        return self.choices.alternatives(layer)[min(found)[1]] if found else None

    def best(self, policy: Policy, layer: str, deltas: Sequence[float]) -> Switch:
        """The switch of least price of a layer; among equals the one that leaves the most bits."""
        alternatives = self.choices.alternatives(layer)
        options = zip(deltas, self.added(policy, layer), alternatives, strict=True)
        price, _, index = min(
            (
                added / -delta if delta < -self.rounding else inf,
                -bits.weight - bits.activation,
                index,
            )
            for index, (delta, added, bits) in enumerate(options)
        )
        return Switch(layer, alternatives[index], price, deltas)

    def refresh(self, policy: Policy, known: Mapping[str, Switch]) -> dict[str, Switch]:
        """The best switch of each layer, searched anew only where some delta has changed.

        A layer's deltas change when, in some models, a neighbour is switched.
        """
        found = {}
        for layer in self.choices.names:
            deltas = self.deltas(policy, layer)
            is_known = layer in known and known[layer].deltas == deltas
            found[layer] = known[layer] if is_known else self.best(policy, layer, deltas)
        return found

    def deltas(self, policy: Policy, layer: str) -> Sequence[float]:
        """Change of cost by each alternative of a layer."""
        return self.model.deltas(policy, layer, self.choices.alternatives(layer))

    def added(self, policy: Policy, layer: str) -> list[float]:
        """Harm added by each alternative of a layer."""
        harm = None if self.harm is None else self.harm[layer]
        return harm_added(policy[layer], self.choices.alternatives(layer), harm)


def take_free(policy: Policy, switches: Switches) -> Policy:
    """Make the switches that save cost and add no harm.

    A switch can open up another one elsewhere, so the layers are visited until nothing changes, but
    at most as often as there are layers.
    """
    for _ in switches.choices.names:
        before = policy
        for layer in switches.choices.names:
            bits = switches.free(policy, layer)
            policy = policy.replace(layer, bits) if bits else policy
        if policy is before:
            break
    return policy


def harm_added(
    now: Bits, options: Sequence[Bits], harm: Mapping[Bits, float] | None
) -> list[float]:
    """Harm added to one layer by each option, by the estimates or else as `noise` added."""
    if harm is not None:
        return [harm[bits] - harm[now] for bits in options]
    return [
        max(noise(bits.weight) - noise(now.weight), 0.0)
        + max(noise(bits.activation) - noise(now.activation), 0.0)
        for bits in options
    ]


def noise(bits: int) -> float:
    """Power of rounding noise relative to 0 bits: every bit less quadruples it."""
    return 4.0**-bits


def least(model: CostModel, budget: float) -> Policy:
    """The model's policy of least cost. Raises BudgetError if it exceeds the budget."""
    policy = model.least()
    cost = model.cost(policy)
    if cost > budget:
        raise BudgetError(
            f"the budget of {budget:.6g} {model.unit} cannot be met: "
            f"the least reachable is {cost:.6g} {model.unit}"
        )
    return policy
