from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quant.graph import Floats, Graph, Layer, Network, Node, Weights
from quant.ncnn.build import dump, float_layers, mixed_layers, structure
from quant.ncnn.grouped import as_run, lacks_8_bits, without_8_bits
from quant.ncnn.runtime import Engine, capabilities

SIDE = 7
GROUPS = 3
SHAPES = [(inputs, outputs) for inputs in (1, 3, 4, 8) for outputs in (1, 2, 4, 7, 8, 12, 16)]
"""Inputs and outputs of a group."""


def grouped(inputs: int, outputs: int, groups: int = GROUPS) -> Network:
    """A grouped convolution 3x3 and one of all channels, which reads it."""
    rng = np.random.default_rng(inputs + 100 * outputs)
    middle, channels = groups * outputs, groups * inputs
    wide = Layer("grouped", "conv", channels, middle, (3, 3), pads=(1, 1, 1, 1), groups=groups)
    first = replace(wide, in_size=(SIDE, SIDE), out_size=(SIDE, SIDE))
    last = Layer("last", "conv", middle, 5, in_size=(SIDE, SIDE), out_size=(SIDE, SIDE))
    nodes = (
        Node("image", "input", (), (channels, SIDE, SIDE)),
        Node("grouped", "conv", ("image",), (middle, SIDE, SIDE), first),
        Node("last", "conv", ("grouped",), (5, SIDE, SIDE), last),
    )

    def weights(layer: Layer) -> Weights:
        bias = rng.normal(size=layer.c_out).astype(np.float32)
        return Weights(rng.normal(size=layer.weight_shape).astype(np.float32), bias)

    return Network(Graph(nodes), {layer.name: weights(layer) for layer in (first, last)})


def run(network: Network, bits: dict[str, int], image: Floats) -> Floats:
    layers = float_layers(network)
    ranges = {"grouped": 1.0, "last": 30.0}
    files = dump(mixed_layers(layers, bits, ranges, capabilities()))
    return Engine.from_memory(*files).run(image)


@pytest.mark.parametrize(("inputs", "outputs"), SHAPES)
@pytest.mark.parametrize("behind", [8, 32])
def test_8_bits_are_near_to_float_whatever_the_groups(
    inputs: int, outputs: int, behind: int
) -> None:
    network = grouped(inputs, outputs)
    shape = network.graph.input_shape
    image = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    wanted = run(network, {"grouped": 32, "last": 32}, image)
    for _ in range(2):  # memory that nobody wrote holds something else each time
        found = run(network, {"grouped": 8, "last": behind}, image)
        assert np.abs(found - wanted).max() <= 0.1 * np.abs(wanted).max()


def test_groups_of_8_outputs_have_no_8_bits() -> None:
    network = grouped(4, 16)
    assert without_8_bits(network.graph) == {"grouped"}
    layers = structure(network.graph)
    assert as_run(layers, {"grouped": 8, "last": 8}) == {"grouped": 32, "last": 8}
    assert as_run(layers, {"grouped": 16, "last": 8}) == {"grouped": 16, "last": 8}
    image = np.ones(network.graph.input_shape, np.float32)
    at_8, at_32 = (run(network, {"grouped": bits, "last": 8}, image) for bits in (8, 32))
    assert np.array_equal(at_8, at_32)


@pytest.mark.parametrize(
    ("outputs", "groups", "lacks"),
    [(32, 2, True), (16, 2, True), (16, 16, False), (12, 2, False), (16, 1, False)],
)
def test_depthwise_and_ungrouped_ones_have(outputs: int, groups: int, lacks: bool) -> None:
    assert lacks_8_bits(Layer("l", "conv", 16, outputs, groups=groups)) == lacks


def test_heads_are_no_groups() -> None:
    assert not lacks_8_bits(Layer("l", "scores", 16, 16, groups=2))
