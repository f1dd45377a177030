"""Small networks, cost models and harms whose right answers are known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from env.actions import Choices
from env.budget import Harm
from quant.graph import Graph, Layer, Node
from quant.policy import Bits, Policy


def toy_graph(count: int) -> Graph:
    """A chain of convolutions of varied geometry that ends in a linear layer."""
    names = [f"layer{i}" for i in range(count)]
    layers = [conv(name, index) for index, name in enumerate(names[:-1])]
    layers.append(Layer(names[-1], "linear", 64, 10))
    sources = ["image", *names]
    nodes = [
        Node(layer.name, layer.op, (source,), (layer.c_out, *layer.out_size), layer)
        for layer, source in zip(layers, sources, strict=False)
    ]
    return Graph((Node("image", "input", (), (3, 16, 16)), *nodes))


def conv(name: str, index: int) -> Layer:
    """Odd ones are depthwise 3x3, even ones 1x1 with stride 2 at every fourth."""
    width = 8 * (1 + index % 3)
    if index % 2:
        return Layer(name, "conv", width, width, kernel=(3, 3), groups=width, in_size=(8, 8))
    return Layer(name, "conv", width, 16, stride=(1 + index // 2 % 2,) * 2, in_size=(16, 8))


@dataclass(frozen=True)
class TableModel:
    """Adds up a cost for each layer's bits."""

    table: Mapping[str, Mapping[Bits, float]]
    unit: str = "ms"

    def cost(self, policy: Policy) -> float:
        return sum(self.table[name][bits] for name, bits in policy.layers.items())

    def least(self) -> Policy:
        return Policy({name: min(row, key=row.__getitem__) for name, row in self.table.items()})

    def deltas(self, policy: Policy, layer: str, alternatives: Sequence[Bits]) -> Sequence[float]:
        row = self.table[layer]
        now = row[policy[layer]]
        return [row[bits] - now for bits in alternatives]


@dataclass(frozen=True)
class CoupledModel:
    """A table plus `cast` wherever neighbours in the chain differ in bits."""

    table: TableModel
    cast: float
    unit: str = "ms"

    def cost(self, policy: Policy) -> float:
        chosen = list(policy.layers.values())
        changes = sum(a != b for a, b in pairwise(chosen))
        return self.table.cost(policy) + self.cast * changes

    def least(self) -> Policy:
        """Of the uniform policies and the table's least: enough for a test."""
        shared = set.intersection(*(set(row) for row in self.table.table.values()))
        uniforms = [Policy(dict.fromkeys(self.table.table, bits)) for bits in shared]
        return min((self.table.least(), *uniforms), key=self.cost)

    def deltas(self, policy: Policy, layer: str, alternatives: Sequence[Bits]) -> Sequence[float]:
        now = self.cost(policy)
        return [self.cost(policy.replace(layer, bits)) - now for bits in alternatives]


def bit_costs(choices: Choices, sizes: Sequence[float]) -> TableModel:
    """Cost of a layer: its size times the mean of weight and activation bits over 8."""
    return TableModel(
        {
            name: {
                bits: size * (bits.weight + bits.activation) / 16
                for bits in choices.alternatives(name)
            }
            for name, size in zip(choices.names, sizes, strict=True)
        }
    )


def quantization_noise(choices: Choices, sensitivity: Sequence[float]) -> Harm:
    """Harm of a layer: its sensitivity times 4^-bits of weights and of activations."""
    return {
        name: {
            bits: factor * (4.0**-bits.weight + 4.0**-bits.activation)
            for bits in choices.alternatives(name)
        }
        for name, factor in zip(choices.names, sensitivity, strict=True)
    }
