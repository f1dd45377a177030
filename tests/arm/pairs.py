"""Networks of a layer to be tested and a 1x1 convolution that reads it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from quant.graph import Activation, Floats, Graph, Layer, Network, Node, Weights
from quant.ncnn.build import dump, float_layers, mixed_layers, plan_policy
from quant.ncnn.format import NcnnLayer
from quant.ncnn.runtime import Engine, capabilities

SIDE = 14
RANGES = {"tested": 1.0, "reader": 0.7}
"""The reader's is low on purpose: some values are clamped."""


@dataclass(frozen=True)
class Kind:
    """Shape of the tested convolution; `groups` equal to the channels is depthwise."""

    c_in: int
    c_out: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    activation: Activation = "none"

    def layer(self) -> Layer:
        """The convolution, padded so that stride 1 keeps the size."""
        pad, side = self.kernel // 2, -(-SIDE // self.stride)
        return Layer(
            *("tested", "conv", self.c_in, self.c_out),
            kernel=(self.kernel, self.kernel),
            stride=(self.stride, self.stride),
            pads=(pad, pad, pad, pad),
            groups=self.groups,
            in_size=(SIDE, SIDE),
            out_size=(side, side),
            activation=self.activation,
        )


def pair(kind: Kind) -> Network:
    """The tested layer and its reader, with random weights."""
    tested = kind.layer()
    side = tested.out_size[0]
    reader = Layer(*("reader", "conv", kind.c_out, 8), in_size=(side, side), out_size=(side, side))
    graph = Graph(
        (
            Node("image", "input", (), (kind.c_in, SIDE, SIDE)),
            Node("tested", "conv", ("image",), (kind.c_out, side, side), tested),
            Node("reader", "conv", ("tested",), (8, side, side), reader),
        )
    )
    rng = np.random.default_rng(0)
    weights = {layer.name: random_weights(layer, rng) for layer in (tested, reader)}
    return Network(graph, weights)


def random_weights(layer: Layer, rng: Generator) -> Weights:
    """Weights that keep the size of what they are applied to, and small biases."""
    deviation = float(np.prod(layer.weight_shape[1:])) ** -0.5
    return Weights(
        rng.normal(0, deviation, layer.weight_shape).astype(np.float32),
        rng.normal(0, 0.1, layer.c_out).astype(np.float32),
    )


def image(kind: Kind) -> Floats:
    """Input of the tested layer; some values are beyond its range."""
    shape = (kind.c_in, SIDE, SIDE)
    return np.random.default_rng(1).normal(0, 0.5, shape).astype(np.float32)


@dataclass(frozen=True)
class Mixed:
    """A pair at some bits, in ncnn: its layers, its engine, and the planned widths of its blobs."""

    layers: dict[str, NcnnLayer]
    engine: Engine
    widths: dict[str, int]


def mixed(network: Network, tested: int, reader: int) -> Mixed:
    """The pair at the bits of both layers."""
    bits, board = {"tested": tested, "reader": reader}, capabilities()
    layers = float_layers(network)
    built = mixed_layers(layers, bits, RANGES, board)
    engine = Engine.from_memory(
        *dump(built), bits16=board.bits16 if 16 in bits.values() else "none"
    )
    widths = plan_policy(layers, bits, RANGES, board).blob_bits
    return Mixed({layer.name: layer for layer in built}, engine, dict(widths))
