"""Costs that are a sum over the layers, such as bytes of the weights and bit operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from env.actions import Choices
from quant.graph import Graph, Layer
from quant.policy import Bits, Policy

FLOAT_BYTES = 4


@dataclass(frozen=True)
class AdditiveCost:
    """`price(layer, bits)` summed over the layers, in `unit`."""

    layers: Mapping[str, Layer]
    choices: Choices
    unit: str
    price: Callable[[Layer, Bits], float]

    def cost(self, policy: Policy) -> float:
        """Cost of a policy."""
        return sum(self._price(name, policy[name]) for name in self.layers)

    def least(self) -> Policy:
        """The cheapest alternative of every layer."""
        return Policy({name: self._cheapest(layer) for name, layer in self.layers.items()})

    def deltas(self, policy: Policy, layer: str, alternatives: Sequence[Bits]) -> Sequence[float]:
        """Change of cost by switching one layer to each of the alternatives."""
        key = layer, policy[layer]
        if key not in self._changes or self._changes[key][0] != alternatives:
            now = self._price(*key)
            changes = tuple(self._price(layer, bits) - now for bits in alternatives)
            self._changes[key] = alternatives, changes
        return self._changes[key][1]

    def _cheapest(self, layer: Layer) -> Bits:
        return min(self.choices.alternatives(layer.name), key=lambda bits: self.price(layer, bits))

    def _price(self, name: str, bits: Bits) -> float:
        known = self._prices[name]
        if bits not in known:
            known[bits] = self.price(self.layers[name], bits)
        return known[bits]

    @cached_property
    def _prices(self) -> dict[str, dict[Bits, float]]:
        """Prices by layer, as they are asked for: a walk asks for each many times."""
        return {name: {} for name in self.layers}

    @cached_property
    def _changes(self) -> dict[tuple[str, Bits], tuple[Sequence[Bits], Sequence[float]]]:
        """By layer and its bits: the alternatives last asked for, and what they change."""
        return {}


def layer_bytes(layer: Layer, bits: Bits) -> float:
    """Bytes in ncnn's `.bin` at 8, 16 and 32 bits; the same rule carried on below 8.

    A tag, weights padded to four bytes, a float32 bias; for integers the weight scales and the
    scales of input and output too. The file has no output scale where nothing is requantized, so it
    is at most this large. A product has nothing there.
    """
    if layer.is_product:
        return 0.0
    weights = -(-layer.weight_count * bits.weight // 8)
    padded = weights + -weights % 4
    scales = layer.scale_count + 2 if bits.weight <= 8 else 0
    return FLOAT_BYTES * (1 + layer.c_out + scales) + padded


def layer_bops(layer: Layer, bits: Bits) -> float:
    """Multiply-accumulates times weight bits times activation bits (Baskin et al. 2018).

    Those of a product are the bits of its second and its first value.
    """
    return float(layer.macs * bits.weight * bits.activation)


def by_name(graph: Graph) -> dict[str, Layer]:
    """Quantizable layers by name."""
    return {layer.name: layer for layer in graph.layers}


def size_cost(graph: Graph, choices: Choices) -> AdditiveCost:
    """Bytes of the weights file."""
    return AdditiveCost(by_name(graph), choices, "bytes", layer_bytes)


def bops_cost(graph: Graph, choices: Choices) -> AdditiveCost:
    """Bit operations for one image."""
    return AdditiveCost(by_name(graph), choices, "bit operations", layer_bops)
